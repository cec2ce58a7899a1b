//! `[kind.NAME]`: a thing with an address and a name. Scalars directly under `[kind]` are defaults.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys;
use super::walker::{Entry, Walker, said};
use super::{Fetch, File, Kind, Learn, List, Said, log};
use crate::problem::Problem;

impl Walker<'_> {
    pub(super) fn kinds(&mut self, kinds: &DeTable<'_>, file: &mut File, defaults: &mut Kind) {
        for (key, value) in kinds {
            if !matches!(value.get_ref(), DeValue::Table(_)) {
                self.kind_key((key, value), defaults);
            }
        }
        for (key, value) in kinds {
            if let DeValue::Table(table) = value.get_ref() {
                let mut kind = Kind { name: said(key), ..defaults.clone() };
                for entry in table {
                    self.kind_key(entry, &mut kind);
                }
                file.kinds.push(kind);
            }
        }
    }

    pub(super) fn kind_key(&mut self, (key, value): Entry<'_, '_>, kind: &mut Kind) {
        match &**key.get_ref() {
            "at" => kind.at = self.list(value),
            "id" => kind.id = self.text(value),
            "name" => kind.names = self.list(value),
            "type" => kind.type_ = self.list(value),
            "one" => kind.one = self.list(value),
            "many" => kind.many = self.list(value),
            "sent" => kind.sent = self.list(value),
            "link" => kind.link = self.text(value),
            "fetch" => kind.fetch = self.fetch(value),
            "learn" => kind.learn = self.learns(value),
            "log" => kind.log = self.log(value),
            "bulk" => kind.bulk = self.list(value),
            name if keys::has(keys::FILE, name) => self.late_scalar(name, key.span()),
            name => self.unknown_key(name, key.span(), keys::KIND, "a kind"),
        }
    }

    pub(super) fn fetch(&mut self, value: &Spanned<DeValue<'_>>) -> Fetch {
        match value.get_ref() {
            DeValue::Boolean(true) => Fetch::Address,
            DeValue::Boolean(false) => Fetch::Never,
            _ => Fetch::Routes(self.list(value)),
        }
    }

    /// `true` is all of them.
    fn log(&mut self, value: &Spanned<DeValue<'_>>) -> List {
        let all = |wanted: &[&str]| {
            let said = |verb: &&str| Said { value: (*verb).to_owned(), at: value.span() };
            wanted.iter().map(said).collect::<List>()
        };
        match value.get_ref() {
            DeValue::Boolean(true) => all(&log::VERBS),
            DeValue::Boolean(false) => List::new(),
            _ => {
                let verbs = self.list(value);
                for verb in verbs.iter().filter(|verb| !log::VERBS.contains(&verb.value.as_str())) {
                    self.problems.push(
                        Problem::error("wrong-value", format!("`log` does not know `{}`", verb.value))
                            .at(self.source, verb.at.clone())
                            .help("`created`, `edited`, `deleted`, or `true` for all three"),
                    );
                }
                verbs.into_iter().filter(|verb| log::VERBS.contains(&verb.value.as_str())).collect()
            }
        }
    }

    pub(super) fn learns(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Learn> {
        let mut learns = Vec::new();
        for (element, table) in self.tables(value) {
            let mut learn = Learn::default();
            for (key, value) in table {
                match &**key.get_ref() {
                    "when" => learn.when = self.list(value),
                    "each" => learn.each = self.list(value),
                    "id" => learn.id = self.text(value),
                    "name" => learn.names = self.list(value),
                    "in_workspace" => learn.in_workspace = self.list(value),
                    name => self.unknown_key(name, key.span(), keys::LEARN, "`learn`"),
                }
            }
            if learn.when.is_empty() {
                self.missing("when", "a `learn`", element);
            }
            learns.push(learn);
        }
        learns
    }
}
