//! A mistake in the search box: the word, its place, and the search that was probably meant.

use crate::read::query::Mistake;

use super::desk::Desk;

/// A mistake, ready to be shown below the box.
#[derive(Debug)]
pub(crate) struct SearchMistake {
    pub(crate) title: String,
    pub(crate) fix: Option<(String, String)>,
    pub(crate) place: Option<Place>,
}

/// The search with the wrong part apart.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) before: String,
    pub(crate) wrong: String,
    pub(crate) after: String,
    pub(crate) indent: String,
    pub(crate) carets: String,
}

impl SearchMistake {
    /// The first mistake in what stands in the search box, if there is one.
    pub(crate) fn find(desk: &Desk, mistakes: &[Mistake]) -> Option<SearchMistake> {
        let mistake = mistakes.iter().find(|mistake| mistake.parameter == "q")?;
        let q = desk.params.q.clone().unwrap_or_default();
        let letters: Vec<char> = q.chars().collect();
        let at = mistake.column.saturating_sub(1).min(letters.len());
        let is_end = |c: &char| c.is_whitespace() || *c == ':';
        let length = letters.iter().skip(at).position(is_end).unwrap_or(letters.len() - at);
        let text = |from: usize, to: usize| letters.iter().skip(from).take(to.saturating_sub(from)).collect::<String>();
        let (before, wrong, after) = (text(0, at), text(at, at + length), text(at + length, letters.len()));
        let (said, meant) = match mistake.detail.split_once("; did you mean `") {
            Some((said, meant)) => (said, meant.split_once('`').map(|(meant, _)| meant)),
            None => (mistake.detail.as_str(), None),
        };
        let said = super::format::capital(said);
        Some(SearchMistake {
            title: format!(
                "{}, at column {}.",
                said.replace('`', "\u{201d}").replacen('\u{201d}', "\u{201c}", 1),
                mistake.column
            ),
            fix: meant.map(|meant| {
                let fixed = format!("{before}{}{after}", meant.trim_end_matches(':'));
                (fixed.clone(), desk.href(|params| params.q = Some(fixed)))
            }),
            place: Some(Place { indent: " ".repeat(at), carets: "^".repeat(length.max(1)), before, wrong, after }),
        })
    }
}
