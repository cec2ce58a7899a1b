//! Requests that only look, though their method may change something.

use super::route::{Operation, Segment, text};
use super::words;

/// Why a request that could change something only looks.
pub(super) fn only_looks(operation: &Operation) -> Option<&'static str> {
    if operation.method != "POST" {
        return None;
    }
    let last = operation.segments.last().and_then(Segment::fixed).unwrap_or_default();
    // Google's way to name what is done: `/documents:search`.
    let last = last.rsplit(':').next().unwrap_or_default();
    let own = words::words(last);
    let (first, end) = (own.first().map_or("", String::as_str), own.last().map_or("", String::as_str));
    if own.concat() == "refreshtoken"
        || own.concat() == "tokenrefresh"
        || first == "refresh" && text(&operation.segments).contains("auth")
    {
        return Some("renews a token");
    }
    if ["graphql", "gql"].contains(&own.concat().as_str()) {
        return None;
    }
    let summary: Vec<String> = operation.summary.split_whitespace().take(4).map(str::to_owned).collect();
    let told = words::verb_of(&summary).map(|(verb, _)| verb);
    let verb = match told.as_deref() {
        Some(verb) if words::is_looking(verb) => verb,
        // The summary says that it does something.
        Some(_) => return None,
        None if words::is_looking(first) => first,
        None if words::is_looking(end) => end,
        None => return None,
    };
    Some(match verb {
        "search" | "find" | "query" | "filter" | "lookup" | "autocomplete" | "suggest" => "looks for things",
        "validate" | "check" | "detect" | "inspect" | "compare" | "diff" => "checks, changes nothing",
        "preview" | "render" => "shows what would be",
        "calculate" | "compute" | "count" | "estimate" | "evaluate" | "simulate" | "predict" | "forecast"
        | "aggregate" => "computes, changes nothing",
        _ => "reads",
    })
}

/// Whether a word of a path is about the API and not about things.
pub(super) fn is_version(word: &str) -> bool {
    word == "api" || word.strip_prefix('v').is_some_and(|rest| rest.parse::<u16>().is_ok())
}
