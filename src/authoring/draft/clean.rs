//! Takes secrets out of what a recording shows: a draft is a file that people commit.

use serde_json::Value;

/// Longer texts are cut: a test needs no more.
const LONGEST: usize = 80;
/// Words in a field's name that mean a secret.
const SECRETS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "key",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "session",
    "signature",
    "otp",
    "pin",
    "cvv",
    "jwt",
];

/// Whether a field is called like a secret. Narrower than what is looked at for values: `key` alone is often a name.
pub(super) fn is_secret_field(field: &str) -> bool {
    let words = super::words::words(field);
    let last = words.last().map_or("", String::as_str);
    let whole = words.join("");
    let named = |word: &str| SECRETS.iter().any(|secret| word == *secret || word.strip_suffix('s') == Some(secret));
    // Of `key` alone one cannot tell; `api_key`, `access_key` say it.
    (named(last) && !(words.len() == 1 && last == "key")) || whole.contains("password") || whole.contains("secret")
}

/// Whether a kind of things is secret as a whole.
pub(super) fn is_secret_kind(kind: &str) -> bool {
    super::words::words(kind).iter().any(|word| SECRETS.contains(&word.as_str()) || word == "credentials")
}

/// A text without what nobody should commit: tokens, keys, addresses of people.
pub(super) fn text(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    let text = text.trim();
    if is_token(text) {
        return "redacted".to_owned();
    }
    if text.contains('@') {
        // Every word that holds one: also `Anna <anna@x.it>`.
        let cleaned = text.split(' ').map(|word| if word.contains('@') { "anna@example.com" } else { word });
        return cleaned.collect::<Vec<_>>().join(" ");
    }
    text.split(' ').map(|word| if is_token(word) { "redacted" } else { word }).collect::<Vec<_>>().join(" ")
}

/// JWTs, keys with a prefix, long random words.
fn is_token(word: &str) -> bool {
    let is_of = |letter: char| letter.is_ascii_alphanumeric() || "_-.=+/~".contains(letter);
    if word.len() < 16 || !word.chars().all(is_of) {
        return false;
    }
    let known = [
        "eyJ",
        "sk_",
        "pk_",
        "rk_",
        "sk-",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "xox",
        "AKIA",
        "ya29.",
        "glpat-",
        "whsec_",
    ];
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_uuid = word.len() == 36 && word.chars().filter(|letter| *letter == '-').count() == 4;
    let is_hex = word.chars().all(|letter| letter.is_ascii_hexdigit());
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    known.iter().any(|prefix| word.starts_with(prefix))
        // Hex of 24 letters is an id of MongoDB, of 32 without dashes a UUID; longer ones may be anything.
        || is_hex && word.len() > 32
        || !is_uuid && !is_hex && word.len() >= 20 && digits >= 3 && capitals >= 3 && !word.contains('.')
        || !is_uuid && !is_hex && word.len() >= 40 && digits >= 2 && !word.contains(['.', '/'])
}

/// Shows what a body is like without what is secret in it: values of such fields, and of the texts what looks so.
pub(super) fn body(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(fields) if depth > 0 => {
            let kept = fields.iter().take(200).filter(|(name, _)| name.len() <= 60);
            let cleaned = kept.map(|(name, value)| {
                let hides = is_secret_field(name) && !value.is_object() && !value.is_array();
                (name.clone(), if hides { Value::from("redacted") } else { body(value, depth - 1) })
            });
            Value::Object(cleaned.collect())
        }
        Value::Array(elements) if depth > 0 => {
            Value::Array(elements.iter().take(3).map(|element| body(element, depth - 1)).collect())
        }
        Value::Object(_) => Value::Object(serde_json::Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::String(said) => Value::from(text(said)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_kept() {
        for secret in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "sk_live_51H8abcdefghij",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AbC123dEf456GhI789jKl0",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
        ] {
            assert_eq!(text(secret), "redacted", "{secret}");
        }
        assert_eq!(text("Anna <anna@acme.it>"), "Anna anna@example.com");
        for plain in
            ["Manual.pdf", "0190b2f0-7c1e-7000-8000-000000000001", "507f1f77bcf86cd799439011", "spring-sale-2026"]
        {
            assert_eq!(text(plain), plain);
        }
        let cleaned = body(&json!({ "name": "A", "api_key": "x", "key": "lang", "nested": { "password": "p" } }), 4);
        assert_eq!(
            cleaned,
            json!({ "name": "A", "api_key": "redacted", "key": "lang", "nested": { "password": "redacted" } })
        );
        assert!(is_secret_kind("access_token") && is_secret_kind("ssh_key") && !is_secret_kind("document"));
    }
}
