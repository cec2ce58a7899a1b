//! Text in a charset other than UTF-8, where the head says which.

use encoding_rs::{Encoding, UTF_8};

use super::parameters::Parameters;

/// The charset that a content type names, where it is known and not UTF-8.
pub(super) fn named(content_type: &str) -> Option<&'static Encoding> {
    // Most heads name none: not taken apart.
    let (_, parameters) = content_type.split_once(';')?;
    if !parameters.as_bytes().windows(7).any(|name| name.eq_ignore_ascii_case(b"charset")) {
        return None;
    }
    let charset = Parameters::of(content_type.as_bytes()).text("charset")?;
    Encoding::for_label(charset.as_bytes()).filter(|encoding| *encoding != UTF_8)
}

/// The text as UTF-8. A byte order mark says more than the head (Encoding
/// Standard, "decode"). What cannot be read is replaced: a name with one
/// strange letter is better than none.
pub(super) fn as_utf8(text: &[u8], charset: &'static Encoding) -> String {
    charset.decode(text).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], content_type: &str) -> Option<String> {
        named(content_type).map(|charset| as_utf8(text, charset))
    }

    #[test]
    fn the_head_or_the_mark_says_the_charset() {
        let utf16: Vec<u8> = "\u{feff}{\"n\":\"Città\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let json = Some("{\"n\":\"Città\"}");
        assert_eq!(read(&utf16, "application/json; charset=latin1").as_deref(), json);
        assert_eq!(read(&utf16[2..], "application/json; charset=UTF-16BE").as_deref(), json);
        assert_eq!(read(b"Citt\xe0", "text/plain;charset=\"ISO-8859-1\"").as_deref(), Some("Città"));
        assert_eq!(read(b"\x83n", "text/plain; Charset=Shift_JIS").as_deref(), Some("ハ"));
        for none in
            ["application/json", "application/json; charset=utf-8", "text/plain; charset=klingon", "a; b=charset"]
        {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
