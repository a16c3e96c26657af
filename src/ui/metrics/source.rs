//! The form for a source, and the page before there is one.

use std::path::PathBuf;

use eframe::egui::{CollapsingHeader, ComboBox, Label, Response, RichText, TextEdit, Ui};
use url::Url;
use uuid::Uuid;

use crate::app::metrics::{Found, MetricsCommand};
use crate::model::cluster::ContextKey;
use crate::model::host::is_safe;
use crate::model::metrics::source::SOURCES_MAX;
use crate::model::metrics::{Access, Login, Place, Source, SourceId, SourceKind, TlsFiles};
use crate::model::plan::{ServiceTarget, TargetKind};
use crate::ui::clusters::name;
use crate::ui::theme::SPACE;
use crate::ui::widgets::{self, Field};
use crate::ui::{Cx, icon};

/// Of most fields, in points.
const FIELD: f32 = 420.0;
/// Of short ones, in points.
const SHORT: f32 = 200.0;
/// The port that Prometheus listens at.
const USUAL_PORT: u16 = 9090;
/// Between two readings of endpoints, in seconds, until somebody says otherwise.
const USUAL_EVERY_S: u64 = 5;
/// Why a source would not be asked.
const OPEN_LOGIN: &str =
    "A login would go over the network where others can read it: use https://, or an address of this machine";

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prometheus,
    Grafana,
    Direct,
}

/// Where a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Address,
    Cluster,
}

/// How one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Nobody,
    Bearer,
    Basic,
}

/// A source as it is being written.
#[derive(Debug)]
pub(super) struct SourceForm {
    /// None for a new one.
    id: Option<SourceId>,
    kind: Kind,
    name: String,
    place: Where,
    url: String,
    context: Option<ContextKey>,
    target: TargetKind,
    namespace: String,
    service: String,
    port: String,
    path: String,
    how: How,
    user: String,
    secret: String,
    tenant: String,
    tls: [String; 3],
    is_insecure: bool,
    data_source: Option<String>,
    endpoints: String,
    every_s: String,
    api: Option<ContextKey>,
    /// Whether it has just been opened: one begins to write at once.
    is_fresh: bool,
}

/// The page before there is a source: what it is for, and what there is to begin with. A form where one is asked for.
pub(super) fn first(cx: &mut Cx<'_>, ui: &mut Ui) -> Option<SourceForm> {
    let words = "What meshes and applications tell of themselves while load runs: requests, latencies, CPU and memory of \
        proxies, as ready boards, as boards imported from Grafana, or as your own queries. Meshbench asks a Prometheus or \
        what speaks its language, a Grafana, or the proxies themselves. It only reads.";
    let mut form = None;
    let is_asked =
        widgets::empty_state(ui, cx.theme, "No source of metrics yet", words, Some("Add a source…"));
    if is_asked {
        form = Some(SourceForm::new());
    }
    let found = cx.state.metrics.found.clone();
    ui.vertical_centered(|ui| {
        ui.add_space(SPACE[2]);
        if found.is_empty() {
            let words = match cx.state.clusters.links.is_empty() {
                true => "Connect a cluster, and Meshbench looks for sources in it.",
                false => "None was seen in the connected clusters.",
            };
            widgets::caption(ui, cx.theme, words);
            return;
        }
        widgets::caption(ui, cx.theme, "Seen in connected clusters");
        for found in &found {
            let kind = if found.is_grafana { "Grafana" } else { "Prometheus" };
            let button = ui.button(format!("Add {kind}: {}", found.place.words()));
            if button.clicked() {
                cx.metrics(add_found(found));
            }
        }
    });
    form
}

/// Adds a source that was seen, as it is.
pub(super) fn add_found(found: &Found) -> MetricsCommand {
    let (place, access) = (found.place.clone(), Access::default());
    let kind = match found.is_grafana {
        true => SourceKind::Grafana { place, access, data_source: None },
        false => SourceKind::Prometheus { place, access },
    };
    let (id, name) = (SourceId(Uuid::now_v7()), kind_name(&kind));
    MetricsCommand::PutSource(Box::new(Source { id, name, kind }), None)
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

impl SourceForm {
    /// For a new source.
    pub(super) fn new() -> Self {
        Self {
            id: None,
            kind: Kind::Prometheus,
            name: String::new(),
            place: Where::Address,
            url: String::new(),
            context: None,
            target: TargetKind::Service,
            namespace: String::new(),
            service: String::new(),
            port: USUAL_PORT.to_string(),
            path: String::new(),
            how: How::Nobody,
            user: String::new(),
            secret: String::new(),
            tenant: String::new(),
            tls: Default::default(),
            is_insecure: false,
            data_source: None,
            endpoints: String::new(),
            every_s: USUAL_EVERY_S.to_string(),
            api: None,
            is_fresh: true,
        }
    }

    /// For a source that there is. Its secret is not shown.
    pub(super) fn of(source: &Source) -> Self {
        let mut form = Self { id: Some(source.id), name: source.name.clone(), ..Self::new() };
        match &source.kind {
            SourceKind::Prometheus { place, access } => {
                form.set(place, access);
            }
            SourceKind::Grafana { place, access, data_source } => {
                form.kind = Kind::Grafana;
                form.data_source.clone_from(data_source);
                form.set(place, access);
            }
            SourceKind::Direct { endpoints, api, every_ms } => {
                form.kind = Kind::Direct;
                let context = |place: &Place| match place {
                    Place::Cluster { context, .. } => Some(context.clone()),
                    Place::Url(_) => None,
                };
                form.context = endpoints.iter().find_map(context).or_else(|| api.clone());
                form.endpoints = endpoints.iter().map(written).collect::<Vec<_>>().join("\n");
                form.every_s = every_ms.div_ceil(1000).to_string();
                form.api.clone_from(api);
            }
        }
        form
    }

    fn set(&mut self, place: &Place, access: &Access) {
        match place {
            Place::Url(url) => self.url.clone_from(url),
            Place::Cluster { context, kind, namespace, name, port, path } => {
                self.place = Where::Cluster;
                self.context = Some(context.clone());
                self.target = *kind;
                self.namespace.clone_from(namespace);
                self.service.clone_from(name);
                self.port = port.to_string();
                self.path.clone_from(path);
            }
        }
        match &access.login {
            Login::None => {}
            Login::Bearer => self.how = How::Bearer,
            Login::Basic { user } => {
                self.how = How::Basic;
                self.user.clone_from(user);
            }
        }
        self.tenant.clone_from(&access.tenant);
        let words =
            |path: &Option<PathBuf>| path.as_ref().map_or_else(String::new, |it| it.display().to_string());
        self.tls = [words(&access.tls.ca), words(&access.tls.certificate), words(&access.tls.key)];
        self.is_insecure = access.tls.insecure;
    }

    /// Draws the form; whether it is done with.
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) -> bool {
        widgets::page(ui, |ui| {
            ui.spacing_mut().item_spacing.y = SPACE[2];
            let is_new = self.id.is_none();
            ui.horizontal(|ui| {
                let is_back = icon::Icon::Back.button(ui, "Back to metrics").clicked();
                widgets::heading(ui, if is_new { "Add a source of metrics" } else { "Edit the source" });
                is_back
            })
            .inner
                || self.fields(cx, ui, is_new)
        })
    }

    fn fields(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, is_new: bool) -> bool {
        let kinds = [
            (Kind::Prometheus, "Prometheus-compatible"),
            (Kind::Grafana, "Grafana"),
            (Kind::Direct, "Direct scrape"),
        ];
        widgets::segmented(ui, cx.theme, "What it is", &mut self.kind, &kinds);
        let words = match self.kind {
            Kind::Prometheus => {
                "Prometheus, Thanos, Mimir, VictoriaMetrics and others that speak its language."
            }
            Kind::Grafana => {
                "Its boards can be imported, and one of its data sources that speaks Prometheus is asked."
            }
            Kind::Direct => {
                "No server: Meshbench reads the pages of proxies and applications itself, while it is open. \
                What was before is not known."
            }
        };
        widgets::caption(ui, cx.theme, words);
        let hint = "What you call it; its address until you say otherwise";
        line(ui, cx, Field { name: "Name", hint, width: FIELD, ..Field::default() }, &mut self.name);
        if self.kind == Kind::Direct {
            self.direct(cx, ui);
        } else {
            self.where_it_is(cx, ui);
            self.login(cx, ui, is_new);
            self.more(cx, ui);
        }
        let made = self.source(cx);
        ui.horizontal(|ui| {
            let ready = made.as_ref().map(|_| ()).map_err(String::as_str);
            let words = if is_new { "Add source" } else { "Save source" };
            if widgets::primary_if(ui, cx.theme, words, ready)
                && let Ok(source) = made
            {
                let secret = (!self.secret.is_empty()).then(|| std::mem::take(&mut self.secret));
                cx.metrics(MetricsCommand::PutSource(Box::new(source), secret));
                return true;
            }
            ui.button("Cancel").clicked()
        })
        .inner
    }

    fn where_it_is(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        let places = [(Where::Address, "At an address"), (Where::Cluster, "In a cluster")];
        widgets::segmented(ui, cx.theme, "Where it is", &mut self.place, &places);
        if self.place == Where::Address {
            let hint = if self.kind == Kind::Grafana {
                "https://grafana.example.org"
            } else {
                "http://localhost:9090"
            };
            let reason = reason_if(!self.url.trim().is_empty(), address(&self.url));
            let field = Field { name: "Address", hint, reason: reason.as_deref(), width: FIELD, unit: "" };
            let response = line(ui, cx, field, &mut self.url);
            if std::mem::take(&mut self.is_fresh) {
                response.request_focus();
            }
            return;
        }
        context_choice(cx, ui, "Context", &mut self.context);
        let kinds = [(TargetKind::Service, "Service"), (TargetKind::Pod, "Pod")];
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = SPACE[0];
                widgets::caption(ui, cx.theme, "What");
                widgets::segmented(ui, cx.theme, "What of the cluster", &mut self.target, &kinds);
            });
            let field = |name, hint| Field { name, hint, width: SHORT * 0.8, ..Field::default() };
            line(ui, cx, field("Namespace", "monitoring"), &mut self.namespace);
            line(ui, cx, field("Its name", "prometheus"), &mut self.service);
            let reason = reason_if(!self.port.is_empty(), port(&self.port));
            let reason = reason.as_deref();
            line(ui, cx, Field { name: "Port", reason, width: 70.0, ..Field::default() }, &mut self.port);
        });
        let hint = "/prometheus, where it is not at the root";
        line(ui, cx, Field { name: "Path", hint, width: FIELD, ..Field::default() }, &mut self.path);
        let words = match self.target {
            TargetKind::Service => {
                "It is asked through the API server’s proxy: no port is opened on this machine."
            }
            TargetKind::Pod => "It is asked through a port-forward.",
        };
        widgets::caption(ui, cx.theme, words);
    }

    fn login(&mut self, cx: &Cx<'_>, ui: &mut Ui, is_new: bool) {
        let hows =
            [(How::Nobody, "No login"), (How::Bearer, "Bearer token"), (How::Basic, "Name and password")];
        widgets::segmented(ui, cx.theme, "How one logs in", &mut self.how, &hows);
        if self.how == How::Nobody {
            return;
        }
        ui.horizontal_top(|ui| {
            if self.how == How::Basic {
                line(ui, cx, Field { name: "User", width: SHORT, ..Field::default() }, &mut self.user);
            }
            let caption = if self.how == How::Basic { "Password" } else { "Token" };
            secret(ui, cx, caption, is_new, &mut self.secret);
        });
        let words = "Kept in this system’s keyring, never in Meshbench’s own files, and not shown again.";
        widgets::caption(ui, cx.theme, words);
        if self.place == Where::Address && address(&self.url).is_ok_and(|place| is_open(&place)) {
            ui.label(RichText::new(OPEN_LOGIN).small().color(cx.theme.error));
        }
    }

    fn more(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        let is_used =
            !self.tenant.is_empty() || self.is_insecure || self.tls.iter().any(|path| !path.is_empty());
        CollapsingHeader::new("More: tenant, certificates").default_open(is_used).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = SPACE[2];
            let hint = "Sent as X-Scope-OrgID to Mimir, Cortex and Thanos";
            line(ui, cx, Field { name: "Tenant", hint, width: FIELD, ..Field::default() }, &mut self.tenant);
            let names = ["Authorities (PEM file)", "Our own certificate (PEM file)", "Its key (PEM file)"];
            for (name, path) in names.into_iter().zip(&mut self.tls) {
                line(ui, cx, Field { name, hint: "/path/to/file.pem", width: FIELD, ..Field::default() }, path);
            }
            widgets::checkbox(ui, cx.theme, &mut self.is_insecure, "Allow any certificate");
            if self.is_insecure {
                let words = "Whoever answers at this address is believed: anybody on the way can read what is asked, with \
                    the login, and answer what they like.";
                widgets::warning(ui, cx.theme, words);
            }
        });
    }

    fn direct(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        let label = widgets::caption(ui, cx.theme, "Pages to read, one in a line");
        let hint = "http://10.0.0.5:15020/stats/prometheus\nsvc/istio-system/istiod:15014/metrics\npod/shop/checkout-1:15020/stats/prometheus";
        let text = TextEdit::multiline(&mut self.endpoints)
            .hint_text(hint)
            .desired_rows(4)
            .desired_width(FIELD * 1.4)
            .font(eframe::egui::TextStyle::Monospace);
        widgets::edit(ui, cx.theme, text).labelled_by(label.id);
        if let Some(reason) = reason_if(!self.endpoints.trim().is_empty(), self.places()) {
            ui.label(RichText::new(reason).small().color(cx.theme.error));
        }
        context_choice(cx, ui, "Context of svc/ and pod/", &mut self.context);
        let reason = reason_if(!self.every_s.is_empty(), every_ms(&self.every_s));
        let reason = reason.as_deref();
        let field = Field { name: "Read every", unit: "s", reason, width: 70.0, ..Field::default() };
        line(ui, cx, field, &mut self.every_s);
        context_choice(cx, ui, "Metrics API (CPU and memory of pods) of", &mut self.api);
    }

    /// The source as it is written, or the first thing that is wrong.
    fn source(&self, cx: &Cx<'_>) -> Result<Source, String> {
        let kind = match self.kind {
            Kind::Prometheus => {
                let (place, access) = self.asked(cx)?;
                SourceKind::Prometheus { place, access }
            }
            Kind::Grafana => {
                let (place, access) = self.asked(cx)?;
                SourceKind::Grafana { place, access, data_source: self.data_source.clone() }
            }
            Kind::Direct => {
                let (endpoints, api) = (self.places()?, self.api.clone());
                SourceKind::Direct { endpoints, api, every_ms: every_ms(&self.every_s)? }
            }
        };
        let own = self.name.trim();
        let name = if own.is_empty() { kind_name(&kind) } else { own.to_owned() };
        let source = Source { id: self.id.unwrap_or_else(|| SourceId(Uuid::now_v7())), name, kind };
        // What is refused after the form has closed is lost, the secret with it.
        source.check()?;
        let kept = &cx.state.metrics.book.sources;
        if kept.len() >= SOURCES_MAX && kept.iter().all(|kept| kept.id != source.id) {
            return Err(format!("At most {SOURCES_MAX} sources are kept; remove one first"));
        }
        Ok(source)
    }

    /// Where a server is, and how one logs in there.
    fn asked(&self, cx: &Cx<'_>) -> Result<(Place, Access), String> {
        let (place, access) = (self.place(cx)?, self.access()?);
        if access.login != Login::None && is_open(&place) {
            return Err(OPEN_LOGIN.to_owned());
        }
        Ok((place, access))
    }

    fn place(&self, cx: &Cx<'_>) -> Result<Place, String> {
        if self.place == Where::Address {
            if self.url.trim().is_empty() {
                return Err("Write the address first".to_owned());
            }
            address(&self.url)?;
            return Ok(Place::Url(self.url.trim().trim_end_matches('/').to_owned()));
        }
        let context = self.context.clone().or_else(|| cx.state.clusters.chosen().cloned());
        let context = context.ok_or("Choose a context first")?;
        let (namespace, name) = (self.namespace.trim(), self.service.trim());
        if namespace.is_empty() || name.is_empty() {
            return Err("Write namespace and name first".to_owned());
        }
        Ok(Place::Cluster {
            context,
            kind: self.target,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            port: port(&self.port)?,
            path: self.path.trim().trim_end_matches('/').to_owned(),
        })
    }

    fn access(&self) -> Result<Access, String> {
        let is_missing = self.secret.is_empty() && self.id.is_none();
        let login = match self.how {
            How::Nobody => Login::None,
            How::Bearer if is_missing => return Err("Write the token first".to_owned()),
            How::Bearer => Login::Bearer,
            How::Basic if self.user.trim().is_empty() => return Err("Write the user’s name first".to_owned()),
            How::Basic if is_missing => return Err("Write the password first".to_owned()),
            How::Basic => Login::Basic { user: self.user.trim().to_owned() },
        };
        let [ca, certificate, key] =
            self.tls.each_ref().map(|path| (!path.trim().is_empty()).then(|| PathBuf::from(path.trim())));
        let tls = TlsFiles { ca, certificate, key, insecure: self.is_insecure };
        Ok(Access { login, tenant: self.tenant.trim().to_owned(), tls })
    }

    /// The pages to read.
    fn places(&self) -> Result<Vec<Place>, String> {
        let lines = self.endpoints.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| endpoint(line, self.context.as_ref())).collect()
    }
}

/// A page to read from its line.
fn endpoint(line: &str, context: Option<&ContextKey>) -> Result<Place, String> {
    let (kind, rest) = match line.split_once('/') {
        Some(("svc", rest)) => (TargetKind::Service, rest),
        Some(("pod", rest)) => (TargetKind::Pod, rest),
        _ => return address(line),
    };
    // The first slash is within NAMESPACE/NAME, the second begins the path.
    let cut = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
    let (named, path) = rest.split_at(cut);
    let (namespace, name, port) = ServiceTarget::place(named).ok_or_else(|| {
        format!("“{line}” is not svc/NAMESPACE/NAME:PORT/PATH, with a port from 1 to 65535")
    })?;
    let (namespace, name, path) = (namespace.to_owned(), name.to_owned(), path.to_owned());
    let context = context.cloned().ok_or("Choose the context of svc/ and pod/ first")?;
    Ok(Place::Cluster { context, kind, namespace, name, port, path })
}

/// As it is written in a line.
fn written(place: &Place) -> String {
    match place {
        Place::Url(url) => url.clone(),
        Place::Cluster { kind, namespace, name, port, path, .. } => {
            let kind = if *kind == TargetKind::Pod { "pod" } else { "svc" };
            format!("{kind}/{namespace}/{name}:{port}{path}")
        }
    }
}

fn kind_name(kind: &SourceKind) -> String {
    match kind {
        SourceKind::Prometheus { place, .. } | SourceKind::Grafana { place, .. } => match place {
            Place::Url(url) => host(url).to_owned(),
            Place::Cluster { context, name, .. } => format!("{name} in {}", context.name),
        },
        SourceKind::Direct { .. } => "Read by Meshbench".to_owned(),
    }
}

/// A place at an address, as it is written.
fn address(text: &str) -> Result<Place, String> {
    let place = Place::Url(text.trim().to_owned());
    place.check()?;
    Ok(place)
}

/// Whether others could read a login on its way there.
fn is_open(place: &Place) -> bool {
    let Place::Url(text) = place else { return false };
    Url::parse(text).is_ok_and(|url| !is_safe(&url))
}

fn port(text: &str) -> Result<u16, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| "A port is a number from 1 to 65535".to_owned())
}

fn every_ms(text: &str) -> Result<u64, String> {
    let seconds = text.trim().parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(|seconds: u64| seconds * 1000).ok_or_else(|| "From 1 to 3600 seconds".to_owned())
}

/// Why something is wrong, once anything was written.
fn reason_if<T>(is_written: bool, checked: Result<T, String>) -> Option<String> {
    checked.err().filter(|_| is_written)
}

fn line(ui: &mut Ui, cx: &Cx<'_>, field: Field<'_>, text: &mut String) -> Response {
    widgets::field(ui, cx.theme, field, text)
}

/// A field whose text nobody sees.
fn secret(ui: &mut Ui, cx: &Cx<'_>, caption: &str, is_new: bool, text: &mut String) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        let label = widgets::caption(ui, cx.theme, caption);
        let hint = if is_new { "" } else { "kept; write to replace it" };
        let field = widgets::line(text).password(true).hint_text(hint).desired_width(SHORT * 1.3);
        widgets::edit(ui, cx.theme, field).labelled_by(label.id);
    });
}

fn context_choice(cx: &Cx<'_>, ui: &mut Ui, caption: &str, chosen: &mut Option<ContextKey>) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        widgets::caption(ui, cx.theme, caption);
        let clusters = &cx.state.clusters;
        if clusters.contexts.is_empty() {
            let words = RichText::new("No context is known: add a kubeconfig on the Clusters page first");
            ui.add(Label::new(words.color(cx.theme.text_muted)).wrap());
            return;
        }
        let text = chosen.as_ref().map_or("None", |key| clusters.book.title(key)).to_owned();
        let shown =
            ComboBox::from_id_salt(caption).selected_text(&text).width(FIELD * 0.8).show_ui(ui, |ui| {
                ui.selectable_value(chosen, None, "None");
                for context in &clusters.contexts {
                    let title = clusters.book.title(&context.key).to_owned();
                    ui.selectable_value(chosen, Some(context.key.clone()), title);
                }
            });
        name(ui, shown.response.id, &format!("{caption}: {text}"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ContextKey {
        ContextKey { file: "/k".into(), name: "dev".to_owned() }
    }

    #[test]
    fn a_page_to_read_is_written_in_a_line() {
        for line in
            ["http://10.0.0.5:15020/stats", "svc/istio-system/istiod:15014/metrics", "pod/shop/a-1:80"]
        {
            assert_eq!(written(&endpoint(line, Some(&key())).unwrap()), line);
        }
        for line in ["svc/istiod:1", "svc/a/b", "svc/a/b:0", "svc//b:1", "10.0.0.5:80", "http://"] {
            assert!(endpoint(line, Some(&key())).is_err(), "{line}");
        }
        assert!(endpoint("pod/a/b:1", None).is_err(), "without a context");
    }

    #[test]
    fn an_address_is_told_what_is_wrong_with_it() {
        assert_eq!(address(" https://p.example/prom "), Ok(Place::Url("https://p.example/prom".to_owned())));
        for url in ["", "p.example", "ftp://p", "http://", "http://a b", "http://me:secret@p"] {
            assert!(address(url).is_err(), "{url}");
        }
    }

    #[test]
    fn others_read_along_without_tls_unless_it_is_this_machine() {
        let is_open = |url| is_open(&address(url).unwrap());
        for url in ["http://p.example:9090", "http://127.example.com", "http://localhost.example"] {
            assert!(is_open(url), "{url}");
        }
        for url in ["https://p.example", "http://localhost:9090", "http://127.0.0.1", "http://[::1]:9090"] {
            assert!(!is_open(url), "{url}");
        }
    }
}
