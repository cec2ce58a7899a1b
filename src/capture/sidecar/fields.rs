//! The fields of a head that was read before, for a witness.

use std::ops::Range;

use bytes::Bytes;

use crate::capture::wire::field::{Field, Line, read_line};
use crate::capture::wire::rewrite::Cuts;
use crate::exchange::Headers;

/// The fields without the lines that are left out: copied once, the fields are
/// slices of the copy.
pub(super) fn headers(head: &[u8], fields: Range<usize>, cuts: &Cuts) -> Headers {
    let copy = Bytes::copy_from_slice(head.get(fields.clone()).unwrap_or_default());
    let mut at = fields.start;
    std::iter::from_fn(|| {
        loop {
            let Ok(Some(Line::Field(field))) = read_line(head, at) else { return None };
            at = field.line.end;
            if cuts.leaves_out(field.line.start) {
                continue;
            }
            let slice = |range: Range<usize>| copy.slice(range.start - fields.start..range.end - fields.start);
            return Some((slice(field.name), slice(field.value)));
        }
    })
    .collect()
}

/// The fields of a head that was refused; `None` where a line of it cannot be read, or its end is not there.
pub(super) fn of_refused(head: &[u8]) -> Option<Headers> {
    let mut at = head.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let mut all = Headers::default();
    loop {
        match read_line(head, at).ok()?? {
            Line::End(_) => return Some(all),
            Line::Field(Field { name, value, line }) => {
                let bytes = |range| Bytes::copy_from_slice(head.get(range).unwrap_or_default());
                all.push(bytes(name), bytes(value));
                at = line.end;
            }
        }
    }
}
