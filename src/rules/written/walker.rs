//! Reads the values of a rule file, and gathers what is wrong with them.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::{List, Said};
use crate::problem::{Problem, SourceFile, nearest};

pub(super) type Entry<'a, 'i> = (&'a Spanned<toml::de::DeString<'i>>, &'a Spanned<DeValue<'i>>);

/// Reads values of a file and gathers what is wrong with them.
pub(super) struct Walker<'a> {
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) problems: Vec<Problem>,
}

impl Walker<'_> {
    /// One text or a list of texts.
    pub(super) fn list(&mut self, value: &Spanned<DeValue<'_>>) -> List {
        match value.get_ref() {
            DeValue::Array(elements) => elements.iter().filter_map(|element| self.text(element)).collect(),
            _ => self.text(value).into_iter().collect(),
        }
    }

    pub(super) fn text(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Said> {
        match value.get_ref() {
            DeValue::String(text) => Some(Said { value: text.to_string(), at: value.span() }),
            _ => {
                self.wrong_type(value, "a text");
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.wrong_type(value, "true or false");
                None
            }
        }
    }

    /// A whole number within limits.
    pub(super) fn count(&mut self, value: &Spanned<DeValue<'_>>, limits: RangeInclusive<usize>) -> Option<usize> {
        let number = to_json(value.get_ref()).as_u64().and_then(|number| usize::try_from(number).ok());
        let found = number.filter(|number| limits.contains(number));
        if found.is_none() {
            self.wrong_type(value, &format!("a whole number from {} to {}", limits.start(), limits.end()));
        }
        found
    }

    /// A duration: a whole number and `s`, `m`, `h` or `d`.
    pub(super) fn duration(&mut self, value: &Spanned<DeValue<'_>>) -> Option<SignedDuration> {
        let said = self.text(value)?;
        let split = said.value.len().saturating_sub(1);
        let seconds = match said.value.get(split..) {
            Some("s") => 1,
            Some("m") => 60,
            Some("h") => 3_600,
            Some("d") => 86_400,
            _ => 0,
        };
        let number = said.value.get(..split).and_then(|number| number.parse::<u32>().ok()).filter(|number| *number > 0);
        let found = number.filter(|_| seconds > 0).map(|number| SignedDuration::from_secs(i64::from(number) * seconds));
        if found.is_none() {
            self.problems.push(
                Problem::error("wrong-value", format!("`{}` is not a duration", said.value))
                    .at(self.source, said.at)
                    .help("a whole number and `s`, `m`, `h` or `d`: `10m`"),
            );
        }
        found
    }

    /// The tables of a list of tables, with their places.
    pub(super) fn tables<'v, 'i>(&mut self, value: &'v Spanned<DeValue<'i>>) -> Vec<(Range<usize>, &'v DeTable<'i>)> {
        let DeValue::Array(elements) = value.get_ref() else {
            self.wrong_type(value, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in elements.iter() {
            match element.get_ref() {
                DeValue::Table(table) => tables.push((element.span(), table)),
                _ => self.wrong_type(element, "a table"),
            }
        }
        tables
    }

    pub(super) fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let got = value.get_ref().type_str();
        self.problems.push(
            Problem::error("wrong-type", format!("this is a TOML {got}, not {wanted}"))
                .at(self.source, value.span())
                .label(format!("expected {wanted}")),
        );
    }

    pub(super) fn missing(&mut self, key: &str, of: &str, at: Range<usize>) {
        self.problems.push(Problem::error("missing-key", format!("{of} needs `{key}`")).at(self.source, at));
    }

    pub(super) fn unknown_key(&mut self, name: &str, at: Range<usize>, known: &[Key], of: &str) {
        let mut problem = Problem::error("unknown-key", format!("{of} has no key `{name}`")).at(self.source, at);
        problem = match nearest(name, keys::names(known)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the keys are {}", quoted(&keys::names(known).collect::<Vec<_>>()))),
        };
        self.problems.push(problem);
    }

    pub(super) fn not_yet(&mut self, name: &str, at: Range<usize>) {
        self.problems.push(
            Problem::error("not-in-this-version", format!("`{name}` is part of the language, but not of this version"))
                .at(self.source, at)
                .help("say it with a heading of its own for now, or leave it out"),
        );
    }

    pub(super) fn late_scalar(&mut self, name: &str, at: Range<usize>) {
        self.problems.push(
            Problem::error("late-scalar", format!("`{name}` stands below a heading"))
                .at(self.source, at)
                .label("TOML puts it into the heading above")
                .help("move it to the top of the file, before the first heading"),
        );
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn said(key: &Spanned<toml::de::DeString<'_>>) -> Said {
    Said { value: key.get_ref().to_string(), at: key.span() }
}

/// A TOML value as JSON; dates become their text.
pub(super) fn to_json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix()).map(Json::from).unwrap_or(Json::String(number.to_string()))
        }
        DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().map_or(Json::Null, Json::from),
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(value) => Json::String(value.to_string()),
        DeValue::Array(values) => Json::Array(values.iter().map(|value| to_json(value.get_ref())).collect()),
        DeValue::Table(table) => Json::Object(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value.get_ref()))).collect(),
        ),
    }
}
