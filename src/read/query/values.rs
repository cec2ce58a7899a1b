//! Names and values of parameters, one at a time: decoded, checked, explained.

use percent_encoding::percent_decode_str;

use super::{FIELDS, Mistake, OTHERS, category_of, field_of};
use crate::event::Outcome;
use crate::problem::nearest;
use crate::record::query::Field;

/// The field that a parameter filters by, and whether it must not be.
pub(super) fn clause_of(name: &str) -> Option<(Field, bool)> {
    match name.strip_prefix("not.") {
        Some(rest) => field_of(rest).map(|field| (field, true)),
        None => field_of(name).map(|field| (field, false)),
    }
}

/// A field's value, if it can be one, in the form in which it is compared.
pub(crate) fn checked(field: Field, value: &str) -> Result<String, String> {
    match field {
        Field::Category => Ok(category_of(value).to_owned()),
        Field::Outcome => Outcome::from_word(value).map(|outcome| outcome.word().to_owned()).ok_or_else(|| {
            let words = Outcome::ALL.map(Outcome::word);
            let meant =
                nearest(value, words.into_iter()).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            format!("`{value}` is no outcome: write {}{meant}", words.join(", "))
        }),
        Field::Ip => value
            .parse::<std::net::IpAddr>()
            .map(|ip| ip.to_string())
            .map_err(|_| format!("`{value}` is no IP address")),
        Field::Action => {
            let bare = value.strip_suffix(".*").unwrap_or(value);
            if bare.is_empty() || bare.contains(['*', ' ']) {
                return Err(format!("`{value}` is no action: write `document.uploaded` or `document.*`"));
            }
            Ok(value.to_owned())
        }
        _ => Ok(value.to_owned()),
    }
}

/// Whether a parameter is called so; `also` are the caller's own.
pub(super) fn known(name: &str, also: &[&str]) -> bool {
    also.contains(&name) || clause_of(name).is_some() || OTHERS.iter().any(|(other, _)| *other == name)
}

/// What is told of a parameter that is not.
pub(super) fn unknown(name: &str, also: &[&str]) -> Mistake {
    let names = FIELDS.iter().map(|(name, ..)| *name).chain(OTHERS.iter().map(|(name, _)| *name));
    let meant = nearest(name, names.chain(also.iter().copied()));
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    Mistake::new(name, format!("is no parameter{meant}"))
}

/// A name or a value of a query, if its escapes are whole and give UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let whole = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if memchr::memchr_iter(b'%', bytes).any(|at| !whole(at)) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}
