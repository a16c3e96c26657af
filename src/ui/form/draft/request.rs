//! One request as it is being typed: the plan's own, or one of several.

use std::path::PathBuf;

use crate::app::methods::Description;
use crate::model::plan::{Grpc, Variant};

use crate::model::{BasicAuth, Body, Cookie, Header, Plan, Request};

use super::{At, Draft, Wrong};

/// Which request of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The plan's own.
    Plan,
    /// One of several, counted from 0.
    Variant(usize),
}

/// One request as it is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDraft {
    /// `GET`, `POST`, …
    pub method: String,
    /// Header rows; a row that is empty is not part of the plan.
    pub headers: Vec<Header>,
    /// Cookie rows; a row that is empty is not part of the plan.
    pub cookies: Vec<Cookie>,
    /// Whether credentials are sent.
    pub auth_on: bool,
    /// The credentials.
    pub auth: BasicAuth,
    /// Empty for none.
    pub content_type: String,
    /// Where the body comes from.
    pub body: BodyKind,
    /// The body as text.
    pub body_text: String,
    /// The file of the body.
    pub body_file: String,
    /// The gRPC method; with an untouched message, empty for no call.
    pub call: String,
    /// The message of the call as JSON.
    pub message: String,
}

/// Where the body comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is none.
    Empty,
    /// It is typed.
    Text,
    /// It is read when the run starts.
    File,
}

/// One of several requests as it is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantDraft {
    /// What tables call it.
    pub name: String,
    /// How often it is chosen, against the other weights.
    pub weight: String,
    /// A whole URL, or a path; empty for the plan's URL.
    pub url: String,
    /// What is sent.
    pub request: RequestDraft,
}

/// The rows of headers and cookies that are part of the plan: empty ones are left out.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) headers: Vec<usize>,
    pub(super) cookies: Vec<usize>,
}

const EMPTY_MESSAGE: &str = "{}";

impl RequestDraft {
    pub(super) fn from_request(request: &Request) -> Self {
        let (body, body_text, body_file) = match &request.body {
            Body::Empty => (BodyKind::Empty, String::new(), String::new()),
            Body::Text(text) => (BodyKind::Text, text.clone(), String::new()),
            Body::File(path) => (BodyKind::File, String::new(), path.display().to_string()),
        };
        let no_auth = || BasicAuth { user: String::new(), password: String::new() };
        let no_call = || Grpc { method: String::new(), message: EMPTY_MESSAGE.to_owned() };
        let Grpc { method: call, message } = request.grpc.clone().unwrap_or_else(no_call);
        Self {
            method: request.method.clone(),
            headers: request.headers.clone(),
            cookies: request.cookies.clone(),
            auth_on: request.basic_auth.is_some(),
            auth: request.basic_auth.clone().unwrap_or_else(no_auth),
            content_type: request.content_type.clone().unwrap_or_default(),
            body,
            body_text,
            body_file,
            call,
            message,
        }
    }

    /// The request that the texts stand for, and the rows that are part of it.
    pub(super) fn request(&self) -> (Request, Rows) {
        let filled = |name: &str, value: &str| !(name.trim().is_empty() && value.is_empty());
        let mut rows = Rows::default();
        let mut request = Request { method: self.method.trim().to_owned(), ..Request::default() };
        for (row, header) in self.headers.iter().enumerate().filter(|(_, h)| filled(&h.name, &h.value)) {
            rows.headers.push(row);
            request.headers.push(Header { name: header.name.trim().to_owned(), ..header.clone() });
        }
        for (row, cookie) in self.cookies.iter().enumerate().filter(|(_, c)| filled(&c.name, &c.value)) {
            rows.cookies.push(row);
            request.cookies.push(Cookie { name: cookie.name.trim().to_owned(), ..cookie.clone() });
        }
        request.basic_auth = self.auth_on.then(|| self.auth.clone());
        let content_type = self.content_type.trim();
        request.content_type = (!content_type.is_empty()).then(|| content_type.to_owned());
        request.body = match self.body {
            BodyKind::Empty => Body::Empty,
            BodyKind::Text => Body::Text(self.body_text.clone()),
            BodyKind::File => Body::File(PathBuf::from(self.body_file.trim())),
        };
        let call = self.call.trim();
        request.grpc = (!call.is_empty() || self.message != EMPTY_MESSAGE)
            .then(|| Grpc { method: call.to_owned(), message: self.message.clone() });
        (request, rows)
    }

    /// Why the message is no JSON. What a schema says about it is told by who has the schema.
    pub(super) fn check_message(&self, is_template: bool) -> Result<(), String> {
        if is_template && self.message.contains("{{") {
            return Ok(());
        }
        match serde_json::from_str::<serde::de::IgnoredAny>(&self.message) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the message is not JSON: {error}")),
        }
    }
}

impl Draft {
    /// What a description of the target has against its calls, beside what was wrong already.
    pub(in crate::ui::form) fn held_against(
        &self,
        description: &Description,
        plan: Result<Plan, Vec<Wrong>>,
    ) -> Result<Plan, Vec<Wrong>> {
        let requests: Vec<(Option<usize>, &RequestDraft)> = match self.variants.as_slice() {
            [] => vec![(None, &self.request)],
            variants => (0..).map(Some).zip(variants.iter().map(|variant| &variant.request)).collect(),
        };
        let mut found = Vec::new();
        for (number, request) in requests {
            let is_template = self.has_templates() && request.message.contains("{{");
            if is_template || request.call.trim().is_empty() {
                continue;
            }
            if let Err(reason) = description.check(request.call.trim(), &request.message) {
                let (at, reason) = match description.has(request.call.trim()) {
                    true => (At::Message, format!("in the message, {reason}")),
                    false => (At::Grpc, reason),
                };
                found.push(Wrong { at: number.map_or(at, At::Variant), reason });
            }
        }
        match plan {
            Ok(plan) if found.is_empty() => Ok(plan),
            Ok(_) => Err(found),
            Err(mut wrong) => {
                found.retain(|new| wrong.iter().all(|old| old.at != new.at));
                wrong.extend(found);
                wrong.sort();
                Err(wrong)
            }
        }
    }
}

impl VariantDraft {
    pub(super) fn from_variant(variant: &Variant) -> Self {
        Self {
            name: variant.name.clone(),
            weight: variant.weight.to_string(),
            url: variant.url.clone().unwrap_or_default(),
            request: RequestDraft::from_request(&variant.request),
        }
    }

    /// A further request: as often as another one, to the plan's URL.
    pub(in crate::ui::form) fn fresh(number: usize, request: RequestDraft) -> Self {
        Self { name: format!("request {number}"), weight: "1".to_owned(), url: String::new(), request }
    }

    pub(super) fn variant(&self, weight: f64) -> (Variant, Rows) {
        let (request, rows) = self.request.request();
        let url = self.url.trim();
        let url = (!url.is_empty()).then(|| url.to_owned());
        (Variant { name: self.name.trim().to_owned(), weight, url, request }, rows)
    }
}

impl Default for RequestDraft {
    fn default() -> Self {
        Self::from_request(&Request::default())
    }
}

impl Draft {
    /// A request of this draft.
    ///
    /// # Panics
    /// When there is no variant with that number.
    #[must_use]
    pub fn request(&self, which: Which) -> &RequestDraft {
        match which {
            Which::Plan => &self.request,
            Which::Variant(number) => &self.variants[number].request,
        }
    }

    pub(in crate::ui::form) fn request_mut(&mut self, which: Which) -> &mut RequestDraft {
        match which {
            Which::Plan => &mut self.request,
            Which::Variant(number) => &mut self.variants[number].request,
        }
    }
}
