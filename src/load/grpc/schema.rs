//! Where the shapes of messages come from: files, the target itself, or what is built in.

use std::path::Path;

use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use super::reflection;
use crate::load::LoadError;
use crate::load::connection::Connector;
use crate::model::plan::{Schema, check_grpc_method};

/// The standard health service, and its shapes.
const HEALTH_SERVICE: &str = "grpc.health.v1.Health";
const HEALTH_FILE: &str = "grpc/health/v1/health.proto";
const HEALTH: &str = include_str!("health.proto");
/// The largest file of descriptors, in bytes.
const DESCRIPTORS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Which services are looked for where the target is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    All,
    /// Those that these methods belong to.
    Methods(&'a [&'a str]),
}

/// The shapes that a plan's calls need.
pub(super) async fn shapes(
    schema: &Schema,
    wanted: Wanted<'_>,
    connector: &Connector,
    authority: &str,
) -> Result<DescriptorPool, LoadError> {
    match schema {
        Schema::Proto { file, include } => of_proto(file, include),
        Schema::Descriptors(file) => of_descriptors(file),
        Schema::Reflection => match wanted {
            Wanted::Methods(methods) => {
                let mut services: Vec<&str> =
                    methods.iter().filter_map(|method| Some(method.split_once('/')?.0)).collect();
                services.sort_unstable();
                services.dedup();
                if services.iter().all(|service| *service == HEALTH_SERVICE) {
                    return Ok(health());
                }
                reflection::ask(connector, authority, Some(&services)).await
            }
            Wanted::All => reflection::ask(connector, authority, None).await,
        },
    }
}

/// The method that a name stands for, if it can be measured.
pub(super) fn method(pool: &DescriptorPool, name: &str) -> Result<MethodDescriptor, String> {
    check_grpc_method(name)?;
    let (service, method) = name.split_once('/').unwrap_or((name, ""));
    let built_in = || (service == HEALTH_SERVICE).then(health);
    let found = pool
        .get_service_by_name(service)
        .or_else(|| built_in()?.get_service_by_name(service))
        .ok_or_else(|| {
            let known: Vec<String> =
                pool.services().map(|service| service.full_name().to_owned()).take(20).collect();
            format!("there is no service {service}; there are: {}", known.join(", "))
        })?;
    let found = found.methods().find(|found| found.name() == method).ok_or_else(|| {
        let known: Vec<String> = found.methods().map(|method| method.name().to_owned()).take(50).collect();
        format!("the service {service} has no method {method}; it has: {}", known.join(", "))
    })?;
    if found.is_client_streaming() {
        return Err(format!(
            "{name} takes a stream of messages; only methods that take one message can be measured"
        ));
    }
    Ok(found)
}

/// The shapes of the standard health service.
pub(super) fn health() -> DescriptorPool {
    compiled(HEALTH_FILE, HEALTH)
}

/// What is written in a file of ours.
pub(super) fn compiled(name: &'static str, source: &'static str) -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(BuiltIn { name, source });
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file(name).expect("a file of ours is sound; a test compiles each");
    compiler.descriptor_pool()
}

/// A file that is part of the program.
struct BuiltIn {
    name: &'static str,
    source: &'static str,
}

impl FileResolver for BuiltIn {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        (path == Path::new(self.name)).then(|| self.name.to_owned())
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == self.name {
            File::from_source(name, self.source)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn of_proto(file: &Path, include: &[std::path::PathBuf]) -> Result<DescriptorPool, LoadError> {
    let failed = |error: protox::Error| {
        // Its first line says what and where; the rest is a picture of the source.
        LoadError::Grpc(format!("{}: {error}", file.display()))
    };
    let mut resolver = ChainFileResolver::new();
    for folder in include {
        resolver.add(IncludeFileResolver::new(folder.clone()));
    }
    resolver.add(IncludeFileResolver::new(file.parent().unwrap_or(Path::new("")).to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file(file).map_err(failed)?;
    Ok(compiler.descriptor_pool())
}

fn of_descriptors(file: &Path) -> Result<DescriptorPool, LoadError> {
    let failed = |reason: String| LoadError::Grpc(format!("{}: {reason}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?.len();
    if size > DESCRIPTORS_BYTES_MAX {
        return Err(failed("it is larger than 64 MiB".to_owned()));
    }
    let bytes = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let pool = DescriptorPool::decode(bytes.as_slice()).map_err(|error| {
        failed(format!(
            "it is not a set of descriptors (protoc --include_imports --descriptor_set_out): {error}"
        ))
    })?;
    Ok(pool)
}

/// A pool of files that came in any order.
pub(super) fn pool_of(
    files: Vec<prost_reflect::prost_types::FileDescriptorProto>,
) -> Result<DescriptorPool, String> {
    let set = prost_reflect::prost_types::FileDescriptorSet { file: files };
    DescriptorPool::decode(set.encode_to_vec().as_slice()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAMS: &str = "syntax = \"proto3\"; package a; message M {} service S {
        rpc One(M) returns (M); rpc Down(M) returns (stream M);
        rpc Up(stream M) returns (M); rpc Both(stream M) returns (stream M); }";

    #[test]
    fn health_needs_no_schema() {
        for pool in [health(), DescriptorPool::new()] {
            let check = method(&pool, "grpc.health.v1.Health/Check").expect("built in");
            assert_eq!(check.input().full_name(), "grpc.health.v1.HealthCheckRequest");
        }
        reflection::request_shape();
    }

    #[test]
    fn methods_that_cannot_be_measured_are_refused_in_words() {
        let pool = compiled("a.proto", STREAMS);
        for name in ["a.S/One", "a.S/Down"] {
            method(&pool, name).expect(name);
        }
        for (name, words) in [
            ("a.S/Up", "takes a stream of messages"),
            ("a.S/Both", "takes a stream of messages"),
            ("a.S/Two", "it has: One, Down, Up, Both"),
            ("a.T/One", "there are: a.S"),
            ("One", "package.Service/Method"),
        ] {
            let error = method(&pool, name).expect_err(name);
            assert!(error.contains(words), "{name}: {error}");
        }
    }

    #[test]
    fn a_proto_file_is_read_with_what_it_imports() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = tempfile::tempdir().expect("a folder");
        let write = |folder: &Path, name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("a file");
            folder.join(name)
        };
        write(other.path(), "m.proto", "syntax = \"proto3\"; package m; message M { string x = 1; }");
        let file = write(
            folder.path(),
            "s.proto",
            "syntax = \"proto3\"; import \"m.proto\"; service S { rpc A(m.M) returns (m.M); }",
        );
        let error = of_proto(&file, &[]).expect_err("the import is elsewhere").to_string();
        assert!(error.contains("m.proto"), "{error}");
        let pool = of_proto(&file, &[other.path().to_owned()]).expect("a schema");
        method(&pool, "S/A").expect("a method");
        let set = folder.path().join("set.bin");
        std::fs::write(&set, pool.encode_to_vec()).expect("a file");
        method(&of_descriptors(&set).expect("descriptors"), "S/A").expect("a method");
        let error = of_descriptors(&file).expect_err("no descriptors").to_string();
        assert!(error.contains("s.proto: it is not a set of descriptors"), "{error}");
        let broken = write(folder.path(), "b.proto", "syntax = \"proto3\"; mesage M {}");
        let error = of_proto(&broken, &[]).expect_err("a slip").to_string();
        assert!(error.contains("b.proto"), "{error}");
    }
}
