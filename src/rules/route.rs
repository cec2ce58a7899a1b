//! Routes as rules write them: `METHOD /template`, `mutation NAME`, `query NAME`, `rpc NAME`.

use std::ops::Range;
use std::sync::Arc;

use regex::Regex;

use super::call::Sort;
use super::path::{Piece, split_braces};

/// What is wrong with a route, and where in its text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) at: Range<usize>,
}

/// A route, read.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// Requests of these methods (none: any) at a template.
    Http { methods: Vec<Box<str>>, path: Range<usize> },
    /// A call of a GraphQL or JSON-RPC endpoint.
    Call { sort: Sort, name: CallName },
}

/// The name of a GraphQL field or an RPC method, perhaps with `{parameters}`.
#[derive(Clone, Debug)]
pub(crate) struct CallName {
    pub(crate) text: Box<str>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) names: Arc<[Arc<str>]>,
}

/// Reads `METHOD[|METHOD…] /template`, `ANY /template`, `mutation NAME`, `query NAME`.
/// Of a template only the place is given: a prefix may come before it.
pub(crate) fn parse_route(text: &str) -> Result<Route, Wrong> {
    let whole = || 0..text.len();
    let Some((word, rest)) = text.split_once(' ') else {
        return Err(Wrong {
            what: "a route is a method, a space and a path: `POST /documents`".to_owned(),
            at: whole(),
        });
    };
    let start = text.len() - rest.trim_start().len();
    let rest = rest.trim();
    let at = start..start + rest.len();
    match word {
        "mutation" | "query" | "rpc" => {
            let sort = match word {
                "mutation" => Sort::Mutation,
                "query" => Sort::Query,
                _ => Sort::Rpc,
            };
            let name = call_name(rest, sort).map_err(|what| Wrong { what, at })?;
            Ok(Route::Call { sort, name })
        }
        "ANY" => Ok(Route::Http { methods: Vec::new(), path: at }),
        _ if !word.is_empty() && word.split('|').all(is_method) => {
            Ok(Route::Http { methods: word.split('|').map(Box::from).collect(), path: at })
        }
        _ => Err(Wrong { what: format!("`{word}` is not a method"), at: 0..word.len() }),
    }
}

fn is_method(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

fn call_name(text: &str, sort: Sort) -> Result<CallName, String> {
    // What a method may be called, nobody says (JSON-RPC 2.0 section 4): `wallet.create`, `tools/call`.
    let other = if sort == Sort::Rpc { "_./-:$" } else { "_" };
    let plain = |word: &str| word.chars().all(|letter| letter.is_ascii_alphanumeric() || other.contains(letter));
    if plain(text) && !text.is_empty() {
        return Ok(CallName { text: text.into(), pattern: None, names: Arc::default() });
    }
    let pieces = split_braces(text).map_err(|wrong| wrong.what)?;
    let mut names = Vec::new();
    let mut pattern = String::from("^");
    for piece in pieces {
        match piece {
            Piece::Literal(word) if plain(word) => pattern.push_str(word),
            Piece::Literal(word) => return Err(format!("`{word}` is not part of such a name")),
            Piece::Parameter { name, regex: None } if is_name(name) => {
                names.push(Arc::from(name));
                pattern.push_str("(.+?)");
            }
            Piece::Parameter { name, .. } => return Err(format!("`{{{name}}}` is not a plain parameter")),
        }
    }
    pattern.push('$');
    let pattern = Regex::new(&pattern).map_err(|error| error.to_string())?;
    Ok(CallName { text: text.into(), pattern: Some(pattern), names: names.into() })
}

/// Whether a word can be a name in an expression.
pub(crate) fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && word.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rpc_method_may_hold_dots_and_slashes() {
        assert!(matches!(parse_route("rpc tools/call"), Ok(Route::Call { sort: Sort::Rpc, .. })));
        assert!(matches!(parse_route("rpc wallet.{verb}"), Ok(Route::Call { name, .. }) if name.names.len() == 1));
        assert!(parse_route("query tools/call").is_err() && parse_route("rpc a b").is_err());
    }

    #[test]
    fn a_route_is_a_method_and_a_path_or_a_call() {
        assert!(matches!(parse_route("PUT|PATCH /a"), Ok(Route::Http { methods, .. }) if methods.len() == 2));
        assert!(
            matches!(parse_route("ANY //a"), Ok(Route::Http { methods, path }) if methods.is_empty() && path == (4..7))
        );
        assert!(
            matches!(parse_route("mutation create_{x}_item"), Ok(Route::Call { sort: Sort::Mutation, name }) if name.names.len() == 1)
        );
        for wrong in ["/a", "post /a", "mutation a-b", " /a", "GET"] {
            assert!(parse_route(wrong).is_err(), "{wrong}");
        }
    }
}
