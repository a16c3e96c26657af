//! What can be asked of `login`, `logout`, `whoami`, `account` and `sync`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::plan;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        meshbench login --server https://bench.example.org\n  \
        meshbench login --issuer https://id.example.org/realms/perf --client-id meshbench --device\n  \
        meshbench login                                    again, where you logged in last\n\n\
        Tokens are kept in the system's keyring. Meshbench is registered with a provider as a native app (a public client)\n\
        with the redirect address http://127.0.0.1/callback, any port.")]
pub(super) struct LoginArgs {
    /// Log in where the Meshbench server at this address says
    #[arg(long, value_name = "URL", conflicts_with_all = ["issuer", "github_client_id", "provider"])]
    pub(super) server: Option<String>,
    /// Log in at this OpenID Connect issuer
    #[arg(long, value_name = "URL", requires = "client_id", conflicts_with_all = ["github_client_id", "provider"])]
    pub(super) issuer: Option<String>,
    /// What Meshbench is called at the issuer
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub(super) client_id: Option<String>,
    /// The client secret that some providers (Google) want of installed programs; in a provider file: client_secret
    #[arg(long, value_name = "TEXT", requires = "issuer")]
    pub(super) client_secret: Option<String>,
    /// Log in at GitHub, where Meshbench is called so
    #[arg(long, value_name = "ID", conflicts_with = "provider")]
    pub(super) github_client_id: Option<String>,
    /// Log in at the provider that this file describes
    #[arg(long, value_name = "FILE")]
    pub(super) provider: Option<PathBuf>,
    /// With a code that is entered on any device, where no browser can come back to this machine
    #[arg(long)]
    pub(super) device: bool,
}

#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    /// Whose login ends, by name or e-mail address [default: the one in use]
    #[arg(value_name = "WHO")]
    pub(super) who: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct WhoamiArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AccountArgs {
    /// Delete everything of yours at a Meshbench server, for good; history on this machine stays
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The server's address
    #[arg(long, value_name = "URL")]
    pub(super) server: String,
    /// Whose account there, by name or e-mail address [default: the one in use, or the only one]
    #[arg(value_name = "WHO")]
    pub(super) who: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(subcommand)]
    pub(super) what: Option<SyncWhat>,
}

#[derive(Debug, Subcommand)]
pub(super) enum SyncWhat {
    /// Exchange everything now, once [default]
    Now,
    /// Share history with the server that you are logged in with
    On(SyncOnArgs),
    /// Share nothing more; history stays, here and there
    Off,
    /// How it stands
    Status,
}

#[derive(Debug, Args)]
pub(super) struct SyncOnArgs {
    /// Your own space, or a team's
    #[arg(long, value_name = "SPACE", default_value = "me")]
    pub(super) space: String,
    /// Only runs and plans from now on
    #[arg(long, conflicts_with = "label")]
    pub(super) from_now_on: bool,
    /// Only runs with this label; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub(super) label: Vec<(String, String)>,
}

/// `mesh=istio`
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "a label is written as key=value".to_owned())?;
    plan::check_label(key, value)?;
    Ok((key.to_owned(), value.to_owned()))
}
