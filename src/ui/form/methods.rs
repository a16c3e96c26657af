//! What a gRPC target offers to be called: asked for at the method's field, searched, and chosen.

use std::sync::Arc;

use eframe::egui::{Button, Label, RichText, Ui};

use crate::app::Command;
use crate::app::methods::{Answer, Description, Method};
use crate::ui::widgets;

use super::draft::{RequestDraft, Which};
use super::request::of_words;
use super::sheet::{KEY, Sheet, VALUE, name};

/// Height of the list, in points.
const LIST_HEIGHT: f32 = 200.0;
/// From so many methods on, they can be searched.
const SEARCHED_FROM: usize = 6;
/// An answer that comes sooner, in seconds, is not announced.
const SOON: f64 = widgets::WAIT_SHOWN_AFTER_S;

/// The list of methods while it is open.
#[derive(Clone, Debug)]
pub(super) struct Choosing {
    which: Which,
    search: String,
    /// Since when, in seconds of the window.
    since: f64,
}

impl Sheet<'_> {
    /// The button that asks for methods or, while that goes on, ends it.
    pub(super) fn list_button(&mut self, ui: &mut Ui, which: Which) {
        let is_open = self.choosing.as_ref().is_some_and(|choosing| choosing.which == which);
        let is_awaited = self.listing.is_some_and(|listing| matches!(listing.answer, Answer::Awaited));
        if is_open && is_awaited {
            let button = ui.button("Cancel");
            name(ui, &button, "Do not wait for the methods");
            if button.clicked() {
                *self.choosing = None;
                self.commands.push(Command::StopListing);
            }
            return;
        }
        let button = ui.add_enabled(self.asked.is_some(), Button::new("List methods…"));
        name(ui, &button, &format!("List methods{}", of_words(which)));
        let button = button.on_disabled_hover_text("First say where the load goes, and where its schema is");
        let Some(asked) = self.asked.filter(|_| button.clicked()) else { return };
        if self.listing.is_none_or(|listing| listing.description().is_none()) {
            self.commands.push(Command::ListMethods(Box::new(asked.clone())));
        }
        let since = ui.input(|input| input.time);
        *self.choosing = Some(Choosing { which, search: String::new(), since });
    }

    /// The list itself, or what is known instead.
    pub(super) fn methods(&mut self, ui: &mut Ui, which: Which) {
        let Some(mut choosing) = self.choosing.take_if(|choosing| choosing.which == which) else { return };
        // Of another target, nothing is known.
        let Some(listing) = self.listing else {
            *self.choosing = Some(choosing);
            return;
        };
        let mut is_over = false;
        self.row(ui, "", |sheet, ui, _| match &listing.answer {
            Answer::Awaited => {
                let left = choosing.since + SOON - ui.input(|input| input.time);
                if left > 0.0 {
                    ui.ctx().request_repaint_after_secs(left as f32);
                } else {
                    sheet.remark(ui, "Asking what there is to be called");
                }
            }
            Answer::Failed(reason) => {
                let words = format!("The methods could not be listed. {reason}");
                ui.add(Label::new(RichText::new(words).color(sheet.theme.error)).wrap());
            }
            Answer::Told(description) => {
                let description = Arc::clone(description);
                is_over = ui.vertical(|ui| sheet.list(ui, &mut choosing, &description)).inner;
            }
        });
        if !is_over {
            *self.choosing = Some(choosing);
        }
    }

    /// Whether it is over: one was chosen, or none is wanted.
    fn list(&mut self, ui: &mut Ui, choosing: &mut Choosing, description: &Description) -> bool {
        let count: usize = description.services().iter().map(|service| service.methods.len()).sum();
        ui.set_max_width(KEY + VALUE);
        let mut is_over = false;
        ui.horizontal(|ui| {
            if count >= SEARCHED_FROM {
                let edit = widgets::line(&mut choosing.search).hint_text("Search methods");
                let response = widgets::edit(ui, self.theme, edit.desired_width(KEY));
                name(ui, &response, "Search methods");
            }
            widgets::caption(ui, self.theme, &counted(count, description.services().len()));
            is_over = ui.button("Close").clicked();
        });
        ui.add_space(4.0);
        let sought = choosing.search.trim().to_lowercase();
        let mut chosen = None;
        widgets::scrolling(ui, "methods", LIST_HEIGHT, |ui| {
            for service in description.services() {
                let fits = |method: &&Method| method.name.to_lowercase().contains(&sought);
                let mut methods = service.methods.iter().filter(fits).peekable();
                if methods.peek().is_some() {
                    widgets::caption(ui, self.theme, &service.name);
                }
                for method in methods {
                    if self.method_row(ui, choosing.which, method) {
                        chosen = Some(method.name.clone());
                    }
                }
            }
        });
        ui.add_space(4.0);
        if let Some(method) = chosen {
            take(self.draft.request_mut(choosing.which), &method, description);
            self.changed = true;
            is_over = true;
        }
        is_over
    }

    fn method_row(&self, ui: &mut Ui, which: Which, method: &Method) -> bool {
        let is_chosen = self.draft.request(which).call == method.name;
        let short = method.name.rsplit('/').next().unwrap_or(&method.name);
        let of_stream = if method.answers_stream { "stream of " } else { "" };
        let words =
            format!("{short}   {} → {of_stream}{}", last_part(&method.request), last_part(&method.response));
        let button = ui.add_enabled(!method.takes_stream, Button::selectable(is_chosen, words));
        name(ui, &button, &method.name);
        let button = button.on_disabled_hover_text(
            "It takes a stream of messages; only methods that take one message can be measured",
        );
        button.clicked()
    }
}

/// Puts a method into a request, and a message with every field where none was written.
fn take(request: &mut RequestDraft, method: &str, description: &Description) {
    let is_own = {
        let message = request.message.trim();
        let before = description.skeleton(&request.call).unwrap_or_default();
        !message.is_empty() && message != "{}" && message != before.trim()
    };
    method.clone_into(&mut request.call);
    if let (false, Ok(skeleton)) = (is_own, description.skeleton(method)) {
        request.message = skeleton;
    }
}

fn counted(methods: usize, services: usize) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!("{methods} method{} of {services} service{}", plural(methods), plural(services))
}

/// `Item` of `shop.v1.Item`.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
