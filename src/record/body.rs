//! The stored form of an event: canonical order, but numbers are short and
//! texts that recur are numbers of the dictionary.

use std::sync::Arc;

use crate::event::Event;
use crate::record::StoreError;
use crate::record::canonical::{Damaged, Parts, Sink, length, read_event, write_event};

/// Turns a text into its number in the dictionary.
pub(crate) trait Number {
    /// The number of `text`, a new one where it is new.
    fn number(&mut self, text: &str) -> rusqlite::Result<i64>;
}

/// Turns a number of the dictionary into its text.
pub(crate) trait Lookup {
    /// The text of `number`.
    fn text(&self, number: i64) -> Result<Arc<str>, StoreError>;
}

/// Appends the stored form of `event` to `out`.
pub(crate) fn encode(event: &Event, names: &mut impl Number, out: &mut Vec<u8>) -> rusqlite::Result<()> {
    write_event(event, &mut Compact { out, names })
}

/// The event of a stored form.
pub(crate) fn decode(bytes: &[u8], names: &impl Lookup) -> Result<Event, StoreError> {
    let mut parts = Packed { rest: bytes, names };
    let event = read_event(&mut parts)?;
    if parts.rest.is_empty() { Ok(event) } else { Err(Damaged.into()) }
}

struct Compact<'a, N> {
    out: &'a mut Vec<u8>,
    names: &'a mut N,
}

impl<N: Number> Sink for Compact<'_, N> {
    type Error = rusqlite::Error;

    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn id(&mut self, id: &[u8; 16]) {
        self.out.extend_from_slice(id);
    }

    // Seven bits a byte, lowest first; the high bit says that more follow.
    fn number(&mut self, mut number: u64) {
        while let rest @ 1.. = number >> 7 {
            self.out.push(low_seven(number) | 0x80);
            number = rest;
        }
        self.out.push(low_seven(number));
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.out.extend_from_slice(text.as_bytes());
    }

    fn shared(&mut self, text: &str) -> rusqlite::Result<()> {
        let number = self.names.number(text)?;
        self.number(number.cast_unsigned());
        Ok(())
    }
}

fn low_seven(number: u64) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits fit in a byte")
}

struct Packed<'a, N> {
    rest: &'a [u8],
    names: &'a N,
}

impl<'a, N> Packed<'a, N> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Damaged)?;
        self.rest = rest;
        Ok(head)
    }
}

impl<N: Lookup> Parts for Packed<'_, N> {
    type Error = StoreError;

    fn byte(&mut self) -> Result<u8, StoreError> {
        Ok(self.take(1)?.first().copied().ok_or(Damaged)?)
    }

    fn id(&mut self) -> Result<[u8; 16], StoreError> {
        Ok(self.take(16)?.try_into().map_err(|_| Damaged)?)
    }

    fn number(&mut self) -> Result<u64, StoreError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Damaged.into())
    }

    fn text(&mut self) -> Result<String, StoreError> {
        let count = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        Ok(String::from_utf8(self.take(count)?.to_vec()).map_err(|_| Damaged)?)
    }

    fn shared(&mut self) -> Result<Arc<str>, StoreError> {
        let number = self.number()?.cast_signed();
        self.names.text(number)
    }
}
