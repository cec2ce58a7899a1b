//! The top of a rule file: its own keys, `ignore`, `[identity]`, and where the headings go.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys;
use super::walker::Walker;
use super::{File, Identity, Ignore, Kind, Seen, log};
use crate::problem::{Problem, SourceFile};

/// Reads a file. What comes back holds all that could be read; problems say what could not.
pub(crate) fn read(source: &Arc<SourceFile>) -> (File, Vec<Problem>) {
    let mut walker = Walker { source, problems: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        walker.problems.push(Problem::error("toml", error.message().to_lowercase()).at(source, span));
    }
    let mut file = File { source: Some(Arc::clone(source)), ..File::default() };
    // Half a file would give problems that are none.
    if walker.problems.is_empty() {
        walker.file(table.get_ref(), &mut file);
    }
    (file, walker.problems)
}

impl Walker<'_> {
    pub(super) fn file(&mut self, table: &DeTable<'_>, file: &mut File) {
        let mut kind_defaults = Kind::default();
        for entry in table {
            let (key, value) = entry;
            match (&**key.get_ref(), value.get_ref()) {
                ("kind", DeValue::Table(kinds)) => self.kinds(kinds, file, &mut kind_defaults),
                ("action", DeValue::Table(resources)) => {
                    for (resource, value) in resources {
                        self.resource((resource, value), file);
                    }
                }
                ("identity", DeValue::Table(table)) => file.identity = Some(self.identity(table)),
                ("category", DeValue::String(_)) => file.category = self.text(value),
                ("prefix", DeValue::String(_) | DeValue::Array(_)) => file.prefix = self.list(value),
                ("graphql", DeValue::String(_)) => file.graphql = self.text(value),
                ("in_workspace", DeValue::String(_) | DeValue::Array(_)) => file.in_workspace = self.list(value),
                ("method_override", DeValue::String(_) | DeValue::Array(_)) => file.method_override = self.list(value),
                ("failures", DeValue::Boolean(_)) => file.failures = self.boolean(value),
                ("guarantee", DeValue::String(_)) => self.guarantee(value),
                ("rpc", DeValue::String(_)) => file.rpc = self.text(value),
                ("ignore", DeValue::Array(_)) => file.ignore = self.ignores(value),
                ("failures", _) => self.wrong_type(value, "true or false"),
                ("ignore", _) => self.wrong_type(value, "a list of tables"),
                (
                    name,
                    DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)
                    | DeValue::Array(_),
                ) if keys::has(keys::FILE, name) => {
                    self.wrong_type(value, "a text");
                }
                (_, DeValue::Table(_)) => self.resource(entry, file),
                (name, _) => self.unknown_key(name, key.span(), keys::FILE, "a rule file"),
            }
        }
        log::complete(file);
    }

    pub(super) fn ignores(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Ignore> {
        let mut ignores = Vec::new();
        for (element, table) in self.tables(value) {
            let mut ignore = Ignore::default();
            for (key, value) in table {
                match &**key.get_ref() {
                    "when" => ignore.when = self.list(value),
                    "why" => ignore.why = self.text(value).map(|why| why.value.trim().to_owned()).unwrap_or_default(),
                    name => self.unknown_key(name, key.span(), keys::IGNORE, "`ignore`"),
                }
            }
            if ignore.when.is_empty() {
                self.missing("when", "an `ignore`", element.clone());
            }
            if ignore.why.is_empty() {
                self.missing("why", "an `ignore`", element);
            }
            ignores.push(ignore);
        }
        ignores
    }

    pub(super) fn identity(&mut self, table: &DeTable<'_>) -> Identity {
        let mut identity = Identity::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "credential" => identity.credential = self.list(value),
                "actor" => identity.actor = self.list(value),
                "kind" => identity.kind = self.text(value),
                "seen" => identity.seen = self.seen(value),
                name => self.unknown_key(name, key.span(), keys::IDENTITY, "`[identity]`"),
            }
        }
        identity
    }

    pub(super) fn seen(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Seen> {
        let mut all = Vec::new();
        for (element, table) in self.tables(value) {
            let mut seen = Seen::default();
            for (key, value) in table {
                match &**key.get_ref() {
                    "when" => seen.when = self.list(value),
                    "tokens" => seen.tokens = self.list(value),
                    "actor" => seen.actor = self.list(value),
                    name => self.unknown_key(name, key.span(), keys::SEEN, "`[[identity.seen]]`"),
                }
            }
            for (name, list) in [("when", &seen.when), ("actor", &seen.actor)] {
                if list.is_empty() {
                    self.missing(name, "an `[[identity.seen]]`", element.clone());
                }
            }
            all.push(seen);
        }
        all
    }
}
