//! Parameters of a field's value: `form-data; name="file"; filename*=UTF-8''na%C3%AFve.pdf`.
//!
//! Tolerant where senders differ: an unquoted value goes up to the next `;`,
//! a backslash escapes only `"` and `\` (old browsers send whole Windows
//! paths). The first parameter of a name counts.

use percent_encoding::percent_decode;

/// A field's value, taken apart.
pub(super) struct Parameters<'a> {
    /// What stands before the first `;`.
    pub(super) essence: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    pub(super) fn of(value: &'a [u8]) -> Parameters<'a> {
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let (essence, rest) = value.split_at_checked(end).unwrap_or((value, &[]));
        Parameters { essence: essence.trim_ascii(), rest }
    }

    /// The value of the first parameter of that name, unquoted.
    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let mut rest = self.rest;
        while let Some(after) = rest.strip_prefix(b";") {
            let (found, value, next) = parameter(after);
            if found.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(value);
            }
            rest = next;
        }
        None
    }

    /// The text of `name*` (RFC 8187) if it is there and can be read, else of `name`.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(&format!("{name}*"))
            .and_then(|value| extended(&value))
            .or_else(|| self.get(name).map(|value| String::from_utf8_lossy(&value).into_owned()))
    }
}

/// One parameter: its name, its value, and what follows from the next `;` on.
fn parameter(text: &[u8]) -> (&[u8], Vec<u8>, &[u8]) {
    let end = text.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    let Some(value) = rest.strip_prefix(b"=") else { return (name.trim_ascii(), Vec::new(), rest) };
    let value = value.trim_ascii_start();
    let (value, rest) = match value.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted),
        None => {
            let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
            let (bare, rest) = value.split_at_checked(end).unwrap_or((value, &[]));
            (bare.trim_ascii_end().to_vec(), rest)
        }
    };
    let next = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
    (name.trim_ascii(), value, rest.get(next..).unwrap_or_default())
}

/// What stands in quotes, and what follows them.
fn unquoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                value.push(*escaped);
                rest = after;
            }
            [b'"', after @ ..] => return (value, after),
            [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [] => return (value, rest),
        }
    }
}

/// The text of an extended value: charset, language, percent-encoded bytes. UTF-8 and ISO-8859-1 are read.
fn extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(bytes.into_iter().map(char::from).collect())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_read_in_each_of_the_ways_in_which_it_is_sent() {
        let table: [(&str, Option<&str>); 12] = [
            (r#"form-data; name="f"; filename="Price list.pdf""#, Some("Price list.pdf")),
            (r#"form-data; filename=plain.pdf; name=f"#, Some("plain.pdf")),
            (r#"form-data; FILENAME = "spaced.pdf" ; name=f"#, Some("spaced.pdf")),
            (r#"form-data; filename="a.pdf"; filename*=UTF-8''na%C3%AFve.pdf"#, Some("naïve.pdf")),
            (r#"form-data; filename*=iso-8859-1'en'%A3%20rates; filename="b""#, Some("£ rates")),
            (r#"form-data; filename*=UTF-8''%FF; filename="fallback""#, Some("fallback")),
            (r#"form-data; filename*=koi8-r''%C1; filename="fallback""#, Some("fallback")),
            (r#"form-data; filename="say \"hi\".txt""#, Some(r#"say "hi".txt"#)),
            (r#"form-data; filename="C:\docs\new.txt""#, Some(r"C:\docs\new.txt")),
            (r#"form-data; filename="semi;colon""#, Some("semi;colon")),
            (r#"form-data; name="filename=x""#, None),
            (r#"form-data; filename="never closed"#, Some("never closed")),
        ];
        for (value, name) in table {
            assert_eq!(Parameters::of(value.as_bytes()).text("filename").as_deref(), name, "{value}");
        }
    }

    #[test]
    fn the_first_of_two_parameters_counts() {
        let value = Parameters::of(b"Multipart/Form-Data; boundary=one; boundary=two");
        assert_eq!(value.essence, b"Multipart/Form-Data");
        assert_eq!(value.get("boundary").as_deref(), Some(b"one".as_slice()));
    }
}
