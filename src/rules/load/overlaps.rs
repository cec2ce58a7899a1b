//! Routes that cannot be told apart: two templates that differ only in
//! constraints, or in parts of a segment, of which neither is more specific, and
//! one path fits both.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::problem::{Problem, SourceFile};
use crate::rules::path::{Segment, Template};
use crate::rules::ready::Ready;

/// So many templates of one outline are compared with each other.
const MOST_COMPARED: usize = 60;
/// So many texts are made up for one constraint.
const MOST_SAMPLES: usize = 24;

/// A template where an action put it.
struct Put<'a> {
    template: &'a Template,
    key: &'a Arc<str>,
    source: &'a Arc<SourceFile>,
    at: &'a Range<usize>,
}

/// Adds a problem for each pair of actions whose routes one path fits alike.
pub(super) fn overlaps(problems: &mut Vec<Problem>, ready: &Ready) {
    let mut outlines: HashMap<(String, &str), Vec<Put<'_>>> = HashMap::new();
    for leaf in &ready.leaves {
        for (method, entry) in &leaf.methods {
            let Some(bound) = ready.entries.get(*entry).and_then(|entry| entry.rules.first()) else { continue };
            let (Some(template), Some(action)) = (bound.place.template(), ready.actions.get(bound.action)) else {
                continue;
            };
            if template.segments.iter().any(|segment| matches!(segment, Segment::Fitting { .. })) {
                let put = Put { template, key: &action.key, source: &action.source, at: &action.at };
                outlines.entry((outline(template), method)).or_default().push(put);
            }
        }
    }
    for mut alike in outlines.into_values() {
        alike.truncate(MOST_COMPARED);
        for (at, one) in alike.iter().enumerate() {
            for other in alike.iter().skip(at + 1).filter(|other| fit_alike(one.template, other.template)) {
                let (first, second) = if one.key <= other.key { (one, other) } else { (other, one) };
                let title = format!(
                    "the routes of `{}` and `{}` cannot be told apart: `{}` and `{}`",
                    first.key, second.key, first.template.text, second.template.text
                );
                problems.push(
                    Problem::error("ambiguous", title)
                        .at(second.source, second.at.clone())
                        .help("one path fits both: give them one template and an `if`, or narrow a constraint"),
                );
            }
        }
    }
}

/// What of a template decides which of two is more specific.
fn outline(template: &Template) -> String {
    let mut outline = String::new();
    for segment in &template.segments {
        outline.push('/');
        match segment {
            Segment::Fixed(text) => outline.push_str(text),
            Segment::Fitting { rank, .. } => outline.push_str(&format!("\0{}", rank.order())),
            Segment::Free => outline.push_str("\0free"),
            Segment::Tail => outline.push_str("\0tail"),
        }
    }
    outline
}

/// Whether every segment of two templates of one outline fits some text alike.
fn fit_alike(one: &Template, other: &Template) -> bool {
    let pairs = one.segments.iter().zip(&other.segments);
    pairs.into_iter().all(|pair| match pair {
        (Segment::Fitting { pattern, .. }, Segment::Fitting { pattern: other, .. }) => {
            pattern.as_str() == other.as_str() || meet(pattern, other)
        }
        _ => true,
    })
}

/// Whether a made-up text fits both. That none does is no proof that none would.
fn meet(one: &Regex, other: &Regex) -> bool {
    let all = |pattern: &Regex| regex_syntax::parse(pattern.as_str()).map(|hir| samples(&hir)).unwrap_or_default();
    let (of_one, of_other) = (all(one), all(other));
    // `pre_{x}` and `{x}_post` meet in `pre_…_post`.
    let joined = of_one.iter().flat_map(|a| of_other.iter().flat_map(move |b| [format!("{a}{b}"), format!("{b}{a}")]));
    of_one.iter().chain(&of_other).cloned().chain(joined).any(|text| one.is_match(&text) && other.is_match(&text))
}

/// Some texts that an expression fits.
fn samples(hir: &Hir) -> Vec<String> {
    let mut found = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![String::from_utf8_lossy(&literal.0).into_owned()],
        HirKind::Class(class) => letters(class),
        HirKind::Capture(capture) => samples(&capture.sub),
        HirKind::Repetition(repetition) => {
            let least = usize::try_from(repetition.min).unwrap_or(0).min(64);
            let most = repetition.max.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
            let inner = samples(&repetition.sub);
            let counts = [least, least.saturating_add(1).min(most), least.max(4).min(most)];
            inner.iter().flat_map(|text| counts.map(|count| text.repeat(count))).collect()
        }
        HirKind::Alternation(choices) => choices.iter().flat_map(samples).collect(),
        HirKind::Concat(parts) => parts.iter().fold(vec![String::new()], |before, part| {
            let after = samples(part);
            let joined = before.iter().flat_map(|a| after.iter().map(move |b| format!("{a}{b}")));
            joined.take(MOST_SAMPLES).collect()
        }),
    };
    found.dedup();
    found.truncate(MOST_SAMPLES);
    found
}

/// A few letters of a class: plain ones where it has them.
fn letters(class: &Class) -> Vec<String> {
    let likely = ['a', '0', '1', 'A', '-', '_', 'x', 'f', '.'];
    let Class::Unicode(class) = class else { return vec!["a".to_owned()] };
    let has = |letter: &char| class.iter().any(|range| (range.start()..=range.end()).contains(letter));
    let mut found: Vec<String> = likely.iter().filter(|letter| has(letter)).map(char::to_string).collect();
    if found.is_empty() {
        found.extend(class.iter().take(2).map(|range| range.start().to_string()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_one_path_fits_alike_are_found() {
        for (one, other, alike) in [
            ("/a/{x:[0-9]+}", "/a/{y:[0-9]{2,}}", true),
            ("/a/{x:[0-9]+}", "/a/{y:[a-z]+}", false),
            ("/a/{x:[0-9a-f]+}", "/a/{y:[a-z]+}", true),
            ("/a/pre_{x}", "/a/{x}_pre", true),
            ("/a/{x}.pdf", "/a/{x}.png", false),
            ("/a/{x:v1|v2}/{y:[0-9]+}", "/a/{x:v2|v3}/{y:[a-z]+}", false),
            ("/a/{x:v1|v2}", "/a/{x:v2|v3}", true),
        ] {
            let (one, other) = (Template::parse(one).unwrap(), Template::parse(other).unwrap());
            assert_eq!(outline(&one), outline(&other));
            assert_eq!(fit_alike(&one, &other), alike, "{} {}", one.text, other.text);
        }
    }
}
