//! Whose request it is: the peer, or what trusted proxies say of it.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, de};

use crate::exchange::Headers;

/// The leading bits of every IPv4 address inside IPv6 (RFC 4291 section 2.5.5.2).
const MAPPED: u8 = 96;

/// A network (`10.0.0.0/8`), or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many leading bits of it count.
    prefix: u8,
}

/// `not an address or a network`, with the text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an address (`10.1.2.3`) or a network (`10.0.0.0/8`, `fd00::/8`)")]
pub struct NetworkError(String);

impl Network {
    /// Whether the address is in the network. An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most {
            return Err(wrong());
        }
        // Addresses are compared as IPv4 where they are IPv4 inside IPv6, so networks are kept so too.
        Ok(match (address, address.to_canonical()) {
            (IpAddr::V6(_), address @ IpAddr::V4(_)) if prefix >= MAPPED => {
                Network { address, prefix: prefix - MAPPED }
            }
            _ => Network { address, prefix },
        })
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether the address belongs to one of the trusted proxies.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The client's address: the peer, or the right-most address of
/// `X-Forwarded-For` that is not a trusted proxy's, where the peer is one.
/// Something that is no address ends the search: what stands left of it was
/// not written by a trusted proxy.
pub(crate) fn client_address(peer: IpAddr, headers: &Headers, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let mut client = peer;
    let lines: Vec<&str> = headers.all("x-forwarded-for").collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = read_hop(hop.trim()) else { return client };
        client = address;
        if !is_trusted(address, trusted) {
            return client;
        }
    }
    client
}

/// `a.b.c.d`, `a.b.c.d:port`, `v6`, `[v6]` or `[v6]:port`.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().or_else(|_| hop.parse::<std::net::SocketAddr>().map(|socket| socket.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.ok().or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|value| (bytes::Bytes::from("X-Forwarded-For"), bytes::Bytes::from((*value).to_owned())))
            .collect();
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(client("1.2.3.4", &["9.9.9.9"], &[]), "1.2.3.4");
        assert_eq!(client("1.2.3.4", &["9.9.9.9"], &["10.0.0.0/8"]), "1.2.3.4");
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_not_a_trusted_proxy() {
        let trusted = &["10.0.0.0/8", "::1"];
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 9.9.9.9", "10.2.3.4"], trusted), "9.9.9.9");
        assert_eq!(client("::1", &["9.9.9.9:4711"], trusted), "9.9.9.9");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:80"], trusted), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["10.0.0.9, 10.0.0.8"], trusted), "10.0.0.9");
        assert_eq!(client("10.0.0.1", &[], trusted), "10.0.0.1");
    }

    #[test]
    fn what_stands_left_of_nonsense_is_not_believed() {
        assert_eq!(client("10.0.0.1", &["9.9.9.9, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
    }

    #[test]
    fn a_network_is_its_leading_bits() {
        let contains =
            |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
        assert!(contains("0.0.0.0/0", "1.2.3.4") && contains("::/0", "::1"));
        assert!(contains("192.168.1.0/24", "192.168.1.255") && !contains("192.168.1.0/24", "192.168.2.0"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3") && contains("::ffff:10.0.0.0/104", "::ffff:10.1.2.3"));
        assert!(!contains("::ffff:10.0.0.0/104", "11.0.0.1") && contains("::ffff:1.2.3.4", "1.2.3.4"));
        assert!(contains("::ffff:0:0/96", "1.2.3.4") && !contains("::ffff:0:0/95", "1.2.3.4"));
        assert!(contains("1.2.3.4", "1.2.3.4") && !contains("1.2.3.4", "1.2.3.5"));
        for bad in ["10.0.0.0/33", "::/129", "10.0.0", "host", "10.0.0.0/x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
