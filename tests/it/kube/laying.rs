//! Many objects at once, laid into a cluster's store as its API server keeps them: what thousands of requests would make.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::cluster::Cluster;

/// Of one transaction; etcd takes 128 at most, and 1.5 MiB.
const AT_ONCE: usize = 100;

impl Cluster {
    /// Copies an object, as the API server made it, under other names: each is a namespace that is there, and a name.
    /// `kind` is as in `pods` or `networking.istio.io/destinationrules`.
    pub(crate) fn copy(&self, kind: &str, object: &Value, names: &[(String, String)]) {
        for (round, names) in names.chunks(AT_ONCE).enumerate() {
            let puts: Vec<Value> = names
                .iter()
                .enumerate()
                .map(|(at, (namespace, name))| {
                    let mut copy = object.clone();
                    let meta = &mut copy["metadata"];
                    meta["namespace"] = namespace.as_str().into();
                    meta["name"] = name.as_str().into();
                    meta["uid"] = format!("00000000-0000-4000-8000-{:012}", round * AT_ONCE + at).into();
                    // It is where it is kept.
                    meta.as_object_mut().expect("metadata").remove("resourceVersion");
                    let key = STANDARD.encode(format!("/registry/{kind}/{namespace}/{name}"));
                    json!({"request_put": {"key": key, "value": STANDARD.encode(copy.to_string())}})
                })
                .collect();
            self.put(&puts);
        }
    }

    /// One object as it is, whatever the API server would say of it. `kind` is as in [`Self::copy`].
    pub(crate) fn lay(&self, kind: &str, namespace: &str, name: &str, object: &Value) {
        let key = STANDARD.encode(format!("/registry/{kind}/{namespace}/{name}"));
        self.put(&[json!({"request_put": {"key": key, "value": STANDARD.encode(object.to_string())}})]);
    }

    fn put(&self, puts: &[Value]) {
        let answer = post(self.store(), "/v3/kv/txn", &json!({"success": puts}).to_string());
        let answer = answer.unwrap_or_else(|error| panic!("etcd: {error}"));
        assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "etcd: {answer}");
    }
}

fn post(address: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
