//! What rules can do with a value beyond Jinja's own filters. Each passes a missing value on.

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::body;
use super::expression::as_text;
use super::languages;

/// The filters and tests that are worth suggesting.
pub(crate) const KNOWN: [&str; 33] = [
    "language",
    "bare_url",
    "mask",
    "fingerprint",
    "redact",
    "claims",
    "json",
    "upper",
    "lower",
    "trim",
    "capitalize",
    "title",
    "replace",
    "default",
    "first",
    "last",
    "join",
    "length",
    "sort",
    "unique",
    "map",
    "select",
    "selectattr",
    "below",
    "above",
    "defined",
    "undefined",
    "none",
    "mapping",
    "sequence",
    "string",
    "number",
    "in",
];

/// From one text to another.
type Rewrite = fn(&str) -> String;

/// Adds the filters, and wraps those of Jinja's own that would turn a missing value into an empty text.
pub(crate) fn add_to(environment: &mut Environment<'static>) {
    let texts: [(&str, Rewrite); 10] = [
        ("language", |code| languages::english_name(code).map_or_else(|| code.to_owned(), str::to_owned)),
        ("bare_url", bare_url),
        ("mask", mask),
        ("fingerprint", fingerprint),
        ("redact", |_| "[redacted]".to_owned()),
        ("upper", str::to_uppercase),
        ("lower", str::to_lowercase),
        ("trim", |text| text.trim().to_owned()),
        ("capitalize", capitalize),
        ("title", title),
    ];
    for (name, apply) in texts {
        environment.add_filter(name, move |value: Value| {
            as_text(&value).map(|text| Value::from(apply(&text))).unwrap_or_default()
        });
    }
    environment.add_filter("replace", |value: Value, from: String, to: String| {
        as_text(&value).map(|text| Value::from(text.replace(&from, &to))).unwrap_or_default()
    });
    environment.add_filter("claims", |value: Value| claims(&value));
    environment.add_function("claims", |value: Value| claims(&value));
    environment.add_filter("json", |value: Value| json(&value));
    environment.add_test("below", |value: Value, limit: Value| ordered(&value, &limit, std::cmp::Ordering::Less));
    environment.add_test("above", |value: Value, limit: Value| ordered(&value, &limit, std::cmp::Ordering::Greater));
}

/// Whether both are numbers in that order; a missing value is in no order.
fn ordered(value: &Value, limit: &Value, order: std::cmp::Ordering) -> bool {
    let number = |value: &Value| -> Option<f64> {
        match value.kind() {
            ValueKind::Number => f64::try_from(value.clone()).ok(),
            ValueKind::String => value.as_str().and_then(|text| text.trim().parse().ok()),
            _ => None,
        }
    };
    match (number(value), number(limit)) {
        (Some(value), Some(limit)) => value.partial_cmp(&limit) == Some(order),
        _ => false,
    }
}

/// An address without user, password, query and fragment: where secrets hide.
fn bare_url(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.has_host() => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            let bare = url.to_string();
            // `https://x` prints as `https://x/`: keep what was written.
            let written = text.split(['?', '#']).next().unwrap_or(text);
            if url.path() == "/" && !written.ends_with('/') { bare.trim_end_matches('/').to_owned() } else { bare }
        }
        _ => without_user(text.split(['?', '#']).next().unwrap_or(text)),
    }
}

/// What does not parse as an address with a host may still be one, with a password: `//me:pw@host`, `me:pw@host`.
fn without_user(text: &str) -> String {
    let from = text.find("//").map_or(0, |slashes| slashes + 2);
    let (before, rest) = text.split_at(from);
    let authority = rest.split(['/', '\\']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, _)) if from > 0 || user.contains(':') && !user.starts_with("mailto:") => {
            format!("{before}{}", rest.get(user.len() + 1..).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// All but the last two characters hidden, the length too.
fn mask(text: &str) -> String {
    let shown: Vec<char> = text.chars().rev().take(2).collect();
    if text.chars().count() < 8 {
        "****".to_owned()
    } else {
        format!("****{}", shown.into_iter().rev().collect::<String>())
    }
}

/// The beginning of its SHA-256: the same value gives the same word.
fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).first_chunk::<6>().map(hex::encode).unwrap_or_default()
}

fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect())
}

fn title(text: &str) -> String {
    text.split(' ').map(capitalize).collect::<Vec<_>>().join(" ")
}

/// The claims of a JWT (RFC 7519), not verified: only for tokens that the platform itself gave out.
fn claims(value: &Value) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let read = || {
        let token = as_text(value)?;
        let payload = token.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok()
    };
    read().map(|claims| Value::from(Serde(claims))).unwrap_or_default()
}

/// JSON kept inside a string.
fn json(value: &Value) -> Result<Value, Error> {
    // As a body is read: a name that stands twice has no value.
    Ok(value.as_str().and_then(|text| body::json(text.as_bytes()).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_what_can_be_a_secret() {
        for (written, bare) in [
            ("https://me:pw@example.com/b?token=1#x", "https://example.com/b"),
            ("https://www.example.com/faq", "https://www.example.com/faq"),
            ("https://example.com", "https://example.com"),
            ("https://example.com/", "https://example.com/"),
            ("/relative?x=1", "/relative"),
            ("//me:pw@example.com/b?token=1", "//example.com/b"),
            ("me:pw@example.com/b", "example.com/b"),
            ("me:p/w", "me:p/w"),
            ("https://me:pw@exa mple.com/b", "https://exa mple.com/b"),
            ("mailto:me@example.com", "mailto:me@example.com"),
            ("me@example.com", "me@example.com"),
            ("not an address", "not an address"),
        ] {
            assert_eq!(bare_url(written), bare);
        }
    }

    #[test]
    fn a_masked_value_shows_two_characters_of_a_long_one_and_none_of_a_short_one() {
        assert_eq!((mask("sk-live-123456").as_str(), mask("1234567").as_str()), ("****56", "****"));
    }

    #[test]
    fn claims_are_read_from_the_second_part_of_a_token() {
        let token = Value::from("x.eyJzdWIiOiJ1XzgxMiJ9.y");
        assert_eq!(claims(&token).get_attr("sub").unwrap().as_str(), Some("u_812"));
        assert!(claims(&Value::from("opaque")).is_undefined());
    }

    #[test]
    fn a_missing_value_is_neither_below_nor_above() {
        assert!(!ordered(&Value::UNDEFINED, &Value::from(400), std::cmp::Ordering::Less));
        assert!(ordered(&Value::from(200), &Value::from(400), std::cmp::Ordering::Less));
    }
}
