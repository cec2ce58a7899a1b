//! Where a list goes on: opaque, authenticated, bound to the filters.
//!
//! A cursor holds places in the store's own order, which tell of other
//! workspaces' events; therefore it is sealed, not just signed. Sealing is
//! the synthetic-IV construction (RFC 5297's idea) over HMAC-SHA-256: the tag
//! over filters and content is also the seed of the key stream, so no nonce
//! can repeat and one bit changed anywhere opens to nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::record::query::Position;

/// A place in a list and the bound that pins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last event of the page before (going on), or the first (going back).
    pub(crate) at: Position,
    /// Nothing newer than this belongs to the list.
    pub(crate) upto: Position,
    /// What "now" is for the whole list.
    pub(crate) now: Timestamp,
    /// How many events stand before the page that it opens.
    pub(crate) skipped: u32,
    /// Whether it leads back to the page before.
    pub(crate) back: bool,
}

/// Bytes of a cursor's content; one SHA-256 block of key stream covers them.
const CONTENT: usize = 29;
const TAG: usize = 16;

impl Cursor {
    /// Seals it for a list with these filters (`Params::binding`).
    pub(crate) fn seal(self, secret: &[u8; 32], binding: &str) -> String {
        let content = self.content();
        let tag = tag(secret, binding, &content);
        let mut sealed = tag.to_vec();
        sealed.extend(stream(secret, &tag).iter().zip(content).map(|(key, byte)| key ^ byte));
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens it; `None` when it was not sealed here, for these filters.
    pub(crate) fn open(text: &str, secret: &[u8; 32], binding: &str) -> Option<Cursor> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (given, hidden) = sealed.split_first_chunk::<TAG>()?;
        let hidden: &[u8; CONTENT] = hidden.try_into().ok()?;
        let mut content = [0; CONTENT];
        for ((byte, key), hidden) in content.iter_mut().zip(stream(secret, given)).zip(hidden) {
            *byte = key ^ hidden;
        }
        if tag(secret, binding, &content).ct_eq(given).unwrap_u8() == 0 {
            return None;
        }
        Cursor::from_content(&content)
    }

    fn content(self) -> [u8; CONTENT] {
        let mut content = [0; CONTENT];
        let numbers = [self.at.0, self.upto.0, self.now.as_microsecond()].map(i64::to_be_bytes);
        let bytes = numbers.iter().flatten().copied().chain(self.skipped.to_be_bytes()).chain([u8::from(self.back)]);
        content.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        content
    }

    fn from_content(content: &[u8; CONTENT]) -> Option<Cursor> {
        let number = |at: usize| Some(i64::from_be_bytes(content.get(at..at + 8)?.try_into().ok()?));
        Some(Cursor {
            at: Position(number(0)?),
            upto: Position(number(8)?),
            now: Timestamp::from_microsecond(number(16)?).ok()?,
            skipped: u32::from_be_bytes(content.get(24..28)?.try_into().ok()?),
            back: content.get(28) == Some(&1),
        })
    }
}

fn tag(secret: &[u8; 32], binding: &str, content: &[u8; CONTENT]) -> [u8; TAG] {
    let mut mac = keyed(secret, b"sidetrail cursor tag");
    mac.update(content);
    mac.update(binding.as_bytes());
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    let mut tag = [0; TAG];
    tag.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    tag
}

fn stream(secret: &[u8; 32], tag: &[u8; TAG]) -> [u8; 32] {
    let mut mac = keyed(secret, b"sidetrail cursor stream");
    mac.update(tag);
    mac.finalize().into_bytes().into()
}

/// Each use has a label of its own, so that no output of one is an output of the other.
fn keyed(secret: &[u8; 32], label: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(label);
    mac.update(&[0]);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    prop_compose! {
        fn cursors()(at: i64, upto: i64, now in 0i64..4_000_000_000_000_000, skipped: u32, back: bool) -> Cursor {
            let now = Timestamp::from_microsecond(now).unwrap();
            Cursor { at: Position(at), upto: Position(upto), now, skipped, back }
        }
    }

    proptest! {
        #[test]
        fn a_cursor_opens_to_what_was_sealed(cursor in cursors(), binding in ".{0,40}") {
            let sealed = cursor.seal(&SECRET, &binding);
            prop_assert_eq!(Cursor::open(&sealed, &SECRET, &binding), Some(cursor));
        }

        #[test]
        fn one_bit_changed_opens_to_nothing(cursor in cursors(), bit in 0usize..(TAG + CONTENT) * 8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(cursor.seal(&SECRET, "order=desc")).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Cursor::open(&URL_SAFE_NO_PAD.encode(bytes), &SECRET, "order=desc"), None);
        }

        #[test]
        fn nothing_made_up_opens(text in "[A-Za-z0-9_-]{0,80}") {
            prop_assert_eq!(Cursor::open(&text, &SECRET, "order=desc"), None);
        }
    }

    #[test]
    fn a_cursor_of_other_filters_or_another_store_opens_to_nothing() {
        let now = Timestamp::from_microsecond(1).unwrap();
        let cursor = Cursor { at: Position(1), upto: Position(2), now, skipped: 0, back: false };
        let sealed = cursor.seal(&SECRET, "user=cosimo");
        assert_eq!(Cursor::open(&sealed, &SECRET, "user=anna"), None);
        assert_eq!(Cursor::open(&sealed, &[8; 32], "user=cosimo"), None);
    }

    #[test]
    fn places_of_the_store_cannot_be_read_from_it() {
        let now = Timestamp::from_microsecond(1).unwrap();
        let of = |at| Cursor { at: Position(at), upto: Position(9), now, skipped: 0, back: false }.seal(&SECRET, "");
        let (one, two) = (URL_SAFE_NO_PAD.decode(of(1)).unwrap(), URL_SAFE_NO_PAD.decode(of(2)).unwrap());
        let same = one.iter().zip(&two).filter(|(a, b)| a == b).count();
        assert!(same < 10, "neighbouring cursors share {same} bytes");
    }
}
