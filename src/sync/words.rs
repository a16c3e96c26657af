//! What is said between a machine and a server of records: JSON, whose fields are only ever added.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::digest::Digest;

/// The version of the protocol that this program speaks.
pub const API: u32 = 1;
/// The name of the space that everybody has alone.
pub const PERSONAL: &str = "me";
/// The most changes in one answer.
pub const CHANGES_MAX: usize = 500;
/// The most digests in one question.
pub const HAVE_MAX: usize = 5000;
/// The code of a refusal, and the kind of a change: the record was there and was deleted for good.
pub const GONE: &str = "gone";

/// What a server is and takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// [`API`] of the server.
    pub api: u32,
    /// Made with the server's store: another one means that what was confirmed before may be gone.
    pub server_epoch: Uuid,
    /// The largest record, in bytes of its envelope.
    pub max_bytes: u64,
    /// The kinds of records that it takes, by [`crate::model::record::RecordKind::name`].
    pub kinds: Vec<String>,
    /// Where one logs in.
    pub login: LoginHint,
}

/// Where one logs in to use a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginHint {
    /// The OpenID Connect issuer whose access tokens are taken.
    pub issuer: String,
    /// What the tokens must be for; asked of issuers as `resource` (RFC 8707).
    pub audience: String,
    /// The client that is registered with the issuer for Meshbench's desktops; none if people register their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Scopes to ask for beside `openid profile email offline_access`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// Who asks, and what they may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The issuer's name for the person.
    pub subject: String,
    /// The name shown to others.
    pub name: String,
    /// Their own space first.
    pub spaces: Vec<Space>,
    /// Another, later one with each deletion of the account: a machine that shared history before it sends nothing again by
    /// itself. None where it was never deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Uuid>,
}

/// A set of records that some people share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// As it stands in addresses: [`PERSONAL`], or a team's.
    pub id: String,
    /// As it is shown.
    pub name: String,
    /// Bytes of its records.
    pub used_bytes: u64,
    /// The most of them.
    pub max_bytes: u64,
}

/// A record that a server took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its place in the order in which the space's records were taken, from 1 on without a hole.
    pub seq: u64,
    /// Its name.
    pub digest: Digest,
    /// By [`crate::model::record::RecordKind::name`], or one of a newer version, or [`GONE`]: then only `seq` and `digest` tell something.
    pub kind: String,
    /// Bytes of its envelope.
    pub size: u64,
    /// Who sent it first: [`Me::subject`].
    pub author: String,
    /// That person's name then.
    pub author_name: String,
}

/// A part of what a space has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Of which server.
    pub server_epoch: Uuid,
    /// Ascending by `seq`, all greater than was asked `after`.
    pub changes: Vec<Change>,
    /// Whether there are more after these.
    pub more: bool,
}

/// Digests of records that a machine has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Have {
    /// At most [`HAVE_MAX`].
    pub digests: Vec<Digest>,
}

/// Which of those the server lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Of which server.
    pub server_epoch: Uuid,
    /// In the order of the question.
    pub missing: Vec<Digest>,
}

/// That a record is safe with the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Of which server.
    pub server_epoch: Uuid,
    /// What was proven on arrival.
    pub digest: Digest,
    /// Its place in the space's order.
    pub seq: u64,
}

/// Why something was refused: the body of every answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// One word for programs: `unauthorized`, `forbidden`, `not_found`, `no_record`, `too_large`, `quota`, `too_many`, `busy`, …
    pub code: String,
    /// What is wrong and what to do, for people.
    pub message: String,
}
