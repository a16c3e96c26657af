//! Sample applications, with manifests of our own.

use super::params::Params;
use super::{Asked, Step};

/// Meshbench's own target, of this version, as an image that the cluster has.
const ECHO_IMAGE: &str = concat!("meshbench:", env!("CARGO_PKG_VERSION"));

/// A sample application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Bookinfo,
    Echo,
    Emojivoto,
    Httpbin,
}

impl Sample {
    pub(super) const ALL: [Self; 4] = [Self::Bookinfo, Self::Echo, Self::Emojivoto, Self::Httpbin];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bookinfo => "bookinfo",
            Self::Echo => "echo",
            Self::Emojivoto => "emojivoto",
            Self::Httpbin => "httpbin",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Bookinfo => "Bookinfo: a page made by four services, one of them in three versions",
            Self::Echo => {
                "Echo: Meshbench's own target in two versions, from an image that the cluster has (image: \
                 meshbench:VERSION)"
            }
            Self::Emojivoto => "Emojivoto: votes over gRPC, with a bot that votes",
            Self::Httpbin => "httpbin: answers that say what was asked",
        }
    }

    /// The Service and its port by which people come to it.
    pub(super) fn front(self) -> (&'static str, u16) {
        match self {
            Self::Bookinfo => ("productpage", 9080),
            Self::Echo => ("echo", 80),
            Self::Emojivoto => ("web-svc", 80),
            Self::Httpbin => ("httpbin", 8000),
        }
    }

    fn manifest(self) -> &'static str {
        match self {
            Self::Bookinfo => include_str!("../../../assets/samples/bookinfo.yaml"),
            Self::Echo => include_str!("../../../assets/samples/echo.yaml"),
            Self::Emojivoto => include_str!("../../../assets/samples/emojivoto.yaml"),
            Self::Httpbin => include_str!("../../../assets/samples/httpbin.yaml"),
        }
    }
}

pub(super) fn steps(sample: Sample, asked: &Asked<'_>, body: &str) -> Result<Vec<Step>, String> {
    let mut params = Params::read(body)?;
    let manifest = match sample {
        Sample::Echo => sample.manifest().replace("{{image}}", &params.image("image", ECHO_IMAGE)?),
        _ => sample.manifest().to_owned(),
    };
    params.finish()?;
    let mut steps = asked.set(format!("sample-{}", sample.name()), manifest);
    if !asked.removes {
        steps.push(asked.ready());
    }
    Ok(steps)
}
