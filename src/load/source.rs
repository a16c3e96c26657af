//! What is sent: the plan's requests made ready once for a whole run, and which of them is next.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use url::Url;

use super::LoadError;
use super::data::Table;
use super::grpc::Filler;
use super::http2::{Draft, Prebuilt};
use super::random::Random;
use super::request::{Form, Pen, Reading, Turn};
use super::schedule::Share;
use super::template::{Draw, Place, Template};
use crate::model::Plan;
use crate::model::plan::{
    BODY_BYTES_MAX, Body, DATAGRAM_BYTES_MAX, Order, Protocol, Request, Session, is_same_origin,
};

/// What an echo is sent where the plan names no body.
const ECHO_DEFAULT: &[u8; 24] = b"Meshbench echo, 24 bytes";

/// The requests of a plan; shared by all workers, and never changed.
pub(super) struct Source {
    variants: Vec<Prepared>,
    /// Of each variant, the sum of its weight and those before it.
    weights: Vec<f64>,
    table: Option<Table>,
    order: Order,
    pub(super) wire: Wire,
    pub(super) session: Session,
    /// One URL of each scheme, host and port that requests go to; at least one.
    origins: Vec<Url>,
}

/// What the URL's scheme asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Http,
    TcpEcho,
    UdpEcho,
}

/// One request, ready to be written again and again.
pub(super) struct Prepared {
    /// Head and body, where nothing in them differs.
    pub(super) bytes: Box<[u8]>,
    /// Whether nothing in it differs from request to request.
    pub(super) is_fixed: bool,
    pub(super) form: Form,
    /// Of a gRPC call: its message as JSON.
    pub(super) message: Option<Template>,
    /// Whether its answer has no body, whatever its head says.
    pub(super) is_head: bool,
    /// Whether it may be sent again where nobody knows if it was carried out: by its method (RFC 9110, 9.2.2).
    pub(super) is_idempotent: bool,
    /// The same as HTTP/2 sends it; of gRPC set once the messages' shapes are known. What differs from request to
    /// request is filled in for each.
    pub(super) http2: OnceLock<Prebuilt>,
    /// Of a gRPC call whose message or metadata differ: how to fill them in.
    pub(super) filler: OnceLock<Filler>,
    /// Which of the plan's origins it goes to.
    pub(super) origin: u16,
}

/// The draws of the schedule come from the same seed: what is sent must not depend on how long nothing was.
const PICKER_SALT: u64 = 0xa3c5_9d2e_71f4_86b1;

/// Which request is next, and what it is filled with: one for each worker.
pub(super) struct Picker {
    random: Random,
    /// The number of the next request that is filled: every worker has its own.
    number: u64,
    workers: u64,
}

impl Source {
    pub(super) fn new(plan: &Plan, url: &Url) -> Result<Self, LoadError> {
        let table = match &plan.data {
            Some(data) => Some(
                Table::read(&data.file)
                    .map_err(|reason| LoadError::DataFile { path: data.file.clone(), reason })?,
            ),
            None => None,
        };
        let reading = Reading { templates: plan.has_templates(), table: table.as_ref() };
        let wire = match url.scheme() {
            "tcp" => Wire::TcpEcho,
            "udp" => Wire::UdpEcho,
            _ => Wire::Http,
        };
        let prepare = |request: &Request, text: &str| Prepared::new(request, text, url, wire, reading);
        let mut variants = Vec::new();
        let mut weights = Vec::new();
        for variant in &plan.variants {
            variants.push(prepare(&variant.request, variant.url.as_deref().unwrap_or(&plan.target.url))?);
            weights.push(weights.last().unwrap_or(&0.0) + variant.weight);
        }
        if variants.is_empty() {
            variants.push(prepare(&plan.request, &plan.target.url)?);
            weights.push(1.0);
        }
        let origins = plan.origins();
        for variant in &mut variants {
            let at = origins.iter().position(|origin| is_same_origin(origin, &variant.form.url));
            // A plan has at most 64 requests.
            variant.origin = at.and_then(|at| u16::try_from(at).ok()).unwrap_or(0);
        }
        let order = plan.data.as_ref().map_or(Order::InTurn, |data| data.order);
        if matches!(plan.target.protocol, Protocol::Http2 { .. }) {
            for variant in variants.iter().filter(|variant| variant.is_fixed) {
                let built = Draft::from_http1(&variant.bytes, variant.is_secure());
                let _ = variant.http2.set(built.map_err(LoadError::Plan)?.into());
            }
        }
        Ok(Self { variants, weights, table, order, wire, session: plan.session, origins })
    }

    /// What the first request would be filled with: to see before the start whether it can be.
    pub(super) fn sample(&self) -> Draw<'_> {
        Draw { row: self.table.as_ref().map(|table| table.row(0)), ..Draw::nothing() }
    }

    #[inline]
    pub(super) fn variant(&self, variant: u16) -> &Prepared {
        &self.variants[usize::from(variant)]
    }

    /// Where requests go, in the order of [`Prepared::origin`]: only scheme, host and port matter.
    pub(super) fn origins(&self) -> &[Url] {
        &self.origins
    }
}

impl Prepared {
    fn new(
        request: &Request,
        text: &str,
        base: &Url,
        wire: Wire,
        reading: Reading<'_>,
    ) -> Result<Self, LoadError> {
        let mut body = body(&request.body)?;
        if body.is_empty() && wire != Wire::Http {
            body = ECHO_DEFAULT.to_vec();
        }
        if wire == Wire::UdpEcho && body.len() > DATAGRAM_BYTES_MAX {
            let words = format!("a datagram has room for {DATAGRAM_BYTES_MAX} bytes, and the body is larger");
            return Err(LoadError::Plan(words));
        }
        let form = Form::new(request, text, base, &body, reading)?;
        let message = request.grpc.as_ref();
        let message = message.map(|call| reading.read(&call.message, Place::Body, "message")).transpose()?;
        let is_fixed = match wire {
            Wire::Http => form.is_fixed() && message.as_ref().is_none_or(Template::is_fixed),
            Wire::TcpEcho | Wire::UdpEcho => form.body.is_fixed(),
        };
        let mut pen = Pen::default();
        let mut nothing = Draw::nothing();
        if wire == Wire::Http {
            form.write(&mut nothing, Turn::default(), &mut pen);
        } else {
            form.body.fill(&mut nothing, &mut pen.bytes);
        }
        Ok(Self {
            bytes: if is_fixed { pen.bytes.into() } else { Box::default() },
            is_fixed,
            form,
            message,
            http2: OnceLock::new(),
            filler: OnceLock::new(),
            origin: 0,
            is_head: request.method == "HEAD",
            is_idempotent: matches!(
                request.method.as_str(),
                "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE"
            ),
        })
    }

    /// As HTTP/2 sends it this time; `pen` is left with it as HTTP/1.1 has it, but for gRPC.
    ///
    /// # Errors
    /// Why what was filled in cannot be sent.
    pub(super) fn fill_http2(
        &self,
        draw: &mut Draw<'_>,
        turn: Turn<'_>,
        pen: &mut Pen,
    ) -> Result<Prebuilt, String> {
        if let Some(filler) = self.filler.get() {
            return filler.fill(self, draw);
        }
        self.form.write(draw, turn, pen);
        Draft::from_http1(&pen.bytes, self.is_secure()).map(Prebuilt::from)
    }

    fn is_secure(&self) -> bool {
        self.form.url.scheme() == "https"
    }

    /// As HTTP/2 sends it, where nothing in it differs.
    #[inline]
    pub(super) fn http2(&self) -> &Prebuilt {
        self.http2
            .get()
            .expect("set before the first worker starts, wherever the plan's protocol is on HTTP/2")
    }
}

impl Picker {
    pub(super) fn new(_source: &Source, share: Share, seed: u64) -> Self {
        Self {
            random: Random::seeded(seed ^ PICKER_SALT ^ u64::from(share.worker)),
            number: u64::from(share.worker),
            workers: u64::from(share.workers),
        }
    }

    /// The variant that is sent next.
    #[inline]
    pub(super) fn pick(&mut self, source: &Source) -> u16 {
        let Some(whole) = source.weights.last().filter(|_| source.weights.len() > 1) else { return 0 };
        // Above 0 and up to the whole: one without weight is never the first that reaches it.
        let reached = self.random.unit() * whole;
        let at = source.weights.partition_point(|sum| *sum < reached);
        u16::try_from(at.min(source.weights.len() - 1)).unwrap_or(0)
    }

    /// What a request with templates is filled with. Workers take the numbers in turn, and so the rows.
    pub(super) fn draw<'a>(&mut self, source: &'a Source) -> Draw<'a> {
        let number = self.number;
        self.number += self.workers;
        let row = source.table.as_ref().map(|table| {
            let rows = table.len() as u64;
            let at = match source.order {
                Order::InTurn => number % rows,
                Order::Random => self.random.next_u64() % rows,
            };
            table.row(usize::try_from(at).unwrap_or(0))
        });
        Draw { row, number, random: Random::seeded(self.random.next_u64()) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Data, Variant};

    fn source(weights: &[f64]) -> Source {
        let mut plan = Plan::for_url("http://a.test/");
        plan.variants = weights
            .iter()
            .map(|weight| Variant {
                name: "a".to_owned(),
                weight: *weight,
                url: None,
                request: Request::default(),
            })
            .collect();
        Source::new(&plan, &Url::parse(&plan.target.url).expect("a URL")).expect("a source")
    }

    #[test]
    fn what_is_chosen_does_not_depend_on_when_it_is_due() {
        use crate::load::schedule::{Next, Schedule};
        let mut plan = Plan::for_url("http://x/");
        plan.pacing = crate::model::Pacing::Poisson { rate_per_sec: 1000.0 };
        plan.stop = crate::model::Stop::Requests(4000);
        for path in ["/often", "/seldom"] {
            plan.variants.push(Variant {
                name: path.to_owned(),
                weight: if path == "/often" { 9.0 } else { 1.0 },
                url: Some(path.to_owned()),
                request: Request::default(),
            });
        }
        let source = Source::new(&plan, &Url::parse("http://x/").expect("a URL")).expect("a source");
        let share = Share { worker: 0, workers: 1 };
        for seed in 0..5 {
            let mut schedule = Schedule::new(&plan, None, share, seed);
            let mut picker = Picker::new(&source, share, seed);
            let (mut before, mut gaps) = (0, [Vec::new(), Vec::new()]);
            while let Next::Due(due) = schedule.peek() {
                schedule.advance(due);
                gaps[usize::from(picker.pick(&source))].push((due.at - before) as f64);
                before = due.at;
            }
            // The mean of the gaps before either is a millisecond, within four standard errors.
            for gaps in gaps {
                let mean = gaps.iter().sum::<f64>() / gaps.len() as f64 / 1e6;
                assert!((mean - 1.0).abs() < 4.0 / (gaps.len() as f64).sqrt(), "seed {seed}: {mean} ms");
            }
        }
    }

    #[test]
    fn requests_are_chosen_by_their_weights() {
        const N: u32 = 100_000;
        let source = source(&[0.0, 1.0, 6.0, 0.0, 3.0, 0.0]);
        let mut picker = Picker::new(&source, Share { worker: 0, workers: 1 }, 11);
        let mut seen = [0u32; 6];
        for _ in 0..N {
            seen[usize::from(picker.pick(&source))] += 1;
        }
        assert_eq!((seen[0], seen[3], seen[5]), (0, 0, 0));
        for (at, share) in [(1, 0.1), (2, 0.6), (4, 0.3)] {
            assert!((f64::from(seen[at]) / f64::from(N) - share).abs() < 0.01, "{seen:?}");
        }
    }

    #[test]
    fn workers_take_the_rows_in_turn_and_no_number_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rows.csv");
        std::fs::write(&file, "a\n0\n1\n2\n3\n4\n5\n").expect("a file");
        let mut plan = Plan::for_url("http://a.test/");
        plan.data = Some(Data { file, order: Order::InTurn });
        let source = Source::new(&plan, &Url::parse(&plan.target.url).expect("a URL")).expect("a source");
        let (mut rows, mut numbers) = ([0; 6], Vec::new());
        for worker in 0..4 {
            let mut picker = Picker::new(&source, Share { worker, workers: 4 }, 5);
            for _ in 0..9 {
                let draw = picker.draw(&source);
                rows[draw.row.expect("a row").value(0).parse::<usize>().expect("a number")] += 1;
                numbers.push(draw.number);
            }
        }
        numbers.sort_unstable();
        assert_eq!((rows, numbers), ([6; 6], (0..36).collect()));
    }
}
