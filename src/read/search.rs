//! The search box: words, "phrases", `field:value`, `-not`, `created:>=2026-01-01`.
//!
//! Words and different fields must all hold; a field that stands twice holds
//! with either value. A mistake is told with its column, and nothing is
//! searched: half an answer would be taken for a whole one.

use jiff::{SignedDuration, Timestamp};

use super::query::{Mistake, When};
use super::zone::Zone;
use crate::problem::nearest;
use crate::record::query::{Clause, Field, Filter};

/// What the search box asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What must hold.
    pub clauses: Vec<Clause>,
    /// Between which times.
    pub created: Vec<Created>,
}

/// A bound of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// `>=`: from its beginning on.
    From(When),
    /// `>`: when it is over.
    After(When),
    /// `<`: before its beginning.
    Before(When),
    /// `<=`: until it is over.
    Through(When),
}

/// The names before a colon, with the field they compare.
const NAMES: [(&str, Field); 9] = [
    ("actor", Field::User),
    ("user", Field::User),
    ("action", Field::Action),
    ("target", Field::Target),
    ("outcome", Field::Outcome),
    ("category", Field::Category),
    ("ip", Field::Ip),
    ("workspace", Field::Workspace),
    ("request", Field::Request),
];

/// More terms than this are not typed by people, and each costs the store.
const MAX_TERMS: usize = 32;

/// Reads a search box.
///
/// # Errors
/// Every mistake, with its column.
pub fn parse(text: &str) -> Result<Search, Vec<Mistake>> {
    let mut search = Search::default();
    let mut mistakes = Vec::new();
    let mut reader = Reader { rest: text, column: 1 };
    let mut terms = 0;
    while let Some(term) = reader.next_term() {
        terms += 1;
        match term.and_then(|term| search.add(&term)) {
            Ok(()) => {}
            Err(mistake) => mistakes.push(mistake),
        }
        if terms > MAX_TERMS {
            mistakes.push(mistake(reader.column, format!("more than {MAX_TERMS} words")));
            break;
        }
    }
    if mistakes.is_empty() { Ok(search) } else { Err(mistakes) }
}

/// What stands before a time, and the bound that it makes of it.
type Sign = (&'static str, fn(When) -> Created);

/// One term as it was typed.
struct Term {
    column: usize,
    negated: bool,
    name: Option<String>,
    value: String,
    value_column: usize,
}

impl Search {
    /// Narrows a filter to what the search box asks.
    pub fn narrow(&self, filter: &mut Filter, now: Timestamp, zone: &Zone) {
        filter.clauses.extend(self.clauses.iter().cloned());
        let tick = SignedDuration::from_micros(1);
        for created in &self.created {
            let (since, until) = match created {
                Created::From(when) => (Some(when.instant(now, zone)), None),
                Created::After(when) if when.day().is_some() => (Some(when.end(now, zone)), None),
                Created::After(when) => (when.instant(now, zone).checked_add(tick).ok(), None),
                Created::Before(when) => (None, Some(when.instant(now, zone))),
                Created::Through(when) if when.day().is_some() => (None, Some(when.end(now, zone))),
                Created::Through(when) => (None, when.instant(now, zone).checked_add(tick).ok()),
            };
            filter.since = filter.since.max(since);
            filter.until = match (filter.until, until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }

    fn add(&mut self, term: &Term) -> Result<(), Mistake> {
        let Some(name) = &term.name else {
            // Each word must be there: a clause of its own.
            self.clauses.push(Clause { field: Field::Word, negated: term.negated, values: vec![term.value.clone()] });
            return Ok(());
        };
        if term.value.is_empty() {
            return Err(mistake(term.value_column, format!("nothing stands behind `{name}:`")));
        }
        if name == "created" {
            return self.add_created(term);
        }
        let Some((_, field)) = NAMES.into_iter().find(|(known, _)| known == name) else {
            let names = NAMES.into_iter().map(|(known, _)| known).chain(["created"]);
            let meant = nearest(name, names).map(|meant| format!("did you mean `{meant}:`? ")).unwrap_or_default();
            let detail = format!("no field is called `{name}`; {meant}To find the text itself, put it in quotes");
            return Err(mistake(term.column, detail));
        };
        let value = super::query::checked(field, &term.value).map_err(|detail| mistake(term.value_column, detail))?;
        let same = |clause: &&mut Clause| clause.field == field && clause.negated == term.negated;
        match self.clauses.iter_mut().find(same) {
            Some(clause) if clause.values.contains(&value) => {}
            Some(clause) => clause.values.push(value),
            None => self.clauses.push(Clause { field, negated: term.negated, values: vec![value] }),
        }
        Ok(())
    }

    fn add_created(&mut self, term: &Term) -> Result<(), Mistake> {
        if term.negated {
            return Err(mistake(
                term.column,
                "`created:` cannot be turned round; write `created:<` instead".to_owned(),
            ));
        }
        let when = |text: &str, skipped: usize| {
            When::parse(text).map_err(|detail| mistake(term.value_column + skipped, detail))
        };
        let signs: [Sign; 4] =
            [(">=", Created::From), ("<=", Created::Through), (">", Created::After), ("<", Created::Before)];
        if let Some((sign, make)) = signs.into_iter().find(|(sign, _)| term.value.starts_with(sign)) {
            let rest = term.value.strip_prefix(sign).unwrap_or_default();
            self.created.push(make(when(rest, sign.len())?));
        } else if let Some((from, to)) = term.value.split_once("..") {
            self.created.push(Created::From(when(from, 0)?));
            self.created.push(Created::Through(when(to, from.chars().count() + 2)?));
        } else {
            let day = when(&term.value, 0)?;
            self.created.extend([Created::From(day.clone()), Created::Through(day)]);
        }
        Ok(())
    }
}

fn mistake(column: usize, detail: String) -> Mistake {
    Mistake { parameter: "q".to_owned(), detail, column }
}

/// What is left of the text, and the column of its first character.
struct Reader<'a> {
    rest: &'a str,
    column: usize,
}

impl Reader<'_> {
    fn next_term(&mut self) -> Option<Result<Term, Mistake>> {
        self.take_while(char::is_whitespace);
        if self.rest.is_empty() {
            return None;
        }
        let column = self.column;
        let negated = self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("- ");
        if negated {
            self.skip(1);
        }
        let name = self.name();
        let value_column = self.column;
        let value = match self.value() {
            Ok(value) => value,
            Err(mistake) => return Some(Err(mistake)),
        };
        if name.is_none() && value.is_empty() {
            return Some(Err(mistake(column, "nothing stands between the quotes".to_owned())));
        }
        Some(Ok(Term { column, negated, name, value, value_column }))
    }

    /// A name and its colon: letters only, and not the scheme of an address.
    fn name(&mut self) -> Option<String> {
        let letters = self.rest.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'_').count();
        let (name, rest) = self.rest.split_at_checked(letters)?;
        let rest = rest.strip_prefix(':')?;
        if name.is_empty() || rest.starts_with("//") {
            return None;
        }
        let name = name.to_ascii_lowercase();
        self.skip(letters + 1);
        Some(name)
    }

    /// A word, or what stands between quotes; `\"` is a quote.
    fn value(&mut self) -> Result<String, Mistake> {
        if !self.rest.starts_with('"') {
            return Ok(self.take_while(|letter| !letter.is_whitespace()));
        }
        let opened = self.column;
        self.skip(1);
        let mut value = String::new();
        let mut letters = self.rest.chars();
        let mut taken = 0;
        loop {
            let letter = letters.next().ok_or_else(|| mistake(opened, "the quote is not closed".to_owned()))?;
            taken += 1;
            match letter {
                '"' => break,
                '\\' => {
                    let next = letters.next().ok_or_else(|| mistake(opened, "the quote is not closed".to_owned()))?;
                    taken += 1;
                    value.push(next);
                }
                other => value.push(other),
            }
        }
        self.skip(taken);
        Ok(value.trim().to_owned())
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let taken: String = self.rest.chars().take_while(|letter| wanted(*letter)).collect();
        self.skip(taken.chars().count());
        taken
    }

    fn skip(&mut self, letters: usize) {
        let bytes = self.rest.chars().take(letters).map(char::len_utf8).sum();
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.column += letters;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::query::Scope;

    fn terms(text: &str) -> Vec<String> {
        let shown = |clause: Clause| {
            format!("{}{:?} {}", if clause.negated { "not " } else { "" }, clause.field, clause.values.join("|"))
        };
        parse(text).unwrap().clauses.into_iter().map(shown).collect()
    }

    #[test]
    fn words_phrases_and_fields_are_told_apart() {
        let table: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("  price list ", &["Word price", "Word list"]),
            ("\"price list\"", &["Word price list"]),
            ("-price", &["not Word price"]),
            ("actor:cosimo actor:anna", &["User cosimo|anna"]),
            ("user:\"Anna D'Angelo\"", &["User Anna D'Angelo"]),
            ("-outcome:denied price", &["not Outcome denied", "Word price"]),
            ("category:\"agent settigns\"", &["Category Agent settings"]),
            ("ACTION:document.*", &["Action document.*"]),
            ("https://acme.it/a:b", &["Word https://acme.it/a:b"]),
            ("12:30 a-b - ", &["Word 12:30", "Word a-b", "Word -"]),
            ("\"say \\\"hi\\\" now\"", &["Word say \"hi\" now"]),
        ];
        for (text, expected) in table {
            assert_eq!(terms(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_column() {
        let table = [
            ("price acter:cosimo", 7, "no field is called `acter`; did you mean `actor:`?"),
            ("perché outcome:succes", 16, "did you mean `success`?"),
            ("a \"b", 3, "the quote is not closed"),
            ("actor: x", 7, "nothing stands behind `actor:`"),
            ("created:>=2026-13-01", 11, "`2026-13-01` is no time"),
            ("created:2026-01-01..soon", 21, "`soon` is no time"),
            ("-created:2026-01-01", 1, "cannot be turned round"),
            ("ip:localhost", 4, "is no IP address"),
            ("\"\"", 1, "nothing stands between the quotes"),
        ];
        for (text, column, detail) in table {
            let mistakes = parse(text).unwrap_err();
            assert_eq!((mistakes.len(), mistakes[0].column), (1, column), "{text}: {mistakes:?}");
            assert!(mistakes[0].detail.contains(detail), "{text}: {}", mistakes[0].detail);
        }
    }

    #[test]
    fn created_narrows_the_time_to_whole_days() {
        let now: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
        let rome = Zone::named("Europe/Rome").unwrap();
        let range = |text: &str| {
            let mut filter = Filter::all(Scope::All);
            parse(text).unwrap().narrow(&mut filter, now, &rome);
            let shown = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
            format!("{} {}", shown(filter.since), shown(filter.until))
        };
        let table = [
            ("created:>=2026-01-01", "2025-12-31T23:00:00Z "),
            ("created:>2026-01-01", "2026-01-01T23:00:00Z "),
            ("created:<2026-01-01", " 2025-12-31T23:00:00Z"),
            ("created:<=2026-01-01", " 2026-01-01T23:00:00Z"),
            ("created:2026-01-01", "2025-12-31T23:00:00Z 2026-01-01T23:00:00Z"),
            ("created:2026-01-01..2026-01-02", "2025-12-31T23:00:00Z 2026-01-02T23:00:00Z"),
            ("created:>=-24h", "2026-01-09T12:00:00Z "),
            ("created:>=2026-01-01 created:>=2026-01-03", "2026-01-02T23:00:00Z "),
        ];
        for (text, expected) in table {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn what_nobody_types_is_refused() {
        assert!(parse(&"a ".repeat(MAX_TERMS)).is_ok());
        assert!(parse(&"a ".repeat(MAX_TERMS + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,60}") {
            if let Err(mistakes) = parse(&text) {
                let length = text.chars().count();
                prop_assert!(mistakes.iter().all(|mistake| (1..=length + 1).contains(&mistake.column)));
            }
        }
    }
}
