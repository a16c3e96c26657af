//! `cluster`: kubeconfigs and their contexts, and what a cluster holds.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::clusters::{ClusterCommand, ask_words};
use crate::app::state::Question;
use crate::app::{Command, Keep};
use crate::model::cluster::{ClusterContext, ClusterFacts, Connection, ContextKey, Trouble};
use crate::model::inventory::{Inventory, Service};
use crate::model::mesh::Mesh;
use crate::model::number;

use super::args::{ClusterArgs, ContextArgs};
use super::screen::{Screen, plain, pretty};
use super::session::Session;
use super::{Failure, Status, table};

/// A cluster of which nothing more is seen for so long is taken as it is.
const SEEN_MAX: Duration = Duration::from_secs(15);
/// A connection is waited for this long at most.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Carries out one of the clusters' commands.
pub(super) fn cluster(what: ClusterArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    let keep = match &what {
        // What was asked for is to stay.
        ClusterArgs::Add { .. } | ClusterArgs::Remove { .. } => Keep::Here,
        ClusterArgs::List { .. } => Keep::HereOrBeside,
        ClusterArgs::Check(of) | ClusterArgs::Meshes(of) | ClusterArgs::Services(of) => {
            keep_for(&of.kubeconfig)
        }
    };
    let mut session = Session::start(data_dir, keep)?;
    let result = within(&mut session, what, screen);
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    result.map(|()| Status::Met)
}

/// A kubeconfig that is named for one command is not kept in mind.
pub(super) fn keep_for(kubeconfig: &Option<PathBuf>) -> Keep {
    if kubeconfig.is_some() { Keep::Nowhere } else { Keep::HereOrBeside }
}

fn within(session: &mut Session, what: ClusterArgs, screen: &Screen) -> Result<(), Failure> {
    match what {
        ClusterArgs::Add { files } => add(session, files, screen),
        ClusterArgs::Remove { file } => remove(session, &file, screen),
        ClusterArgs::List { json } => list(session, json, screen),
        ClusterArgs::Check(of) => {
            let (key, facts) = connected(session, &of, screen)?;
            let text = match of.json {
                true => pretty(&facts_json(&key, &facts)),
                false => facts_text(&key, &facts, screen),
            };
            screen.print(&text)
        }
        ClusterArgs::Meshes(of) => {
            let seen = seen(session, &of, screen)?;
            let meshes: Vec<Value> = seen.meshes.iter().map(mesh_json).collect();
            let text = if of.json { pretty(&json!(meshes)) } else { meshes_text(&seen) };
            screen.print(&text)
        }
        ClusterArgs::Services(of) => {
            let seen = seen(session, &of, screen)?;
            let services: Vec<Value> = seen.services.iter().map(|service| service_json(service)).collect();
            let text = if of.json { pretty(&json!(services)) } else { services_text(&seen) };
            screen.print(&text)
        }
    }
}

fn add(session: &mut Session, files: Vec<PathBuf>, screen: &Screen) -> Result<(), Failure> {
    let whole = |path: PathBuf| {
        std::path::absolute(&path).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))
    };
    let files: Vec<PathBuf> = files.into_iter().map(whole).collect::<Result<_, _>>()?;
    read(session, &[]);
    if let Some(missing) = files.iter().find(|path| !path.exists()) {
        return Err(Failure::Input(format!("{} is not there", missing.display())));
    }
    session.command(Command::Cluster(ClusterCommand::Add(files.clone())));
    let is_told = |session: &Session, path: &PathBuf| {
        let told = &session.state().clusters.files;
        path.is_dir() || told.iter().any(|file| file.path == *path)
    };
    while !files.iter().all(|path| is_told(session, path)) {
        session.wait();
    }
    let mut broken = Vec::new();
    for file in session.state().clusters.files.iter().filter(|file| files.contains(&file.path)) {
        match &file.state {
            Ok(count) => screen.remark(&format!("Added {}: {}", file.path.display(), contexts_words(*count))),
            Err(reason) => broken.push(format!("{}: {reason}", file.path.display())),
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::Input(broken.join("\n"))) }
}

fn contexts_words(count: usize) -> String {
    if count == 1 { "1 context".to_owned() } else { format!("{count} contexts") }
}

fn remove(session: &mut Session, file: &PathBuf, screen: &Screen) -> Result<(), Failure> {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
    read(session, &[]);
    if !session.state().clusters.book.files.contains(&whole) {
        return Err(Failure::Input(format!(
            "{} was not added; see: meshbench cluster list",
            whole.display()
        )));
    }
    session.command(Command::Cluster(ClusterCommand::Remove(whole)));
    screen.remark("Forgotten; the file stays as it is.");
    Ok(())
}

/// Waits until kubeconfigs were read; those that are `named` are used beside them. Where none is known, kubectl's are used.
fn read(session: &mut Session, named: &[PathBuf]) {
    while !session.state().clusters.is_read {
        session.wait();
    }
    let command = if !named.is_empty() {
        ClusterCommand::Use(named.to_vec())
    } else if session.state().clusters.files.is_empty() && !session.state().clusters.kubectls.is_empty() {
        ClusterCommand::UseKubectls(true)
    } else {
        return;
    };
    session.command(Command::Cluster(command));
    let is_told = |session: &Session| {
        let files = &session.state().clusters.files;
        !files.is_empty()
            && named.iter().all(|path| path.is_dir() || files.iter().any(|file| file.path == *path))
    };
    while !is_told(session) {
        session.wait();
    }
}

fn list(session: &mut Session, json: bool, screen: &Screen) -> Result<(), Failure> {
    read(session, &[]);
    let clusters = &session.state().clusters;
    for file in &clusters.files {
        if let Err(reason) = &file.state {
            screen.warning(&format!("{} cannot be used: {reason}", file.path.display()));
        }
    }
    if json {
        let contexts: Vec<Value> = clusters.contexts.iter().map(context_json).collect();
        return screen.print(&pretty(&json!(contexts)));
    }
    if clusters.contexts.is_empty() {
        screen.remark("No context is known. Add a kubeconfig with: meshbench cluster add FILE");
        return Ok(());
    }
    let mut rows = vec![["CONTEXT", "SERVER", "NAMESPACE", "LOGIN", "FILE", ""].map(str::to_owned).to_vec()];
    for context in &clusters.contexts {
        rows.push(vec![
            plain(clusters.book.title(&context.key)),
            plain(&context.server),
            plain(&context.namespace),
            plain(&context.login.words()),
            context.key.file.display().to_string(),
            remarks(context),
        ]);
    }
    screen.print(&(table::aligned(&rows, rows[0].len()).join("\n") + "\n"))
}

fn remarks(context: &ClusterContext) -> String {
    let mut remarks: Vec<String> =
        context.problems.iter().map(|problem| format!("cannot be used: {problem}")).collect();
    if context.is_insecure {
        remarks.push("insecure".to_owned());
    }
    if let Some(winner) = &context.shadowed_by {
        remarks.push(format!("kubectl uses the one in {}", winner.display()));
    }
    plain(&remarks.join("; "))
}

/// The one context of this name.
fn find(session: &Session, name: &str) -> Result<ContextKey, Failure> {
    let clusters = &session.state().clusters;
    let is_called = |context: &&ClusterContext| {
        (context.key.name == name || clusters.book.title(&context.key) == name)
            && context.shadowed_by.is_none()
    };
    let found: Vec<&ClusterContext> = clusters.contexts.iter().filter(is_called).collect();
    match found.as_slice() {
        [context] => Ok(context.key.clone()),
        [] => Err(Failure::Input(format!(
            "no context is called “{}”; see: meshbench cluster list",
            plain(name)
        ))),
        several => {
            let files: Vec<String> =
                several.iter().map(|context| context.key.file.display().to_string()).collect();
            let words = format!(
                "several contexts are called “{}”; choose one with --kubeconfig: {}",
                plain(name),
                files.join(", ")
            );
            Err(Failure::Input(words))
        }
    }
}

/// Connects a context by its name, asking where a person must agree.
pub(super) fn connect(
    session: &mut Session,
    name: &str,
    kubeconfig: Option<&PathBuf>,
    screen: &Screen,
) -> Result<(ContextKey, Box<ClusterFacts>), Failure> {
    let named: Vec<PathBuf> = kubeconfig
        .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        .into_iter()
        .collect();
    read(session, &named);
    if let Some(file) = session.state().clusters.files.iter().find(|file| named.contains(&file.path))
        && let Err(reason) = &file.state
    {
        return Err(Failure::Input(format!("{}: {reason}", file.path.display())));
    }
    let key = find(session, name)?;
    session.command(Command::Cluster(ClusterCommand::Connect(key.clone())));
    let begun = Instant::now();
    loop {
        if let Some(Question::Login(ask)) = session.state().question.clone() {
            if !screen.answers {
                return Err(Failure::Input(format!(
                    "{}\n\nNobody can be asked here: agree once in a terminal, or in the window",
                    ask_words(&ask)
                )));
            }
            screen.remark(&ask_words(&ask));
            if !screen.ask("Agree to this login?") {
                return Err(Failure::Input("Not agreed; nothing was run".to_owned()));
            }
            session.command(Command::Cluster(ClusterCommand::Agree));
        }
        match session.state().clusters.connection(&key) {
            Connection::Connected(facts) => {
                for remark in &facts.remarks {
                    screen.warning(remark);
                }
                return Ok((key, facts.clone()));
            }
            Connection::Failed(trouble) => return Err(Failure::NotCarriedOut(trouble_words(trouble))),
            _ if begun.elapsed() > CONNECT_MAX => {
                return Err(Failure::NotCarriedOut("the cluster does not answer".to_owned()));
            }
            _ => session.wait(),
        }
    }
}

fn connected(
    session: &mut Session,
    of: &ContextArgs,
    screen: &Screen,
) -> Result<(ContextKey, Box<ClusterFacts>), Failure> {
    connect(session, &of.context, of.kubeconfig.as_ref(), screen)
}

/// What the cluster holds, once all of it was listed or nothing more comes.
pub(super) fn whole(session: &mut Session, key: &ContextKey) -> Result<Inventory, Failure> {
    let begun = Instant::now();
    loop {
        let seen = session.state().clusters.links.get(key).and_then(|link| link.seen.as_deref());
        match seen {
            Some(seen) if seen.is_whole || begun.elapsed() > SEEN_MAX => return Ok(seen.clone()),
            None if begun.elapsed() > SEEN_MAX => {
                return Err(Failure::NotCarriedOut("nothing of the cluster could be listed".to_owned()));
            }
            _ => session.wait(),
        }
    }
}

fn seen(session: &mut Session, of: &ContextArgs, screen: &Screen) -> Result<Inventory, Failure> {
    let (key, _) = connected(session, of, screen)?;
    let seen = whole(session, &key)?;
    for gap in &seen.gaps {
        screen.warning(&gap.reason);
    }
    Ok(seen)
}

fn trouble_words(trouble: &Trouble) -> String {
    plain(&format!("{}: {}. {}", trouble.title, trouble.cause, trouble.advice))
}

fn context_json(context: &ClusterContext) -> Value {
    json!({
        "context": context.key.name,
        "kubeconfig": context.key.file,
        "cluster": context.cluster,
        "user": context.user,
        "namespace": context.namespace,
        "server": context.server,
        "login": context.login.words(),
        "insecure": context.is_insecure,
        "shadowed_by": context.shadowed_by,
        "problems": context.problems,
    })
}

fn facts_json(key: &ContextKey, facts: &ClusterFacts) -> Value {
    let rights: Vec<Value> = facts
        .rights
        .iter()
        .map(|right| json!({ "what": right.what, "why": right.why, "allowed": right.is_allowed }))
        .collect();
    let nodes: Option<Vec<Value>> = facts.nodes.as_ref().ok().map(|nodes| {
        let node = |node: &crate::model::cluster::Node| {
            json!({
                "name": node.name, "roles": node.roles, "ready": node.is_ready, "os": node.os,
                "kubelet": node.kubelet, "runtime": node.runtime, "architecture": node.architecture,
                "address": node.address,
                "capacity": { "cpu_millis": node.capacity.cpu_millis, "memory_bytes": node.capacity.memory_bytes },
                "allocatable": { "cpu_millis": node.allocatable.cpu_millis, "memory_bytes": node.allocatable.memory_bytes },
            })
        };
        nodes.iter().map(node).collect()
    });
    json!({
        "context": key.name,
        "kubeconfig": key.file,
        "version": facts.version,
        "platform": facts.platform,
        "latency_ms": facts.latency.as_secs_f64() * 1e3,
        "user": facts.identity.as_ref().map(|identity| &identity.user),
        "groups": facts.identity.as_ref().map(|identity| &identity.groups),
        "rights": rights,
        "nodes": nodes,
        "remarks": facts.remarks,
    })
}

fn facts_text(key: &ContextKey, facts: &ClusterFacts, screen: &Screen) -> String {
    let mut lines = vec![format!("{} is reachable", plain(&key.name))];
    lines.push(format!("version   {} ({})", plain(&facts.version), plain(&facts.platform)));
    lines.push(format!("latency   {}", number::millis(facts.latency.as_secs_f64() * 1e3)));
    if let Some(identity) = &facts.identity {
        lines.push(format!("you are   {} ({})", plain(&identity.user), plain(&identity.groups.join(", "))));
    }
    match &facts.nodes {
        Ok(nodes) => {
            let ready = nodes.iter().filter(|node| node.is_ready).count();
            lines.push(format!("nodes     {} of {} ready", ready, nodes.len()));
        }
        Err(reason) => lines.push(format!("nodes     {}", plain(reason))),
    }
    for right in &facts.rights {
        let style = screen.out;
        let mark = match right.is_allowed {
            Some(true) => style.good("yes"),
            Some(false) => style.bad("no "),
            None => style.quiet("?  "),
        };
        lines.push(format!("may       {mark} {} ({})", right.what, right.why));
    }
    lines.join("\n") + "\n"
}

fn mesh_json(mesh: &Mesh) -> Value {
    let planes: Vec<Value> = mesh
        .control_planes
        .iter()
        .map(|plane| {
            json!({
                "namespace": plane.namespace, "name": plane.name, "revision": plane.revision,
                "version": plane.version, "ready": plane.ready.0, "wanted": plane.ready.1,
            })
        })
        .collect();
    json!({
        "mesh": mesh.kind.key(),
        "name": mesh.name,
        "version": mesh.version(),
        "data_planes": mesh.data_planes.iter().map(|plane| plane.words()).collect::<Vec<_>>(),
        "control_planes": planes,
        "proxies": mesh.proxies,
        "pods": mesh.pods,
        "skewed": mesh.skewed,
        "namespaces": mesh.namespaces.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "remarks": mesh.remarks,
    })
}

fn meshes_text(seen: &Inventory) -> String {
    if seen.meshes.is_empty() {
        return "No mesh was found.\n".to_owned();
    }
    let mut rows = vec![
        ["MESH", "VERSION", "NAMESPACE", "DATA PLANE", "PODS", "PROXIES", "SKEWED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut remarks = Vec::new();
    for mesh in seen.meshes.iter() {
        let place = mesh.control_planes.first().map(|plane| plane.namespace.clone()).unwrap_or_default();
        let planes: Vec<&str> = mesh.data_planes.iter().map(|plane| plane.words()).collect();
        let version = mesh.version();
        rows.push(vec![
            plain(&mesh.name),
            if version.is_empty() { number::UNKNOWN.to_owned() } else { plain(&version) },
            plain(&place),
            planes.join(", "),
            mesh.pods.to_string(),
            mesh.proxy_count().to_string(),
            mesh.skewed.map_or_else(|| number::UNKNOWN.to_owned(), |skewed| skewed.to_string()),
        ]);
        remarks.extend(mesh.remarks.iter().map(|remark| format!("{}: {}", mesh.name, plain(remark))));
    }
    let mut lines = table::aligned(&rows, 4);
    lines.extend(remarks);
    lines.join("\n") + "\n"
}

fn service_json(service: &Service) -> Value {
    let ports: Vec<Value> = service
        .ports
        .iter()
        .map(|port| json!({ "name": port.name, "port": port.port, "target": port.target, "node_port": port.node_port, "tcp": port.is_tcp }))
        .collect();
    json!({
        "namespace": service.namespace, "name": service.name, "ports": ports, "external": service.external,
        "selector": service.selector,
    })
}

fn services_text(seen: &Inventory) -> String {
    let mut rows = vec![["NAMESPACE", "SERVICE", "PORTS", "OUTSIDE"].map(str::to_owned).to_vec()];
    for service in seen.services.iter() {
        let ports: Vec<String> = service
            .ports
            .iter()
            .map(|port| format!("{} {}", port.port, port.name).trim().to_owned())
            .collect();
        rows.push(vec![
            plain(&service.namespace),
            plain(&service.name),
            plain(&ports.join(", ")),
            plain(&service.external.join(", ")),
        ]);
    }
    table::aligned(&rows, rows[0].len()).join("\n") + "\n"
}
