//! What is generated from `proto/` is what is committed. With `UPDATE_PROTO=1` it is written instead.

use std::path::{Path, PathBuf};

use prost_reflect::prost::Message as _;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn what_is_generated_is_what_is_committed() {
    let set = protox::compile(["meshes.proto"], [folder("proto")]).expect("proto/meshes.proto");
    let made = tempfile::tempdir().expect("a folder");
    let code =
        tonic_prost_build::configure().build_transport(false).out_dir(made.path()).compile_fds(set.clone());
    code.expect("code");
    let path = made.path().join("meshes.rs");
    let formatted = std::process::Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(folder("rustfmt.toml"))
        .arg(&path)
        .status()
        .expect("rustfmt, which comes with Rust");
    assert!(formatted.success());
    let same = |name: &str, made: &[u8]| {
        let place = folder("src/proto").join(name);
        if std::env::var_os("UPDATE_PROTO").is_some() {
            std::fs::write(&place, made).expect("a file");
        }
        let kept = std::fs::read(&place).unwrap_or_default();
        assert!(kept == made, "{name} is stale; renew it: UPDATE_PROTO=1 cargo test --test it -- proto::");
    };
    same("meshes.rs", &std::fs::read(&path).expect("code"));
    same("meshes.bin", &set.encode_to_vec());
}
