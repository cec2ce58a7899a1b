//! What a head loses on its way: whole lines, never parts of them (RFC 9110 section 7.6.1).
//!
//! The order and the case of what stays are kept, because the bytes are copied.

use std::ops::Range;

use super::HeadLimits;
use super::field::{Line, is_guarded, list, read_length, read_line};
use super::refusal::Refusal;

/// More options than anybody sends; each is compared with each field.
const CONNECTION_OPTIONS: usize = 16;

/// The lines of a head that are not forwarded. Reused from head to head.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    lines: Vec<Range<usize>>,
}

impl Cuts {
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    /// Lines may come in any order.
    pub(crate) fn leave_out(&mut self, line: Range<usize>) {
        let place = self.lines.iter().rposition(|other| other.start < line.start).map_or(0, |last| last + 1);
        self.lines.insert(place, line);
    }

    pub(crate) fn leaves_out(&self, at: usize) -> bool {
        self.lines.iter().any(|line| line.contains(&at))
    }

    /// Copies what stays of `head[range]`.
    pub(crate) fn copy(&self, head: &[u8], range: Range<usize>, out: &mut Vec<u8>) {
        let mut from = range.start;
        for line in self.lines.iter().filter(|line| line.start >= range.start) {
            out.extend_from_slice(head.get(from..line.start).unwrap_or_default());
            from = line.end;
        }
        out.extend_from_slice(head.get(from..range.end).unwrap_or_default());
    }
}

/// A field that concerns the connection or the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Connection,
    ContentLength,
    Expect,
    Host,
    /// `Keep-Alive`, `Proxy-Connection`, `HTTP2-Settings`: never forwarded.
    Hop,
    RequestId,
    Te,
    TransferEncoding,
    Upgrade,
}

/// Which of the known fields this is: one comparison at most for a field that is none.
pub(crate) fn known(name: &[u8]) -> Option<Known> {
    let (is, known) = match (name.len(), name.first()? | 0x20) {
        (2, b't') => (spells(name, b"te"), Known::Te),
        (4, b'h') => (spells(name, b"host"), Known::Host),
        (6, b'e') => (spells(name, b"expect"), Known::Expect),
        (7, b'u') => (spells(name, b"upgrade"), Known::Upgrade),
        (10, b'c') => (spells(name, b"connection"), Known::Connection),
        (10, b'k') => (spells(name, b"keep-alive"), Known::Hop),
        (12, b'x') => (spells(name, b"x-request-id"), Known::RequestId),
        (14, b'c') => (spells(name, b"content-length"), Known::ContentLength),
        (14, b'h') => (spells(name, b"http2-settings"), Known::Hop),
        (16, b'p') => (spells(name, b"proxy-connection"), Known::Hop),
        (17, b't') => (spells(name, b"transfer-encoding"), Known::TransferEncoding),
        _ => return None,
    };
    is.then_some(known)
}

/// Whether a token is this word in lower case. Of the bytes of a token only
/// letters change with the bit, so that a fixed length compares without a branch.
fn spells<const N: usize>(token: &[u8], word: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(token)
        .is_ok_and(|token| token.iter().zip(word).fold(0, |differs, (a, b)| differs | ((a | 0x20) ^ b)) == 0)
}

/// What the fields of a head say about the connection and the framing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    pub(crate) te: bool,
    options: usize,
    nominates: bool,
}

impl Said {
    /// `Content-Length`: one, and one number (RFC 9112 section 6.3).
    pub(crate) fn see_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::Length);
        }
        self.length = Some(read_length(value)?);
        Ok(())
    }

    /// `Transfer-Encoding`: one, and exactly `chunked`.
    pub(crate) fn see_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Coding);
        }
        self.chunked = true;
        Ok(())
    }

    /// `Connection`: its options (RFC 9110 section 7.6.1).
    pub(crate) fn see_connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        // What nearly everybody sends.
        if self.options == 0 && spells(value, b"keep-alive") {
            (self.options, self.keep_alive) = (1, true);
            return Ok(());
        }
        for option in list(value) {
            self.options += 1;
            if self.options > CONNECTION_OPTIONS {
                return Err(Refusal::Nominated);
            }
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if option.eq_ignore_ascii_case(b"te") {
                self.te = true;
            } else if is_guarded(option) {
                return Err(Refusal::Nominated);
            } else {
                self.nominates = true;
            }
        }
        Ok(())
    }

    /// Length and coding together have two meanings (RFC 9112 section 6.1).
    pub(crate) fn check_framing(&self, old: bool) -> Result<(), Refusal> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Refusal::LengthAndCoding),
            (None, true) if old => Err(Refusal::CodingInOld),
            _ => Ok(()),
        }
    }
}

/// Leaves out the fields that `Connection` names, by a second walk; most heads name none.
pub(crate) fn cut_nominated(
    head: &[u8],
    fields: Range<usize>,
    said: &Said,
    limits: HeadLimits,
    cuts: &mut Cuts,
) -> Result<(), Refusal> {
    if !said.nominates {
        return Ok(());
    }
    let mut walked = Vec::with_capacity(limits.fields.min(64));
    let mut at = fields.start;
    while let Some(Line::Field(field)) = read_line(head, at)? {
        at = field.line.end;
        walked.push(field);
    }
    let bytes = |range: &Range<usize>| head.get(range.clone()).unwrap_or_default();
    let options: Vec<&[u8]> = walked
        .iter()
        .filter(|field| known(bytes(&field.name)) == Some(Known::Connection))
        .flat_map(|field| list(bytes(&field.value)))
        .collect();
    for field in &walked {
        let name = bytes(&field.name);
        let named = options.iter().any(|option| option.eq_ignore_ascii_case(name));
        if named && !cuts.leaves_out(field.line.start) && known(name) != Some(Known::Upgrade) {
            cuts.leave_out(field.line.clone());
        }
    }
    Ok(())
}
