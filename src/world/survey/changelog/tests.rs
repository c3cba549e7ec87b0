//! From `changelog { source }` in HCL to the hops of a plan, and what is refused on the way.

#![allow(clippy::disallowed_methods, reason = "tests write the files that are read")]

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::facts::{Facts, recording};
use crate::lang::{self, Config, Inputs, Source};
use crate::plan::plan;

const RELEASES: &str = "format: 1\nreleases:\n  - {version: 2.7.0, required_stop: true}\n";

fn config(source: &str) -> Config {
    let text = format!(
        "upgrade \"orthid\" {{\n  to = \"2.7.1\"\n}}\n\
         release \"orthid\" {{\n  namespace = \"orthid\"\n  chart = \"orthid/orthid\"\n}}\n\
         changelog {{\n  source = \"{source}\"\n}}\n\
         policy {{\n  relax \"roll_after_migrate\" {{\n    reason = \"nothing migrates here\"\n  }}\n}}\n\
         roll \"app\" {{}}\n"
    );
    let files = |_: &str| Ok(RELEASES.as_bytes().to_vec());
    let inputs = Inputs { files: &files, ..Inputs::none() };
    lang::load(&[Source::new("p.hcl", text)], &inputs).unwrap_or_else(|errors| panic!("{errors}"))
}

fn recorded() -> Facts {
    let bytes = include_bytes!("../../../../tests/fixtures/facts/orthid-2.6.0.json");
    recording::read(bytes).unwrap()
}

#[tokio::test]
async fn a_required_stop_of_the_named_file_is_a_hop() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    std::fs::write(base.join("releases.yaml"), RELEASES).unwrap();
    let config = config("releases.yaml");
    let hops = |facts: &Facts| {
        let plan = plan(&config, facts).unwrap_or_else(|error| panic!("{error}"));
        plan.hops.iter().map(|hop| hop.to.to_string()).collect::<Vec<_>>()
    };
    let mut facts = recorded();
    assert_eq!(hops(&facts), ["2.7.1"], "the chart's own changelog has no stop");
    let source = config.changelog.source.clone().unwrap();
    let text = read(&base, &source).await.unwrap();
    facts.release.as_mut().unwrap().changelog_source = Some(text);
    assert_eq!(hops(&facts), ["2.7.0", "2.7.1"]);
}

#[test]
fn sources_are_files_or_https() {
    let refused = |source: &str| place(source).unwrap_err();
    assert_eq!(place("a/releases.yaml"), Ok(Place::File("a/releases.yaml".to_owned())));
    assert!(matches!(place("https://charts.example/releases.yaml"), Ok(Place::Url(_))));
    for source in ["http://charts.example/r.yaml", "ftp://charts.example/r", "file:///etc/passwd"] {
        assert!(refused(source).contains("https"), "{source}");
    }
    assert!(refused("https://ada:s3cret@charts.example/r.yaml").contains("password"));
    for source in
        ["https://169.254.169.254/r", "https://[fe80::1]/r", "https://[::ffff:169.254.1.1]/r"]
    {
        assert!(refused(source).contains("link-local"), "{source}");
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_named_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    std::fs::write(base.join("latin"), b"caf\xe9").unwrap();
    for (source, reason) in [
        ("missing.yaml", "missing.yaml"),
        ("../releases.yaml", "plan's folder"),
        ("latin", "UTF-8"),
        ("http://ada:s3cret@charts.example/r.yaml?token=t0ken", "https only"),
    ] {
        let error = read(&base, source).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{source}: {error}");
        assert!(!error.contains("s3cret") && !error.contains("t0ken"), "{error}");
    }
}

/// A server that gives one answer to every request.
async fn serve(answer: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/r.yaml", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    url.parse().unwrap()
}

async fn fetched(answer: &str) -> Result<Vec<u8>, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = serve(answer.as_bytes().to_vec()).await;
    fetch(&client(&url).await.unwrap(), url).await
}

#[tokio::test]
async fn answers_are_bounded_and_stay_with_their_host() {
    let whole = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    assert_eq!(fetched(&format!("{whole}format: 1\n")).await.unwrap(), b"format: 1\n");
    let large = "x".repeat(MAX_FILE_BYTES as usize + 1);
    assert!(fetched(&format!("{whole}{large}")).await.unwrap_err().contains("larger"));
    let other = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2:1/r\r\nconnection: close\r\n\r\n";
    assert!(fetched(other).await.unwrap_err().contains("another host"));
    let missing = "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\ns3cret";
    let error = fetched(missing).await.unwrap_err();
    assert!(error.contains("404") && !error.contains("s3cret"), "{error}");
}
