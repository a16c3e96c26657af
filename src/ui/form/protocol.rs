//! What is spoken with the target, and what gRPC needs beside the URL.

use eframe::egui::{ComboBox, Ui};

use crate::app::state::Slot;

use super::draft::{At, Echo, ProtocolKind, SchemaKind, Which};
use super::sheet::{Sheet, Spec, VALUE, name, remove_button};

/// Width of the list of protocols, in points: the same for each.
const PROTOCOL_WIDTH: f32 = 106.0;
/// The most folders for imports: more is a mistake.
const INCLUDES_MAX: usize = 64;

impl Sheet<'_> {
    /// The protocol; of an echo, the URL says it.
    pub(super) fn protocol(&mut self, ui: &mut Ui) {
        let echo = self.draft.echo();
        let current = self.draft.target.protocol;
        let chosen = PROTOCOLS.iter().find(|(kind, _)| *kind == current);
        let words = match echo {
            Some(Echo::Tcp) => "TCP echo",
            Some(Echo::Udp) => "UDP echo",
            None => chosen.map_or("", |(_, words)| words),
        };
        ui.add_enabled_ui(echo.is_none(), |ui| {
            let combo = ComboBox::from_id_salt("protocol").selected_text(words).width(PROTOCOL_WIDTH);
            let response = combo.show_ui(ui, |ui| {
                for (kind, words) in PROTOCOLS {
                    if ui.selectable_label(current == kind, words).clicked() && current != kind {
                        self.draft.target.protocol = kind;
                        self.changed = true;
                    }
                }
            });
            name(ui, &response.response, "Protocol");
            response.response.on_disabled_hover_text("The URL says it");
        });
    }

    /// The call, its message, and where the shapes of messages come from.
    pub(super) fn grpc(&mut self, ui: &mut Ui) {
        if self.draft.variants.is_empty() || self.is_wrong(At::Grpc) {
            self.call(ui, Which::Plan);
        }
        self.row(ui, "Schema", |sheet, ui, _| {
            sheet.choice(ui, "Schema", &SCHEMAS, |draft| &mut draft.target.schema);
        });
        match self.draft.target.schema {
            SchemaKind::Reflection => {}
            SchemaKind::Proto => self.proto(ui),
            SchemaKind::Descriptors => {
                let unit = "from protoc --descriptor_set_out --include_imports";
                let spec = Spec { caption: "Descriptors", hint: "/path/to/api.binpb", unit, width: VALUE };
                self.path(ui, At::Protocol, spec, Slot::Descriptors, |draft| &mut draft.target.descriptors);
            }
        }
    }

    fn proto(&mut self, ui: &mut Ui) {
        let spec = Spec { caption: "Proto file", hint: "/path/to/api.proto", unit: "", width: VALUE };
        self.path(ui, At::Protocol, spec, Slot::Proto, |draft| &mut draft.target.proto);
        let mut removed = None;
        for row in 0..self.draft.target.include.len() {
            self.row(ui, if row == 0 { "Imports from" } else { "" }, |sheet, ui, _| {
                let spec = Spec { caption: "", hint: "/path/to/protos", ..spec };
                let field = sheet.edit(ui, At::Protocol, spec, |draft| &mut draft.target.include[row]);
                name(ui, &field, &format!("Folder {} with imports", row + 1));
                sheet.choose(ui, Slot::Include(row), &format!("folder {} with imports", row + 1));
                if remove_button(ui, &format!("folder {}", row + 1)) {
                    removed = Some(row);
                }
            });
        }
        if let Some(row) = removed {
            self.draft.target.include.remove(row);
            self.changed = true;
        }
        let count = self.draft.target.include.len();
        if count < INCLUDES_MAX && self.add_button(ui, (count == 0).then_some("Imports from"), "Add folder") {
            self.draft.target.include.push(String::new());
        }
    }
}

const PROTOCOLS: [(ProtocolKind, &str); 3] =
    [(ProtocolKind::Http1, "HTTP/1.1"), (ProtocolKind::Http2, "HTTP/2"), (ProtocolKind::Grpc, "gRPC")];

const SCHEMAS: [(SchemaKind, &str); 3] = [
    (SchemaKind::Reflection, "Server reflection"),
    (SchemaKind::Proto, ".proto file"),
    (SchemaKind::Descriptors, "Descriptor set"),
];
