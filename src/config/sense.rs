//! Values that can be read and make no sense: limits that let nobody in,
//! addresses that meet each other, headers that nobody may set.
//!
//! What depends on the machine (is the folder there, is the key readable) is
//! not asked here: `check` and `serve` ask that themselves.

use std::net::{IpAddr, SocketAddr};

use super::Config;
use crate::problem::Problem;

/// A week: longer times are slips, and far longer ones overflow the clock.
const LONGEST_MS: u64 = 7 * 24 * 3600 * 1000;

/// What is wrong, and with which key.
pub(super) struct Finding {
    /// `proxy.connections_max`
    pub(super) key: &'static str,
    /// Where it is shown if the key is not written anywhere.
    pub(super) or: &'static str,
    pub(super) problem: Problem,
}

/// Everything that makes no sense.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        proxy_bounds(config).into_iter().chain(bounds(config)).filter_map(Bound::broken).collect();
    found.extend(addresses(config));
    found.extend(sources(config));
    if config.rules.paths.is_empty() {
        found.push(finding(
            "rules.paths",
            "`paths` names no rules",
            "without rules nothing is recorded: name files or folders, such as [\"rules\"]",
        ));
    }
    if let Err(error) = config.store.check_url() {
        // The line of an address that may hold a password is not shown: its section's is.
        let key = if config.store.url.contains('@') { "store" } else { "store.url" };
        found.push(finding(
            key,
            &error.to_string(),
            "write `sqlite:` and the path of a file: url = \"sqlite:sidetrail.db\"",
        ));
    }
    found
}

fn finding(key: &'static str, title: &str, help: &str) -> Finding {
    Finding { key, or: key, problem: Problem::error("bad-value", title).help(help) }
}

/// What a number must lie between, and why.
struct Bound(&'static str, u64, std::ops::RangeInclusive<u64>, &'static str);

impl Bound {
    fn broken(self) -> Option<Finding> {
        let Bound(key, value, range, why) = self;
        let name = key.rsplit('.').next().unwrap_or(key);
        let title = || format!("`{name}` is {value}: it must be between {} and {}", range.start(), range.end());
        (!range.contains(&value)).then(|| finding(key, &title(), why))
    }
}

fn number(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn proxy_bounds(config: &Config) -> Vec<Bound> {
    let proxy = &config.proxy;
    let times = [
        ("proxy.head_timeout_ms", proxy.head_timeout_ms),
        ("proxy.idle_timeout_ms", proxy.idle_timeout_ms),
        ("proxy.body_timeout_ms", proxy.body_timeout_ms),
        ("proxy.send_timeout_ms", proxy.send_timeout_ms),
        ("proxy.connect_timeout_ms", proxy.connect_timeout_ms),
        ("proxy.reply_timeout_ms", proxy.reply_timeout_ms),
        ("proxy.half_close_timeout_ms", proxy.half_close_timeout_ms),
        ("proxy.upgrade_idle_timeout_ms", proxy.upgrade_idle_timeout_ms),
    ];
    let mut bounds: Vec<Bound> = times
        .into_iter()
        .map(|(key, ms)| Bound(key, ms, 1..=LONGEST_MS, "0 would end everything at once; the most is a week"))
        .collect();
    let waits = [
        ("proxy.pool_idle_ms", proxy.pool_idle_ms),
        ("proxy.dns_ttl_ms", proxy.dns_ttl_ms),
        ("proxy.drain_ms", proxy.drain_ms),
    ];
    bounds.extend(waits.map(|(key, ms)| Bound(key, ms, 0..=LONGEST_MS, "the most is a week")));
    let nobody = "0 would let nobody in; an idle connection costs about 4 KB";
    bounds.extend([
        Bound("proxy.threads", number(proxy.threads), 0..=1024, "0 is one for each core; more than cores help nobody"),
        Bound("proxy.connections_max", number(proxy.connections_max), 1..=1 << 20, nobody),
        Bound("proxy.connections_per_address", number(proxy.connections_per_address), 1..=1 << 20, nobody),
        Bound("proxy.upgrades_max", number(proxy.upgrades_max), 0..=1 << 20, "0 lets no WebSocket pass"),
        Bound("proxy.pool_max", number(proxy.pool_max), 0..=1 << 16, "0 keeps no connection to the platform"),
        Bound("proxy.head_max_fields", number(proxy.head_max_fields), 16..=4096, "a browser sends about 20 fields"),
        Bound("proxy.interim_max", proxy.interim_max.into(), 1..=1000, "`100 Continue` is one already"),
        Bound(
            "proxy.body_copy_bytes",
            number(proxy.body_copy_bytes),
            1024..=64 << 20,
            "rules read values from this copy, and each audited request may take as much memory, twice",
        ),
    ]);
    bounds
}

fn bounds(config: &Config) -> Vec<Bound> {
    let mut bounds = vec![
        Bound(
            "rules.memory_things",
            number(config.rules.memory_things),
            1..=10_000_000,
            "without memory no event names what only an id passes by of; a thing takes about 300 bytes",
        ),
        Bound(
            "rules.fetch_timeout_ms",
            config.rules.fetch_timeout_ms,
            0..=60_000,
            "the client waits for it; 0 turns it off",
        ),
        Bound(
            "store.deadline_ms",
            config.store.deadline_ms,
            1..=600_000,
            "an answer waits for its events at most twice so long",
        ),
        Bound("identity.remembered", number(config.identity.remembered), 1..=10_000_000, "each takes about 400 bytes"),
    ];
    if let Some(me) = &config.identity.me {
        bounds.push(Bound("identity.me.timeout_ms", me.timeout_ms.into(), 1..=60_000, "an audited reply waits for it"));
        bounds.push(Bound(
            "identity.me.answer_bytes",
            number(me.answer_bytes),
            64..=16 << 20,
            "it is read into memory",
        ));
    }
    bounds
}

/// Addresses that meet each other.
fn addresses(config: &Config) -> Vec<Finding> {
    let (proxy, read) = (config.proxy.listen, config.read.listen);
    let mut found = Vec::new();
    if proxy.port() != 0 && proxy.port() == read.port() && overlap(proxy.ip(), read.ip()) {
        let title = format!("`read.listen` is `{read}`, where `proxy.listen` is already");
        let finding = finding("read.listen", &title, "the page has a listener of its own: choose another port");
        found.push(Finding { or: "proxy.listen", ..finding });
    }
    let upstream = &config.proxy.upstream;
    if upstream.port == 0 {
        found.push(finding("proxy.upstream", &format!("`{upstream}` has the port 0"), "name the port of the platform"));
    }
    if leads_to(&upstream.host, upstream.port, proxy) {
        let help = "every request would come back to sidetrail for ever: name the platform's own address";
        let finding = finding("proxy.upstream", &format!("`{upstream}` is sidetrail itself (`proxy.listen`)"), help);
        found.push(Finding { or: "proxy.listen", ..finding });
    }
    if leads_to(&upstream.host, upstream.port, read) {
        let title = format!("`{upstream}` is sidetrail's own page (`read.listen`)");
        let help = "clients of the platform would reach the log: name the platform's address";
        found.push(Finding { or: "read.listen", ..finding("proxy.upstream", &title, help) });
    }
    found
}

/// Whether two listeners on one port take each other's connections.
fn overlap(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical() || a.is_unspecified() || b.is_unspecified()
}

/// Whether who calls `host:port` reaches `listener`. Names are not looked up, but for the one everybody knows.
fn leads_to(host: &str, port: u16, listener: SocketAddr) -> bool {
    let (listening, local) = (listener.ip().to_canonical(), host.eq_ignore_ascii_case("localhost"));
    let meets = match host.parse::<IpAddr>() {
        Ok(ip) => {
            ip.to_canonical() == listening || (listening.is_unspecified() && (ip.is_loopback() || ip.is_unspecified()))
        }
        Err(_) => local && (listening.is_loopback() || listening.is_unspecified()),
    };
    port != 0 && port == listener.port() && meets
}

/// Who is believed to be who.
fn sources(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    if config.identity.header.is_some() && config.proxy.trusted_proxies.is_empty() {
        let help = "these headers are believed only from trusted proxies, so nobody would be: name them in `[proxy]`, \
                    such as trusted_proxies = [\"10.0.0.0/8\"]";
        found.push(finding("identity.header", "`[identity.header]` without `proxy.trusted_proxies`", help));
    }
    if let Some(me) = &config.identity.me
        && me.forward.is_empty()
    {
        let help =
            "the platform knows a caller by the header that holds the credential: [\"authorization\", \"cookie\"]";
        found.push(finding("identity.me.forward", "`forward` names no header", help));
    }
    found
}
