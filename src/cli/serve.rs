//! `serve`: the server of records.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::app::serving_records::{Limits, Members, RecordsOptions, ServingRecords, Team};

use super::args_serve::RecordsArgs;
use super::interrupt::Interrupts;
use super::screen::Screen;
use super::{Failure, Status};

/// Between two looks at whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A longer certificate, key or list of members is none.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Serves until Ctrl-C or SIGTERM.
pub(super) fn serve(args: RecordsArgs, screen: &Screen) -> Result<Status, Failure> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some((file(certificate)?, file(key)?)),
        _ => None,
    };
    if tls.is_none() && !args.behind_proxy && !args.listen.ip().is_loopback() {
        return Err(Failure::Input(format!(
            "other machines would reach {} without TLS, and tokens could be read on the way.\n\
             Name --tls-cert and --tls-key, or say --behind-proxy if something before it ends TLS",
            args.listen
        )));
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let options = options(args, tls, *screen)?;
    let interrupts = Interrupts::listen()?;
    let serving = ServingRecords::start(options).map_err(|error| match error.is_input() {
        true => Failure::Input(error.to_string()),
        false => Failure::NotCarriedOut(error.to_string()),
    })?;
    screen.print(&format!("{scheme}://{}\n", serving.address()))?;
    while !interrupts.asked() && !serving.is_over() {
        std::thread::sleep(LOOK_EVERY);
    }
    serving.stop().map_err(Failure::NotCarriedOut)?;
    Ok(Status::Met)
}

fn options(
    args: RecordsArgs,
    tls: Option<(Vec<u8>, Vec<u8>)>,
    screen: Screen,
) -> Result<RecordsOptions, Failure> {
    let mut teams = args.team.iter().map(|text| team(text)).collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &args.members {
        teams.extend(members(path)?);
    }
    let limits = Limits {
        record_bytes: args.max_record,
        space_bytes: args.quota,
        burst: args.rate.saturating_mul(10),
        rate_per_sec: f64::from(args.rate),
        grace: Duration::from_secs(u64::from(args.grace_days) * 24 * 60 * 60),
        ..Limits::default()
    };
    Ok(RecordsOptions {
        listen: args.listen,
        store: args.store,
        issuer: args.issuer,
        audience: args.audience,
        client_id: args.client_id,
        scopes: args.scope,
        groups_claim: args.groups_claim,
        teams,
        tls,
        limits,
        log: Arc::new(move |line| screen.remark(line)),
    })
}

fn team(text: &str) -> Result<Team, Failure> {
    let parts = text.split_once('=').and_then(|(id, rest)| Some((id, rest.strip_prefix("group:")?)));
    let Some((id, group)) = parts.filter(|(_, group)| !group.is_empty()) else {
        return Err(Failure::Input(format!("“{text}” is no team: write --team NAME=group:GROUP")));
    };
    Ok(Team { id: id.to_owned(), members: Members::Group(group.to_owned()) })
}

fn members(path: &Path) -> Result<Vec<Team>, Failure> {
    let wrong = |why: &str| Failure::Input(format!("{} is no list of members: {why}", path.display()));
    let bytes = file(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(&error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(&error.to_string()))?;
    let teams = table.into_iter().map(|(id, people)| {
        let people =
            people.as_array().map(|people| people.iter().map(|person| person.as_str().map(str::to_owned)));
        let people: Option<Vec<String>> = people.and_then(Iterator::collect);
        let people = people.ok_or_else(|| wrong(&format!("write {id} = [\"PERSON\", …]")))?;
        Ok(Team { id, members: Members::Subjects(people) })
    });
    teams.collect()
}

fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: std::io::Error| Failure::Input(format!("{} cannot be read: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::Input(format!("{} is too long", path.display())));
    }
    Ok(bytes)
}
