//! Where the time went: phases, tables by request and address, the slowest requests. Each part only where
//! there is something to tell.

use crate::model::run::{Detail, PhaseTimes, Row, Slow, error_words};
use crate::model::{Run, number};

use super::super::screen::{Style, plain};
use super::{aligned, cells, cut};

/// The most requests that are listed.
const SLOWEST_SHOWN: usize = 5;
const PHASE_HEADS: [&str; 9] = ["phase", "p50", "p90", "p95", "p99", "p99.9", "max", "mean", "count"];
const ROW_HEADS: [&str; 6] = ["requests", "failed", "p50", "p99", "max", "mean"];

/// The lines of all parts, each after an empty one.
pub(super) fn sections(run: &Run, style: Style) -> Vec<String> {
    let Detail { phases, variants, stages, addresses, slowest, .. } = &run.detail;
    let phases: Vec<_> = phases.occurred().map(|(name, _, times)| (name, times)).collect();
    let parts = [
        by_phase(&phases),
        by_row("request (response)", variants),
        by_row("stage (response)", stages),
        by_row("address (service)", addresses),
        slowest_requests(slowest),
    ];
    let mut lines = Vec::new();
    for rows in parts.into_iter().filter(|rows| rows.len() > 1) {
        let mut part = aligned(&rows, 1);
        part[0] = style.quiet(&part[0]);
        lines.push(String::new());
        lines.extend(part);
    }
    lines
}

fn by_phase(phases: &[(&str, &PhaseTimes)]) -> Vec<Vec<String>> {
    let mut rows = vec![PHASE_HEADS.map(str::to_owned).to_vec()];
    for (name, times) in phases {
        let mut row = vec![(*name).to_owned()];
        row.extend(cells(&times.ms));
        rows.push(row);
    }
    rows
}

fn by_row(title: &str, rows: &[Row]) -> Vec<Vec<String>> {
    let mut out = vec![std::iter::once(title).chain(ROW_HEADS).map(str::to_owned).collect::<Vec<_>>()];
    for row in rows {
        let shown = |value: f64| {
            if row.ms.count == 0 { number::UNKNOWN.to_owned() } else { plain(&number::millis(value)) }
        };
        out.push(vec![
            plain(&cut(&row.name)),
            plain(&number::count(row.requests)),
            plain(&number::count(row.failed)),
            shown(row.ms.p50),
            shown(row.ms.p99),
            shown(row.ms.max),
            shown(row.ms.mean),
        ]);
    }
    out
}

fn slowest_requests(slowest: &[Slow]) -> Vec<Vec<String>> {
    let heads = ["slowest, due at", "response", "service", "outcome", "connection", "longest phase"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for slow in slowest.iter().take(SLOWEST_SHOWN) {
        let longest = slow.phases.longest().map(|(name, ms)| format!("{name} {}", number::millis(ms)));
        let unknown = || number::UNKNOWN.to_owned();
        let row = [
            number::millis(slow.due_s * 1e3),
            number::millis(slow.response_ms),
            slow.service_ms.map_or_else(unknown, number::millis),
            error_words(&slow.outcome).to_owned(),
            if slow.connection.is_empty() { unknown() } else { slow.connection.clone() },
            longest.unwrap_or_else(unknown),
        ];
        rows.push(row.iter().map(|cell| plain(cell)).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use crate::model::Quantiles;
    use crate::model::run::SlowPhases;

    use super::super::tests::run;
    use super::*;

    const PLAIN: Style = Style { colour: false };

    #[test]
    fn only_what_was_measured_is_told() {
        let mut run = run("01933f5e-7a00-7000-8000-000000000001", "Checkout");
        assert!(sections(&run, PLAIN).is_empty());
        let ms =
            Quantiles { p50: 1.0, p90: 1.0, p95: 1.0, p99: 2.0, p99_9: 2.0, max: 2.5, mean: 1.1, count: 9 };
        run.detail.phases.tls.ms = ms;
        run.detail.variants = ["GET /a", "\u{1b}[2J"]
            .map(|name| Row { name: name.to_owned(), requests: 9, failed: 1, ms })
            .to_vec();
        let slow = Slow {
            due_s: 1.5,
            response_ms: 900.0,
            service_ms: Some(20.0),
            outcome: "reset".to_owned(),
            connection: "1/7".to_owned(),
            phases: SlowPhases { wait: Some(880.0), first_byte: Some(20.0), ..SlowPhases::default() },
            ..Slow::default()
        };
        run.detail.slowest = vec![slow; 7];
        let lines = sections(&run, PLAIN);
        let text = lines.join("\n");
        assert!(text.contains("TLS    ~1.00 ms"), "{text}");
        assert!(!text.contains("DNS") && !text.contains("address") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("GET /a                     9       1  1.00 ms"), "{text}");
        let slow: Vec<_> = lines.iter().filter(|line| line.contains("Connection reset")).collect();
        assert_eq!(slow.len(), SLOWEST_SHOWN, "{text}");
        assert!(slow[0].ends_with("wait 880 ms") && slow[0].starts_with("1.50 s"), "{text}");
    }
}
