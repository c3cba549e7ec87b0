//! A chart repository for one machine: the files of one folder over HTTP, read only.
//!
//! Must not: leave the folder. Only plain file names are looked at, and links are not followed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::lifecycle;

/// Serves the folder until told to end.
///
/// # Errors
///
/// A sentence, where the folder holds no repository or the address is taken.
pub async fn serve(folder: PathBuf, listen: SocketAddr) -> Result<(), String> {
    if !folder.join("index.yaml").is_file() {
        return Err(format!("{} holds no chart repository: no index.yaml", folder.display()));
    }
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("can't listen on {listen}: {error}"))?;
    let router = Router::new().route("/{file}", get(file)).with_state(Arc::new(folder));
    axum::serve(listener, router)
        .with_graceful_shutdown(lifecycle::terminated())
        .await
        .map_err(|error| format!("serving failed: {error}"))
}

async fn file(State(folder): State<Arc<PathBuf>>, UrlPath(name): UrlPath<String>) -> Response {
    match read(&folder, &name).await {
        Some((kind, bytes)) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

async fn read(folder: &Path, name: &str) -> Option<(&'static str, Vec<u8>)> {
    let kind = kind(name)?;
    let path = folder.join(name);
    let found = tokio::fs::symlink_metadata(&path).await.ok()?;
    if !found.is_file() {
        return None;
    }
    Some((kind, tokio::fs::read(&path).await.ok()?))
}

/// The media type of a name that a repository has; `None` for any other.
fn kind(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    if name.starts_with('.') || !name.chars().all(plain) {
        return None;
    }
    match name.rsplit_once('.')?.1 {
        "yaml" => Some("application/yaml"),
        "tgz" => Some("application/gzip"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repository_s_own_names_are_served() {
        assert_eq!(kind("index.yaml"), Some("application/yaml"));
        assert_eq!(kind("orthid-2.7.0.tgz"), Some("application/gzip"));
        for name in
            ["", "..", "../index.yaml", "/etc/x.yaml", ".hidden.yaml", "notes.txt", "a\0.yaml"]
        {
            assert_eq!(kind(name), None, "{name:?}");
        }
    }

    #[tokio::test]
    async fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        tokio::fs::write(folder.path().join("index.yaml"), "entries: {}").await.unwrap();
        tokio::fs::symlink("/etc/hostname", folder.path().join("a.yaml")).await.unwrap();
        assert!(read(folder.path(), "index.yaml").await.is_some());
        assert!(read(folder.path(), "a.yaml").await.is_none());
    }
}
