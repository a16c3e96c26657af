//! Every context of every kubeconfig, to search and choose; beneath them the files.

use std::path::Path;

use eframe::egui::{
    Align, Color32, CornerRadius, FontId, Label, Layout, Rect, RichText, Role, ScrollArea, Sense, TextStyle,
    Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::app::clusters::ClusterCommand;
use crate::model::cluster::{ClusterContext, ClusterFile, Connection, ContextKey};
use crate::ui::theme::{self, CORNER, SPACE};
use crate::ui::{Cx, icon, widgets};

use super::{ClustersPage, colour, name};

/// Height of a context, in points.
const ROW: f32 = 48.0;
/// Room for the names of badges at the right.
const BADGE_HEIGHT: f32 = 16.0;
/// The most room that the list of files takes, as a share of the page.
const FILES_SHARE: f32 = 0.4;

impl ClustersPage {
    pub(super) fn contexts(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let search = widgets::line(&mut self.query).hint_text("Search contexts   /");
            let width = (ui.available_width() - 76.0).max(80.0);
            let search = widgets::edit(ui, cx.theme, search.desired_width(width));
            name(ui, search.id, "Search contexts");
            if std::mem::take(&mut self.focus_search) {
                search.request_focus();
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| add_menu(cx, ui));
        });
        offer(cx, ui);
        ui.add_space(SPACE[1]);
        let shown = self.shown(cx);
        let files = ui.available_height() * FILES_SHARE;
        let room = ui.available_height() - files.min(36.0 + 26.0 * cx.state.clusters.files.len() as f32);
        if shown.is_empty() {
            let words = match cx.state.clusters.contexts.is_empty() {
                true => "No kubeconfig has a context",
                false => "No context has these words",
            };
            ui.allocate_ui(vec2(ui.available_width(), room.max(ROW)), |ui| {
                ui.add_space(SPACE[1]);
                ui.label(RichText::new(words).color(cx.theme.text_muted));
            });
        } else {
            ScrollArea::vertical()
                .id_salt("contexts")
                .max_height(room.max(ROW))
                .auto_shrink([false, true])
                .show_rows(ui, ROW, shown.len(), |ui, rows| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    for at in rows {
                        row(ui, cx, &shown[at]);
                    }
                });
        }
        ui.add_space(SPACE[1]);
        kubeconfigs(cx, ui);
    }

    /// Those with the words of the search; favourites first.
    fn shown(&self, cx: &Cx<'_>) -> Vec<ClusterContext> {
        let clusters = &cx.state.clusters;
        let query = self.query.trim().to_lowercase();
        let has = |context: &&ClusterContext| {
            let file = context.key.file.to_string_lossy();
            let alias = clusters.book.title(&context.key);
            let texts = [
                &context.key.name,
                alias,
                &context.cluster,
                &context.user,
                &context.namespace,
                &context.server,
                &*file,
            ];
            query.split_whitespace().all(|word| texts.iter().any(|text| text.to_lowercase().contains(word)))
        };
        let mut shown: Vec<ClusterContext> = clusters.contexts.iter().filter(has).cloned().collect();
        shown.sort_by_key(|context| !clusters.book.choice(&context.key).is_favourite);
        shown
    }
}

fn add_menu(cx: &mut Cx<'_>, ui: &mut Ui) {
    ui.menu_button("Add…", |ui| {
        for (words, command) in [
            ("Kubeconfigs…", ClusterCommand::PickFiles),
            ("A folder of kubeconfigs…", ClusterCommand::PickFolder),
        ] {
            if ui.button(words).clicked() {
                cx.cluster(command);
                ui.close();
            }
        }
        let uses = cx.state.clusters.book.uses_kubectls;
        let mut ticked = uses;
        if widgets::checkbox(ui, cx.theme, &mut ticked, "kubectl’s own files").changed() {
            cx.cluster(ClusterCommand::UseKubectls(!uses));
            ui.close();
        }
    });
}

/// kubectl's files are there and not used yet.
fn offer(cx: &mut Cx<'_>, ui: &mut Ui) {
    if !cx.state.clusters.is_offer_open() {
        return;
    }
    ui.add_space(SPACE[0]);
    ui.label(RichText::new("kubectl has contexts on this machine too.").color(cx.theme.text_muted));
    ui.horizontal(|ui| {
        if ui.button("Use them").clicked() {
            cx.cluster(ClusterCommand::UseKubectls(true));
        }
        if ui.button("Not now").clicked() {
            cx.cluster(ClusterCommand::UseKubectls(false));
        }
    });
}

fn row(ui: &mut Ui, cx: &mut Cx<'_>, context: &ClusterContext) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let clusters = &cx.state.clusters;
    let is_chosen = clusters.chosen() == Some(&context.key);
    let title = clusters.book.title(&context.key).to_owned();
    let choice = clusters.book.choice(&context.key);
    let connection = clusters.connection(&context.key);
    let state = state_words(connection);
    let badges = badges(cx, context);
    let mut spoken = format!("Context {title}, {state}");
    for (words, _) in &badges {
        spoken.push_str(", ");
        spoken.push_str(words);
    }
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, is_chosen, &spoken));
    if is_chosen {
        ui.painter().rect_filled(rect, CornerRadius::same(CORNER), cx.theme.tint(cx.theme.text, 0.07));
    } else {
        icon::ground(ui, rect, &response);
    }
    icon::focus_ring(ui, rect, &response);
    if let Some(colour) = colour(cx.theme, &choice) {
        let bar = Rect::from_min_size(rect.min + vec2(0.0, 8.0), vec2(3.0, ROW - 16.0));
        ui.painter().rect_filled(bar, CornerRadius::same(2), colour);
    }
    dot(ui, cx, pos2(rect.left() + 16.0, rect.top() + 17.0), connection);
    let mut right = rect.right() - SPACE[1];
    for (words, ink) in badges.iter().rev() {
        right -= badge(ui, pos2(right, rect.top() + 17.0), words, *ink) + SPACE[0];
    }
    let left = rect.left() + 28.0;
    let star = if choice.is_favourite { "★ " } else { "" };
    let first = Rect::from_min_max(pos2(left, rect.top() + 6.0), pos2(right, rect.top() + 28.0));
    let second =
        Rect::from_min_max(pos2(left, rect.top() + 26.0), pos2(rect.right() - SPACE[1], rect.bottom() - 4.0));
    let text = RichText::new(format!("{star}{title}"));
    cut(ui, first, if is_chosen { text.family(theme::semibold()) } else { text });
    let server = if context.server.is_empty() { "no server" } else { host(&context.server) };
    let place = format!("{server} · {}", file_name(&context.key.file));
    cut(ui, second, RichText::new(place).small().color(cx.theme.text_muted));
    let response = response.on_hover_text(hover(context));
    if response.clicked() {
        cx.cluster(ClusterCommand::Choose(context.key.clone()));
    }
}

/// One line, cut where there is no more room; not a thing of its own to readers.
fn cut(ui: &mut Ui, rect: Rect, text: RichText) {
    let layout = Layout::left_to_right(Align::Center);
    let mut line = ui.new_child(eframe::egui::UiBuilder::new().max_rect(rect).layout(layout));
    line.add(Label::new(text).truncate().selectable(false).sense(Sense::empty()));
}

fn badges(cx: &Cx<'_>, context: &ClusterContext) -> Vec<(&'static str, Color32)> {
    let choice = cx.state.clusters.book.choice(&context.key);
    let mut badges = Vec::new();
    if choice.is_production {
        badges.push(("production", cx.theme.error));
    }
    if context.is_insecure {
        badges.push(("insecure", cx.theme.error));
    }
    if context.shadowed_by.is_some() {
        badges.push(("duplicate", cx.theme.warning));
    }
    if !context.problems.is_empty() {
        badges.push(("broken", cx.theme.warning));
    }
    badges
}

/// Draws a badge that ends at `right`; how wide it is.
fn badge(ui: &Ui, right: eframe::egui::Pos2, words: &str, ink: Color32) -> f32 {
    let font = FontId::new(10.5, theme::semibold());
    let galley = ui.painter().layout_no_wrap(words.to_owned(), font, ink);
    let size = vec2(galley.size().x + 10.0, BADGE_HEIGHT);
    let rect = Rect::from_min_size(right - vec2(size.x, size.y / 2.0), size);
    ui.painter().rect_stroke(
        rect,
        CornerRadius::same(8),
        eframe::egui::Stroke::new(1.0, ink),
        eframe::egui::StrokeKind::Inside,
    );
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, ink);
    size.x
}

fn hover(context: &ClusterContext) -> String {
    let mut lines = vec![
        format!("Context {}", context.key.name),
        format!("Cluster {} at {}", context.cluster, context.server),
        format!(
            "User {} ({})",
            if context.user.is_empty() { "none" } else { &context.user },
            context.login.words()
        ),
        format!("Namespace {}", context.namespace),
        format!("In {}", context.key.file.display()),
    ];
    if let Some(winner) = &context.shadowed_by {
        lines.push(format!("Of the same name is one in {}: kubectl uses that", winner.display()));
    }
    if context.is_insecure {
        lines.push("The server’s certificate is not looked at (insecure-skip-tls-verify)".to_owned());
    }
    lines.extend(context.problems.iter().map(|problem| format!("It cannot be used: {problem}")));
    lines.join("\n")
}

/// In one word, for readers and the page's head.
pub(in crate::ui) fn state_words(connection: &Connection) -> &'static str {
    match connection {
        Connection::None => "not connected",
        Connection::Connecting => "connecting",
        Connection::NeedsConsent(_) => "waits for your word",
        Connection::Connected(_) => "connected",
        Connection::Failed(_) => "not reachable",
    }
}

/// A filled dot where the connection stands, a ring where there is none, a cross where it failed: not by colour alone.
pub(in crate::ui) fn dot(ui: &Ui, cx: &Cx<'_>, at: eframe::egui::Pos2, connection: &Connection) {
    use eframe::egui::Stroke;
    let painter = ui.painter();
    match connection {
        Connection::Connected(_) => {
            painter.circle_filled(at, 4.5, cx.theme.good);
        }
        Connection::Failed(_) => {
            let square = Rect::from_center_size(at, Vec2::splat(13.0));
            icon::Icon::Close.paint(painter, square, cx.theme.error);
        }
        Connection::NeedsConsent(_) => {
            painter.circle_stroke(at, 4.0, Stroke::new(2.0, cx.theme.warning));
        }
        Connection::Connecting => {
            painter.circle_stroke(at, 4.0, Stroke::new(2.0, cx.theme.accent));
        }
        Connection::None => {
            painter.circle_stroke(at, 4.0, Stroke::new(1.0, cx.theme.text_muted));
        }
    }
}

pub(super) fn host(server: &str) -> &str {
    server.split_once("://").map_or(server, |(_, rest)| rest)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The files: what each has, or why it cannot be used.
fn kubeconfigs(cx: &mut Cx<'_>, ui: &mut Ui) {
    ui.separator();
    widgets::caption(ui, cx.theme, "Kubeconfigs");
    let files = cx.state.clusters.files.clone();
    ScrollArea::vertical().id_salt("files").auto_shrink([false, true]).show(ui, |ui| {
        for file in &files {
            ui.horizontal(|ui| kubeconfig(cx, ui, file));
        }
    });
}

fn kubeconfig(cx: &mut Cx<'_>, ui: &mut Ui, file: &ClusterFile) {
    let own = cx
        .state
        .clusters
        .book
        .files
        .iter()
        .find(|own| **own == file.path || file.path.parent() == Some(own))
        .cloned();
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if let Some(own) = own {
            let response = icon::Icon::Close.button(ui, &format!("Forget {}", own.display()));
            if response.clicked() {
                cx.cluster(ClusterCommand::Remove(own));
            }
        }
        let (words, ink) = match &file.state {
            Ok(1) => ("1 context".to_owned(), cx.theme.text_muted),
            Ok(count) => (format!("{count} contexts"), cx.theme.text_muted),
            Err(_) => ("cannot be used".to_owned(), cx.theme.error),
        };
        ui.label(RichText::new(words).small().color(ink));
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let text = RichText::new(file_name(&file.path)).text_style(TextStyle::Small);
            let mut lines = vec![file.path.display().to_string()];
            if let Err(reason) = &file.state {
                lines.push(format!("It cannot be used: {reason}"));
            }
            lines.extend(file.remarks.iter().cloned());
            ui.add(Label::new(text).truncate()).on_hover_text(lines.join("\n"));
        });
    });
}

/// What stands above a context that another file's context of the same name hides from kubectl.
pub(super) fn remark(context: &ClusterContext) -> Option<String> {
    let winner = context.shadowed_by.as_ref()?;
    let ContextKey { file, .. } = &context.key;
    Some(format!(
        "kubectl uses the context of this name in {}, not the one in {}",
        winner.display(),
        file.display()
    ))
}
