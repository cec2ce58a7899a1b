//! What a search calls a word: a run of letters and digits, without case and
//! diacritics. "Scarfò" is found by `scarfo` and by `SCARFÒ`.

use icu_normalizer::DecomposingNormalizerBorrowed;

use crate::event::Event;

/// Calls `each` with every word of `text`, in order.
pub(crate) fn words(text: &str, mut each: impl FnMut(&str)) {
    if text.is_ascii() {
        let lower = text.to_ascii_lowercase();
        let mut from = 0;
        for part in lower.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
            let to = from + part.len();
            lower.get(from..to).filter(|word| !word.is_empty()).into_iter().for_each(&mut each);
            from = to + 1;
        }
        return;
    }
    let folded = fold_marks(text);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).for_each(each);
}

/// Lower case, compatibility forms taken apart, combining marks left out.
fn fold_marks(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfkd()
        .normalize(text)
        .chars()
        .filter(|c| !is_mark(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| !is_mark(*c))
        .collect()
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The texts of an event that a word may stand in.
pub(crate) fn searched(event: &Event) -> impl Iterator<Item = &str> {
    let actor = &event.actor;
    [Some(event.message.text.as_str()), actor.name.as_deref(), actor.email.as_deref(), actor.id.as_deref()]
        .into_iter()
        .chain(event.translations.iter().map(|translation| Some(translation.message.text.as_str())))
        .chain(event.targets.iter().map(|target| target.name.as_deref()))
        .flatten()
}

/// Words that must stand side by side in one text; of the last, the beginning is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phrase(pub(crate) Vec<String>);

impl Phrase {
    /// The phrase of what somebody typed; `None` where it holds no word.
    pub(crate) fn parse(typed: &str) -> Option<Phrase> {
        let mut all = Vec::new();
        words(typed, |word| all.push(word.to_owned()));
        if all.is_empty() { None } else { Some(Phrase(all)) }
    }

    /// Whether one of the event's texts holds it.
    pub(crate) fn is_in(&self, event: &Event) -> bool {
        searched(event).any(|text| {
            let mut found = Vec::new();
            words(text, |word| found.push(word.to_owned()));
            found.windows(self.0.len()).any(|window| self.begins(window))
        })
    }

    fn begins(&self, window: &[String]) -> bool {
        let Some((last, before)) = self.0.split_last() else { return false };
        window.split_last().is_some_and(|(end, start)| start == before && end.starts_with(last.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        words(text, |word| all.push(word.to_owned()));
        all
    }

    #[test]
    fn a_word_has_neither_case_nor_accent() {
        assert_eq!(
            all("Cosimo SCARFÒ: Città-Vecchia ﬁle n°7"),
            ["cosimo", "scarfo", "citta", "vecchia", "file", "n", "7"]
        );
        assert_eq!(
            all("added tag listinov2 to Price_list.pdf"),
            ["added", "tag", "listinov2", "to", "price", "list", "pdf"]
        );
        assert_eq!(all("İstanbul Ärger 日本語"), ["istanbul", "arger", "日本語"]);
        assert!(all(" -- ").is_empty());
    }

    #[test]
    fn an_ascii_text_gives_the_same_words_on_both_ways() {
        let text = "Deleted user anna@acme.it (ID 42)";
        let mut slow = Vec::new();
        fold_marks(text)
            .split(|c: char| !c.is_alphanumeric())
            .filter(|p| !p.is_empty())
            .for_each(|w| slow.push(w.to_owned()));
        assert_eq!(all(text), slow);
    }
}
