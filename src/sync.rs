//! Exchanges records with a server, so that one history is on all of a person's machines and a team's results are together.
//!
//! ```text
//! GET  /v1/capabilities                             what the server is and takes; the only one that asks for no login
//! GET  /v1/me                                       who asks, their spaces, what they use      DELETE: everything of theirs
//! PUT  /v1/spaces/{space}/records/{digest}          201 taken | 200 was there | 422 is no record | 410 | 413 | 429, 503 later
//! GET  /v1/spaces/{space}/records/{digest}          the bytes
//! GET  /v1/spaces/{space}/changes?after=N&limit=N   what was taken, in order
//! POST /v1/spaces/{space}/have                      which of these digests the server lacks
//! ```
//! A record is named by the SHA-256 of its bytes ([`crate::model::record`]); both sides prove every one. Sending one twice is
//! nothing, in any order is the same: what a server lost is sent again, what a machine lost is fetched again. A server that
//! begins anew, or is put back to an older copy, says so by another `server_epoch`.
//!
//! | module | duty |
//! |---|---|
//! | [`words`] | what is said between the two |
//! | [`client`] | a machine's side: one question, one answer |
//! | [`server`] | the server: proves what it is sent, keeps it in an object store, hands it back |
//! | [`meshery`] | apart from all that: publishes results to a provider of Meshery |

pub mod client;
pub mod meshery;
pub mod server;
mod web;
pub mod words;
