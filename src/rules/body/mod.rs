//! Bodies as values: JSON, NDJSON, forms, multipart, XML, text.
//!
//! What cannot be read gives no value and a reason.

mod json;
mod xml;

use std::borrow::Cow;

use minijinja::Value;

use crate::exchange::{Body, Headers, Part, Seen};

use json::Table;
pub(crate) use json::{is_unsaid, json};

/// A body, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    /// What it holds; undefined where it is empty or cannot be read.
    pub(crate) value: Value,
    /// The file parts of a multipart body; undefined for every other.
    pub(crate) uploads: Value,
    /// Why it has no value, where there was something to read.
    pub(crate) unreadable: Option<String>,
    /// Whether it is a form: its values are all text.
    pub(crate) is_form: bool,
}

/// Reads a body. `which` (`request`, `response`) is for the reason.
pub(crate) fn read(body: &Body, headers: &Headers, which: &str) -> Content {
    let media = headers.first("content-type").unwrap_or("");
    let media = if media.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(media.to_ascii_lowercase())
    } else {
        Cow::Borrowed(media)
    };
    if !body.parts.is_empty() || media.starts_with("multipart/form-data") {
        return multipart(body, which);
    }
    let content: &[u8] = &body.content;
    let unreadable = match &body.seen {
        Seen::Unreadable(why) => Some(why.clone()),
        Seen::Cut if !media.starts_with("text/") => Some(cut(body, which)),
        Seen::NotRead if body.size > 0 => Some(format!("the {which} body was not copied")),
        _ => None,
    };
    if unreadable.is_some() {
        return Content { unreadable, ..Content::default() };
    }
    let utf16 = utf16_to_utf8(content);
    let content = utf16.as_deref().unwrap_or(content);
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content).trim_ascii();
    if content.is_empty() {
        return Content::default();
    }
    let value = if is_plain_json(&media) {
        json(content)
    } else if media.starts_with("application/x-www-form-urlencoded") {
        return Content { value: pairs(url::form_urlencoded::parse(content)), is_form: true, ..Content::default() };
    } else if media.contains("ndjson") || media.contains("jsonl") || media.contains("json-seq") {
        content
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(json)
            .collect::<Result<Vec<_>, _>>()
            .map(Value::from)
    } else if media.contains("json") || (media.is_empty() && matches!(content.first(), Some(b'{' | b'['))) {
        json(content)
    } else if media.contains("xml") {
        return match std::str::from_utf8(content).map_err(|_| "it is not UTF-8").and_then(xml::read) {
            Ok(value) => Content { value, ..Content::default() },
            Err(why) => {
                Content { unreadable: Some(format!("the {which} body is not XML: {why}")), ..Content::default() }
            }
        };
    } else if media.starts_with("text/") || media.starts_with("application/graphql") {
        Ok(std::str::from_utf8(content).map(Value::from).unwrap_or_default())
    } else {
        let media = media.split(';').next().unwrap_or("").trim();
        let what = if media.is_empty() { "unknown content".to_owned() } else { format!("`{media}`") };
        return Content { unreadable: Some(format!("the {which} body is {what}")), ..Content::default() };
    };
    match value {
        Ok(value) => Content { value, ..Content::default() },
        Err(error) => Content {
            unreadable: Some(format!("the {which} body is not JSON: {}", brief(&error))),
            ..Content::default()
        },
    }
}

/// Why a cut body has no value.
fn cut(body: &Body, which: &str) -> String {
    let why = body.cut_because.map(|why| format!(": {why}")).unwrap_or_default();
    if body.content.is_empty() {
        return format!("the {which} body was cut{why}");
    }
    format!("the {which} body was cut at {} bytes{why}", body.content.len())
}

/// What most bodies are; every other sort of JSON is looked for in the name.
fn is_plain_json(media: &str) -> bool {
    media.strip_prefix("application/json").is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
}

/// The engine's words on a JSON error without the offending text, which may be a secret.
fn brief(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends too early" } else { "a mistake" };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// UTF-16 with a byte order mark as UTF-8.
fn utf16_to_utf8(content: &[u8]) -> Option<Vec<u8>> {
    let (rest, big) = match content {
        [0xFE, 0xFF, rest @ ..] => (rest, true),
        [0xFF, 0xFE, rest @ ..] => (rest, false),
        _ => return None,
    };
    let units = rest.chunks_exact(2).map(|pair| match pair {
        [a, b] if big => u16::from_be_bytes([*a, *b]),
        [a, b] => u16::from_le_bytes([*a, *b]),
        _ => 0,
    });
    let text: String = char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(text.into_bytes())
}

fn multipart(body: &Body, which: &str) -> Content {
    let unreadable = match &body.seen {
        Seen::Unreadable(why) => Some(why.clone()),
        Seen::Cut => Some(cut(body, which)),
        Seen::NotRead if body.size > 0 && body.parts.is_empty() => Some(format!("the {which} body was not copied")),
        _ => None,
    };
    let fields = body.parts.iter().filter(|part| part.filename.is_none());
    let fields = fields.map(|part| (part.field.as_str().into(), part.text.as_deref().unwrap_or("").into()));
    let uploads: Vec<Value> = body.parts.iter().filter(|part| part.filename.is_some()).map(upload).collect();
    Content { value: pairs(fields), uploads: Value::from(uploads), unreadable, is_form: true }
}

fn upload(part: &Part) -> Value {
    let text = |text: &Option<String>| text.as_deref().map(Value::from).unwrap_or_default();
    table(vec![
        ("field", Value::from(part.field.as_str())),
        ("filename", text(&part.filename)),
        ("type", text(&part.content_type)),
        ("size", Value::from(part.size)),
        ("sha256", text(&part.sha256)),
    ])
}

/// Names and texts as a table; a name that comes again, or ends in `[]`, has a list.
pub(crate) fn pairs<'a>(pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Value {
    let mut names: Vec<(String, Vec<Value>, bool)> = Vec::new();
    for (name, value) in pairs {
        let listed = name.ends_with("[]");
        let name = name.strip_suffix("[]").unwrap_or(&name);
        let value = Value::from(&*value);
        match names.iter_mut().find(|(known, ..)| known == name) {
            Some((_, values, is_list)) => {
                values.push(value);
                *is_list = true;
            }
            None => names.push((name.to_owned(), vec![value], listed)),
        }
    }
    let one = |(name, mut values, is_list): (String, Vec<Value>, bool)| {
        let value = if is_list { Value::from(values) } else { values.pop().unwrap_or_default() };
        (Value::from(name), value)
    };
    Value::from_object(Table(names.into_iter().map(one).collect()))
}

/// A table of fixed names.
pub(crate) fn table(entries: Vec<(&str, Value)>) -> Value {
    Value::from_object(Table(entries.into_iter().map(|(name, value)| (Value::from(name), value)).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::expression::dig;

    fn content(media: &str, bytes: &[u8]) -> Content {
        let mut headers = Headers::default();
        headers.push("Content-Type", media.to_owned());
        read(
            &Body { content: bytes.to_vec().into(), size: bytes.len() as u64, seen: Seen::Whole, ..Body::default() },
            &headers,
            "request",
        )
    }

    #[test]
    fn a_body_is_read_by_its_media_type() {
        let utf16: Vec<u8> =
            [0xFF, 0xFE].into_iter().chain("{\"a\":\"é\"}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let table: &[(&str, &[u8], &str, &str)] = &[
            ("application/json", br#"{"a":{"b":1}}"#, "a.b", "1"),
            ("application/vnd.api+json; charset=utf-8", b"\xEF\xBB\xBF{\"a\":true}", "a", "True"),
            ("application/json", &utf16, "a", "é"),
            ("application/json", br#"{"a":12345678901234567}"#, "a", "12345678901234567"),
            ("application/x-www-form-urlencoded", b"a=1&b=x%20y", "b", "x y"),
            ("application/x-ndjson", b"{\"a\":1}\n\n{\"a\":2}\n", ".", "[{'a': 1}, {'a': 2}]"),
            ("text/plain", b"hello", ".", "hello"),
            ("text/xml; charset=utf-8", b"<a><b>1</b><b>2</b></a>", "a.b", "['1', '2']"),
            ("application/soap+xml", b"<s:a xmlns:s='urn'><s:b/></s:a>", "a.b", ""),
            ("application/json", br#"{"a":18446744073709551615}"#, "a", "18446744073709551615"),
            ("application/json", br#"{"a":1.5e3}"#, "a", "1500.0"),
            ("", br#"[1]"#, ".", "[1]"),
        ];
        for (media, bytes, path, expected) in table {
            assert_eq!(dig(&content(media, bytes).value, path).to_string(), *expected, "{media}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_has_no_value() {
        let value = content("application/json", br#"{"a":1,"a":2,"b":3}"#).value;
        assert!(dig(&value, "a").is_undefined());
        assert_eq!(dig(&value, "b").to_string(), "3");
    }

    #[test]
    fn a_number_that_cannot_be_held_exactly_has_no_value() {
        let value = content("application/json", br#"{"a":123456789012345678901234567890,"b":0.25,"c":1}"#).value;
        assert!(dig(&value, "a").is_undefined() && is_unsaid(&value, "a"));
        assert!(!is_unsaid(&value, "b") && !is_unsaid(&value, "x"));
    }

    #[test]
    fn nesting_of_64_levels_is_read_and_of_1000_is_told() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let path = vec!["a"; 64].join(".");
        assert_eq!(dig(&content("application/json", nested(64).as_bytes()).value, &path).to_string(), "1");
        let deep = content("application/json", nested(1_000).as_bytes());
        assert!(deep.unreadable.is_some() && deep.value.is_undefined());
    }

    #[test]
    fn many_names_are_read_quickly_and_those_that_stand_twice_have_no_value() {
        let names: Vec<String> = (0..30_000).map(|number| format!("\"{}\":{number}", number % 29_999)).collect();
        let text = format!("{{{}}}", names.join(","));
        let started = std::time::Instant::now();
        let value = content("application/json", text.as_bytes()).value;
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        assert_eq!(value.len(), Some(29_999));
        assert!(dig(&value, "0").is_undefined());
        assert_eq!(dig(&value, "29998").to_string(), "29998");
        let few = content("application/json", br#"{"a":1,"b":2,"a":3,"c":4,"a":5}"#).value;
        assert_eq!(
            (few.len(), dig(&few, "a").is_undefined(), dig(&few, "c").to_string()),
            (Some(3), true, "4".to_owned())
        );
    }

    #[test]
    fn a_body_that_cannot_be_read_says_why_and_nothing_of_itself() {
        let broken = content("application/json", br#"{"password":"hunter2"#);
        assert_eq!(
            broken.unreadable.as_deref(),
            Some("the request body is not JSON: it ends too early at line 1, column 20")
        );
        assert_eq!(content("image/png", b"x").unreadable.as_deref(), Some("the request body is `image/png`"));
        let cut = Body { content: vec![b'{'; 10].into(), size: 99, seen: Seen::Cut, ..Body::default() };
        let why = read(&cut, &Headers::default(), "response").unreadable;
        assert_eq!(why.as_deref(), Some("the response body was cut at 10 bytes"));
    }

    #[test]
    fn a_form_gives_lists_for_names_that_come_again() {
        let value = content("application/x-www-form-urlencoded", b"t[]=a&u=1&u=2").value;
        assert_eq!(dig(&value, "t").to_string(), "['a']");
        assert_eq!(dig(&value, "u").to_string(), "['1', '2']");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(media in "(application/json|text/xml|multipart/form-data|application/x-www-form-urlencoded)", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            content(&media, &bytes);
        }
    }
}
