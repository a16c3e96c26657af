//! From which values on a number means something: steps of any version, and what their colours mean.

use serde_json::Value;

use super::look::{number, text};
use super::notes::Notes;
use crate::model::metrics::board::Grade;
use crate::model::metrics::{Panel, Threshold, Unit};

/// The most thresholds of a panel.
pub(super) const THRESHOLDS_MAX: usize = 20;

/// Steps of a colour and a value, the lowest without one.
pub(super) fn of_steps(
    steps: &[Value],
    is_absolute: bool,
    panel: &Panel,
    notes: &mut Notes,
) -> Vec<Threshold> {
    let places = steps.iter().filter(|step| step.is_object());
    let mut levels: Vec<Threshold> = places
        .map(|step| Threshold { from: number(&step["value"]), level: grade(text(&step["color"])) })
        .collect();
    if !is_absolute && levels.iter().any(|level| level.from.is_some()) {
        let Some((min, max)) = ends(panel) else {
            notes.add("Its thresholds are per cent of a range that it does not name: they are left out");
            return Vec::new();
        };
        for from in levels.iter_mut().filter_map(|level| level.from.as_mut()) {
            *from = min + (max - min) * *from / 100.0;
        }
    }
    ascending(levels, notes)
}

/// What per cent are of: what the panel names, or what its unit has by itself.
fn ends(panel: &Panel) -> Option<(f64, f64)> {
    let by_unit = match panel.unit {
        Unit::Percent => Some((0.0, 100.0)),
        Unit::Share => Some((0.0, 1.0)),
        _ => None,
    };
    let min = panel.min.or(by_unit.map(|(min, _)| min))?;
    let max = panel.max.or(by_unit.map(|(_, max)| max))?;
    (min < max).then_some((min, max))
}

/// In order, each place once, the last that was given for it; none where they say nothing: only one, or all fine.
pub(super) fn ascending(mut levels: Vec<Threshold>, notes: &mut Notes) -> Vec<Threshold> {
    levels.retain(|level| level.from.is_none_or(f64::is_finite));
    levels.sort_by(|one, other| one.from.partial_cmp(&other.from).unwrap_or(std::cmp::Ordering::Equal));
    levels.dedup_by(|later, kept| {
        let is_same = later.from == kept.from;
        if is_same {
            kept.level = later.level;
        }
        is_same
    });
    if levels.len() > THRESHOLDS_MAX {
        notes.add(format!("Thresholds beyond {THRESHOLDS_MAX} are left out"));
        levels.truncate(THRESHOLDS_MAX);
    }
    let is_one = levels.iter().all(|level| level.from.is_none());
    if is_one || levels.iter().all(|level| level.level == Grade::Fine) {
        levels.clear();
    }
    levels
}

/// What a colour means, by its name or its hue.
pub(super) fn grade(colour: &str) -> Grade {
    let name = colour.trim().to_ascii_lowercase();
    let name = ["super-light-", "semi-dark-", "light-", "dark-"]
        .iter()
        .find_map(|shade| name.strip_prefix(shade))
        .unwrap_or(&name);
    match name {
        "yellow" | "orange" => Grade::Warning,
        "red" | "purple" => Grade::Bad,
        _ => channels(name).map_or(Grade::Fine, by_hue),
    }
}

/// `#rgb`, `#rrggbb`, `#rrggbbaa`, `rgb(…)` and `rgba(…)`.
fn channels(colour: &str) -> Option<[f64; 3]> {
    if let Some(digits) = colour.strip_prefix('#') {
        let number = u32::from_str_radix(digits, 16).ok()?;
        let (step, whole) = match digits.len() {
            3 => (4, number),
            6 => (8, number),
            8 => (8, number >> 8),
            _ => return None,
        };
        let mask = (1_u32 << step) - 1;
        return Some([2, 1, 0].map(|place| f64::from(whole >> (place * step) & mask) / f64::from(mask)));
    }
    let inside = colour.strip_prefix("rgba(").or_else(|| colour.strip_prefix("rgb("))?.strip_suffix(')')?;
    let mut numbers = inside.split(',').map(|part| part.trim().parse::<f64>().ok().map(|of| of / 255.0));
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// Red, pink and purple are bad, orange and yellow worth a look; what is nearly grey is nothing.
fn by_hue([red, green, blue]: [f64; 3]) -> Grade {
    let max = red.max(green).max(blue);
    let spread = max - red.min(green).min(blue);
    if spread < 0.15 {
        return Grade::Fine;
    }
    let sixth = if max == red {
        (green - blue) / spread
    } else if max == green {
        (blue - red) / spread + 2.0
    } else {
        (red - green) / spread + 4.0
    };
    match (sixth * 60.0).rem_euclid(360.0) {
        hue if !(15.0..260.0).contains(&hue) => Grade::Bad,
        hue if hue < 68.0 => Grade::Warning,
        _ => Grade::Fine,
    }
}
