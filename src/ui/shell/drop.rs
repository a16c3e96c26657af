//! Files dropped on the window: a plan is opened, kubeconfigs and folders are added, and on the page of metrics boards are
//! imported.

use std::path::{Path, PathBuf};

use eframe::egui::{Context, CornerRadius, Id, LayerId, Order, Rect, TextStyle, vec2};

use crate::app::clusters::ClusterCommand;
use crate::app::metrics::MetricsCommand;
use crate::app::{Command, Page};
use crate::ui::Cx;

pub(super) fn ui(ctx: &Context, cx: &mut Cx<'_>) {
    let dropped: Vec<PathBuf> =
        ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
    let (plans, others): (Vec<PathBuf>, Vec<PathBuf>) = dropped.into_iter().partition(|path| is_plan(path));
    let (boards, others): (Vec<PathBuf>, Vec<PathBuf>) =
        others.into_iter().partition(|path| cx.state.page == Page::Metrics && may_be_board(path));
    if !boards.is_empty() {
        cx.push(Command::Metrics(MetricsCommand::ImportBoards(boards)));
    }
    if let Some(path) = plans.into_iter().next() {
        cx.push(Command::ImportPlanFrom(path));
    }
    let kubeconfigs: Vec<PathBuf> = others.into_iter().filter(|path| may_be_kubeconfig(path)).collect();
    if !kubeconfigs.is_empty() {
        cx.push(Command::Cluster(ClusterCommand::Add(kubeconfigs)));
    }
    let hovering: Vec<Option<PathBuf>> =
        ctx.input(|input| input.raw.hovered_files.iter().map(|file| file.path.clone()).collect());
    if !hovering.is_empty() {
        let is_any = |is: fn(&Path) -> bool| hovering.iter().flatten().any(|path| is(path));
        let words = if is_any(is_plan) {
            "Drop the plan to open it"
        } else if cx.state.page == Page::Metrics && is_any(may_be_board) {
            "Drop boards of Grafana or Meshbench to import them"
        } else if is_any(may_be_kubeconfig) || hovering.contains(&None) {
            "Drop kubeconfigs, or a folder of them, to add them"
        } else {
            "Plans (.toml) and kubeconfigs can be dropped here"
        };
        shade(ctx, cx, words);
    }
}

/// By its name: kubeconfigs and folders often have no ending. What is in it is looked at later.
fn may_be_kubeconfig(path: &Path) -> bool {
    const ENDINGS: [&str; 6] = ["yaml", "yml", "conf", "config", "kubeconfig", "json"];
    path.extension().is_none_or(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Where boards are looked at, a JSON file is one and no kubeconfig.
fn may_be_board(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

fn is_plan(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

fn shade(ctx: &Context, cx: &Cx<'_>, words: &str) {
    let painter = ctx.layer_painter(LayerId::new(Order::Tooltip, Id::unique("file over the window")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, cx.theme.shade());
    let font = TextStyle::Heading.resolve(&ctx.global_style());
    let galley = painter.layout_no_wrap(words.to_owned(), font, cx.theme.text);
    let sheet = Rect::from_center_size(rect.center(), galley.size() + vec2(48.0, 32.0));
    painter.rect_filled(sheet, CornerRadius::same(8), cx.theme.raised);
    painter.galley(sheet.center() - galley.size() / 2.0, galley, cx.theme.text);
}
