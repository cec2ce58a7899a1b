//! `[RESOURCE.VERB]`: an action.

use toml::Spanned;
use toml::de::DeValue;

use super::keys;
use super::walker::{Entry, Walker, said};
use super::{Action, By, File, Job, List, Said, Sentence, Target, With, test};
use crate::problem::Problem;

/// What `max_events` may say: more than one exchange gives is no limit.
const MOST_EVENTS: usize = 4_000;

impl Walker<'_> {
    /// `[RESOURCE.VERB]`: a table of tables.
    pub(super) fn resource(&mut self, (resource, value): Entry<'_, '_>, file: &mut File) {
        let DeValue::Table(verbs) = value.get_ref() else {
            return self.wrong_type(value, "a table");
        };
        for (verb, value) in verbs {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let mut action = Action { resource: said(resource), verb: said(verb), ..Action::default() };
                    for entry in table {
                        self.action_key(entry, &mut action);
                    }
                    file.actions.push(action);
                }
                _ if keys::has(keys::FILE, verb.get_ref()) => self.late_scalar(verb.get_ref(), verb.span()),
                _ => {
                    let name = resource.get_ref();
                    self.problems.push(
                        Problem::error("unknown-key", format!("`{}` is not an action of `{name}`", verb.get_ref()))
                            .at(self.source, verb.span())
                            .help(format!("an action has a heading of its own: `[{name}.{}]`", verb.get_ref())),
                    );
                }
            }
        }
    }

    pub(super) fn action_key(&mut self, (key, value): Entry<'_, '_>, action: &mut Action) {
        match &**key.get_ref() {
            "when" => action.when = self.list(value),
            "message" => action.message = self.sentence(value),
            "message_failed" => action.message_failed = self.sentence(value),
            "title" => action.title = self.sentence(value),
            "category" => action.category = self.text(value),
            "in_workspace" => action.in_workspace = self.list(value),
            "if" => action.condition = self.text(value),
            "changed" => action.changed = self.list(value),
            "changes" => action.changes = self.list(value),
            "otherwise" => action.otherwise = self.boolean(value).unwrap_or(false),
            "each" => action.each = self.list(value),
            "join" => action.join = self.list(value),
            "by" => action.by = self.by(value),
            "target" => action.target = self.target(value),
            "with" => action.with = self.with(value),
            "let" => action.lets = self.lets(value),
            "success" => action.success = self.text(value),
            "failures" => action.failures = self.boolean(value),
            "guarantee" => self.guarantee(value),
            "test" => action.tests = test::tests(self, value),
            "max_events" => action.max_events = self.count(value, 1..=MOST_EVENTS),
            "job" => action.job = self.job(value),
            "coalesce" => action.coalesce = self.duration(value),
            name if keys::has(keys::FILE, name) => self.late_scalar(name, key.span()),
            name => self.unknown_key(name, key.span(), keys::ACTION, "an action"),
        }
    }

    fn job(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Job> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, "a table: `{ id, watch, done, success, give_up }`");
            return None;
        };
        let mut job = Job::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "id" => job.id = self.list(value),
                "watch" => job.watch = self.list(value),
                "done" => job.done = self.text(value),
                "success" => job.success = self.text(value),
                "give_up" => job.give_up = self.duration(value),
                other => self.unknown_key(other, key.span(), keys::JOB, "`job`"),
            }
        }
        for (name, list) in [("id", &job.id), ("watch", &job.watch)] {
            if list.is_empty() {
                self.missing(name, "a `job`", value.span());
            }
        }
        Some(job)
    }

    pub(super) fn by(&mut self, value: &Spanned<DeValue<'_>>) -> Option<By> {
        if let DeValue::Table(table) = value.get_ref() {
            let fields = table.iter().filter_map(|(ours, theirs)| Some((said(ours), self.text(theirs)?))).collect();
            return Some(By::Fields(fields));
        }
        let field = self.text(value)?;
        Some(if field.value == "index" { By::Index } else { By::Fields(vec![(field.clone(), field)]) })
    }

    pub(super) fn target(&mut self, value: &Spanned<DeValue<'_>>) -> Target {
        let (mut kind, mut type_, mut id, mut name) = (None, List::new(), List::new(), List::new());
        match value.get_ref() {
            DeValue::Boolean(false) => Target::Nothing,
            DeValue::String(_) => self.text(value).map_or(Target::OnRoute, Target::Kind),
            DeValue::Table(table) => {
                for (key, value) in table {
                    match &**key.get_ref() {
                        "kind" => kind = self.text(value),
                        "type" => type_ = self.list(value),
                        "id" => id = self.list(value),
                        "name" => name = self.list(value),
                        other => self.unknown_key(other, key.span(), keys::TARGET, "`target`"),
                    }
                }
                Target::Table { kind, type_, id, name }
            }
            _ => {
                self.wrong_type(value, "a kind's name, a table or false");
                Target::OnRoute
            }
        }
    }

    pub(super) fn with(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(Said, With)> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, "a table: `with.NAME = …`");
            return Vec::new();
        };
        let mut with = Vec::new();
        for (name, value) in table {
            let DeValue::Table(table) = value.get_ref() else {
                with.push((said(name), With::Id(self.list(value))));
                continue;
            };
            let (mut kind, mut type_, mut id) = (None, List::new(), List::new());
            for (key, value) in table {
                match &**key.get_ref() {
                    "kind" => kind = self.text(value),
                    "type" => type_ = self.list(value),
                    "id" => id = self.list(value),
                    other => self.unknown_key(other, key.span(), keys::WITH, "`with`"),
                }
            }
            with.push((said(name), With::Table { kind, type_, id }));
        }
        with
    }

    pub(super) fn lets(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(Said, List)> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, "a table: `let.NAME = …`");
            return Vec::new();
        };
        table.iter().map(|(name, value)| (said(name), self.list(value))).collect()
    }

    pub(super) fn guarantee(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(word) = self.text(value) else { return };
        match word.value.as_str() {
            "outcome" => {}
            "intent" | "async" => self.not_yet(&format!("guarantee = \"{}\"", word.value), word.at),
            other => self.problems.push(
                Problem::error("wrong-value", format!("`{other}` is not a guarantee"))
                    .at(self.source, word.at)
                    .help("`outcome`"),
            ),
        }
    }

    /// A text, or a table of languages (BCP 47: `en`, `pt-BR`).
    fn sentence(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Sentence> {
        let DeValue::Table(table) = value.get_ref() else { return self.text(value).map(Sentence::plain) };
        let mut texts = Vec::new();
        for (language, value) in table {
            let word = language.get_ref();
            let primary = word.split('-').next().unwrap_or("");
            let is_primary = (2..=3).contains(&primary.len()) && primary.bytes().all(|byte| byte.is_ascii_lowercase());
            if !is_primary || !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                self.problems.push(
                    Problem::error("wrong-value", format!("`{word}` is not a language"))
                        .at(self.source, language.span())
                        .help("a table of languages: `{ en = \"…\", it = \"…\" }`"),
                );
            }
            texts.extend(self.text(value).map(|text| (Some(said(language)), text)));
        }
        if texts.is_empty() {
            self.wrong_type(value, "a text or a table of languages");
        }
        Some(Sentence(texts)).filter(|sentence| !sentence.0.is_empty())
    }
}
