use std::fmt::Write as _;

use super::*;

const CANARY: &str = "CANARY-SECRET";

fn parse(text: &str) -> Result<Kubeconfig, String> {
    Kubeconfig::parse(text.as_bytes(), Path::new("/home/ada/.kube/config"))
}

/// A configuration with one context, cluster and user of these names.
fn one(context: &str, cluster: &str, user: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {cluster}\n  cluster: {{server: 'https://{cluster}.test:6443'}}\n\
         users:\n- name: {user}\n  user: {{token: {CANARY}}}\n\
         contexts:\n- name: {context}\n  context: {{cluster: {cluster}, user: {user}}}\n{more}"
    )
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

#[test]
fn of_kubectls_files_the_first_entry_of_a_name_wins_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = written(folder.path(), "first", &one("dev", "alpha", "ada", "current-context: ''"));
    let second = written(
        folder.path(),
        "second",
        "clusters:\n- name: alpha\n  cluster: {server: 'https://other.test', insecure-skip-tls-verify: true}\n\
         contexts:\n- name: dev\n  context: {cluster: beta, user: ada}\n\
         - name: both\n  context: {cluster: alpha, user: ada, namespace: shop}\ncurrent-context: both\n",
    );
    let missing = folder.path().join("missing");
    let files = Files::read(&[], &[missing, first.clone(), second.clone()]);
    let contexts = files.contexts();
    let told: Vec<_> = contexts
        .iter()
        .map(|context| {
            (&*context.key.name, &*context.server, context.shadowed_by.clone(), &*context.namespace)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("dev", "https://alpha.test:6443", None, "default"),
            ("dev", "", Some(first), "default"),
            ("both", "https://alpha.test:6443", None, "shop"),
        ]
    );
    assert!(!contexts[2].is_insecure, "nothing of the later entry is taken over");
    assert_eq!(contexts[1].problems, ["its cluster “beta” is in no kubeconfig"]);
    let current = files.current().expect("an empty name is none, and the next file's is used");
    assert_eq!((current.name.as_str(), current.file), ("both", second));
    assert_eq!(files.told().len(), 2, "a file that is not there is passed over");
}

#[test]
fn files_that_were_added_stand_for_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let one_file = written(folder.path(), "a", &one("admin", "kubernetes", "ada", ""));
    let text = one("admin", "kubernetes", "ada", "").replace("kubernetes.test", "other.test");
    let other = written(folder.path(), "b", &text);
    let missing = folder.path().join("missing");
    let broken = written(folder.path(), "broken", "clusters: [");
    let files = Files::read(&[one_file, other.clone(), missing, broken], &[]);
    let servers: Vec<_> =
        files.contexts().into_iter().map(|context| (context.server, context.shadowed_by)).collect();
    assert_eq!(
        servers,
        [("https://kubernetes.test:6443".to_owned(), None), ("https://other.test:6443".to_owned(), None)]
    );
    let states: Vec<_> = files.told().iter().map(|file| file.state.is_ok()).collect();
    assert_eq!(states, [true, true, false, false], "those that cannot be used are explained, and not lost");
    let key = ContextKey { file: other, name: "admin".to_owned() };
    assert_eq!(files.resolve(&key).expect("a context").cluster.server, "https://other.test:6443");
    let gone = ContextKey { name: "gone".to_owned(), ..key };
    assert!(files.resolve(&gone).expect_err("there is none").contains("does not have it"));
}

#[test]
fn a_folder_gives_the_kubeconfigs_that_are_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), "a.yaml", &one("a", "alpha", "ada", ""));
    written(folder.path(), "b.yaml", &one("b", "beta", "ada", ""));
    written(folder.path(), "notes.txt", "nothing of the kind");
    written(folder.path(), ".hidden", &one("c", "gamma", "ada", ""));
    let files = Files::read(&[folder.path().to_owned()], &[]);
    let names: Vec<_> = files.contexts().into_iter().map(|context| context.key.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(files.told().iter().all(|file| file.state.is_ok()));
}

#[test]
fn paths_are_read_from_the_files_own_folder() {
    let config = parse(
        "clusters:\n- name: a\n  cluster: {server: 'https://a', certificate-authority: ca.pem}\n\
         users:\n- name: a\n  user: {client-certificate: /abs/cert.pem, client-key: ../key.pem, tokenFile: ''}\n\
         - name: near\n  user: {exec: {command: ./login}}\n- name: far\n  user: {exec: {command: login}}\n",
    )
    .expect("a kubeconfig");
    let folder = Path::new("/home/ada/.kube");
    assert_eq!(config.clusters[0].is.certificate_authority, Some(folder.join("ca.pem")));
    let user = &config.users[0].is;
    assert_eq!(user.client_certificate.as_deref(), Some(Path::new("/abs/cert.pem")));
    assert_eq!(user.client_key, Some(folder.join("../key.pem")));
    assert_eq!(user.token_file, None);
    let command = |at: usize| config.users[at].is.exec.as_ref().map(|exec| exec.command.clone());
    assert_eq!(command(1), Some(folder.join("./login").display().to_string()));
    assert_eq!(command(2).as_deref(), Some("login"));
}

#[test]
fn what_is_unusual_and_harmless_is_read() {
    for text in [
        one("a", "a", "a", "unknown: {deep: [1, 2]}\npreferences: {}\n"),
        one("a", "a", "a", "extensions:\n- name: x\n  extension: {y: z}\n"),
        one("a", "a", "a", "").replace("kind: Config", "kind: ''"),
        one("a", "a", "a", "").replace("apiVersion: v1\n", ""),
        format!("\u{feff}{}", one("a", "a", "a", "")),
        one("a", "a", "a", "").replace('\n', "\r\n"),
        r#"{"clusters":[{"name":"a","cluster":{"server":"https://a"}}],"contexts":null,"users":null}"#
            .to_owned(),
    ] {
        parse(&text).unwrap_or_else(|reason| panic!("{reason}: {text}"));
    }
    let other_kind =
        parse(&one("a", "a", "a", "").replace("Config", "Deployment")).expect("read as kubectl does");
    assert!(other_kind.remarks[0].contains("Deployment"));
    let wide: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(one("a", "a", "a", "").encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    Kubeconfig::parse(&wide, Path::new("x")).expect("UTF-16");
}

#[test]
fn hostile_files_are_refused_in_words_that_hold_nothing_of_them() {
    let mut bomb = format!("token: &a0 [{CANARY}, {CANARY}]\n");
    for level in 1..30 {
        let _ = writeln!(bomb, "a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]", level - 1);
    }
    let deep = format!("clusters: {}{}", "[".repeat(5000), "]".repeat(5000));
    let many = format!("contexts:\n{}", "- {name: a}\n".repeat(ENTRIES_MAX + 1));
    for (text, words) in [
        (String::new(), "empty"),
        ("---\n".to_owned(), "empty"),
        ("a: b\n".to_owned(), "no cluster"),
        ("just text".to_owned(), ""),
        ("clusters: nope\n".to_owned(), "line 1"),
        (format!("users:\n- name: a\n  user: {{token: [{CANARY}]}}\n"), "line 3"),
        (format!("users:\n- name: a\n  user: {CANARY}\n"), "line 3"),
        (format!("users:\n- name: a\n  user: {{token: {CANARY}\n"), "line"),
        (format!("users: [{CANARY}: {{"), "line"),
        (bomb, ""),
        (deep, ""),
        (many, "entries"),
        ("\u{0}".to_owned(), "no text"),
        ("x".repeat(1024 * 1024 + 1), "larger"),
    ] {
        let reason = parse(&text).map(|config| format!("{config:?}")).expect_err("it is hostile");
        assert!(reason.contains(words) && !reason.contains("CANARY"), "{words}: {reason}");
    }
    for bytes in [&[0xFF, 0xFF, 0x00][..], b"\x7fELF\x02\x01", &[0xC3, 0x28], &[0xFE, 0xFF, 0xD8]] {
        Kubeconfig::parse(bytes, Path::new("x")).map(|_| ()).expect_err("no text");
    }
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let config = parse(&format!(
        "users:\n- name: a\n  user:\n    token: {CANARY}\n    password: {CANARY}\n    client-key-data: {CANARY}\n\
         \x20   exec: {{command: x, env: [{{name: A, value: {CANARY}}}]}}\n\
         \x20   auth-provider: {{name: oidc, config: {{refresh-token: {CANARY}, id-token: {CANARY}}}}}\n"
    ))
    .expect("a kubeconfig");
    assert!(!format!("{config:?}").contains("CANARY"));
    let url = "https://ada:CANARY@a.test:6443/";
    assert_eq!(without_credentials(url), "https://a.test:6443");
}

#[test]
fn what_is_missing_for_a_context_is_said() {
    let config = |cluster: &str, context: &str| {
        let text = format!(
            "clusters:\n- name: a\n  cluster: {cluster}\ncontexts:\n- name: c\n  context: {context}\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = written(folder.path(), "config", &text);
        Files::read(std::slice::from_ref(&file), &[]).contexts()[0].problems.join("; ")
    };
    for (cluster, context, words) in [
        ("{server: 'https://a'}", "{cluster: a}", ""),
        ("{server: 'https://a'}", "{cluster: b}", "its cluster “b” is in no kubeconfig"),
        ("{server: 'https://a'}", "{}", "it names no cluster"),
        ("{}", "{cluster: a}", "has no server"),
        ("{server: 'ftp://a'}", "{cluster: a}", "is no URL"),
        ("{server: 'https://a'}", "{cluster: a, user: u}", "its user “u” is in no kubeconfig"),
        (
            "{server: 'https://a', insecure-skip-tls-verify: true, certificate-authority: x}",
            "{cluster: a}",
            "told not to look",
        ),
    ] {
        let problems = config(cluster, context);
        assert!(
            problems.contains(words) && problems.is_empty() == words.is_empty(),
            "{cluster} {context}: {problems}"
        );
    }
}
