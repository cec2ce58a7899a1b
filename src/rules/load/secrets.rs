//! Secrets that a rule names plainly: they would be stored.

use std::ops::Range;

use super::checks::Written;
use super::{Compiler, In};
use crate::problem::Problem;
use crate::rules::expression::Expression;
use crate::rules::written;

/// What a secret's name ends with, in lower case and without `_`, `-` and digits behind it.
const SECRETS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "token",
    "secret",
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "creditcard",
    "cardnumber",
    "cvv",
    "sessionid",
];

/// Filters behind which a secret may be named.
const COVERS: [&str; 4] = ["mask", "fingerprint", "redact", "claims"];

/// Whether a field is called like a secret: `password`, `clientSecret`, `x-api-key`, `new_password_2`.
pub(crate) fn is_secret(word: &str) -> bool {
    let bare: String = word
        .trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_' || letter == '-')
        .chars()
        .filter(|letter| !['_', '-', ' '].contains(letter))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    SECRETS.iter().any(|secret| bare.ends_with(secret))
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
            let title = format!("`{}` sounds like a secret: its former value is not remembered", said.value);
            compiler.problems.push(
                Problem::warning("secret-named", title)
                    .at(here.source, said.at.clone())
                    .help("whether it was sent is known: `if = \"input.… is defined\"`"),
            );
        }
    }
    for (word, at) in found {
        compiler.problems.push(plainly(here, &word, at));
    }
}

/// A kind whose name, id or link is a secret shows it in every sentence.
pub(super) fn kind(compiler: &mut Compiler, here: In<'_>, kind: &written::Kind) {
    for said in kind.names.iter().chain(&kind.id).filter(|said| !said.value.contains("{{")) {
        if let Some(word) = said.value.rsplit('.').next().filter(|word| is_secret(word)) {
            compiler.problems.push(plainly(here, word, said.at.clone()));
        }
    }
}

fn plainly(here: In<'_>, word: &str, at: Range<usize>) -> Problem {
    Problem::warning("secret-named", format!("`{word}` sounds like a secret, and its value would be stored"))
        .at(here.source, at)
        .help("`| mask`, `| fingerprint` or `| redact` keep it out of the log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_the_end_of_its_name() {
        for name in ["password", "Password", "clientSecret", "x-api-key", "new_password_2", "refreshToken", "API_KEY"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["max_tokens", "secretary", "token_count", "name", "key", "cookies_accepted", "description"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
