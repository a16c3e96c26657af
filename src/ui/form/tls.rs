//! The folded part about certificates.

use eframe::egui::Ui;

use crate::app::state::Slot;

use super::draft::{At, ClientKind, Draft};
use super::sheet::{KEY, Sheet, Spec, VALUE};

impl Sheet<'_> {
    pub(super) fn tls(&mut self, ui: &mut Ui) {
        self.row(ui, "Client certificate", |sheet, ui, _| {
            sheet.choice(ui, "Client certificate", &CLIENTS, |draft| &mut draft.target.client);
        });
        match self.draft.target.client {
            ClientKind::None => {}
            ClientKind::Pem => self.client_pem(ui),
            ClientKind::Pkcs12 => self.client_pkcs12(ui),
        }
        let unit = "PEM, used beside the system's";
        let spec = Spec { caption: "CA file", hint: "/path/to/ca.pem", unit, width: VALUE };
        self.path(ui, At::Tls, spec, Slot::Ca, |draft| &mut draft.ca_file);
        let unit = "asked for and checked instead of the URL's host";
        let spec = Spec { caption: "Server name", hint: "shop.example", unit, width: VALUE };
        self.row(ui, spec.caption, |sheet, ui, caption| {
            sheet.edit(ui, At::Tls, spec, |draft| &mut draft.target.server_name).labelled_by(caption.id);
            sheet.unit(ui, spec.unit);
        });
        self.reason_below(ui, At::Tls);
        let words = "Resume sessions: later connections shorten their handshake";
        self.tick(ui, "Sessions", words, |draft| &mut draft.target.resumption);
        let words = "Accept any certificate (insecure)";
        self.tick(ui, "Certificates", words, |draft| &mut draft.insecure);
        if self.draft.insecure {
            self.insecure_warning(ui);
        }
    }

    fn client_pem(&mut self, ui: &mut Ui) {
        let spec = Spec { caption: "Certificate", hint: "/path/to/client.pem", unit: "PEM", width: VALUE };
        self.path(ui, At::Tls, spec, Slot::Certificate, |draft| &mut draft.target.certificate);
        let spec = Spec { caption: "Key", hint: "/path/to/client.key", unit: "PEM, no password", ..spec };
        self.path(ui, At::Tls, spec, Slot::Key, |draft| &mut draft.target.key);
    }

    fn client_pkcs12(&mut self, ui: &mut Ui) {
        let spec = Spec { caption: "PKCS#12 file", hint: "/path/to/client.p12", unit: "", width: VALUE };
        self.path(ui, At::Tls, spec, Slot::Pkcs12, |draft| &mut draft.target.pkcs12);
        self.row(ui, "File password", |sheet, ui, caption| {
            let spec = Spec { caption: "File password", hint: "", unit: "", width: KEY };
            let edit = sheet.secret(ui, At::Tls, spec, |draft| &mut draft.target.password);
            edit.labelled_by(caption.id);
            sheet.unit(ui, "always secret");
        });
    }
}

/// What is set; what makes a run insecure comes first.
pub(super) fn summary(draft: &Draft) -> String {
    let target = &draft.target;
    let parts = [
        (draft.insecure, "certificates are not checked"),
        (target.client != ClientKind::None, "client certificate"),
        (!draft.ca_file.trim().is_empty(), "further authorities"),
        (!target.server_name.trim().is_empty(), "another server name"),
        (!target.resumption, "sessions are not resumed"),
    ];
    let parts: Vec<&str> = parts.into_iter().filter_map(|(is_set, words)| is_set.then_some(words)).collect();
    parts.join(", ")
}

const CLIENTS: [(ClientKind, &str); 3] =
    [(ClientKind::None, "None"), (ClientKind::Pem, "PEM files"), (ClientKind::Pkcs12, "PKCS#12 file")];
