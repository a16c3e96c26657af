//! A real Prometheus behind a real nginx that wants to know who asks.

use std::path::PathBuf;

use meshbench::metrics::{Failure, Server, Web};
use meshbench::model::metrics::{Access, Login, Product, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tempfile::TempDir;

use super::now_ms;
use super::rig::Rig;
use crate::load_nginx::Nginx;

async fn asked(url: &str, access: &Access, secret: Option<&str>) -> Result<(), Failure> {
    let server = Server::new(Web::new(url, access, secret).unwrap());
    server.instant("vector(1)", now_ms()).await.map(|answer| assert_eq!(answer.series.len(), 1))
}

fn access(login: Login) -> Access {
    Access { login, ..Access::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_passwords_tenants_and_paths_open_what_they_guard() {
    let rig = Rig::start().await;
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, "ann:{PLAIN}w0rd with blanks\n").unwrap();
    let to = format!("proxy_pass {}/;", rig.prometheus());
    let nginx = Nginx::serving(
        "$status",
        &format!(
            "location /token/ {{ if ($http_authorization != 'Bearer T0KEN') {{ return 401; }} {to} }}
             location /word/ {{ auth_basic metrics; auth_basic_user_file {}; {to} }}
             location /tenant/ {{ if ($http_x_scope_orgid != 'team-a') {{ return 401 'no org id'; }} {to} }}
             location /deep/er/prometheus/ {{ {to} }}
             location /login/ {{ return 302 /sign-in?next=x; }}",
            users.display()
        ),
    );
    let none = Access::default();

    let bearer = access(Login::Bearer);
    assert_eq!(asked(&nginx.url("/token"), &bearer, Some("T0KEN")).await, Ok(()));
    for (access, secret) in [(&none, None), (&bearer, Some("other"))] {
        let refused = asked(&nginx.url("/token"), access, secret).await;
        assert_eq!(refused, Err(Failure::LoginRefused(String::new())));
    }

    let ann = access(Login::Basic { user: "ann".to_owned() });
    assert_eq!(asked(&nginx.url("/word/"), &ann, Some("w0rd with blanks")).await, Ok(()));
    let refused = asked(&nginx.url("/word/"), &ann, Some("other")).await;
    assert_eq!(refused, Err(Failure::LoginRefused(String::new())));

    let tenant = Access { tenant: "team-a".to_owned(), ..Access::default() };
    assert_eq!(asked(&nginx.url("/tenant"), &tenant, None).await, Ok(()));
    let refused = asked(&nginx.url("/tenant"), &none, None).await;
    assert_eq!(refused, Err(Failure::LoginRefused("no org id".to_owned())));

    let deep = Server::new(Web::new(&nginx.url("/deep/er/prometheus"), &none, None).unwrap());
    assert_eq!(deep.facts().await.unwrap().product, Product::Prometheus);
    assert_eq!(asked(&nginx.url("/deep"), &none, None).await, Err(Failure::NotFound(String::new())));
    let login = asked(&nginx.url("/login"), &none, None).await;
    assert_eq!(login, Err(Failure::Redirected(nginx.url("/sign-in"))));
}

/// An authority, and files with a certificate that it gave a client.
fn client_certificate() -> (TempDir, PathBuf, TlsFiles) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["me.test".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    // Else it has the name of the authority, and seems to be its own.
    params.distinguished_name.push(DnType::CommonName, "me");
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority = write("authority.pem", issuer.pem());
    let files = TlsFiles {
        certificate: Some(write("me.pem", certificate.pem())),
        key: Some(write("me.key", key.serialize_pem())),
        ..TlsFiles::default()
    };
    (folder, authority, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ours_opens_what_asks_for_one() {
    let rig = Rig::start().await;
    let (_folder, authority, files) = client_certificate();
    let nginx = Nginx::serving_tls(&format!(
        "ssl_client_certificate {}; ssl_verify_client on; location / {{ proxy_pass {}; }}",
        authority.display(),
        rig.prometheus()
    ));
    let with = |tls: TlsFiles| Access { tls, ..Access::default() };
    let ca = Some(nginx.authority());
    let url = nginx.url("");
    let known = TlsFiles { ca: ca.clone(), ..files.clone() };
    assert_eq!(asked(&url, &with(known), None).await, Ok(()));
    let insecure = TlsFiles { insecure: true, ..files.clone() };
    assert_eq!(asked(&url, &with(insecure), None).await, Ok(()));
    let untrusted = asked(&url, &with(files), None).await;
    assert!(matches!(untrusted, Err(Failure::Untrusted(_))), "{untrusted:?}");
    let without = asked(&url, &with(TlsFiles { ca, ..TlsFiles::default() }), None).await;
    assert!(matches!(without, Err(Failure::Status(400, _) | Failure::NoAnswer(_))), "{without:?}");
}
