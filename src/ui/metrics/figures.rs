//! Panels of single numbers: large ones, gauges, bars, tables.

use std::collections::BTreeSet;
use std::f32::consts::TAU;

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Pos2, Rect, Response, Role, ScrollArea, Sense, Shape, Stroke, Ui,
    Vec2, WidgetInfo, pos2, vec2,
};

use super::panel::{self, PanelView, Shown};
use super::series::{Line, Prepared};
use crate::model::metrics::board::Grade;
use crate::model::number::UNKNOWN;
use crate::model::ticks;
use crate::ui::icon::Icon;
use crate::ui::plot::lines::unbroken;
use crate::ui::theme::{self, SIZE_BODY, SIZE_NUMBER, SIZE_SMALL, SPACE, Theme};
use crate::ui::{Cx, widgets};

/// The most numbers of one panel that are drawn large.
const LARGE_MAX: usize = 12;
/// The least width of one of several, in points.
const TILE_WIDTH: f32 = 132.0;
/// Height of a bar with its name, in points.
const BAR_ROW: f32 = 26.0;
/// Height of a row of a table, in points.
const TABLE_ROW: f32 = 22.0;
/// Room for a number of a table, in points.
const TABLE_CELL: f32 = 92.0;
/// From where to where a gauge goes, in shares of a turn from the right.
const ARC: (f32, f32) = (0.375, 1.125);
/// The label that holds a metric's name.
const NAME: &str = "__name__";

/// The colour of what a value means, and its word.
fn grade(theme: &Theme, it: &Shown<'_>, value: Option<f64>) -> (Option<(Icon, Color32)>, &'static str) {
    match value.map_or(Grade::Fine, |value| it.panel.grade(value)) {
        Grade::Fine => (None, ""),
        Grade::Warning => (Some((Icon::Warning, theme.warning)), ", worth a look"),
        Grade::Bad => (Some((Icon::Error, theme.error)), ", beyond its limit"),
    }
}

fn written(it: &Shown<'_>, value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| it.write(value))
}

/// Places for several of a kind: as many beside one another as fit.
fn tiles(ui: &mut Ui, count: usize, width_min: f32) -> Vec<Rect> {
    let room = ui.available_rect_before_wrap();
    let fit = ((room.width() / width_min) as usize).clamp(1, count.max(1));
    let rows = count.div_ceil(fit);
    let size = vec2(room.width() / fit as f32, room.height() / rows as f32);
    let place = |at: usize| room.min + vec2((at % fit) as f32 * size.x, (at / fit) as f32 * size.y);
    (0..count).map(|at| Rect::from_min_size(place(at), size)).collect()
}

/// A thing of its own to readers, at a place.
fn spoken(ui: &mut Ui, rect: Rect, salt: (&str, usize), words: &str) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(salt), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response
}

/// Large numbers, each over its course.
pub(super) fn stats(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, prepared: &Prepared) {
    let lines = &prepared.lines[..prepared.lines.len().min(LARGE_MAX)];
    let rects = tiles(ui, lines.len(), TILE_WIDTH);
    let is_alone = lines.len() == 1;
    for (at, (line, rect)) in lines.iter().zip(rects).enumerate() {
        let name = if is_alone && line.name == it.panel.title { "" } else { line.name.as_str() };
        stat(cx, ui, it, line, (at, name), rect.shrink2(vec2(0.0, 2.0)));
    }
}

fn stat(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, line: &Line, (at, name): (usize, &str), rect: Rect) {
    let theme = cx.theme;
    let value = written(it, line.reduced);
    let (sign, meaning) = grade(theme, it, line.reduced);
    let title = if name.is_empty() { &it.panel.title } else { name };
    let response = spoken(ui, rect, ("stat", at), &format!("{title}: {value}{meaning}"));
    let mut top = rect.top() + SPACE[0];
    if !name.is_empty() {
        panel::cut(
            ui,
            pos2(rect.left(), top + 8.0),
            rect.width() - SPACE[1],
            name,
            theme.text_muted,
            SIZE_SMALL,
        );
        top += 18.0;
    }
    let size = if rect.height() > 70.0 { SIZE_NUMBER } else { 19.0 };
    let mut left = rect.left();
    if let Some((icon, color)) = sign {
        let square = Rect::from_min_size(pos2(left, top + size * 0.2), Vec2::splat(size * 0.8));
        icon.paint(ui.painter(), square, color);
        left += size * 0.8 + SPACE[0];
    }
    let ink = sign.map_or(theme.text, |(_, color)| color);
    let number_rect = number(ui, theme, pos2(left, top), &value, size, ink);
    let below = Rect::from_min_max(
        pos2(rect.left(), number_rect.bottom() + SPACE[0]),
        rect.max - vec2(SPACE[1], SPACE[0]),
    );
    if below.height() > 14.0 {
        sparkline(ui, line, below, panel::color(theme, 0), it.x_full);
    }
    response.on_hover_text(format!("{title}: {value}{meaning}"));
}

/// A number with its unit small.
fn number(ui: &Ui, theme: &Theme, at: Pos2, value: &str, size: f32, ink: Color32) -> Rect {
    let (digits, unit) = widgets::split_unit(value);
    let font = FontId::new(size, theme::semibold());
    let drawn = ui.painter().text(at, Align2::LEFT_TOP, digits, font, ink);
    let unit_at = drawn.right_bottom() - vec2(0.0, size * 0.14);
    let unit_font = FontId::proportional(SIZE_BODY.min(size));
    ui.painter().text(unit_at, Align2::LEFT_BOTTOM, unit, unit_font, theme.text_muted).union(drawn)
}

/// The course of a line, without axes; broken where nothing is known.
fn sparkline(ui: &Ui, line: &Line, rect: Rect, color: Color32, x: (f64, f64)) {
    let Some(stats) = line.stats else { return };
    let low = stats.min.min(0.0);
    let span = (stats.max - low).max(f64::MIN_POSITIVE);
    let width = (x.1 - x.0).max(f64::MIN_POSITIVE);
    let place = |(at, value): &(f64, f64)| {
        let right = ((at - x.0) / width).clamp(0.0, 1.0) as f32 * rect.width();
        pos2(rect.left() + right, rect.bottom() - ((value - low) / span) as f32 * rect.height())
    };
    let stroke = Stroke::new(1.4, color);
    for part in unbroken(&line.points, line.gap, |point| point.0) {
        let places: Vec<Pos2> = part.iter().map(place).collect();
        match (places.as_slice(), line.is_interpolated) {
            ([alone], _) => {
                ui.painter().circle_filled(*alone, 1.6, color);
            }
            (_, true) => {
                ui.painter().extend(Shape::dashed_line(&places, stroke, 5.0, 3.5));
            }
            (_, false) => {
                ui.painter().add(Shape::line(places, stroke));
            }
        }
    }
}

/// Where a scale begins and ends.
fn scale(it: &Shown<'_>, prepared: &Prepared) -> (f64, f64) {
    use crate::model::metrics::Unit;
    let most = prepared.lines.iter().filter_map(|line| line.reduced).fold(0.0, f64::max);
    let low = it.panel.min.unwrap_or(0.0);
    let usual = match it.panel.unit {
        Unit::Share if most <= 1.0 => 1.0,
        Unit::Percent if most <= 100.0 => 100.0,
        _ if most > 0.0 => ticks::round_up_among(most * 1.04, &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]),
        _ => 1.0,
    };
    let high = it.panel.max.unwrap_or(usual);
    (low, if high > low { high } else { low + 1.0 })
}

/// How far a value is on a scale, 0 to 1.
fn share(value: f64, (low, high): (f64, f64)) -> f32 {
    ((value - low) / (high - low)).clamp(0.0, 1.0) as f32
}

fn ink(theme: &Theme, it: &Shown<'_>, value: Option<f64>) -> Color32 {
    grade(theme, it, value).0.map_or(theme.series[0], |(_, color)| color)
}

/// Arcs.
pub(super) fn gauges(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, prepared: &Prepared) {
    let lines = &prepared.lines[..prepared.lines.len().min(LARGE_MAX)];
    let scale = scale(it, prepared);
    for (at, (line, rect)) in lines.iter().zip(tiles(ui, lines.len(), TILE_WIDTH)).enumerate() {
        let name = if lines.len() == 1 && line.name == it.panel.title { "" } else { line.name.as_str() };
        gauge(cx, ui, it, line, (at, name), (rect.shrink(SPACE[0]), scale));
    }
}

fn gauge(
    cx: &Cx<'_>,
    ui: &mut Ui,
    it: &Shown<'_>,
    line: &Line,
    (at, name): (usize, &str),
    (rect, scale): (Rect, (f64, f64)),
) {
    let theme = cx.theme;
    let value = written(it, line.reduced);
    let (sign, meaning) = grade(theme, it, line.reduced);
    let title = if name.is_empty() { &it.panel.title } else { name };
    let (low, high) = (it.write(scale.0), it.write(scale.1));
    let words = format!("{title}: {value} on a scale from {low} to {high}{meaning}");
    let response = spoken(ui, rect, ("gauge", at), &words);
    let foot = if name.is_empty() { 0.0 } else { 18.0 };
    let radius = ((rect.width() - 24.0) / 2.0).min((rect.height() - foot - 8.0) / 1.75).clamp(18.0, 84.0);
    let center = pos2(rect.center().x, rect.top() + radius + 4.0);
    let thick = (radius * 0.16).clamp(5.0, 14.0);
    arc(ui, center, radius - thick / 2.0, (0.0, 1.0), Stroke::new(thick, theme.tint(theme.text, 0.12)));
    if let Some(value) = line.reduced {
        let filled = Stroke::new(thick, ink(theme, it, Some(value)));
        arc(ui, center, radius - thick / 2.0, (0.0, share(value, scale)), filled);
    }
    limits(ui, theme, it, center, radius - thick - 4.0, scale);
    let size = (radius * 0.36).clamp(13.0, SIZE_NUMBER);
    let font = FontId::new(size, theme::semibold());
    ui.painter().text(center, Align2::CENTER_CENTER, &value, font, theme.text);
    if let Some((icon, color)) = sign {
        let square = Rect::from_center_size(center + vec2(0.0, size), Vec2::splat(size * 0.8));
        icon.paint(ui.painter(), square, color);
    }
    let ends = center.y + radius * 0.86;
    let small = 11.0;
    panel::word(ui, pos2(center.x - radius * 0.64, ends), Align2::CENTER_TOP, &low, small, theme.text_muted);
    panel::word(ui, pos2(center.x + radius * 0.64, ends), Align2::CENTER_TOP, &high, small, theme.text_muted);
    if !name.is_empty() {
        let mut job = eframe::egui::text::LayoutJob::simple_singleline(
            name.to_owned(),
            FontId::proportional(SIZE_SMALL),
            theme.text_muted,
        );
        job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(rect.width());
        let galley = ui.painter().layout_job(job);
        let corner = pos2(rect.center().x - galley.size().x / 2.0, ends + 14.0);
        ui.painter().galley(corner, galley, theme.text_muted);
    }
    response.on_hover_text(words);
}

/// Where thresholds are: marks within the arc.
fn limits(ui: &Ui, theme: &Theme, it: &Shown<'_>, center: Pos2, radius: f32, scale: (f64, f64)) {
    for threshold in &it.panel.thresholds {
        let Some(from) = threshold.from.filter(|from| *from > scale.0 && *from < scale.1) else { continue };
        let color = match threshold.level {
            Grade::Fine => theme.text_muted,
            Grade::Warning => theme.warning,
            Grade::Bad => theme.error,
        };
        let angle = TAU * (ARC.0 + (ARC.1 - ARC.0) * share(from, scale));
        let way = Vec2::angled(angle);
        ui.painter().line_segment(
            [center + way * (radius - 4.0), center + way * (radius + 2.0)],
            Stroke::new(2.0, color),
        );
    }
}

fn arc(ui: &Ui, center: Pos2, radius: f32, (from, to): (f32, f32), stroke: Stroke) {
    const STEPS: u8 = 64;
    if to <= from {
        return;
    }
    let place = |step: u8| {
        let along = from + (to - from) * f32::from(step) / f32::from(STEPS);
        center + radius * Vec2::angled(TAU * (ARC.0 + (ARC.1 - ARC.0) * along))
    };
    ui.painter().add(Shape::line((0..=STEPS).map(place).collect(), stroke));
}

/// Bars under one another.
pub(super) fn bars(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, prepared: &Prepared) {
    let theme = cx.theme;
    let scale = scale(it, prepared);
    let width = ui.available_width();
    let name_width = (width * 0.34).clamp(60.0, 220.0);
    ScrollArea::vertical().id_salt(("bars", it.id())).auto_shrink(false).show(ui, |ui| {
        for line in &prepared.lines {
            let (rect, response) = ui.allocate_exact_size(vec2(width, BAR_ROW), Sense::hover());
            let value = written(it, line.reduced);
            let (sign, meaning) = grade(theme, it, line.reduced);
            let words = format!("{}: {value}{meaning}", line.name);
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
            let middle = rect.center().y;
            panel::cut(
                ui,
                pos2(rect.left(), middle),
                name_width - SPACE[1],
                &line.name,
                theme.text,
                SIZE_SMALL,
            );
            let right = rect.right() - SPACE[1];
            let drawn =
                panel::word(ui, pos2(right, middle), Align2::RIGHT_CENTER, &value, SIZE_SMALL, theme.text);
            if let Some((icon, color)) = sign {
                let square = Rect::from_center_size(drawn.left_center() - vec2(11.0, 0.0), Vec2::splat(13.0));
                icon.paint(ui.painter(), square, color);
            }
            let track = Rect::from_min_max(
                pos2(rect.left() + name_width, middle - 5.0),
                pos2(right - TABLE_CELL, middle + 5.0),
            );
            ui.painter().rect_filled(track, CornerRadius::same(2), theme.tint(theme.text, 0.08));
            if let Some(value) = line.reduced {
                let end = track.left() + track.width() * share(value, scale);
                let bar = Rect::from_min_max(track.min, pos2(end, track.bottom()));
                ui.painter().rect_filled(bar, CornerRadius::same(2), ink(theme, it, Some(value)));
            }
            response.on_hover_text(words);
        }
        left_out(cx, ui, prepared);
    });
}

fn left_out(cx: &Cx<'_>, ui: &mut Ui, prepared: &Prepared) {
    if prepared.left_out > 0 {
        let words = format!("and {} more series, not shown", prepared.left_out);
        widgets::caption(ui, cx.theme, &words);
    }
}

/// A row of a table: what labels say, and a number for each query.
struct Entry<'a> {
    texts: Vec<&'a str>,
    values: Vec<Option<f64>>,
}

/// A row for each series, a column for each label and query.
pub(super) fn table(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, prepared: &Prepared, view: &mut PanelView) {
    let keys: BTreeSet<&str> =
        prepared.lines.iter().flat_map(|line| line.labels.keys()).map(String::as_str).collect();
    let keys: Vec<&str> = keys.into_iter().filter(|key| *key != NAME).collect();
    let queries: BTreeSet<usize> = prepared.lines.iter().map(|line| line.query).collect();
    let queries: Vec<usize> = queries.into_iter().collect();
    let mut entries = entries(prepared, &keys, &queries);
    let mut heads: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    if keys.is_empty() {
        heads.push("Series".to_owned());
    }
    heads.extend(queries.iter().map(|query| value_head(it, *query, queries.len())));
    // Another answer may have fewer columns than the one that was sorted.
    sort(&mut entries, view.sorted.filter(|(column, _)| *column < heads.len()));
    let texts = heads.len() - queries.len();
    let room = ui.available_width() - SPACE[1] - queries.len() as f32 * TABLE_CELL;
    let widths = text_widths(&heads[..texts], &entries, room);
    let starts: Vec<f32> = widths
        .iter()
        .scan(0.0, |left, width| {
            *left += width;
            Some(*left - width)
        })
        .collect();
    let all_texts: f32 = widths.iter().sum();
    let width = all_texts + queries.len() as f32 * TABLE_CELL;
    let place = |column: usize, top: f32, left: f32| {
        let (start, width) = match column.checked_sub(texts) {
            None => (starts[column], widths[column]),
            Some(at) => (all_texts + at as f32 * TABLE_CELL, TABLE_CELL),
        };
        Rect::from_min_size(pos2(left + start, top), vec2(width, TABLE_ROW))
    };
    ScrollArea::both().id_salt(("table", it.id())).auto_shrink(false).show(ui, |ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(width, TABLE_ROW), Sense::hover());
        for (column, head) in heads.iter().enumerate() {
            let cell = place(column, rect.top(), rect.left());
            if table_head(cx, ui, cell, (column, head), column >= texts, view.sorted) {
                view.sorted = match view.sorted {
                    Some((at, is_up)) if at == column => Some((at, !is_up)),
                    _ => Some((column, column < texts)),
                };
            }
        }
        ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, cx.theme.border));
        for entry in &entries {
            row(cx, ui, it, entry, (width, texts), &place);
        }
        left_out(cx, ui, prepared);
    });
}

/// Room for each column of texts: as its longest text needs, and all of it together.
fn text_widths(heads: &[String], entries: &[Entry<'_>], room: f32) -> Vec<f32> {
    let longest = |column: usize| {
        let texts = entries.iter().map(|entry| entry.texts[column].chars().count());
        texts.chain([heads[column].chars().count()]).max().unwrap_or_default().clamp(6, 60) as f32
    };
    let lengths: Vec<f32> = (0..heads.len()).map(longest).collect();
    let all: f32 = lengths.iter().sum();
    lengths.into_iter().map(|length| (room * length / all).max(56.0)).collect()
}

fn value_head(it: &Shown<'_>, query: usize, of: usize) -> String {
    let asked = &it.panel.queries[query];
    match (of, asked.legend.contains("{{") || asked.legend.is_empty()) {
        (1, _) => "Value".to_owned(),
        (_, true) => format!("Value {}", asked.name),
        (_, false) => asked.legend.clone(),
    }
}

fn entries<'a>(prepared: &'a Prepared, keys: &[&str], queries: &[usize]) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for line in &prepared.lines {
        let texts: Vec<&str> = match keys.is_empty() {
            true => vec![line.name.as_str()],
            false => keys.iter().map(|key| line.labels.get(*key).map_or("", String::as_str)).collect(),
        };
        let column = queries.iter().position(|query| *query == line.query).unwrap_or_default();
        let found = entries.iter().position(|entry| entry.texts == texts);
        let at = found.unwrap_or_else(|| {
            entries.push(Entry { texts, values: vec![None; queries.len()] });
            entries.len() - 1
        });
        entries[at].values[column] = line.reduced;
    }
    entries
}

/// By a column; the largest number first until somebody asks otherwise.
fn sort(entries: &mut [Entry<'_>], by: Option<(usize, bool)>) {
    let texts = entries.first().map_or(1, |entry| entry.texts.len());
    let (column, is_up) = by.unwrap_or((texts, false));
    entries.sort_by(|one, other| {
        let order = match column.checked_sub(texts) {
            None => one.texts[column].cmp(other.texts[column]),
            Some(at) => {
                let value = |entry: &Entry<'_>| entry.values[at].unwrap_or(f64::NEG_INFINITY);
                value(one).total_cmp(&value(other))
            }
        };
        if is_up { order } else { order.reverse() }
    });
}

/// Whether it was clicked.
fn table_head(
    cx: &Cx<'_>,
    ui: &mut Ui,
    cell: Rect,
    (column, words): (usize, &str),
    is_number: bool,
    sorted: Option<(usize, bool)>,
) -> bool {
    let response = ui.interact(cell, ui.scope_id().with(("head", column)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Sort by {words}")));
    crate::ui::icon::focus_ring(ui, cell, &response);
    let sign = match sorted {
        Some((at, true)) if at == column => " ↑",
        Some((at, false)) if at == column => " ↓",
        _ => "",
    };
    let ink = if response.hovered() { cx.theme.text } else { cx.theme.text_muted };
    let words = format!("{words}{sign}");
    if is_number {
        panel::word(ui, cell.right_center(), Align2::RIGHT_CENTER, &words, SIZE_SMALL, ink);
    } else {
        panel::cut(ui, cell.left_center(), cell.width() - SPACE[1], &words, ink, SIZE_SMALL);
    }
    response.clicked()
}

fn row(
    cx: &Cx<'_>,
    ui: &mut Ui,
    it: &Shown<'_>,
    entry: &Entry<'_>,
    (width, texts): (f32, usize),
    place: &impl Fn(usize, f32, f32) -> Rect,
) {
    let theme = cx.theme;
    let (rect, response) = ui.allocate_exact_size(vec2(width, TABLE_ROW), Sense::hover());
    let values: Vec<String> = entry.values.iter().map(|value| written(it, *value)).collect();
    let words = format!("{}: {}", entry.texts.join(", "), values.join(", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &words));
    if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, theme.tint(theme.text, 0.05));
    }
    for (column, text) in entry.texts.iter().enumerate() {
        let cell = place(column, rect.top(), rect.left());
        panel::cut(ui, cell.left_center(), cell.width() - SPACE[1], text, theme.text, SIZE_BODY);
    }
    for (at, (text, value)) in values.iter().zip(&entry.values).enumerate() {
        let cell = place(texts + at, rect.top(), rect.left());
        let drawn = panel::word(ui, cell.right_center(), Align2::RIGHT_CENTER, text, SIZE_BODY, theme.text);
        if let (Some((icon, color)), _) = grade(theme, it, *value) {
            let square = Rect::from_center_size(drawn.left_center() - vec2(11.0, 0.0), Vec2::splat(13.0));
            icon.paint(ui.painter(), square, color);
        }
    }
    response.on_hover_text(words);
}
