//! The field walk: one line of a head at a time, strictly (RFC 9112 section 5).

use std::ops::Range;

use super::refusal::Refusal;

const TOKEN: u8 = 1;

/// What each byte may be part of.
static CLASS: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0u8;
    loop {
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            )
        {
            table[byte as usize] = TOKEN;
        }
        if byte == 255 {
            return table;
        }
        byte += 1;
    }
}

fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether the byte may stand in a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    class(byte) & TOKEN != 0
}

/// One field line, as places in the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: Range<usize>,
    /// Without the spaces around it.
    pub(crate) value: Range<usize>,
    /// All of it, CRLF included.
    pub(crate) line: Range<usize>,
}

/// What stands at the start of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Field(Field),
    /// The empty line; the place after it.
    End(usize),
}

/// Reads the line that begins at `at`. `None`: it is not all there yet.
pub(crate) fn read_line(head: &[u8], at: usize) -> Result<Option<Line>, Refusal> {
    let rest = head.get(at..).unwrap_or_default();
    match rest.first() {
        None => return Ok(None),
        Some(b'\r') => return Ok(crlf_at(head, at)?.map(Line::End)),
        Some(b'\n') => return Err(Refusal::LineEnd),
        Some(b' ' | b'\t') => return Err(Refusal::Fold),
        Some(_) => {}
    }
    let Some(colon) = rest.iter().position(|byte| class(*byte) & TOKEN == 0) else { return Ok(None) };
    if colon == 0 || rest.get(colon) != Some(&b':') {
        return Err(Refusal::FieldName);
    }
    let value_start = at + colon + 1;
    let Some(value_end) = find_control(head, value_start) else { return Ok(None) };
    let Some(end) = crlf_at(head, value_end)? else { return Ok(None) };
    Ok(Some(Line::Field(Field { name: at..at + colon, value: trimmed(head, value_start..value_end), line: at..end })))
}

/// The place after the CRLF that must stand at `at`.
fn crlf_at(head: &[u8], at: usize) -> Result<Option<usize>, Refusal> {
    match (head.get(at), head.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(at + 2)),
        (Some(b'\r'), None) | (None, _) => Ok(None),
        (Some(b'\r' | b'\n'), _) => Err(Refusal::LineEnd),
        _ => Err(Refusal::FieldValue),
    }
}

/// The first byte at or after `from` that no value may hold: a control other than tab, or DEL.
pub(crate) fn find_control(head: &[u8], from: usize) -> Option<usize> {
    let mut at = find_below::<0x20>(head, from)?;
    while head.get(at) == Some(&b'\t') {
        at = find_below::<0x20>(head, at + 1)?;
    }
    Some(at)
}

/// The first byte at or after `from` that is below `LIMIT` (at most 0x80) or DEL; eight bytes at once.
pub(crate) fn find_below<const LIMIT: u8>(bytes: &[u8], from: usize) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let rest = bytes.get(from..)?;
    let mut words = rest.chunks_exact(8);
    let mut at = from;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().ok()?);
        let below = word.wrapping_sub(EACH * u64::from(LIMIT)) & !word;
        let del = word ^ (EACH * 0x7f);
        let is_del = del.wrapping_sub(EACH) & !del;
        // Borrows only go upwards: the lowest bit that is set is a true one.
        let found = (below | is_del) & HIGH;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    words.remainder().iter().position(|byte| *byte < LIMIT || *byte == 0x7f).map(|found| at + found)
}

/// The range without spaces and tabs at both ends.
pub(crate) fn trimmed(head: &[u8], range: Range<usize>) -> Range<usize> {
    let bytes = head.get(range.clone()).unwrap_or_default();
    // What nearly everybody sends: one space before, none behind.
    if let [b' ', first, .., last] = bytes
        && *first > b' '
        && *last > b' '
    {
        return range.start + 1..range.end;
    }
    let is_text = |byte: &u8| *byte != b' ' && *byte != b'\t';
    let Some(first) = bytes.iter().position(is_text) else { return range.start..range.start };
    let last = bytes.iter().rposition(is_text).unwrap_or(first);
    range.start + first..range.start + last + 1
}

/// The members of a comma-separated list (RFC 9110 section 5.6.1), empty ones left out.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// One decimal number of at most 18 digits: what a length may be (RFC 9110 section 8.6).
pub(crate) fn read_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || value.len() > 18 {
        return Err(Refusal::Length);
    }
    value.iter().try_fold(0u64, |sum, byte| match byte {
        b'0'..=b'9' => Ok(sum * 10 + u64::from(byte - b'0')),
        _ => Err(Refusal::Length),
    })
}

/// Whether a field of this name says who somebody is, where a message goes or
/// how long it is: nobody may take it away by naming it in `Connection`, send
/// it as a trailer, or spell it with `_`.
pub(crate) fn is_guarded(name: &[u8]) -> bool {
    const GUARDED: [&[u8]; 17] = [
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"cookie",
        b"expect",
        b"forwarded",
        b"host",
        b"proxy-authorization",
        b"set-cookie",
        b"transfer-encoding",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-http-method-override",
        b"x-real-ip",
        b"x-request-id",
    ];
    let same = |a: &u8, b: &u8| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-');
    GUARDED.iter().any(|guarded| guarded.len() == name.len() && name.iter().zip(*guarded).all(|(a, b)| same(a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &[u8]) -> Result<Option<Line>, Refusal> {
        read_line(line, 0)
    }

    #[test]
    fn a_field_is_its_name_and_its_value_without_the_spaces_around_it() {
        let head = b"X-Odd:  \t a\tb \t\r\n";
        let Ok(Some(Line::Field(field))) = one(head) else { panic!("no field") };
        assert_eq!(&head[field.name], b"X-Odd");
        assert_eq!(&head[field.value], b"a\tb");
        assert_eq!(field.line, 0..head.len());
    }

    #[test]
    fn a_line_that_is_not_all_there_is_waited_for() {
        let head = b"X-Name: a value that is longer than eight bytes\r\n";
        for cut in 0..head.len() {
            assert_eq!(one(&head[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn each_malformed_line_has_its_reason() {
        let table: [(&[u8], Refusal); 14] = [
            (b" X: folded\r\n", Refusal::Fold),
            (b"\tX: folded\r\n", Refusal::Fold),
            (b"X-S : 1\r\n", Refusal::FieldName),
            (b": v\r\n", Refusal::FieldName),
            (b"NoColon\r\n", Refusal::FieldName),
            (b"X(N): 1\r\n", Refusal::FieldName),
            (b"X\xc3\xa9: 1\r\n", Refusal::FieldName),
            (b"X\0N: 1\r\n", Refusal::FieldName),
            (b"X: a\0b\r\n", Refusal::FieldValue),
            (b"X: a\x7fb\r\n", Refusal::FieldValue),
            (b"X: 12345678\x0b12345678\r\n", Refusal::FieldValue),
            (b"X: a\rb\r\n", Refusal::LineEnd),
            (b"X: a\n", Refusal::LineEnd),
            (b"\n", Refusal::LineEnd),
        ];
        for (line, reason) in table {
            assert_eq!(one(line), Err(reason), "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn every_control_byte_is_found_wherever_it_stands_in_a_word() {
        for place in 0..17 {
            for byte in (0u8..0x20).chain([0x7f]) {
                let mut value = vec![0xffu8; 17];
                value[place] = byte;
                let expected = (byte != b'\t').then_some(place);
                assert_eq!(find_control(&value, 0), expected, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn a_length_is_only_digits() {
        assert_eq!(read_length(b"0"), Ok(0));
        assert_eq!(read_length(b"007"), Ok(7));
        for bad in ["", "+1", "-1", "1 1", "1,1", "0x1", "1.0", "1_0", "9999999999999999999"] {
            assert_eq!(read_length(bad.as_bytes()), Err(Refusal::Length), "{bad}");
        }
    }

    #[test]
    fn a_guarded_name_is_known_in_any_case_and_with_underscores() {
        assert!(is_guarded(b"X_Forwarded-FOR"));
        assert!(is_guarded(b"Content_Length"));
        assert!(!is_guarded(b"X-User"));
    }
}
