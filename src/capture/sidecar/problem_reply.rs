//! The replies that are ours: RFC 9457 problems, after which the connection closes.

use std::io::Write;

use crate::capture::wire::refusal::Refusal;
use crate::clock::Clock;

/// Why a client gets a reply of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Refused(Refusal),
    ClientTooSlow,
    TooManyConnections,
    TooManyUpgrades,
    Unreachable,
    ConnectTimedOut,
    PlatformClosed,
    PlatformSilent,
    BadReply(Refusal),
}

impl Trouble {
    pub(super) fn status(self) -> u16 {
        match self {
            Trouble::Refused(refusal) => refusal.status(),
            Trouble::ClientTooSlow => 408,
            Trouble::TooManyConnections | Trouble::TooManyUpgrades => 503,
            Trouble::Unreachable | Trouble::PlatformClosed | Trouble::BadReply(_) => 502,
            Trouble::ConnectTimedOut | Trouble::PlatformSilent => 504,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Trouble::Refused(refusal) => refusal.label(),
            Trouble::ClientTooSlow => "client-too-slow",
            Trouble::TooManyConnections => "too-many-connections",
            Trouble::TooManyUpgrades => "too-many-upgrades",
            Trouble::Unreachable => "platform-unreachable",
            Trouble::ConnectTimedOut => "platform-connect-timeout",
            Trouble::PlatformClosed => "platform-closed",
            Trouble::PlatformSilent => "platform-silent",
            Trouble::BadReply(_) => "platform-reply-malformed",
        }
    }

    fn detail(self) -> String {
        match self {
            Trouble::Refused(refusal) => refusal.to_string(),
            Trouble::ClientTooSlow => "the request did not arrive in time".to_owned(),
            Trouble::TooManyConnections => "the most connections allowed at one time are open".to_owned(),
            Trouble::TooManyUpgrades => "the most WebSockets allowed at one time are open".to_owned(),
            Trouble::Unreachable => "no connection to the platform could be made; it received nothing".to_owned(),
            Trouble::ConnectTimedOut => {
                "the platform did not accept a connection in time; it received nothing".to_owned()
            }
            Trouble::PlatformClosed => {
                "the platform closed the connection without a whole reply; it may have acted".to_owned()
            }
            Trouble::PlatformSilent => "the platform did not reply in time; it may have acted".to_owned(),
            Trouble::BadReply(refusal) => format!("the platform's reply is malformed: {refusal}"),
        }
    }

    fn title(self) -> &'static str {
        match self.status() {
            408 => "Request Timeout",
            414 => "URI Too Long",
            431 => "Request Header Fields Too Large",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            _ => "Bad Request",
        }
    }

    /// Writes the whole reply; without its content where the request was a HEAD.
    pub(super) fn write(self, clock: &Clock, is_head: bool, out: &mut Vec<u8>) {
        let (status, title) = (self.status(), self.title());
        let content = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": self.detail(),
            "reason": self.label(),
        })
        .to_string();
        let date = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let retry = if status == 503 { "Retry-After: 1\r\n" } else { "" };
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            "HTTP/1.1 {status} {title}\r\nDate: {date}\r\nContent-Type: application/problem+json\r\n\
             Content-Length: {}\r\nCache-Control: no-store\r\n{retry}Connection: close\r\n\r\n",
            content.len()
        );
        if !is_head {
            out.extend_from_slice(content.as_bytes());
        }
    }
}
