//! The chunked coding as a state machine (RFC 9112 section 7.1).
//!
//! Strict: hexadecimal digits without spaces, CRLF only, extensions of visible
//! bytes and of bounded length, trailers that a head would accept too and that
//! frame or authenticate nothing.

use super::field::{is_guarded, is_token_byte};
use super::refusal::Refusal;

/// No chunk is larger than 2^60 bytes, so that sums cannot overflow.
const SIZE_DIGITS: u8 = 15;
/// Extensions mean nothing to anybody known; room for a signature, not for a payload.
const EXTENSION_BYTES: u16 = 1024;
/// All trailer lines together.
const TRAILER_BYTES: u16 = 16 * 1024;
/// The longest guarded name is `x-http-method-override`.
const NAME_KEPT: usize = 22;

/// Where in a chunked body we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    at: At,
    /// The size being read, then what is left of the chunk.
    left: u64,
    digits: u8,
    extension: u16,
    trailers: u16,
    name: [u8; NAME_KEPT],
    name_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The start of a trailer line, or of the empty line.
    Line,
    Name,
    Value,
    ValueLf,
    LastLf,
    Done,
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked { at: At::Size, left: 0, digits: 0, extension: 0, trailers: 0, name: [0; NAME_KEPT], name_len: 0 }
    }
}

impl Chunked {
    pub(crate) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// See [`Framing::advance`](super::framing::Framing::advance).
    pub(crate) fn advance(&mut self, bytes: &[u8], content: &mut impl FnMut(&[u8])) -> Result<usize, Refusal> {
        let mut taken = 0;
        while self.at != At::Done {
            if self.at == At::Data {
                let rest = bytes.get(taken..).unwrap_or_default();
                let now = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
                if now == 0 {
                    break;
                }
                content(rest.get(..now).unwrap_or_default());
                self.left -= now as u64;
                taken += now;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            let Some(byte) = bytes.get(taken) else { break };
            self.at = self.step(*byte)?;
            taken += 1;
        }
        Ok(taken)
    }

    /// One byte outside of chunk data.
    fn step(&mut self, byte: u8) -> Result<At, Refusal> {
        match self.at {
            At::Size => self.size(byte),
            At::Extension => self.extension(byte),
            At::SizeLf if byte == b'\n' => {
                self.digits = 0;
                self.extension = 0;
                Ok(if self.left == 0 { At::Line } else { At::Data })
            }
            At::DataCr if byte == b'\r' => Ok(At::DataLf),
            At::DataLf if byte == b'\n' => Ok(At::Size),
            At::Line | At::Name | At::Value | At::ValueLf => self.trailer(byte),
            At::LastLf if byte == b'\n' => Ok(At::Done),
            At::LastLf => Err(Refusal::Trailer),
            _ => Err(Refusal::Chunk),
        }
    }

    fn size(&mut self, byte: u8) -> Result<At, Refusal> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b';' if self.digits > 0 => return Ok(At::Extension),
            b'\r' if self.digits > 0 => return Ok(At::SizeLf),
            _ => return Err(Refusal::Chunk),
        };
        if self.digits == SIZE_DIGITS {
            return Err(Refusal::Chunk);
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(At::Size)
    }

    fn extension(&mut self, byte: u8) -> Result<At, Refusal> {
        self.extension += 1;
        match byte {
            b'\r' => Ok(At::SizeLf),
            b'\t' | b' '..=b'~' if self.extension < EXTENSION_BYTES => Ok(At::Extension),
            _ => Err(Refusal::Chunk),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<At, Refusal> {
        self.trailers += 1;
        if self.trailers > TRAILER_BYTES {
            return Err(Refusal::Trailer);
        }
        match (self.at, byte) {
            (At::Line, b'\r') => Ok(At::LastLf),
            (At::Line, _) if is_token_byte(byte) => {
                self.name_len = 0;
                self.keep(byte);
                Ok(At::Name)
            }
            (At::Name, b':') => {
                let name = self.name.get(..self.name_len).unwrap_or_default();
                if is_guarded(name) || is_hop_by_hop(name) { Err(Refusal::Trailer) } else { Ok(At::Value) }
            }
            (At::Name, _) if is_token_byte(byte) => {
                self.keep(byte);
                Ok(At::Name)
            }
            (At::Value, b'\r') => Ok(At::ValueLf),
            (At::Value, b'\t' | b' '..=b'~' | 0x80..) => Ok(At::Value),
            (At::ValueLf, b'\n') => Ok(At::Line),
            _ => Err(Refusal::Trailer),
        }
    }

    /// Remembers a byte of a trailer's name; a longer name than any guarded one compares unequal.
    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.name.get_mut(self.name_len) {
            *place = byte;
        }
        self.name_len += 1;
    }
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    const HOP: [&[u8]; 6] = [b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"];
    HOP.iter().any(|hop| hop.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut chunked = Chunked::default();
        let taken = chunked.advance(bytes, &mut |_| ())?;
        Ok((taken, chunked.is_done()))
    }

    #[test]
    fn well_formed_bodies_end_where_they_end() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "0005\r\nhello\r\n000\r\n\r\n",
            "A\r\n0123456789\r\n0\r\n\r\n",
            "5;a=\"b;c\"\r\nhello\r\n0;x\r\n\r\n",
            "0\r\nX-Sum: 1\r\nX-A-Name-That-Is-Longer-Than-Any-Guarded-One: caf\u{e9}\r\n\r\n",
        ] {
            let with_next = [body.as_bytes(), b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(read(&with_next), Ok((body.len(), true)), "{body:?}");
        }
    }

    #[test]
    fn each_malformed_body_is_refused() {
        for body in [
            "5\nhello\n0\n\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-1\r\n",
            "FFFFFFFFFFFFFFFF5\r\n",
            "1000000000000000\r\n",
            "5_\r\n",
            "\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhelloXX0\r\n\r\n",
            "5\rhello\r0\r\r",
            "5;a\nhello\r\n",
            "5;a\rb\r\nhello\r\n",
            "5;\0\r\nhello\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\nNoColon\r\n\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\n\rX",
            "0\r\nAuthorization: evil\r\n\r\n",
            "0\r\ncontent_length: 5\r\n\r\n",
            "0\r\nConnection: close\r\n\r\n",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(2000));
        assert_eq!(read(long.as_bytes()), Err(Refusal::Chunk));
        let many = format!("0\r\n{}\r\n", "X-T: 1\r\n".repeat(3000));
        assert_eq!(read(many.as_bytes()), Err(Refusal::Trailer));
    }
}
