//! What is sent: the plan's requests made ready once for a whole run, and which of them is next.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use url::Url;

use super::http2::Prebuilt;
use super::random::Random;
use super::schedule::Share;
use super::{LoadError, request};
use crate::model::Plan;
use crate::model::plan::{BODY_BYTES_MAX, Body, Protocol};

/// The requests of a plan; shared by all workers, and never changed.
pub(super) struct Source {
    variants: Vec<Prepared>,
}

/// One request, ready to be written again and again.
pub(super) struct Prepared {
    /// Head and body.
    pub(super) bytes: Box<[u8]>,
    /// Whether its answer has no body, whatever its head says.
    pub(super) is_head: bool,
    /// The same as HTTP/2 sends it; of gRPC set once the messages' shapes are known.
    pub(super) http2: OnceLock<Prebuilt>,
}

/// Which request is next: one for each worker.
pub(super) struct Picker {
    #[expect(dead_code, reason = "a plan has one request as yet")]
    random: Random,
}

impl Source {
    pub(super) fn new(plan: &Plan, url: &Url) -> Result<Self, LoadError> {
        let request = &plan.request;
        let bytes: Box<[u8]> = request::encode(request, url, &body(&request.body)?).into();
        let http2 = OnceLock::new();
        if matches!(plan.target.protocol, Protocol::Http2 { .. }) {
            let built = Prebuilt::from_http1(&bytes, url.scheme() == "https").map_err(LoadError::Plan)?;
            let _ = http2.set(built);
        }
        Ok(Self { variants: vec![Prepared { bytes, is_head: request.method == "HEAD", http2 }] })
    }

    #[inline]
    pub(super) fn variant(&self, variant: u16) -> &Prepared {
        &self.variants[usize::from(variant)]
    }
}

impl Prepared {
    /// As HTTP/2 sends it.
    #[inline]
    pub(super) fn http2(&self) -> &Prebuilt {
        self.http2
            .get()
            .expect("set before the first worker starts, wherever the plan's protocol is on HTTP/2")
    }
}

impl Picker {
    pub(super) fn new(_source: &Source, share: Share, seed: u64) -> Self {
        Self { random: Random::seeded(seed ^ u64::from(share.worker)) }
    }

    #[inline]
    pub(super) fn pick(&mut self, _source: &Source) -> u16 {
        0
    }
}

fn body(body: &Body) -> Result<Vec<u8>, LoadError> {
    match body {
        Body::Empty => Ok(Vec::new()),
        Body::Text(text) => Ok(text.clone().into_bytes()),
        Body::File(path) => {
            let bytes =
                read_limited(path).map_err(|source| LoadError::BodyFile { path: path.clone(), source })?;
            if bytes.len() as u64 > BODY_BYTES_MAX {
                return Err(LoadError::BodyTooLarge { path: path.clone() });
            }
            Ok(bytes)
        }
    }
}

/// At most one byte more than is allowed: enough to know.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(BODY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
