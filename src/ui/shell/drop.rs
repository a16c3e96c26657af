//! Files dropped on the window: a plan is opened, anything else is taken for kubeconfigs.

use std::path::{Path, PathBuf};

use eframe::egui::{Context, CornerRadius, Id, LayerId, Order, Rect, TextStyle, vec2};

use crate::app::Command;
use crate::app::clusters::ClusterCommand;
use crate::ui::Cx;

pub(super) fn ui(ctx: &Context, cx: &mut Cx<'_>) {
    let dropped: Vec<PathBuf> =
        ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
    let (plans, others): (Vec<PathBuf>, Vec<PathBuf>) = dropped.into_iter().partition(|path| is_plan(path));
    if let Some(path) = plans.into_iter().next() {
        cx.push(Command::ImportPlanFrom(path));
    }
    if !others.is_empty() {
        cx.push(Command::Cluster(ClusterCommand::Add(others)));
    }
    let hovering: Vec<Option<bool>> = ctx.input(|input| {
        input.raw.hovered_files.iter().map(|file| file.path.as_deref().map(is_plan)).collect()
    });
    if !hovering.is_empty() {
        let words = if hovering.contains(&Some(false)) {
            "Drop kubeconfigs, or a folder of them, to add them"
        } else {
            "Drop the plan to open it"
        };
        shade(ctx, cx, words);
    }
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
