//! A list that opens, with a search when it is long.

use eframe::egui::{ComboBox, PopupCloseBehavior, RichText, ScrollArea, Ui};

use crate::ui::Theme;
use crate::ui::clusters::name;
use crate::ui::theme::SPACE;
use crate::ui::widgets;

/// Longer lists can be searched.
const SEARCHED_FROM: usize = 9;
/// The most entries that are listed at once.
const LISTED_MAX: usize = 300;
/// Height of the list, in points.
const HEIGHT: f32 = 280.0;

/// A list that opens.
pub(super) struct Chooser<'a> {
    /// What is chosen with it; another for each list of the page.
    pub(super) caption: &'a str,
    /// What is chosen now.
    pub(super) shown: &'a str,
    /// In points.
    pub(super) width: f32,
    /// Makes the value of each entry and its words; asked only while the list is open.
    pub(super) options: &'a dyn Fn() -> Vec<(String, String)>,
    /// Values that are chosen.
    pub(super) picked: &'a [String],
    /// Whether it stays open, for more than one.
    pub(super) is_multi: bool,
    /// Whether anything may be written.
    pub(super) is_free: bool,
    /// Said in place of entries while there are none.
    pub(super) empty: &'a str,
}

impl Chooser<'_> {
    /// Draws it; what was picked.
    pub(super) fn ui(&self, ui: &mut Ui, theme: &Theme, query: &mut String) -> Option<String> {
        let text = format!("{}: {}", self.caption, self.shown);
        let shown = ComboBox::from_id_salt(("chooser", self.caption))
            .selected_text(RichText::new(&text))
            .width(self.width)
            .truncate()
            .height(HEIGHT + 80.0)
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .show_ui(ui, |ui| self.list(ui, theme, query));
        name(ui, shown.response.id, &text);
        if shown.inner.is_none() {
            query.clear();
        }
        shown.response.on_hover_text(&text);
        shown.inner.flatten()
    }

    fn list(&self, ui: &mut Ui, theme: &Theme, query: &mut String) -> Option<String> {
        ui.set_min_width(self.width.max(220.0));
        let options = (self.options)();
        let mut picked = None;
        if options.len() >= SEARCHED_FROM || self.is_free {
            let hint = if self.is_free { "Search, or write one" } else { "Search" };
            let field = widgets::line(query).hint_text(hint).desired_width(f32::INFINITY);
            let field = widgets::edit(ui, theme, field);
            name(ui, field.id, &format!("Search {}", self.caption));
            ui.add_space(SPACE[0]);
        }
        let words = query.trim().to_lowercase();
        let fits = |option: &&(String, String)| option.1.to_lowercase().contains(&words);
        let found: Vec<&(String, String)> = options.iter().filter(fits).collect();
        let is_new = self.is_free && !words.is_empty() && !found.iter().any(|it| it.0 == query.trim());
        if is_new && ui.selectable_label(false, format!("Use “{}”", query.trim())).clicked() {
            picked = Some(query.trim().to_owned());
        }
        if found.is_empty() && !is_new {
            let words = if options.is_empty() { self.empty } else { "Nothing has these words" };
            widgets::caption(ui, theme, words);
        }
        ui.spacing_mut().item_spacing.y = 2.0;
        ScrollArea::vertical().max_height(HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
            for (value, words) in found.iter().take(LISTED_MAX) {
                let mut is_picked = self.picked.contains(value);
                let is_clicked = if self.is_multi {
                    widgets::checkbox(ui, theme, &mut is_picked, words).changed()
                } else {
                    ui.selectable_label(is_picked, words).clicked()
                };
                if is_clicked {
                    picked = Some(value.clone());
                }
            }
        });
        if found.len() > LISTED_MAX {
            widgets::caption(ui, theme, &format!("and {} more: search for them", found.len() - LISTED_MAX));
        }
        if picked.is_some() && !self.is_multi {
            ui.close();
        }
        picked
    }
}
