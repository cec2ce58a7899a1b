//! The gate for a reply's head: what it says, or why the client gets a 502 instead.

use std::ops::Range;

use super::HeadLimits;
use super::chunked::Chunked;
use super::field::{Line, find_control, read_line};
use super::framing::Framing;
use super::refusal::Refusal;
use super::rewrite::{Cuts, Known, Said, cut_nominated, known};

/// What the request was, as far as the reply's meaning depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) is_head: bool,
    pub(crate) upgrade: bool,
}

/// What a reply's head says, as places in its bytes.
#[derive(Clone, Debug)]
pub(crate) struct ReplyHead {
    /// From the start line to the empty line, in bytes.
    pub(crate) len: usize,
    pub(crate) status: u16,
    /// Where the fields begin.
    pub(crate) fields: usize,
    pub(crate) framing: Framing,
    /// Whether the platform's connection can carry another request afterwards.
    pub(crate) keep_alive: bool,
    /// Whether a client may read this reply's end at another place than we do.
    pub(crate) doubtful: bool,
    /// Whether it came as HTTP/1.0.
    pub(crate) old: bool,
}

impl ReplyHead {
    /// 1xx but 101: another head follows.
    pub(crate) fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

/// Reads a reply's head. `None`: it is not all there yet. `cuts` becomes the
/// lines that are not forwarded.
///
/// # Errors
/// The reason why the reply is not forwarded.
pub(crate) fn read_reply(
    head: &[u8],
    asked: Asked,
    limits: HeadLimits,
    cuts: &mut Cuts,
) -> Result<Option<ReplyHead>, Refusal> {
    cuts.clear();
    let Some(start) = read_status(head)? else {
        return if head.len() >= limits.bytes { Err(Refusal::HeadTooLarge) } else { Ok(None) };
    };
    let switching = start.status == 101;
    let mut said = Said::default();
    let mut count = 0;
    let mut at = start.fields;
    let len = loop {
        match read_line(head, at)? {
            None if head.len() >= limits.bytes => return Err(Refusal::HeadTooLarge),
            None => return Ok(None),
            Some(Line::End(end)) => break end,
            Some(Line::Field(field)) => {
                at = field.line.end;
                count += 1;
                if count > limits.fields {
                    return Err(Refusal::TooManyFields);
                }
                let value = head.get(field.value).unwrap_or_default();
                match known(head.get(field.name).unwrap_or_default()) {
                    Some(Known::ContentLength) => said.see_length(value)?,
                    Some(Known::TransferEncoding) => said.see_coding(value)?,
                    Some(Known::Connection | Known::Upgrade) if switching => {}
                    Some(Known::Connection) => {
                        said.see_connection(value)?;
                        cuts.leave_out(field.line);
                    }
                    // An offer to upgrade is for the next hop; 426 needs it (RFC 9110 section 15.5.22).
                    Some(Known::Upgrade) if start.status == 426 => {}
                    Some(Known::Hop | Known::Te | Known::Upgrade) => cuts.leave_out(field.line),
                    _ => {}
                }
            }
        }
    };
    if len > limits.bytes {
        return Err(Refusal::HeadTooLarge);
    }
    if switching && !asked.upgrade {
        return Err(Refusal::StatusLine);
    }
    cut_nominated(head, start.fields..len, &said, limits, cuts)?;
    finish(&start, &said, len, asked).map(Some)
}

/// The status line, taken apart.
struct Start {
    status: u16,
    old: bool,
    fields: usize,
}

/// `HTTP/1.x SP 3DIGIT [SP reason] CRLF` (RFC 9112 section 4).
fn read_status(head: &[u8]) -> Result<Option<Start>, Refusal> {
    let Some(line) = head.get(..12) else {
        let prefix = head.len().min(7);
        return if head.get(..prefix) == b"HTTP/1.".get(..prefix) { Ok(None) } else { Err(Refusal::StatusLine) };
    };
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1'), b' ', a @ b'1'..=b'9', b, c] = line else {
        return Err(Refusal::StatusLine);
    };
    if !b.is_ascii_digit() || !c.is_ascii_digit() {
        return Err(Refusal::StatusLine);
    }
    let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    let rest = head.get(12..).unwrap_or_default();
    let Some(reason) = find_control(rest, 0) else { return Ok(None) };
    if reason > 0 && rest.first() != Some(&b' ') {
        return Err(Refusal::StatusLine);
    }
    match (rest.get(reason), rest.get(reason + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(Start { status, old: *minor == b'0', fields: 12 + reason + 2 })),
        (Some(b'\r'), None) => Ok(None),
        _ => Err(Refusal::LineEnd),
    }
}

/// Where the body ends (RFC 9112 section 6.3).
fn finish(start: &Start, said: &Said, len: usize, asked: Asked) -> Result<ReplyHead, Refusal> {
    said.check_framing(start.old)?;
    let never = start.status < 200 || start.status == 204;
    let bodiless = never || asked.is_head || start.status == 304;
    let framing = match said.length {
        _ if bodiless => Framing::NONE,
        _ if said.chunked => Framing::Chunked(Chunked::default()),
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    };
    Ok(ReplyHead {
        len,
        status: start.status,
        fields: start.fields,
        keep_alive: !said.close && (!start.old || said.keep_alive) && framing != Framing::UntilClose,
        framing,
        doubtful: never && (said.chunked || said.length.is_some_and(|length| length > 0)),
        old: start.old,
    })
}

/// The bytes of a start line that become `HTTP/1.1`: a proxy sends its own version (RFC 9110 section 2.5).
pub(crate) const VERSION: Range<usize> = 0..8;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 20 };

    fn read(head: &str, asked: Asked) -> Result<Option<ReplyHead>, Refusal> {
        read_reply(head.as_bytes(), asked, LIMITS, &mut Cuts::default())
    }

    fn framing(head: &str) -> Framing {
        read(head, Asked::default()).unwrap().unwrap().framing
    }

    #[test]
    fn a_head_is_waited_for_until_its_last_byte() {
        let head = "HTTP/1.1 200 All right\r\nX: 1\r\nContent-Length: 5\r\n\r\n";
        for cut in 0..head.len() {
            assert!(matches!(read(&head[..cut], Asked::default()), Ok(None)), "cut at {cut}");
        }
        assert_eq!(framing(head), Framing::Length(5));
    }

    #[test]
    fn the_body_ends_where_rfc_9112_says() {
        let chunked = Framing::Chunked(Chunked::default());
        assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunked);
        assert_eq!(framing("HTTP/1.1 200\r\n\r\n"), Framing::UntilClose);
        assert_eq!(framing("HTTP/1.1 204 No\r\n\r\n"), Framing::NONE);
        assert_eq!(framing("HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"), Framing::NONE);
        let head = Asked { is_head: true, upgrade: false };
        let read = read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", head).unwrap().unwrap();
        assert_eq!(read.framing, Framing::NONE);
        assert!(read.keep_alive);
    }

    #[test]
    fn each_reply_without_a_single_meaning_has_its_reason() {
        let table = [
            ("SSH-2.0-OpenSSH_9\r\n", Refusal::StatusLine),
            ("HTTP/2.0 200 OK\r\n\r\n", Refusal::StatusLine),
            ("HTTP/1.1 20x OK\r\n\r\n", Refusal::StatusLine),
            ("HTTP/1.1 2000 OK\r\n\r\n", Refusal::StatusLine),
            ("HTTP/1.1 200 a\0b\r\n\r\n", Refusal::LineEnd),
            ("HTTP/1.1 101 Go\r\nUpgrade: evil\r\n\r\n", Refusal::StatusLine),
            ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", Refusal::Fold),
            ("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", Refusal::FieldName),
            ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", Refusal::FieldName),
            ("HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n", Refusal::FieldValue),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\n", Refusal::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", Refusal::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::LengthAndCoding),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Refusal::Coding),
        ];
        for (head, reason) in table {
            assert_eq!(read(head, Asked::default()).err(), Some(reason), "{head:?}");
        }
    }

    #[test]
    fn a_switch_of_protocols_keeps_its_fields() {
        let head = "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let mut cuts = Cuts::default();
        let asked = Asked { is_head: false, upgrade: true };
        let read = read_reply(head.as_bytes(), asked, LIMITS, &mut cuts).unwrap().unwrap();
        assert!(!read.is_interim());
        let mut out = Vec::new();
        cuts.copy(head.as_bytes(), 0..read.len, &mut out);
        assert_eq!(out, head.as_bytes());
    }

    #[test]
    fn a_bodiless_reply_that_announces_a_body_is_doubtful() {
        let read = read("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", Asked::default()).unwrap().unwrap();
        assert!(read.doubtful);
    }
}
