//! The `[proxy]` section: where to listen, where to forward to, and every limit.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, de};

use super::body::{COPIES_BYTES, COPY_BYTES};
use super::client_address::Network;

/// The smallest bound for a head that lets ordinary requests pass, in bytes.
pub(super) const HEAD_LEAST: usize = 1024;
/// The largest head, in bytes: room is left in a buffer for what follows it.
pub(super) const HEAD_MOST: usize = 56 * 1024;

/// The `[proxy]` section. Each key has a default; unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where clients connect to. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The platform: `http://host[:port]`, by name or address.
    pub upstream: Upstream,
    /// Whose `X-Forwarded-For` is believed: addresses or networks (`10.0.0.0/8`).
    pub trusted_proxies: Vec<Network>,
    /// Threads that forward; 0 is one for each core.
    pub threads: usize,
    /// Adds `X-Request-Id` where a request has none.
    pub add_request_id: bool,
    /// Adds `X-Forwarded-For`, `-Host` and `-Proto`.
    pub add_forwarded: bool,
    /// How much of each body may be copied aside for a rule.
    pub body_copy_bytes: usize,
    /// How much all copies of bodies may hold together; beyond it a copy is cut.
    pub body_copies_bytes: usize,
    /// The largest head of a request, at most 57344. Replies may have as much.
    #[serde(deserialize_with = "head_bytes")]
    pub head_max_bytes: usize,
    /// The most fields in a head.
    pub head_max_fields: usize,
    /// The most 1xx replies before the final one.
    pub interim_max: u32,
    /// Connections of clients at one time.
    pub connections_max: usize,
    /// Connections from one address at one time; trusted proxies are not counted.
    pub connections_per_address: usize,
    /// WebSockets at one time.
    pub upgrades_max: usize,
    /// From the first byte of a head to its last.
    pub head_timeout_ms: u64,
    /// How long a client's connection may lie idle between requests.
    pub idle_timeout_ms: u64,
    /// The longest silence of a client within a body.
    pub body_timeout_ms: u64,
    /// The slowest a client may send a body, in bytes a second, over ten seconds; 0 is no limit.
    pub body_min_rate_bytes: u64,
    /// How long a client may take no byte of a reply.
    pub send_timeout_ms: u64,
    /// How long connecting to the platform may take.
    pub connect_timeout_ms: u64,
    /// The longest silence of the platform, before its reply or within it.
    pub reply_timeout_ms: u64,
    /// How long a client is served that has closed its sending side.
    pub half_close_timeout_ms: u64,
    /// How long a WebSocket may be silent in both directions.
    pub upgrade_idle_timeout_ms: u64,
    /// How long a connection to the platform is kept for reuse: below the platform's own keep-alive.
    pub pool_idle_ms: u64,
    /// Idle connections to the platform that each thread keeps.
    pub pool_max: usize,
    /// How long a name's addresses are used before it is looked up again.
    pub dns_ttl_ms: u64,
    /// How long requests under way may take to finish after a stop was asked for.
    pub drain_ms: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            upstream: Upstream { host: "127.0.0.1".to_owned(), port: 9000 },
            trusted_proxies: Vec::new(),
            threads: 0,
            add_request_id: false,
            add_forwarded: false,
            body_copy_bytes: COPY_BYTES,
            body_copies_bytes: COPIES_BYTES,
            head_max_bytes: 32_768,
            head_max_fields: 256,
            interim_max: 32,
            connections_max: 16_384,
            connections_per_address: 4_096,
            upgrades_max: 4_096,
            head_timeout_ms: 15_000,
            idle_timeout_ms: 75_000,
            body_timeout_ms: 30_000,
            body_min_rate_bytes: 100,
            send_timeout_ms: 60_000,
            connect_timeout_ms: 5_000,
            reply_timeout_ms: 300_000,
            half_close_timeout_ms: 30_000,
            upgrade_idle_timeout_ms: 3_600_000,
            pool_idle_ms: 4_000,
            pool_max: 256,
            dns_ttl_ms: 5_000,
            drain_ms: 30_000,
        }
    }
}

/// Where the platform is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for Upstream {
    /// As a URL without a path: `http://[::1]:9000`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Upstream { host, port } = self;
        if host.contains(':') { write!(f, "http://[{host}]:{port}") } else { write!(f, "http://{host}:{port}") }
    }
}

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UpstreamError {
    /// TLS is not built yet.
    #[error("`https` upstreams are not supported: TLS to the platform comes in a later version; use `http://`")]
    Https,
    /// Not a URL of the expected form.
    #[error("`{0}` is not `http://host` or `http://host:port` (without a path)")]
    Form(String),
}

impl std::str::FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Upstream, UpstreamError> {
        let form = || UpstreamError::Form(text.to_owned());
        let url = url::Url::parse(text).map_err(|_| form())?;
        match url.scheme() {
            "http" => {}
            "https" => return Err(UpstreamError::Https),
            _ => return Err(form()),
        }
        let bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = match url.host() {
            Some(url::Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(form()),
        };
        if bare { Ok(Upstream { host, port: url.port().unwrap_or(80) }) } else { Err(form()) }
    }
}

fn head_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = usize::deserialize(deserializer)?;
    let possible = (HEAD_LEAST..=HEAD_MOST).contains(&bytes);
    possible.then_some(bytes).ok_or_else(|| de::Error::custom("must be between 1024 and 57344"))
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Upstream, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_name_or_an_address_with_a_port() {
        let read = |text: &str| text.parse::<Upstream>();
        assert_eq!(read("http://platform").unwrap(), Upstream { host: "platform".into(), port: 80 });
        assert_eq!(read("http://10.0.0.1:9000/").unwrap(), Upstream { host: "10.0.0.1".into(), port: 9000 });
        assert_eq!(read("http://[::1]:9000").unwrap(), Upstream { host: "::1".into(), port: 9000 });
        assert_eq!(read("https://platform").unwrap_err(), UpstreamError::Https);
        for bad in ["platform:80", "http://platform/api", "http://u:p@platform", "ftp://platform", ""] {
            assert!(matches!(read(bad), Err(UpstreamError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn an_empty_section_is_the_defaults_and_an_unknown_key_is_refused() {
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!(settings.body_copy_bytes, 262_144);
        let settings: Settings = toml::from_str("trusted_proxies = ['10.0.0.0/8', '::1']").unwrap();
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert!(toml::from_str::<Settings>("upstrem = 'http://a'").is_err());
        assert!(toml::from_str::<Settings>("head_max_bytes = 100").is_err());
        assert!(toml::from_str::<Settings>("head_max_bytes = 57344").is_ok());
    }
}
