//! The folded part about connections and the ways that they take.

use eframe::egui::Ui;

use crate::app::state::Slot;
use crate::model::plan::{Family, RESOLVE_MAX};

use super::draft::{At, Draft, ResolveDraft};
use super::sheet::{KEY, SHORT, Sheet, Spec, VALUE, counted, name, remove_button};

impl Sheet<'_> {
    pub(super) fn reach(&mut self, ui: &mut Ui) {
        self.reuse(ui);
        self.row(ui, "Addresses", |sheet, ui, _| {
            sheet.choice(ui, "Addresses", &FAMILIES, |draft| &mut draft.target.family);
        });
        let words = "Use all addresses of a name in turn";
        self.tick(ui, "", words, |draft| &mut draft.target.all_addresses);
        let words = "Ask for the addresses anew with each connection";
        self.tick(ui, "", words, |draft| &mut draft.target.resolve_each);
        self.resolve(ui);
        let spec = Spec {
            caption: "Proxy",
            hint: "socks5://127.0.0.1:1080",
            unit: "http, socks5 or socks5h",
            width: VALUE,
        };
        self.row(ui, spec.caption, |sheet, ui, caption| {
            sheet.edit(ui, At::Reach, spec, |draft| &mut draft.target.proxy).labelled_by(caption.id);
            sheet.unit(ui, spec.unit);
        });
        let unit = "instead of an address";
        let spec = Spec { caption: "Unix socket", hint: "/run/app.sock", unit, width: VALUE };
        self.path(ui, At::Reach, spec, Slot::Socket, |draft| &mut draft.target.unix_socket);
        self.reason_below(ui, At::Reach);
    }

    fn reuse(&mut self, ui: &mut Ui) {
        self.row(ui, "Reconnect", |sheet, ui, _| {
            sheet.unit(ui, "after");
            let spec = Spec { caption: "", hint: "never", unit: "", width: SHORT };
            let field = sheet.edit(ui, At::Reuse, spec, |draft| &mut draft.target.reuse_min);
            name(ui, &field, "Reconnect after at least");
            sheet.unit(ui, "to");
            let spec = Spec { hint: "as many", ..spec };
            let field = sheet.edit(ui, At::Reuse, spec, |draft| &mut draft.target.reuse_max);
            name(ui, &field, "Reconnect after at most");
            sheet.unit(ui, "requests, drawn evenly for each connection");
        });
        self.reason_below(ui, At::Reuse);
    }

    fn resolve(&mut self, ui: &mut Ui) {
        let mut removed = None;
        for row in 0..self.draft.target.resolve.len() {
            let (at, number) = (At::Resolve(row), row + 1);
            self.row(ui, if row == 0 { "By hand" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "Name", unit: "", width: KEY };
                let field = sheet.edit(ui, at, spec, |draft| &mut draft.target.resolve[row].host);
                name(ui, &field, &format!("Name {number} given by hand"));
                let spec = Spec { hint: "any port", width: 72.0, ..spec };
                let field = sheet.edit(ui, at, spec, |draft| &mut draft.target.resolve[row].port);
                name(ui, &field, &format!("Port {number} given by hand"));
                sheet.unit(ui, "is at");
                let spec = Spec { hint: "10.0.0.1, 10.0.0.2", width: 200.0, ..spec };
                let field = sheet.edit(ui, at, spec, |draft| &mut draft.target.resolve[row].addresses);
                name(ui, &field, &format!("Addresses {number} given by hand"));
                if remove_button(ui, &format!("address {number}")) {
                    removed = Some(row);
                }
            });
            self.reason_below(ui, at);
        }
        if let Some(row) = removed {
            self.draft.target.resolve.remove(row);
            self.changed = true;
        }
        let (count, caption) = (self.draft.target.resolve.len(), "By hand");
        if count < RESOLVE_MAX && self.add_button(ui, (count == 0).then_some(caption), "Add address") {
            self.draft.target.resolve.push(ResolveDraft::default());
        }
    }
}

/// What is set.
pub(super) fn summary(draft: &Draft) -> String {
    let target = &draft.target;
    let is_reused = target.reuse_min.trim().is_empty() && target.reuse_max.trim().is_empty();
    let given = counted(target.resolve.len(), "name") + " given by hand";
    let parts = [
        (!is_reused, "reconnects"),
        (target.family == Family::V4, "IPv4 only"),
        (target.family == Family::V6, "IPv6 only"),
        (target.all_addresses, "all addresses"),
        (target.resolve_each, "asked for anew"),
        (!target.resolve.is_empty(), given.as_str()),
        (!target.proxy.trim().is_empty(), "proxy"),
        (!target.unix_socket.trim().is_empty(), "Unix socket"),
    ];
    let parts: Vec<&str> = parts.into_iter().filter_map(|(is_set, words)| is_set.then_some(words)).collect();
    parts.join(", ")
}

const FAMILIES: [(Family, &str); 3] =
    [(Family::Any, "Any"), (Family::V4, "IPv4 only"), (Family::V6, "IPv6 only")];
