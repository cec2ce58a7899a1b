//! The fields of a head that was read before, for a witness.

use std::ops::Range;

use bytes::Bytes;

use crate::capture::wire::field::{Line, read_line};
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
