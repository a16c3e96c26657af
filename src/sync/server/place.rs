//! Where records are kept, by an address.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use url::{Host, Url};

/// Why an address leads to no store.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It has a scheme that is not known, or no bucket.
    #[error(
        "“{0}” is no place for records: name a folder, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
    )]
    Address(String),
    /// The folder cannot be made.
    #[error("the folder {0} cannot be made")]
    Folder(String, #[source] std::io::Error),
    /// The cloud's settings in the environment are wrong or missing.
    #[error("the store {0} cannot be reached with the cloud's variables of the environment")]
    Settings(String, #[source] object_store::Error),
}

/// The store at a folder, or in a cloud's storage with the usual variables of the environment (`AWS_ACCESS_KEY_ID`,
/// `AWS_ENDPOINT`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, …).
///
/// # Errors
/// [`PlaceError`].
pub fn open_store(address: &str) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    if !address.contains("://") {
        return folder(address);
    }
    let url = Url::parse(address).map_err(|_| PlaceError::Address(address.to_owned()))?;
    let no_bucket = || PlaceError::Address(address.to_owned());
    let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or_else(no_bucket)?;
    // What has no provider of its own takes the process's; another one that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store: Result<Arc<dyn ObjectStore>, _> = match url.scheme() {
        "s3" => s3(bucket).map(|store| Arc::new(store) as _),
        "gs" => GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_retry(retries())
            .build()
            .map(|store| Arc::new(store) as _),
        "az" => MicrosoftAzureBuilder::from_env()
            .with_container_name(bucket)
            .with_retry(retries())
            .build()
            .map(|store| Arc::new(store) as _),
        _ => return Err(no_bucket()),
    };
    let store = store.map_err(|error| PlaceError::Settings(address.to_owned(), error))?;
    let prefix = Path::from_url_path(url.path()).map_err(|_| no_bucket())?;
    Ok(if prefix.is_root() { store } else { Arc::new(PrefixStore::new(store, prefix)) })
}

fn folder(address: &str) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    let failed = |error| PlaceError::Folder(address.to_owned(), error);
    std::fs::create_dir_all(FilePath::new(address)).map_err(failed)?;
    let store = LocalFileSystem::new_with_prefix(address);
    let store = store.map_err(|error| PlaceError::Settings(address.to_owned(), error))?;
    // What was confirmed survives the power going off.
    Ok(Arc::new(store.with_fsync(true)))
}

fn s3(bucket: &str) -> Result<object_store::aws::AmazonS3, object_store::Error> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries());
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let endpoint = endpoint.iter().find_map(|name| std::env::var(name).ok());
    if endpoint.is_some_and(|endpoint| is_on_this_machine(&endpoint)) {
        builder = builder.with_allow_http(true);
    }
    builder.build()
}

/// Seldom and soon: machines come back by themselves, and who starts a server is not to wait for minutes.
fn retries() -> RetryConfig {
    RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() }
}

/// Whether nothing that is sent there leaves the machine, so that it may go without TLS.
fn is_on_this_machine(address: &str) -> bool {
    match Url::parse(address).as_ref().map(Url::host) {
        Ok(Some(Host::Domain(name))) => name == "localhost",
        Ok(Some(Host::Ipv4(ip))) => ip.is_loopback(),
        Ok(Some(Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_is_said() {
        for wrong in ["ftp://bucket/", "s3:///prefix", "http://127.0.0.1/"] {
            assert!(matches!(open_store(wrong), Err(PlaceError::Address(_))), "{wrong}");
        }
        assert!(is_on_this_machine("http://127.0.0.1:9000") && !is_on_this_machine("http://10.0.0.1"));
    }
}
