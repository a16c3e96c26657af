//! What can be asked of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        meshbench serve --issuer https://id.example/ --audience meshbench --store /var/lib/meshbench-serve\n  \
        meshbench serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem --issuer https://id.example/ \\\n    \
        --audience meshbench --store s3://bucket/meshbench --team perf=group:performance\n\n\
        A file of members is TOML, each team with its people by the issuer's names for them: perf = [\"248289761001\"]\n\
        Cloud storage takes the cloud's usual variables: AWS_ACCESS_KEY_ID, AWS_ENDPOINT, GOOGLE_APPLICATION_CREDENTIALS,\n\
        AZURE_STORAGE_ACCOUNT_NAME, … Each request leaves one line of JSON on standard error.\n\
        Ctrl-C or SIGTERM: open requests have ten seconds to end.")]
pub(super) struct RecordsArgs {
    /// Address and port; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    pub(super) listen: SocketAddr,
    /// The OpenID Connect issuer whose access tokens are taken
    #[arg(long, value_name = "URL")]
    pub(super) issuer: String,
    /// What the tokens must be for
    #[arg(long, value_name = "AUDIENCE")]
    pub(super) audience: String,
    /// The client that is registered with the issuer for people's Meshbench
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// A scope to ask for beside openid profile email offline_access; may be repeated
    #[arg(long, value_name = "SCOPE")]
    pub(super) scope: Vec<String>,
    /// The claim of tokens that names a person's groups
    #[arg(long, value_name = "NAME", default_value = "groups")]
    pub(super) groups_claim: String,
    /// Keep records here: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX
    #[arg(long, value_name = "DIR|URL")]
    pub(super) store: String,
    /// A team and the group whose people are in it; may be repeated
    #[arg(long, value_name = "NAME=group:GROUP")]
    pub(super) team: Vec<String>,
    /// A file of teams with their people
    #[arg(long, value_name = "FILE.toml")]
    pub(super) members: Option<PathBuf>,
    /// Speak TLS with this certificate and what it is signed by, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Listen for other machines without TLS, because something before it ends TLS
    #[arg(long)]
    pub(super) behind_proxy: bool,
    /// The largest record
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size)]
    pub(super) max_record: u64,
    /// The most that a space may hold
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = size)]
    pub(super) quota: u64,
    /// Requests per second that one person may make in the long run
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) rate: u32,
    /// For how many days a deleted run can be taken back, before it is deleted for good
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(super) grace_days: u16,
}

/// Bytes: `512KiB`, `16MiB`, `10GiB`, `2TiB`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let units = ["b", "kib", "mib", "gib", "tib"];
    let power = units.iter().position(|known| *known == unit.trim().to_ascii_lowercase());
    let factor = power.map(|power| 1u64 << (10 * power));
    let bytes =
        factor.zip(number.parse::<u64>().ok()).and_then(|(factor, number)| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "write for example 512KiB, 16MiB or 10GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_a_unit_and_are_not_nothing() {
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("10 gib"), Ok(10 << 30));
        for wrong in ["", "5", "0MiB", "1MB", "99999999999TiB", "MiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
