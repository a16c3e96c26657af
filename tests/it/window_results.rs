//! Everything that draws measured data: the live page, a run's result, several runs side by side.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use eframe::egui::{self, Color32, Frame, Key, Margin, Rect, Shape, Ui, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use image::RgbaImage;
use meshbench::app::state::{Live, Phase};
use meshbench::app::{Command, ExportFormat, State};
use meshbench::model::run::{Mark, MarkKind, RunEdit};
use meshbench::model::{Labels, Run, Search};
use meshbench::ui::compare::{self, CompareView};
use meshbench::ui::live::{self, LiveView};
use meshbench::ui::plot::axis::{Axis, Scale};
use meshbench::ui::plot::columns::{Look, Span};
use meshbench::ui::plot::{Chart, Layer, PlotsView};
use meshbench::ui::result::{self, ResultView};
use meshbench::ui::{Cx, Theme};

use crate::{picture, sample};

/// A page without rail and bar, at 1280×800.
const PAGE: [f32; 2] = [1208.0, 752.0];

type Asked = Rc<RefCell<Vec<Command>>>;
type Draw<'a> = &'a dyn Fn(&mut Cx<'_>, &mut Ui);

/// Draws a page as the window does.
fn page(ui: &mut Ui, asked: &Asked, draw: impl FnOnce(&mut Cx<'_>, &mut Ui)) {
    let state = State::default();
    let theme = Theme::of(ui.ctx());
    let mut commands = asked.borrow_mut();
    let mut cx = Cx { state: &state, commands: &mut commands, theme: &theme, software_rasterizer: false };
    Frame::new()
        .fill(theme.background)
        .inner_margin(Margin::symmetric(24, 16))
        .show(ui, |ui| draw(&mut cx, ui));
}

fn picture_of<View: Default>(name: &str, draw: impl Fn(&mut Cx<'_>, &mut Ui, &mut View)) {
    let view = RefCell::new(View::default());
    picture::of(name, PAGE, |ui| {
        page(ui, &Asked::default(), |cx, ui| draw(cx, ui, &mut view.borrow_mut()));
    });
}

/// A page to click on, and what it asks for.
fn harness<'a, View: Default + 'a>(
    draw: impl Fn(&mut Cx<'_>, &mut Ui, &mut View) + 'a,
) -> (Harness<'a>, Asked) {
    let (asked, view) = (Asked::default(), RefCell::new(View::default()));
    let to = Rc::clone(&asked);
    let mut harness = picture::harness(egui::Theme::Light, PAGE, move |ui| {
        page(ui, &to, |cx, ui| draw(cx, ui, &mut view.borrow_mut()));
    });
    harness.run();
    (harness, asked)
}

fn live_harness<'a>(live: Live) -> (Harness<'a>, Asked) {
    harness(move |cx, ui, view: &mut LiveView| live::ui(cx, ui, view, &live))
}

fn result_harness<'a>(run: Run) -> (Harness<'a>, Asked) {
    harness(move |cx, ui, view: &mut ResultView| result::ui(cx, ui, view, &run))
}

fn compared() -> Vec<Arc<Run>> {
    let mut runs: Vec<_> = (0..3).map(|n| Arc::new(sample::nth(n))).collect();
    runs.push(Arc::new(sample::void_run()));
    runs
}

/// The labels of all nodes of a role that contain some words.
fn labels(harness: &Harness<'_>, words: &str) -> Vec<String> {
    harness.query_all_by_label_contains(words).filter_map(|node| node.accesskit_node().label()).collect()
}

// --- How the pages look.

#[test]
fn a_run_that_is_going_looks_as_kept() {
    picture_of("live_running", |cx, ui, view: &mut LiveView| live::ui(cx, ui, view, &sample::live()));
}

#[test]
fn a_late_generator_looks_as_kept() {
    picture_of("live_lagging", |cx, ui, view: &mut LiveView| live::ui(cx, ui, view, &sample::live_lagging()));
}

#[test]
fn a_run_before_its_first_answers_looks_as_kept() {
    picture_of("live_connecting", |cx, ui, view: &mut LiveView| {
        live::ui(cx, ui, view, &sample::live_connecting());
    });
}

#[test]
fn a_run_that_failed_looks_as_kept() {
    picture_of("live_failed", |cx, ui, view: &mut LiveView| live::ui(cx, ui, view, &sample::live_failed()));
}

#[test]
fn a_result_looks_as_kept() {
    let run = sample::run();
    picture_of("result_summary", |cx, ui, view: &mut ResultView| result::ui(cx, ui, view, &run));
}

#[test]
fn a_void_result_looks_as_kept() {
    let run = sample::void_run();
    picture_of("result_void", |cx, ui, view: &mut ResultView| result::ui(cx, ui, view, &run));
}

#[test]
fn a_result_without_answers_looks_as_kept() {
    let run = sample::unanswered_run();
    picture_of("result_unanswered", |cx, ui, view: &mut ResultView| result::ui(cx, ui, view, &run));
}

#[test]
fn the_parts_of_a_result_look_as_kept() {
    let mut kept = egui_kittest::SnapshotResults::new();
    for (tab, name) in [
        ("Distribution", "distribution"),
        ("Over time", "time"),
        ("Breakdown", "breakdown"),
        ("Plan and machine", "plan"),
    ] {
        let (mut harness, _) = result_harness(sample::run());
        harness.get_by_label(tab).click();
        harness.run();
        harness.remove_cursor();
        harness.run();
        kept.add(harness.try_snapshot(format!("result_{name}_light")));
    }
}

#[test]
fn the_last_row_under_the_plots_is_whole_with_one_note_with_three_and_in_a_void_run() {
    let mut noted = sample::run();
    let note = noted.warnings[0].clone();
    noted.warnings.extend([note.clone(), note]);
    for run in [sample::run(), noted, sample::void_run()] {
        let (mut harness, _) = result_harness(run);
        harness.get_by_label("Over time").click();
        harness.run();
        let row = harness.get_by_label_contains("max: Last").rect();
        assert!(row.bottom() <= PAGE[1] - 16.0, "{row:?}");
    }
}

#[test]
fn heat_maps_look_as_kept() {
    let mut kept = egui_kittest::SnapshotResults::new();
    for theme in [egui::Theme::Light, egui::Theme::Dark] {
        let (live, view) = (sample::live(), RefCell::new(LiveView::default()));
        let mut harness = picture::harness(theme, PAGE, |ui| {
            page(ui, &Asked::default(), |cx, ui| live::ui(cx, ui, &mut view.borrow_mut(), &live));
        });
        harness.run();
        harness.get_by_label("Heat map").click();
        harness.run();
        harness.remove_cursor();
        harness.run();
        let name = if theme == egui::Theme::Dark { "live_heat_dark" } else { "live_heat_light" };
        kept.add(harness.try_snapshot(name));
    }
}

#[test]
fn a_heat_map_is_told_in_words_and_a_breakdown_unfolds() {
    let (mut harness, _) = result_harness(sample::run());
    harness.get_by_label("Over time").click();
    harness.run();
    harness.get_by_label("Heat map").click();
    harness.run();
    let told = labels(&harness, "Heat map of response times over time: from");
    assert_eq!(told.len(), 1, "{told:?}");
    harness.get_by_label("Breakdown").click();
    harness.run();
    harness.get_by_label("POST /checkout");
    harness.get_by_label("wait 366 ms");
    assert!(harness.query_by_label("wait 206 ms").is_none());
    harness.get_by_label("Show all 50").click();
    harness.run();
    harness.get_by_label("wait 206 ms");
}

#[test]
fn pages_at_twice_their_size_look_as_kept() {
    let mut kept = egui_kittest::SnapshotResults::new();
    let (live, run) = (sample::live(), sample::run());
    let (live_view, result_view) = (RefCell::new(LiveView::default()), RefCell::new(ResultView::default()));
    let draw_live = |cx: &mut Cx<'_>, ui: &mut Ui| live::ui(cx, ui, &mut live_view.borrow_mut(), &live);
    let draw_result = |cx: &mut Cx<'_>, ui: &mut Ui| result::ui(cx, ui, &mut result_view.borrow_mut(), &run);
    let pages: [(&str, Draw<'_>); 2] = [("live", &draw_live), ("result", &draw_result)];
    for (name, draw) in pages {
        let mut harness =
            picture::harness(egui::Theme::Light, [568.0, 352.0], |ui| page(ui, &Asked::default(), draw));
        harness.run();
        kept.add(harness.try_snapshot(format!("{name}_zoomed_light")));
    }
}

#[test]
fn a_comparison_looks_as_kept() {
    let runs = compared();
    picture_of("comparison", |cx, ui, view: &mut CompareView| compare::ui(cx, ui, view, &runs));
}

// --- The live page.

#[test]
fn the_live_page_says_the_four_numbers_and_how_far_it_is() {
    let (harness, _) = live_harness(sample::live());
    harness.get_by_label_contains("p99 response");
    harness.get_by_label("00:47 of 01:05");
    harness.get_by_label("Measuring");
    harness.get_by_label("00:18 left");
    let plot = labels(&harness, "Response time over time");
    assert!(plot[0].contains("p99 21.2 ms") && plot[0].contains("max"), "{plot:?}");
}

#[test]
fn stop_asks_for_the_end_of_the_run() {
    let (mut harness, asked) = live_harness(sample::live());
    harness.get_by_label("Stop").click();
    harness.run();
    assert_eq!(asked.borrow().as_slice(), [Command::StopRun]);
}

#[test]
fn a_run_is_paused_marked_and_sped_up_from_its_page() {
    let (mut harness, asked) = live_harness(sample::live());
    harness.get_by_label("Pause").click();
    harness.run_steps(2);
    harness.get_by_label("+").click();
    harness.run_steps(2);
    harness.get_by_label("Mark…").click();
    harness.run_steps(3);
    harness.get_by_label("Text of the mark").type_text("deployed v2");
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    let asked = asked.borrow();
    assert_eq!(asked[0], Command::PauseRun);
    assert!(matches!(asked[1], Command::SetRateFactor(factor) if (factor - 1.1).abs() < 1e-9), "{asked:?}");
    assert_eq!(asked[2], Command::MarkRun("deployed v2".to_owned()));
}

#[test]
fn keys_steer_the_run_but_not_while_somebody_writes() {
    let (mut harness, asked) = live_harness(sample::live());
    harness.key_press(Key::P);
    harness.run_steps(2);
    harness.key_press(Key::M);
    harness.run_steps(3);
    harness.get_by_label("Text of the mark").type_text("p99 rose");
    harness.key_press(Key::P);
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    harness.key_press(Key::R);
    harness.run_steps(3);
    assert!(harness.get_by_label("Rate, requests per second").is_focused());
    // The whole text is chosen, so what is typed replaces it.
    harness.get_by_label("Rate, requests per second").type_text("250");
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    let expected = [Command::PauseRun, Command::MarkRun("p99 rose".to_owned()), Command::SetRateFactor(0.25)];
    assert_eq!(asked.borrow().as_slice(), expected);
}

#[test]
fn the_same_key_lets_a_paused_run_go_on_and_none_works_when_it_ends() {
    let (mut harness, asked) = live_harness(Live { is_paused: true, ..sample::live() });
    harness.key_press(Key::P);
    harness.run_steps(2);
    assert_eq!(asked.borrow().as_slice(), [Command::ResumeRun]);
    let (mut harness, asked) = live_harness(Live { phase: Phase::Draining, ..sample::live() });
    harness.key_press(Key::P);
    harness.run_steps(2);
    assert!(asked.borrow().is_empty());
}

#[test]
fn a_rate_that_is_none_is_refused_in_words() {
    let (mut harness, asked) = live_harness(sample::live());
    let refusal = "Not set: write a number of requests per second";
    harness.key_press(Key::R);
    harness.run_steps(3);
    harness.get_by_label("Rate, requests per second").type_text("2k");
    harness.run_steps(2);
    assert_eq!(harness.query_all_by_label_contains(refusal).count(), 0);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert_eq!(harness.query_all_by_label_contains(refusal).count(), 1);
    assert!(asked.borrow().is_empty(), "{asked:?}");
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    let refused = harness.query_all_by_label_contains(refusal).count();
    assert_eq!(refused, 0, "what was given up needs no reason");
}

#[test]
fn a_refused_rate_looks_as_kept() {
    let mut kept = egui_kittest::SnapshotResults::new();
    for (theme, word) in picture::THEMES {
        let (live, view) = (sample::live(), RefCell::new(LiveView::default()));
        let mut harness = picture::harness(theme, PAGE, |ui| {
            page(ui, &Asked::default(), |cx, ui| live::ui(cx, ui, &mut view.borrow_mut(), &live));
        });
        harness.run();
        harness.key_press(Key::R);
        harness.run_steps(3);
        harness.get_by_label("Rate, requests per second").type_text("2k");
        harness.run_steps(2);
        harness.key_press(Key::Enter);
        harness.run_steps(3);
        kept.add(harness.try_snapshot(format!("live_refused_{word}")));
    }
}

/// A paused run with two marks.
fn paused() -> Live {
    let mut live = sample::live();
    live.is_paused = true;
    let mut run = live.so_far.as_deref().expect("news").clone();
    run.marks = vec![
        Mark { at_s: 4.0, kind: MarkKind::Note, text: "deployed v2".to_owned() },
        Mark { at_s: 9.0, kind: MarkKind::Pause, text: "paused".to_owned() },
    ];
    live.so_far = Some(Arc::new(run));
    live
}

#[test]
fn a_paused_run_with_marks_looks_as_kept() {
    picture_of("live_paused", |cx, ui, view: &mut LiveView| live::ui(cx, ui, view, &paused()));
}

#[test]
fn marks_are_told_with_every_plot_and_by_the_pointer() {
    let (mut harness, _) = live_harness(paused());
    for plot in
        ["Response time over time", "Rate over time", "Errors over time", "Requests in flight over time"]
    {
        let told = labels(&harness, plot);
        let marks = ". Marks: deployed v2 at 00:04, paused at 00:09";
        assert!(told[0].ends_with(marks), "{told:?}");
    }
    let plot = harness.get_by_label_contains("Rate over time").rect();
    // The axis of labels is within the plot's node.
    let at = |seconds: f32| pos2(plot.left() + plot.width() * seconds / 60.0, plot.center().y);
    harness.hover_at(at(4.05));
    harness.run();
    harness.get_by_label("00:04  deployed v2");
    harness.hover_at(at(6.0));
    harness.run();
    assert!(harness.query_by_label("00:04  deployed v2").is_none(), "not beside its line");
}

/// A search that is at its eighth trial.
fn searching() -> Live {
    let mut live = sample::live();
    live.search = Some(Search::default());
    let mut run = live.so_far.as_deref().expect("news").clone();
    run.capacity = Some(sample::capacity());
    live.so_far = Some(Arc::new(run));
    live
}

#[test]
fn a_search_that_goes_looks_as_kept() {
    picture_of("live_search", |cx, ui, view: &mut LiveView| live::ui(cx, ui, view, &searching()));
}

#[test]
fn a_search_tells_of_every_trial_so_far() {
    let (harness, _) = live_harness(searching());
    harness.get_by_label_contains("Searching for the highest rate: trial 8");
    assert_eq!(harness.query_all_by_label("p99<50ms was missed").count(), 2);
    harness.get_by_label("Void: our own generator was late");
    let plot = labels(&harness, "p99 response by rate: 12.5 ms at");
    assert!(plot[0].contains("(passed), 214 ms at") && plot[0].ends_with("the goal is 50.0 ms"), "{plot:?}");
}

#[test]
fn the_result_of_a_search_looks_as_kept() {
    let mut run = sample::run();
    run.capacity = Some(sample::capacity());
    picture_of("result_search", |cx, ui, view: &mut ResultView| result::ui(cx, ui, view, &run));
}

#[test]
fn the_choices_that_a_heat_map_does_not_have_rest_and_say_why() {
    let (mut harness, _) = live_harness(sample::live());
    let rests = |harness: &Harness<'_>, words| harness.get_by_label(words).accesskit_node().is_disabled();
    harness.get_by_label("Service").click();
    harness.run();
    let of_service = labels(&harness, "p99: Last");
    assert!(!rests(&harness, "Service") && !rests(&harness, "Linear"));
    harness.get_by_label("Heat map").click();
    harness.run();
    assert!(rests(&harness, "Service") && rests(&harness, "Linear"));
    assert_ne!(labels(&harness, "p99: Last"), of_service, "the table is of what the map shows");
    let place = harness.get_by_label("Service").rect().center();
    harness.hover_at(place);
    harness.run_steps(8);
    let reason = "The heat map shows response times on a logarithmic axis";
    assert!(harness.query_all_by_label(reason).count() >= 2, "on hover, too");
    harness.get_by_label("Lines").click();
    harness.run();
    assert_eq!(labels(&harness, "p99: Last"), of_service, "the choice is kept");
}

#[test]
fn a_late_generator_is_said_with_what_to_do() {
    let (harness, _) = live_harness(sample::live_lagging());
    harness.get_by_label_contains("Do not trust the numbers");
}

#[test]
fn service_time_is_one_toggle_away() {
    let (mut harness, _) = live_harness(sample::live());
    harness.get_by_label("Service").click();
    harness.run();
    harness.get_by_label_contains("Service time over time: median");
}

#[test]
fn a_run_that_failed_says_why_and_leads_back_to_the_form() {
    let live = sample::live_failed();
    let plan = live.plan.clone();
    let (mut harness, asked) = live_harness(live);
    harness.get_by_label_contains("Nobody listens at 10.20.0.17:8080");
    harness.get_by_label("Back to the form").click();
    harness.run();
    assert_eq!(asked.borrow().as_slice(), [Command::EditPlan(plan)]);
}

#[test]
fn before_the_first_answers_the_page_has_its_shape_already() {
    let (harness, _) = live_harness(sample::live_connecting());
    harness.get_by_label("Connecting");
    harness.get_by_label_contains("nothing was answered yet");
}

#[test]
fn a_machine_that_draws_in_software_says_so() {
    let (view, live) = (RefCell::new(LiveView::default()), sample::live());
    let mut harness = picture::harness(egui::Theme::Light, PAGE, |ui| {
        let (state, theme) = (State::default(), Theme::of(ui.ctx()));
        let mut commands = Vec::new();
        let mut cx = Cx { state: &state, commands: &mut commands, theme: &theme, software_rasterizer: true };
        live::ui(&mut cx, ui, &mut view.borrow_mut(), &live);
    });
    harness.run();
    harness.get_by_label("Drawn in software: 4 pictures a second");
}

// --- Plots.

#[test]
fn a_click_in_the_table_hides_a_series_and_a_second_shows_it() {
    let (mut harness, _) = live_harness(sample::live());
    let is_shown = |harness: &Harness<'_>| {
        let row = harness.get_by_label_contains("p99: Last");
        row.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)
    };
    assert!(is_shown(&harness));
    harness.get_by_label_contains("p99: Last").click();
    harness.run();
    assert!(!is_shown(&harness));
    // Later than a double click.
    harness.run_steps(8);
    harness.get_by_label_contains("p99: Last").click();
    harness.run();
    assert!(is_shown(&harness));
}

#[test]
fn a_drag_zooms_and_a_double_click_shows_all_again() {
    let view = Rc::new(RefCell::new(PlotsView::default()));
    let spans: Vec<_> = (0..100).map(|at| Span::level(f64::from(at), f64::from(at + 1), 5.0)).collect();
    let mut harness = chart_harness(&view, &spans, [600.0, 300.0]);
    harness.run();
    let plot = harness.get_by_label("a test plot").rect();
    let at = |share: f32| pos2(plot.left() + share * plot.width(), plot.center().y);
    harness.drag_at(at(0.25));
    harness.step();
    harness.hover_at(at(0.4));
    harness.step();
    harness.hover_at(at(0.75));
    harness.step();
    harness.drop_at(at(0.75));
    harness.run();
    let (from, to) = view.borrow().x.expect("zoomed");
    assert!((from - 25.0).abs() < 1.0 && (to - 75.0).abs() < 1.0, "{from} {to}");
    harness.run_steps(4);
    let pos = at(0.5);
    for pressed in [true, false, true, false] {
        let (button, modifiers) = (egui::PointerButton::Primary, egui::Modifiers::NONE);
        harness.input_mut().events.push(egui::Event::PointerButton { pos, button, pressed, modifiers });
    }
    harness.run();
    assert_eq!(view.borrow().x, None);
}

#[test]
fn the_pointer_reads_every_series_at_its_moment() {
    let (mut harness, _) = live_harness(sample::live());
    let plot = harness.get_by_label_contains("Response time over time").rect();
    // 21.25 s of 60: within the stall.
    harness.hover_at(pos2(plot.left() + plot.width() * 21.25 / 60.0, plot.center().y));
    harness.run();
    harness.get_by_label("00:21.3");
    harness.get_by_label("lag p99");
    assert_eq!(harness.query_all_by_label("p99.9").count(), 1);
}

#[test]
fn a_right_click_copies_the_data_as_a_table() {
    let (mut harness, _) = live_harness(sample::live());
    harness.get_by_label_contains("Response time over time").click_secondary();
    harness.run();
    harness.get_by_label("Copy as table").click();
    harness.step();
    let copied = harness.output().platform_output.commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.expect("the table");
    let mut lines = copied.lines();
    assert!(
        lines.next().is_some_and(
            |head| head.starts_with("start_s\tlength_s\tdue") && head.contains("response_p99_ms")
        )
    );
    assert_eq!(lines.count(), 84);
}

/// One plot of points in an otherwise empty window.
fn chart_harness<'a>(view: &Rc<RefCell<PlotsView>>, spans: &'a [Span], size: [f32; 2]) -> Harness<'a> {
    let view = Rc::clone(view);
    picture::harness(egui::Theme::Light, size, move |ui| {
        let theme = Theme::of(ui.ctx());
        let look = Look { color: INK, thickness: 1.0, joined: false };
        let end = spans.last().map_or(1.0, |span| span.end.max(1.0));
        let chart = Chart {
            id: "test",
            summary: "a test plot".to_owned(),
            height: size[1] - 20.0,
            x: Axis::Time,
            x_full: (0.0, end),
            x_labels: true,
            y: Axis::Latency(Scale::Linear),
            y_full: (0.0, 20.0),
            layers: vec![Layer::Spans { name: "points", spans, revision: 1, look }],
            empty: "",
        };
        let mut view = view.borrow_mut();
        view.begin(ui);
        chart.show(ui, &theme, &mut view);
    })
}

/// Nothing else in the window has this colour.
const INK: Color32 = Color32::from_rgb(255, 0, 255);

/// Latencies around 3 ms with a spike of 12 ms more now and then.
fn noisy(count: usize) -> Vec<Span> {
    (0..count)
        .map(|at| {
            let noise = ((at * 7919) % 1000) as f64 / 1000.0;
            let spike = if at % 1319 == 100 { 12.0 } else { 0.0 };
            Span::point(at as f64, 2.0 + noise + spike)
        })
        .collect()
}

#[test]
fn a_hundred_thousand_points_cost_no_more_than_a_few_thousand() {
    let vertices = |count: usize| {
        let spans = noisy(count);
        let mut harness = chart_harness(&Rc::default(), &spans, [1000.0, 400.0]);
        harness.run();
        let in_mesh = |shape: &Shape| if let Shape::Mesh(mesh) = shape { mesh.vertices.len() } else { 0 };
        harness.output().shapes.iter().map(|clipped| in_mesh(&clipped.shape)).sum::<usize>()
    };
    let (few, many) = (vertices(5_000), vertices(100_000));
    assert!(many <= few + few / 10, "{many} vertices for 100 000 points, {few} for 5 000");
    assert!(many <= 4 * 1000, "no more than one bar for each column: {many}");
}

/// For each column of pixels the highest and lowest row with ink.
fn ink(image: &RgbaImage, frame: Rect) -> Vec<Option<(u32, u32)>> {
    (frame.left().round() as u32..frame.right().round() as u32)
        .map(|x| {
            let rows = 0..image.height();
            let mut inked = rows.filter(|y| {
                let pixel = image.get_pixel(x, *y).0;
                pixel[0] > 200 && pixel[1] < 60 && pixel[2] > 200
            });
            let first = inked.next()?;
            Some((first, inked.next_back().unwrap_or(first)))
        })
        .collect()
}

#[test]
fn every_spike_is_drawn_and_no_ink_lies_outside_the_data() {
    let spans = noisy(200_000);
    let mut harness = chart_harness(&Rc::default(), &spans, [1200.0, 400.0]);
    harness.run();
    let image = harness.render().expect("a picture");
    let frame = harness.get_by_label("a test plot").rect();
    let row = |ms: f64| f64::from(frame.bottom()) - ms / 20.0 * f64::from(frame.height());
    let columns = ink(&image, frame);
    assert!(columns.iter().all(Option::is_some), "every column holds data");
    let width = 199_999.0 / columns.len() as f64;
    let mut spikes = 0;
    for (at, drawn) in columns.iter().enumerate() {
        let (from, to) = (at as f64 * width, (at + 1) as f64 * width);
        let within = spans.iter().filter(|span| span.start >= from - 0.5 && span.start <= to + 0.5);
        let high = within.clone().map(|span| span.high).fold(f64::MIN, f64::max);
        let low = within.map(|span| span.low).fold(f64::MAX, f64::min);
        let (top, bottom) = drawn.map(|(top, bottom)| (f64::from(top), f64::from(bottom))).expect("ink");
        assert!(
            top >= row(high) - 1.5,
            "column {at}: ink at row {top}, the largest value is at {}",
            row(high)
        );
        assert!(
            bottom <= row(low) + 1.5,
            "column {at}: ink at row {bottom}, the smallest value is at {}",
            row(low)
        );
        spikes += usize::from(top < row(10.0));
    }
    assert_eq!(spikes, 152, "one column for each of the 152 spikes");
}

// --- The result page.

#[test]
fn a_run_can_be_renamed_in_place() {
    let run = sample::run();
    let id = run.id;
    let (mut harness, asked) = result_harness(run);
    harness.get_by_label("Rename").click();
    harness.run_steps(3);
    harness.get_by_label("Name of the run").type_text(" again");
    harness.run_steps(3);
    harness.key_press(egui::Key::Enter);
    harness.run();
    let name = "checkout, istio 1.27 again".to_owned();
    assert_eq!(asked.borrow().as_slice(), [Command::EditRun(id, RunEdit::Name(name))]);
}

#[test]
fn labels_and_note_can_be_edited() {
    let run = sample::run();
    let (id, before) = (run.id, run.labels.clone());
    let (mut harness, asked) = result_harness(run);
    harness.get_by_label("Remove label Mesh version").click();
    harness.run();
    harness.get_by_label("Add label").click();
    harness.run();
    harness.get_by_label("Key of the new label").focus();
    harness.run();
    harness.get_by_label("Key of the new label").type_text("region");
    harness.run();
    harness.get_by_label("Value of the new label").focus();
    harness.run();
    harness.get_by_label("Value of the new label").type_text("eu-west");
    harness.run();
    harness.get_by_label("Add").click();
    harness.run();
    let mut without: Labels = before.clone();
    without.remove("mesh_version");
    let mut with = before;
    with.insert("region".to_owned(), "eu-west".to_owned());
    let edits = [without, with].map(|labels| Command::EditRun(id, RunEdit::Labels(labels)));
    assert_eq!(asked.borrow().as_slice(), edits);
}

#[test]
fn a_result_is_exported_run_again_and_left() {
    let run = sample::run();
    let (id, plan) = (run.id, Box::new(run.plan.clone()));
    let (mut harness, asked) = result_harness(run);
    harness.get_by_label("Export").click();
    harness.run();
    harness.get_by_label("HTML report").click();
    harness.run();
    harness.get_by_label("Run again").click();
    harness.run();
    harness.get_by_label("Edit plan").click();
    harness.run();
    harness.get_by_label("Back to history").click();
    harness.run();
    let expected = [
        Command::ExportRuns(vec![id], ExportFormat::Html),
        Command::StartRun(plan.clone()),
        Command::EditPlan(plan),
        Command::CloseRun,
    ];
    assert_eq!(asked.borrow().as_slice(), expected);
}

#[test]
fn a_plan_without_its_secrets_is_not_run_again_blindly() {
    let mut run = sample::run();
    run.plan.target.url = "http://user:secret@checkout.shop.example/".to_owned();
    run.plan = run.plan.redacted();
    let plan = Box::new(run.plan.clone());
    let (mut harness, asked) = result_harness(run);
    harness.get_by_label("Run again…").click();
    harness.run();
    assert_eq!(asked.borrow().as_slice(), [Command::EditPlan(plan)]);
}

#[test]
fn a_result_says_why_connections_failed() {
    let mut kept = egui_kittest::SnapshotResults::new();
    let run = sample::unanswered_run();
    for (theme, word) in picture::THEMES {
        let view = RefCell::new(ResultView::default());
        // High enough for the whole page.
        let mut harness = picture::harness(theme, [PAGE[0], 900.0], |ui| {
            page(ui, &Asked::default(), |cx, ui| result::ui(cx, ui, &mut view.borrow_mut(), &run));
        });
        harness.run();
        harness.get_by_label("All attempts to connect, also those in the warm-up");
        harness.get_by_label("Connection refused: connection refused by 10.20.0.17:8080");
        harness.get_by_label_contains("certificate not valid for “checkout.shop.example”");
        kept.add(harness.try_snapshot(format!("result_reasons_{word}")));
    }
}

#[test]
fn a_void_run_says_so_loudly() {
    let (harness, _) = result_harness(sample::void_run());
    harness.get_by_label_contains("This run is void");
}

#[test]
fn quantiles_that_rest_on_too_few_requests_are_marked() {
    let mut run = sample::run();
    run.response_ms.count = 900;
    let (harness, _) = result_harness(run.clone());
    harness.get_by_label(&format!("{} *", meshbench::model::number::millis(run.response_ms.p99)));
    harness.get_by_label_contains("* too few samples");
}

#[test]
fn a_damaged_histogram_is_said_and_the_summary_stays() {
    let mut run = sample::run();
    run.histograms.response = "HISTFAAAnonsense".to_owned();
    let (harness, _) = result_harness(run);
    harness.get_by_label("The distribution cannot be drawn");
    harness.get_by_label("p99.9");
}

// --- The comparison.

#[test]
fn a_comparison_says_differences_and_that_it_cannot_tell_noise() {
    let runs = compared();
    let p99 = |n: usize| runs[n].response_ms.p99;
    let said = format!("+{:.0} %", (p99(2) / p99(0) - 1.0) * 100.0);
    let (harness, _) = harness(move |cx, ui, view: &mut CompareView| compare::ui(cx, ui, view, &runs));
    assert!(harness.query_all_by_label(&said).count() >= 1, "{said}");
    harness.get_by_label_contains("cannot tell a change from run-to-run noise");
    harness.get_by_label_contains("Warning: Our own generator was late");
    let plot = labels(&harness, "Response time by quantile");
    assert!(plot[0].contains("checkout, no mesh: median"), "{plot:?}");
}

#[test]
fn runs_leave_a_comparison_one_by_one() {
    let runs = compared();
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    let (mut harness, asked) =
        harness(move |cx, ui, view: &mut CompareView| compare::ui(cx, ui, view, &runs));
    harness.get_by_label("Remove checkout, linkerd 2.18 from the comparison").click();
    harness.run();
    harness.get_by_label("Export all").click();
    harness.run();
    harness.get_by_label("CSV of quantiles").click();
    harness.run();
    let expected = [
        Command::Compare(vec![ids[0], ids[2], ids[3]]),
        Command::ExportRuns(ids, ExportFormat::CsvQuantiles),
    ];
    assert_eq!(asked.borrow().as_slice(), expected);
}

// --- The samples themselves.

#[test]
fn samples_are_the_same_each_time_and_newest_first() {
    assert_eq!(sample::run(), sample::run());
    let history = sample::history(200);
    assert!(history.windows(2).all(|pair| pair[0].started > pair[1].started && pair[0].id > pair[1].id));
    let run = sample::run();
    let requests = run.requests;
    let without_answer: u64 =
        run.errors.iter().filter(|(class, _)| *class != "status").map(|(_, count)| count).sum();
    assert_eq!(requests.due, requests.answered + without_answer + requests.cancelled);
    assert_eq!(run.histograms.response.is_empty(), run.response_ms.count == 0);
}
