//! Phases of requests, tables by request, address and connection, and the slowest: bounded, and made while
//! requests are counted without allocating for each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::run::{
    CONNECTION_ROWS_MAX, ConnectionRow, ConnectionTable, Detail, PhaseTimes, Phases, Row, SLOWEST_MAX, Slow,
    SlowPhases,
};
use crate::stats::Latency;

use super::grpc::status;
use super::schedule::Due;
use super::tally::{End, Opening, Outcome, Trace};
use crate::model::run::{ECHOED_STATUS, ErrorClass};

/// The most rows of a table; the last stands for all further ones.
const ROWS_MAX: usize = 32;
/// The key of what was never sent, or reached no address.
const NOWHERE: u16 = u16::MAX;
/// The most connections of one worker that are told apart.
const CONNECTIONS_MAX: usize = 1 << 14;
/// What is left beside the steps of opening a connection is no wait below this: it is our own way there.
const WAIT_NANOS_MIN: u64 = 100_000;

/// The phases in the order of [`Tables::phases`].
const DNS: usize = 0;
const CONNECT: usize = 1;
const TLS: usize = 2;
const WAIT: usize = 3;
const FIRST_BYTE: usize = 4;
const TRANSFER: usize = 5;
const PHASES: usize = 6;

/// Names of what the tables have numbers for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) variants: Vec<String>,
    pub(super) stages: Vec<String>,
    pub(super) addresses: Vec<String>,
}

/// What one worker has seen since it last told or, merged, all of them in the whole run.
#[derive(Debug)]
pub(super) struct Tables {
    phases: [Latency; PHASES],
    /// Response times.
    variants: Rows,
    /// Response times.
    stages: Rows,
    /// Service times.
    addresses: Rows,
    connections: Vec<Use>,
    slowest: Slowest,
}

/// Counts and times by key. As long as there is one key only, its times are the totals, and not kept twice.
#[derive(Debug, Default)]
struct Rows {
    only: Option<Counts>,
    rows: Vec<Cells>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    key: u16,
    requests: u64,
    failed: u64,
}

#[derive(Debug, Default)]
struct Cells {
    requests: u64,
    failed: u64,
    times: Option<Latency>,
}

/// What one connection carried.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    requests: u64,
    failed: u64,
    opened: u64,
    total_nanos: u64,
    max_nanos: u64,
}

/// The slowest requests, in a heap whose top is the fastest of them.
#[derive(Debug)]
struct Slowest {
    kept: BinaryHeap<Reverse<Entry>>,
    /// Faster ones are not among the slowest of the run.
    floor: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    response: u64,
    worker: u32,
    due: u64,
    outcome: Outcome,
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            phases: std::array::from_fn(|_| Latency::coarse()),
            variants: Rows::default(),
            stages: Rows::default(),
            addresses: Rows::default(),
            connections: Vec::new(),
            slowest: Slowest { kept: BinaryHeap::with_capacity(SLOWEST_MAX + 1), floor: 0 },
        }
    }

    /// As new, with the memory it has.
    pub(super) fn clear(&mut self) {
        for latency in self.phases.iter_mut().filter(|latency| !latency.is_empty()) {
            latency.clear();
        }
        self.variants.clear();
        self.stages.clear();
        self.addresses.clear();
        self.connections.fill(Use::default());
        self.slowest.kept.clear();
    }

    /// A connection was opened, before or during a request.
    pub(super) fn note_opening(&mut self, connection: Option<u32>, opening: &Opening) {
        for (phase, nanos) in [(DNS, opening.dns), (CONNECT, opening.connect), (TLS, opening.tls)] {
            if let Some(nanos) = nanos {
                self.phases[phase].record_nanos(nanos);
            }
        }
        if let Some(used) = connection.and_then(|connection| self.connection(connection)) {
            used.opened += 1;
        }
    }

    /// A counted request has its outcome, which is not cancelled; `response` and `service` hold those before it.
    #[inline]
    pub(super) fn note(&mut self, due: Due, outcome: &Outcome, response: &Latency, service: &Latency) {
        let trace = &outcome.trace;
        let failed = outcome.is_failure();
        let took = outcome.done.saturating_sub(due.at);
        let variant = if outcome.end == End::Failed(ErrorClass::Overflow) { NOWHERE } else { trace.variant };
        self.variants.note(variant, failed, Some(took), response);
        self.stages.note(due.stage, failed, Some(took), response);
        let served = outcome.sent.map(|sent| outcome.done.saturating_sub(sent.at));
        self.addresses.note(trace.address.unwrap_or(NOWHERE), failed, served, service);
        if let Some(sent) = outcome.sent {
            if let Some(wait) = waited(due, outcome) {
                self.phases[WAIT].record_nanos(wait);
            }
            if let Some(first_byte) = trace.first_byte {
                self.phases[FIRST_BYTE].record_nanos(first_byte.saturating_sub(sent.at));
            }
            if let Some(transfer) = transferred(outcome) {
                self.phases[TRANSFER].record_nanos(transfer);
            }
        }
        if let (Some(connection), Some(served)) = (trace.connection, served)
            && let Some(used) = self.connection(connection)
        {
            used.requests += 1;
            used.failed += u64::from(failed);
            used.total_nanos += served;
            used.max_nanos = used.max_nanos.max(served);
        }
        if took >= self.slowest.floor {
            self.slowest.keep(Entry { response: took, worker: 0, due: due.at, outcome: *outcome });
        }
    }

    #[inline]
    fn connection(&mut self, connection: u32) -> Option<&mut Use> {
        let at = connection as usize;
        if at >= self.connections.len() {
            if at >= CONNECTIONS_MAX {
                return None;
            }
            self.connections.resize(at + 1, Use::default());
        }
        Some(&mut self.connections[at])
    }
}

/// The tables of a whole run.
#[derive(Debug)]
pub(super) struct Merged {
    tables: Tables,
    /// By worker.
    connections: Vec<Vec<Use>>,
}

impl Merged {
    pub(super) fn new(workers: usize) -> Self {
        Self { tables: Tables::new(), connections: vec![Vec::new(); workers] }
    }

    /// Adds what a worker saw. The totals are pairs: of the run before, and of what is added.
    pub(super) fn add(
        &mut self,
        worker: usize,
        more: &Tables,
        response: (&Latency, &Latency),
        service: (&Latency, &Latency),
    ) {
        let tables = &mut self.tables;
        for (sum, phase) in tables.phases.iter_mut().zip(&more.phases) {
            if !phase.is_empty() {
                sum.merge(phase);
            }
        }
        tables.variants.merge(&more.variants, response);
        tables.stages.merge(&more.stages, response);
        tables.addresses.merge(&more.addresses, service);
        let sums = &mut self.connections[worker];
        sums.resize(sums.len().max(more.connections.len()), Use::default());
        for (sum, used) in sums.iter_mut().zip(&more.connections) {
            sum.add(used);
        }
        let worker = u32::try_from(worker).unwrap_or(u32::MAX);
        for Reverse(entry) in &more.slowest.kept {
            tables.slowest.keep(Entry { worker, ..*entry });
        }
    }

    /// As records have it; `origin` is when counting began. Histograms are only in the final one.
    pub(super) fn detail(&self, names: &Names, origin: u64, is_final: bool) -> Detail {
        let [dns, connect, tls, wait, first_byte, transfer] = self.tables.phases.each_ref().map(|latency| {
            let histogram = if is_final && !latency.is_empty() { latency.encode() } else { String::new() };
            PhaseTimes { ms: latency.quantiles(), histogram }
        });
        Detail {
            phases: Phases { dns, connect, tls, wait, first_byte, transfer },
            variants: self.tables.variants.shown(&names.variants, "request", "Never sent"),
            stages: self.tables.stages.shown(&names.stages, "stage", "Never sent"),
            addresses: self.tables.addresses.shown(&names.addresses, "address", "None reached"),
            connections: self.connections(),
            slowest: self.slowest(names, origin),
        }
    }

    fn connections(&self) -> ConnectionTable {
        let mut used: Vec<(usize, usize, &Use)> = Vec::new();
        for (worker, connections) in self.connections.iter().enumerate() {
            let numbered = connections.iter().enumerate().filter(|(_, used)| used.requests > 0);
            used.extend(numbered.map(|(at, connection)| (worker, at, connection)));
        }
        let requests = || used.iter().map(|(_, _, used)| used.requests);
        let mut table = ConnectionTable {
            used: used.len() as u64,
            requests_min: requests().min().unwrap_or_default(),
            requests_max: requests().max().unwrap_or_default(),
            slowest: Vec::new(),
        };
        let slower = |left: &(usize, usize, &Use), right: &(usize, usize, &Use)| {
            right.2.mean_nanos().total_cmp(&left.2.mean_nanos())
        };
        if used.len() > CONNECTION_ROWS_MAX {
            used.select_nth_unstable_by(CONNECTION_ROWS_MAX, slower);
            used.truncate(CONNECTION_ROWS_MAX);
        }
        used.sort_by(slower);
        table.slowest = used.into_iter().map(|(worker, at, used)| used.shown(worker, at)).collect();
        table
    }

    fn slowest(&self, names: &Names, origin: u64) -> Vec<Slow> {
        let mut entries: Vec<&Entry> = self.tables.slowest.kept.iter().map(|entry| &entry.0).collect();
        entries.sort_by(|left, right| right.cmp(left));
        entries.into_iter().map(|entry| entry.shown(names, origin)).collect()
    }
}

impl Rows {
    fn clear(&mut self) {
        self.only = None;
        for row in &mut self.rows {
            (row.requests, row.failed) = (0, 0);
            if let Some(times) = row.times.as_mut().filter(|times| !times.is_empty()) {
                times.clear();
            }
        }
    }

    /// Where there were several keys before, several are expected again.
    fn is_split(&self) -> bool {
        !self.rows.is_empty()
    }

    #[inline]
    fn note(&mut self, key: u16, failed: bool, nanos: Option<u64>, so_far: &Latency) {
        match &mut self.only {
            Some(only) if only.key == key => {
                only.requests += 1;
                only.failed += u64::from(failed);
            }
            _ => self.note_another(key, failed, nanos, so_far),
        }
    }

    /// Of a key that is the first, or not the only one.
    #[inline(never)]
    fn note_another(&mut self, key: u16, failed: bool, nanos: Option<u64>, so_far: &Latency) {
        if !self.is_split() {
            let only = self.only.get_or_insert(Counts { key, requests: 0, failed: 0 });
            if only.key == key {
                only.requests += 1;
                only.failed += u64::from(failed);
                return;
            }
            self.split(so_far);
        }
        let row = self.row(key);
        row.requests += 1;
        row.failed += u64::from(failed);
        if let Some(nanos) = nanos {
            row.times().record_nanos(nanos);
        }
    }

    /// There is a second key: what the totals hold is the first one's.
    #[cold]
    fn split(&mut self, so_far: &Latency) {
        match self.only.take() {
            Some(only) => self.row(only.key).add_whole(only, so_far),
            None => self.rows.resize_with(1, Cells::default),
        }
    }

    fn merge(&mut self, more: &Self, (so_far, added): (&Latency, &Latency)) {
        match (self.only, more.only) {
            _ if more.is_split() => {
                if !self.is_split() {
                    self.split(so_far);
                }
                for (at, row) in more.rows.iter().enumerate().filter(|(_, row)| row.requests > 0) {
                    let sum = self.row_at(at);
                    sum.requests += row.requests;
                    sum.failed += row.failed;
                    if let Some(times) = row.times.as_ref().filter(|times| !times.is_empty()) {
                        sum.times().merge(times);
                    }
                }
            }
            (_, None) => {}
            (None, Some(more)) if !self.is_split() => self.only = Some(more),
            (Some(only), Some(more)) if only.key == more.key => {
                let (requests, failed) = (only.requests + more.requests, only.failed + more.failed);
                self.only = Some(Counts { requests, failed, ..only });
            }
            (_, Some(more)) => {
                if !self.is_split() {
                    self.split(so_far);
                }
                self.row(more.key).add_whole(more, added);
            }
        }
    }

    fn row(&mut self, key: u16) -> &mut Cells {
        let at = if key == NOWHERE { ROWS_MAX } else { usize::from(key).min(ROWS_MAX - 1) };
        self.row_at(at)
    }

    fn row_at(&mut self, at: usize) -> &mut Cells {
        if at >= self.rows.len() {
            self.rows.resize_with(at + 1, Cells::default);
        }
        &mut self.rows[at]
    }

    /// Empty where there is one row only: that is the totals.
    fn shown(&self, names: &[String], noun: &str, nowhere: &str) -> Vec<Row> {
        let name = |at: usize| match names.get(at) {
            _ if at == ROWS_MAX => nowhere.to_owned(),
            _ if at == ROWS_MAX - 1 && names.len() > ROWS_MAX => "Others".to_owned(),
            Some(name) => name.clone(),
            None => format!("{noun} {}", at + 1),
        };
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.requests > 0);
        let shown = |(at, row): (usize, &Cells)| Row {
            name: name(at),
            requests: row.requests,
            failed: row.failed,
            ms: row.times.as_ref().map(Latency::quantiles).unwrap_or_default(),
        };
        let rows: Vec<Row> = rows.map(shown).collect();
        if rows.len() > 1 { rows } else { Vec::new() }
    }
}

impl Cells {
    fn times(&mut self) -> &mut Latency {
        self.times.get_or_insert_with(Latency::coarse)
    }

    fn add_whole(&mut self, counts: Counts, times: &Latency) {
        self.requests += counts.requests;
        self.failed += counts.failed;
        self.times().absorb(times);
    }
}

impl Use {
    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.failed += more.failed;
        self.opened += more.opened;
        self.total_nanos += more.total_nanos;
        self.max_nanos = self.max_nanos.max(more.max_nanos);
    }

    fn mean_nanos(&self) -> f64 {
        self.total_nanos as f64 / self.requests.max(1) as f64
    }

    fn shown(&self, worker: usize, at: usize) -> ConnectionRow {
        ConnectionRow {
            name: connection_name(worker, at),
            requests: self.requests,
            failed: self.failed,
            opened: self.opened,
            mean_ms: self.mean_nanos() / 1e6,
            max_ms: millis(self.max_nanos),
        }
    }
}

impl Slowest {
    fn keep(&mut self, entry: Entry) {
        self.kept.push(Reverse(entry));
        if self.kept.len() > SLOWEST_MAX {
            self.kept.pop();
        }
        if self.kept.len() == SLOWEST_MAX
            && let Some(Reverse(fastest)) = self.kept.peek()
        {
            // Kept when the rest is forgotten: so many slower ones were told of already.
            self.floor = self.floor.max(fastest.response);
        }
    }
}

impl Entry {
    fn shown(&self, names: &Names, origin: u64) -> Slow {
        let Outcome { end, sent, trace, .. } = &self.outcome;
        let named = |names: &[String], at: u16, noun: &str| {
            names.get(usize::from(at)).cloned().unwrap_or_else(|| format!("{noun} {}", at + 1))
        };
        let due = Due { at: self.due, counted: true, stage: 0 };
        let opening = trace.opened_before_sent().unwrap_or_default();
        // Where none came, all of the time since it was sent was spent on waiting for it.
        let first_byte =
            sent.map(|sent| trace.first_byte.unwrap_or(self.outcome.done).saturating_sub(sent.at));
        let variant = sent.map(|_| named(&names.variants, trace.variant, "request"));
        let address = trace.address.map(|at| named(&names.addresses, at, "address"));
        let connection = trace.connection.filter(|_| sent.is_some());
        Slow {
            due_s: self.due.saturating_sub(origin) as f64 / 1e9,
            response_ms: millis(self.response),
            service_ms: sent.map(|sent| millis(self.outcome.done.saturating_sub(sent.at))),
            outcome: outcome_name(*end),
            variant: variant.unwrap_or_default(),
            address: address.unwrap_or_default(),
            connection: connection
                .map(|at| connection_name(self.worker as usize, at as usize))
                .unwrap_or_default(),
            phases: SlowPhases {
                lag: sent.map(|sent| millis(sent.lag)),
                wait: waited(due, &self.outcome).map(millis),
                dns: opening.dns.map(millis),
                connect: opening.connect.map(millis),
                tls: opening.tls.map(millis),
                first_byte: first_byte.map(millis),
                transfer: transferred(&self.outcome).map(millis),
            },
        }
    }

    /// By response time; of equal ones the earlier first, so that an order is always the same.
    fn order(&self) -> (u64, Reverse<u64>, u32) {
        (self.response, Reverse(self.due), self.worker)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

/// How long a request waited for a connection: what lies between due and sent and is neither our own lateness
/// nor the opening of a connection. None where it did not wait, or never was sent.
fn waited(due: Due, outcome: &Outcome) -> Option<u64> {
    let sent = outcome.sent?;
    let wait = sent.at.saturating_sub(due.at).saturating_sub(sent.lag);
    let Some(Opening { dns, connect, tls }) = outcome.trace.opened_before_sent() else {
        return (wait > 0).then_some(wait);
    };
    let opening: u64 = [dns, connect, tls].into_iter().flatten().sum();
    Some(wait.saturating_sub(opening)).filter(|wait| *wait >= WAIT_NANOS_MIN)
}

/// From the first byte to the last, of an answer that did not come whole at once.
fn transferred(outcome: &Outcome) -> Option<u64> {
    let Trace { first_byte, .. } = outcome.trace;
    let transfer = outcome.done.saturating_sub(first_byte.filter(|_| outcome.is_answer())?);
    (transfer > 0).then_some(transfer)
}

fn outcome_name(end: End) -> String {
    match end {
        End::Status(status) => status.to_string(),
        End::Echoed => ECHOED_STATUS.to_owned(),
        End::Grpc(code) => status::name(code).to_owned(),
        End::Failed(class) => class.name().to_owned(),
        End::Cancelled => ErrorClass::Cancelled.name().to_owned(),
    }
}

/// `2/17`: thread and number, counted from one.
fn connection_name(worker: usize, at: usize) -> String {
    format!("{}/{}", worker + 1, at + 1)
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::{Sent, Tally};

    const MS: u64 = 1_000_000;

    /// A request due at `due_ms` and done `took_ms` later, over this connection to this address.
    fn outcome(variant: u16, address: u16, connection: u32, due_ms: u64, took_ms: u64) -> (Due, Outcome) {
        let (at, done) = (due_ms * MS, (due_ms + took_ms) * MS);
        let trace = Trace {
            variant,
            address: Some(address),
            connection: Some(connection),
            first_byte: Some(done),
            ..Trace::default()
        };
        let sent = Some(Sent { at, lag: 0, bytes: 1 });
        (
            Due { at, counted: true, stage: 0 },
            Outcome { end: End::Status(200), done, known: done, sent, received_bytes: 1, trace },
        )
    }

    /// What comes of tallies that are handed over one after another by one worker.
    fn merged(tallies: &[Vec<(Due, Outcome)>]) -> Detail {
        let (mut merged, mut tally) = (Merged::new(1), Tally::new());
        let (mut response, mut service) = (Latency::new(), Latency::new());
        for outcomes in tallies {
            tally.clear();
            for (due, outcome) in outcomes {
                tally.note(*due, outcome);
            }
            merged.add(0, &tally.tables, (&response, &tally.response), (&service, &tally.service));
            response.merge(&tally.response);
            service.merge(&tally.service);
        }
        let names = Names {
            variants: vec!["GET /".to_owned(), "GET /b".to_owned()],
            stages: Vec::new(),
            addresses: Vec::new(),
        };
        merged.detail(&names, 0, true)
    }

    #[test]
    fn a_second_key_splits_what_was_counted_before_without_losing_any() {
        let of = |variant, took_ms| outcome(variant, 0, 0, 5, took_ms);
        for tallies in [
            vec![vec![of(0, 10), of(0, 10), of(1, 50)]],
            vec![vec![of(0, 10)], vec![of(0, 10)], vec![of(1, 50)]],
            vec![vec![of(0, 10)], vec![of(1, 50), of(0, 10)]],
            vec![vec![of(1, 50)], vec![], vec![of(0, 10), of(0, 10)]],
        ] {
            let detail = merged(&tallies);
            let rows: Vec<_> = detail.variants.iter().map(|row| (row.name.as_str(), row.requests)).collect();
            assert_eq!(rows, [("GET /", 2), ("GET /b", 1)], "{tallies:?}");
            let [first, second] = [0, 1].map(|at| detail.variants[at].ms);
            assert!((first.max / 10.0 - 1.0).abs() < 0.02 && first.count == 2, "{tallies:?}: {first:?}");
            assert!((second.p50 / 50.0 - 1.0).abs() < 0.02 && second.count == 1, "{tallies:?}: {second:?}");
            assert!(detail.addresses.is_empty(), "one address is no table");
        }
        assert!(merged(&[vec![of(0, 10), of(0, 12)]]).variants.is_empty());
    }

    #[test]
    fn what_was_never_sent_or_reached_nothing_has_a_row_of_its_own() {
        let due = Due { at: 0, counted: true, stage: 0 };
        let refused = Outcome::unsent(End::Failed(ErrorClass::ConnectRefused), 3 * MS);
        let detail =
            merged(&[vec![outcome(0, 0, 0, 0, 4), (due, Outcome::overflow(9 * MS)), (due, refused)]]);
        let rows: Vec<_> = detail.variants.iter().map(|row| (row.name.as_str(), row.failed)).collect();
        assert_eq!(rows, [("GET /", 1), ("Never sent", 1)]);
        let rows: Vec<_> = detail.addresses.iter().map(|row| (row.name.as_str(), row.requests)).collect();
        assert_eq!(rows, [("address 1", 1), ("None reached", 2)]);
        assert_eq!(detail.addresses[1].ms.count, 0, "no service time without sending");
    }

    #[test]
    fn phases_of_a_request_add_up_to_its_response_time() {
        let opening = Opening { dns: Some(2 * MS), connect: Some(3 * MS), tls: Some(5 * MS) };
        let due = Due { at: 100 * MS, counted: true, stage: 0 };
        let trace = Trace { first_byte: Some(150 * MS), opening: Some(opening), ..Trace::default() };
        let sent = Some(Sent { at: 131 * MS, lag: MS, bytes: 1 });
        let outcome = Outcome {
            end: End::Status(200),
            done: 170 * MS,
            known: 170 * MS,
            sent,
            received_bytes: 1,
            trace,
        };
        let detail = merged(&[vec![(due, outcome)]]);
        let slow = &detail.slowest[0];
        let expected = SlowPhases {
            lag: Some(1.0),
            wait: Some(20.0),
            dns: Some(2.0),
            connect: Some(3.0),
            tls: Some(5.0),
            first_byte: Some(19.0),
            transfer: Some(20.0),
        };
        assert_eq!(slow.phases, expected);
        assert!((slow.phases.named().map(|(_, ms)| ms).sum::<f64>() - slow.response_ms).abs() < 1e-9);
        for (name, _, times) in detail.phases.named() {
            assert_eq!(times.ms.count, 1, "{name}");
            assert!(Latency::decode(&times.histogram).is_ok_and(|latency| latency.count() == 1), "{name}");
        }
    }

    #[test]
    fn no_phase_is_made_up() {
        let detail = merged(&[vec![outcome(0, 0, 0, 0, 7)]]);
        let counts = detail.phases.named().map(|(_, _, times)| times.ms.count);
        assert_eq!(counts, [0, 0, 0, 0, 1, 0], "it came whole at once, over an open connection, in time");
    }

    #[test]
    fn the_slowest_of_all_tallies_are_kept_in_order() {
        let took = |n: u64| (n * 7919) % 1000;
        let outcomes: Vec<_> = (0..1000).map(|n| outcome(0, 0, 3, n, took(n))).collect();
        let tallies: Vec<_> = outcomes.chunks(90).map(<[_]>::to_vec).collect();
        let slowest = merged(&tallies).slowest;
        let times: Vec<f64> = slowest.iter().map(|slow| slow.response_ms).collect();
        assert_eq!(times, (950..1000).rev().map(f64::from).collect::<Vec<_>>());
        assert_eq!((slowest[0].connection.as_str(), slowest[0].outcome.as_str()), ("1/4", "200"));
    }

    #[test]
    fn of_many_connections_the_slowest_are_listed_and_all_are_counted() {
        let outcomes: Vec<_> =
            (0..500).map(|n| outcome(0, 0, n % 100, u64::from(n), u64::from(n % 100) + 1)).collect();
        let table = merged(&[outcomes]).connections;
        assert_eq!((table.used, table.requests_min, table.requests_max), (100, 5, 5));
        assert_eq!(table.slowest.len(), CONNECTION_ROWS_MAX);
        assert_eq!((table.slowest[0].name.as_str(), table.slowest[0].max_ms), ("1/100", 100.0));
        assert!(table.slowest.windows(2).all(|pair| pair[0].mean_ms >= pair[1].mean_ms));
    }

    #[test]
    fn tables_are_bounded() {
        let outcomes: Vec<_> =
            (0..3000).map(|n: u32| outcome(n as u16, n as u16, n * 100, u64::from(n), 1)).collect();
        let detail = merged(&[outcomes]);
        assert_eq!(detail.variants.len(), ROWS_MAX);
        assert_eq!(detail.variants.iter().map(|row| row.requests).sum::<u64>(), 3000);
        assert!(detail.connections.used <= CONNECTIONS_MAX as u64 / 100 + 1);
        assert_eq!(detail.slowest.len(), SLOWEST_MAX);
    }
}
