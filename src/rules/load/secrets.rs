//! Secrets that a rule names plainly: they would be stored.

use std::ops::Range;

use super::checks::Written;
use super::{Compiler, In};
use crate::problem::Problem;
use crate::rules::expression::Expression;
use crate::rules::written;

/// Words in a field's name that mean a secret.
const SECRETS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
    "access_token",
    "refresh_token",
    "client_secret",
    "private_key",
    "credit_card",
    "card_number",
    "cvv",
];

/// Filters behind which a secret may be named.
const COVERS: [&str; 4] = ["mask", "fingerprint", "redact", "claims"];

/// Whether a field is called like a secret.
pub(crate) fn is_secret(word: &str) -> bool {
    SECRETS.iter().any(|secret| word.eq_ignore_ascii_case(secret))
}

/// Warns where a field with a secret's name is stored or shown plainly.
pub(super) fn secrets(compiler: &mut Compiler, here: In<'_>, shape: &written::Action, written: &[Written<'_>]) {
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    for part in written.iter().filter(|part| part.is_value) {
        if COVERS.iter().any(|cover| part.expression.contains(cover)) {
            continue;
        }
        let Ok(expression) = Expression::compile(part.expression) else { continue };
        for name in &expression.names {
            if let Some(word) = name.rsplit('.').next().filter(|word| name.contains('.') && is_secret(word)) {
                found.push((word.to_owned(), part.at.clone()));
            }
        }
    }
    for said in shape.changed.iter().chain(&shape.changes) {
        if said.value.rsplit('.').next().is_some_and(is_secret) {
            found.push((said.value.clone(), said.at.clone()));
        }
    }
    for (word, at) in found {
        compiler.problems.push(
            Problem::warning("secret-named", format!("`{word}` sounds like a secret, and its value would be stored"))
                .at(here.source, at)
                .help("`| mask`, `| fingerprint` or `| redact` keep it out of the log"),
        );
    }
}
