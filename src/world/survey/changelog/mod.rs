//! The changelog that a plan names in place of its charts' own.
//!
//! A file lies below the plan's folder. A URL is https, of a host that is not link-local, and leads to no other host. Both
//! are bounded. Must not: repeat in an error what was read, which may be anything.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;

use crate::world::WorldError;
use crate::world::error::chain;
use crate::world::files::{MAX_FILE_BYTES, read_confined};

const TIMEOUT: Duration = Duration::from_secs(20);
const MOST_REDIRECTS: usize = 5;

/// Where a changelog is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(String),
    Url(Url),
}

/// Reads the text that `changelog { source }` names. `base` is the plan's folder.
pub(super) async fn read(base: &Path, source: &str) -> Result<String, WorldError> {
    let found = match place(source) {
        Ok(Place::File(path)) => read_confined(base, &path),
        Ok(Place::Url(url)) => match client(&url).await {
            Ok(client) => fetch(&client, url).await,
            Err(reason) => Err(reason),
        },
        Err(reason) => Err(reason.to_owned()),
    };
    let text = found
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned()));
    text.map_err(|reason| WorldError::Changelog { source_name: named(source), reason })
}

/// A source as it may be shown: a URL without what may be a password.
fn named(source: &str) -> String {
    match Url::parse(source) {
        Ok(mut url) if url.has_host() => {
            // Neither fails for a URL that has a host.
            let _ = (url.set_username(""), url.set_password(None));
            url.set_query(None);
            url.to_string()
        }
        Ok(_) | Err(_) => source.to_owned(),
    }
}

fn place(source: &str) -> Result<Place, &'static str> {
    if !source.contains("://") {
        return Ok(Place::File(source.to_owned()));
    }
    let url = Url::parse(source).map_err(|_| "it is not a URL")?;
    if url.scheme() != "https" {
        return Err("a changelog is read over https only");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user and password would stand in the plan: leave them out of the URL");
    }
    match url.host() {
        Some(url::Host::Ipv4(ip)) if is_link_local(ip.into()) => Err(LINK_LOCAL),
        Some(url::Host::Ipv6(ip)) if is_link_local(ip.into()) => Err(LINK_LOCAL),
        Some(_) => Ok(Place::Url(url)),
        None => Err("the URL names no host"),
    }
}

const LINK_LOCAL: &str = "its address is link-local, where machines keep their credentials";

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => ip.is_link_local(),
            None => ip.is_unicast_link_local(),
        },
    }
}

/// A client that connects to the addresses that were checked, and to no other host.
async fn client(url: &Url) -> Result<Client, String> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_matches(['[', ']']);
    let found = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((bare, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(format!("{host} is not found: {error}")),
        Err(_) => return Err(format!("{host} is not found in time")),
    };
    if addresses.iter().any(|address| is_link_local(address.ip())) {
        return Err(LINK_LOCAL.to_owned());
    }
    let builder = Client::builder().timeout(TIMEOUT).redirect(same_host(url));
    builder.resolve_to_addrs(&host, &addresses).build().map_err(|error| chain(&error))
}

/// Follows redirects to the same scheme, host and port.
fn same_host(url: &Url) -> Policy {
    let origin = url.origin();
    Policy::custom(move |attempt| {
        if attempt.url().origin() != origin {
            attempt.error("it leads to another host")
        } else if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("it leads from place to place")
        } else {
            attempt.follow()
        }
    })
}

async fn fetch(client: &Client, url: Url) -> Result<Vec<u8>, String> {
    let answer = client.get(url).send().await;
    let mut answer = answer
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| chain(&error.without_url()))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| chain(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("it is larger than the {MAX_FILE_BYTES} bytes that are allowed"));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
