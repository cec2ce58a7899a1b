//! The `[read]` section, parsed: what is wrong with a value is said where it stands.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::zone::Zone;

/// The `[read]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where page and API are served. Anything but loopback needs a token.
    pub listen: SocketAddr,
    /// The zone in which the page shows and reads times.
    pub zone: Zone,
    /// The address that browsers use, where a proxy with TLS stands in front: `https://audit.example.com`.
    pub public_url: Option<PublicUrl>,
    /// The heading of the page.
    pub title: String,
    /// The language of the sentences, where a rule has it; else its main one.
    pub language: Option<String>,
    /// How long a question may take, in ms; what takes longer is answered 503. Exports are exempt.
    #[serde(deserialize_with = "query_ms")]
    pub query_ms: u64,
    /// Whether `/metrics` asks for no token where tokens exist.
    pub metrics_open: bool,
    /// What workspaces are called, by id; those without a name are shown by id.
    pub workspace_names: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            zone: Zone::utc(),
            public_url: None,
            title: "Audit logs".to_owned(),
            language: None,
            query_ms: 10_000,
            metrics_open: false,
            workspace_names: BTreeMap::new(),
        }
    }
}

/// Why the read side may not be served as it is configured.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListenError {
    /// Everybody on the network could read everything.
    #[error(
        "`read.listen` is `{0}`, which others can reach, and no token exists: \
         create one with `sidetrail token create`, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
}

/// Refuses an address that others can reach while nobody has to sign in.
///
/// # Errors
/// When `listen` is not loopback and no token was ever made.
pub fn may_listen(listen: SocketAddr, has_tokens: bool) -> Result<(), ListenError> {
    if !has_tokens && !listen.ip().to_canonical().is_loopback() {
        return Err(ListenError::Open(listen));
    }
    Ok(())
}

/// Ten minutes: nobody waits longer, and a thread is taken for so long.
const MOST_QUERY_MS: u64 = 600_000;

fn query_ms<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let ms = u64::deserialize(input)?;
    let possible = (1..=MOST_QUERY_MS).contains(&ms);
    possible.then_some(ms).ok_or_else(|| D::Error::custom(format!("must be between 1 and {MOST_QUERY_MS}")))
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Zone, D::Error> {
        let name = String::deserialize(input)?;
        Zone::named(&name).ok_or_else(|| {
            D::Error::custom(format!(
                "no time zone is called `{name}`: write an IANA name such as `Europe/Rome` or `UTC`"
            ))
        })
    }
}

/// The address that browsers use: scheme and authority, nothing behind them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(url::Url);

impl PublicUrl {
    /// Whether browsers come over TLS.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host as a `Host` header names it, without the port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The origin as a browser sends it: `https://audit.example.com`.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = BadPublicUrl;

    fn try_from(text: String) -> Result<PublicUrl, BadPublicUrl> {
        let url = url::Url::parse(&text).map_err(|_| BadPublicUrl)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let nameless = url.username().is_empty() && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && bare && nameless {
            Ok(PublicUrl(url))
        } else {
            Err(BadPublicUrl)
        }
    }
}

/// Not an address of a site.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write scheme and host only, such as `https://audit.example.com`")]
pub struct BadPublicUrl;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        let table = [
            ("127.0.0.1:8081", false, true),
            ("[::1]:8081", false, true),
            ("[::ffff:127.0.0.1]:8081", false, true),
            ("0.0.0.0:8081", false, false),
            ("[::]:8081", false, false),
            ("192.168.1.2:8081", false, false),
            ("0.0.0.0:8081", true, true),
        ];
        for (listen, has_tokens, allowed) in table {
            assert_eq!(may_listen(listen.parse().unwrap(), has_tokens).is_ok(), allowed, "{listen} {has_tokens}");
        }
    }

    #[test]
    fn a_section_is_read_whole_or_refused() {
        let good: Settings = toml::from_str("zone = 'Europe/Rome'\npublic_url = 'https://audit.acme.it'").unwrap();
        assert_eq!(good.zone.name(), "Europe/Rome");
        assert_eq!(good.public_url.unwrap().origin(), "https://audit.acme.it");
        for bad in ["zone = 'Europe/Roma'", "public_url = 'https://a.it/path'", "public_url = 'audit'", "lisen = 'x'"] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
    }
}
