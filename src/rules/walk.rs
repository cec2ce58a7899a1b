//! Walks a rule file's TOML table key by key into [`file`](super::file)'s shapes.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Action, By, Fetch, File, Identity, Ignore, Kind, Learn, List, Said, Seen, Target, With};
use super::walk_test;
use crate::problem::{Problem, SourceFile, nearest};

/// What `max_events` may say: more than one exchange gives is no limit.
const MOST_EVENTS: usize = 4_000;

pub(crate) type Entry<'a, 'i> = (&'a Spanned<toml::de::DeString<'i>>, &'a Spanned<DeValue<'i>>);

const FILE_KEYS: [&str; 8] =
    ["category", "prefix", "graphql", "rpc", "in_workspace", "guarantee", "failures", "ignore"];
const KIND_KEYS: [&str; 12] =
    ["at", "id", "name", "type", "one", "many", "sent", "link", "learn", "fetch", "log", "bulk"];
pub(crate) const ACTION_KEYS: [&str; 25] = [
    "when",
    "message",
    "message_failed",
    "title",
    "if",
    "changed",
    "changes",
    "otherwise",
    "each",
    "join",
    "by",
    "target",
    "with",
    "let",
    "success",
    "in_workspace",
    "category",
    "guarantee",
    "failures",
    "job",
    "coalesce",
    "max_events",
    "test",
    "watch",
    "id",
];

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

/// Reads values of a file and gathers what is wrong with them.
pub(crate) struct Walker<'a> {
    pub(crate) source: &'a Arc<SourceFile>,
    pub(crate) problems: Vec<Problem>,
}

impl Walker<'_> {
    fn file(&mut self, table: &DeTable<'_>, file: &mut File) {
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
                ("failures", DeValue::Boolean(_)) => file.failures = self.boolean(value),
                ("guarantee", DeValue::String(_)) => self.guarantee(value),
                ("rpc", DeValue::String(_)) => self.not_yet("rpc", key.span()),
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
                ) if FILE_KEYS.contains(&name) => {
                    self.wrong_type(value, "a text");
                }
                (_, DeValue::Table(_)) => self.resource(entry, file),
                (name, _) => self.unknown_key(name, key.span(), &FILE_KEYS, "a rule file"),
            }
        }
    }

    fn ignores(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Ignore> {
        let mut ignores = Vec::new();
        for (element, table) in self.tables(value) {
            let mut ignore = Ignore::default();
            let mut why = false;
            for (key, value) in table {
                match &**key.get_ref() {
                    "when" => ignore.when = self.list(value),
                    "why" => why = self.text(value).is_some_and(|why| !why.value.trim().is_empty()),
                    name => self.unknown_key(name, key.span(), &["when", "why"], "`ignore`"),
                }
            }
            if ignore.when.is_empty() {
                self.missing("when", "an `ignore`", element.clone());
            }
            if !why {
                self.missing("why", "an `ignore`", element);
            }
            ignores.push(ignore);
        }
        ignores
    }

    fn kinds(&mut self, kinds: &DeTable<'_>, file: &mut File, defaults: &mut Kind) {
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

    fn kind_key(&mut self, (key, value): Entry<'_, '_>, kind: &mut Kind) {
        match &**key.get_ref() {
            "at" => kind.at = self.list(value),
            "id" => kind.id = self.text(value),
            "name" => kind.names = self.list(value),
            "type" => kind.type_ = self.list(value),
            "one" => kind.one = self.list(value),
            "many" => kind.many = self.list(value),
            "sent" => kind.sent = self.text(value),
            "link" => kind.link = self.text(value),
            "fetch" => kind.fetch = self.fetch(value),
            "learn" => kind.learn = self.learns(value),
            name @ ("log" | "bulk") => self.not_yet(name, key.span()),
            name if FILE_KEYS.contains(&name) => self.late_scalar(name, key.span()),
            name => self.unknown_key(name, key.span(), &KIND_KEYS, "a kind"),
        }
    }

    fn fetch(&mut self, value: &Spanned<DeValue<'_>>) -> Fetch {
        match value.get_ref() {
            DeValue::Boolean(true) => Fetch::Address,
            DeValue::Boolean(false) => Fetch::Never,
            _ => Fetch::Routes(self.list(value)),
        }
    }

    fn learns(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Learn> {
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
                    name => {
                        self.unknown_key(name, key.span(), &["when", "each", "id", "name", "in_workspace"], "`learn`")
                    }
                }
            }
            if learn.when.is_empty() {
                self.missing("when", "a `learn`", element);
            }
            learns.push(learn);
        }
        learns
    }

    fn identity(&mut self, table: &DeTable<'_>) -> Identity {
        let mut identity = Identity::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "credential" => identity.credential = self.list(value),
                "actor" => identity.actor = self.list(value),
                "kind" => identity.kind = self.text(value),
                "seen" => identity.seen = self.seen(value),
                name => self.unknown_key(name, key.span(), &["credential", "actor", "kind", "seen"], "`[identity]`"),
            }
        }
        identity
    }

    fn seen(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Seen> {
        let mut all = Vec::new();
        for (element, table) in self.tables(value) {
            let mut seen = Seen::default();
            for (key, value) in table {
                match &**key.get_ref() {
                    "when" => seen.when = self.list(value),
                    "tokens" => seen.tokens = self.list(value),
                    "actor" => seen.actor = self.list(value),
                    name => self.unknown_key(name, key.span(), &["when", "tokens", "actor"], "`[[identity.seen]]`"),
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

    /// `[RESOURCE.VERB]`: a table of tables.
    fn resource(&mut self, (resource, value): Entry<'_, '_>, file: &mut File) {
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
                _ if FILE_KEYS.contains(&&**verb.get_ref()) => self.late_scalar(verb.get_ref(), verb.span()),
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

    fn action_key(&mut self, (key, value): Entry<'_, '_>, action: &mut Action) {
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
            "test" => action.tests = walk_test::tests(self, value),
            "max_events" => action.max_events = self.count(value, 1..=MOST_EVENTS),
            name @ ("job" | "coalesce") => self.not_yet(name, key.span()),
            name if FILE_KEYS.contains(&name) => self.late_scalar(name, key.span()),
            name => self.unknown_key(name, key.span(), &ACTION_KEYS, "an action"),
        }
    }

    fn by(&mut self, value: &Spanned<DeValue<'_>>) -> Option<By> {
        if let DeValue::Table(table) = value.get_ref() {
            let fields = table.iter().filter_map(|(ours, theirs)| Some((said(ours), self.text(theirs)?))).collect();
            return Some(By::Fields(fields));
        }
        let field = self.text(value)?;
        Some(if field.value == "index" { By::Index } else { By::Fields(vec![(field.clone(), field)]) })
    }

    fn target(&mut self, value: &Spanned<DeValue<'_>>) -> Target {
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
                        other => self.unknown_key(other, key.span(), &["kind", "type", "id", "name"], "`target`"),
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

    fn with(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(Said, With)> {
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
                    other => self.unknown_key(other, key.span(), &["kind", "type", "id"], "`with`"),
                }
            }
            with.push((said(name), With::Table { kind, type_, id }));
        }
        with
    }

    fn lets(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(Said, List)> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, "a table: `let.NAME = …`");
            return Vec::new();
        };
        table.iter().map(|(name, value)| (said(name), self.list(value))).collect()
    }

    fn guarantee(&mut self, value: &Spanned<DeValue<'_>>) {
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

    /// A sentence in one language; a table of languages is refused by name.
    fn sentence(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Said> {
        if matches!(value.get_ref(), DeValue::Table(_)) {
            self.not_yet("a table of languages", value.span());
            // Something was said: that it is missing would be a second problem that is none.
            return Some(Said { value: String::new(), at: value.span() });
        }
        self.text(value)
    }

    /// One text or a list of texts.
    pub(crate) fn list(&mut self, value: &Spanned<DeValue<'_>>) -> List {
        match value.get_ref() {
            DeValue::Array(elements) => elements.iter().filter_map(|element| self.text(element)).collect(),
            _ => self.text(value).into_iter().collect(),
        }
    }

    pub(crate) fn text(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Said> {
        match value.get_ref() {
            DeValue::String(text) => Some(Said { value: text.to_string(), at: value.span() }),
            _ => {
                self.wrong_type(value, "a text");
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.wrong_type(value, "true or false");
                None
            }
        }
    }

    /// A whole number within limits.
    fn count(&mut self, value: &Spanned<DeValue<'_>>, limits: RangeInclusive<usize>) -> Option<usize> {
        let number = to_json(value.get_ref()).as_u64().and_then(|number| usize::try_from(number).ok());
        let found = number.filter(|number| limits.contains(number));
        if found.is_none() {
            self.wrong_type(value, &format!("a whole number from {} to {}", limits.start(), limits.end()));
        }
        found
    }

    /// The tables of a list of tables, with their places.
    pub(crate) fn tables<'v, 'i>(&mut self, value: &'v Spanned<DeValue<'i>>) -> Vec<(Range<usize>, &'v DeTable<'i>)> {
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

    pub(crate) fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let got = value.get_ref().type_str();
        self.problems.push(
            Problem::error("wrong-type", format!("this is a TOML {got}, not {wanted}"))
                .at(self.source, value.span())
                .label(format!("expected {wanted}")),
        );
    }

    pub(crate) fn missing(&mut self, key: &str, of: &str, at: Range<usize>) {
        self.problems.push(Problem::error("missing-key", format!("{of} needs `{key}`")).at(self.source, at));
    }

    pub(crate) fn unknown_key(&mut self, name: &str, at: Range<usize>, known: &[&str], of: &str) {
        let mut problem = Problem::error("unknown-key", format!("{of} has no key `{name}`")).at(self.source, at);
        problem = match nearest(name, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the keys are {}", quoted(known))),
        };
        self.problems.push(problem);
    }

    pub(crate) fn not_yet(&mut self, name: &str, at: Range<usize>) {
        self.problems.push(
            Problem::error("not-in-this-version", format!("`{name}` is part of the language, but not of this version"))
                .at(self.source, at)
                .help("say it with a heading of its own for now, or leave it out"),
        );
    }

    fn late_scalar(&mut self, name: &str, at: Range<usize>) {
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

pub(crate) fn said(key: &Spanned<toml::de::DeString<'_>>) -> Said {
    Said { value: key.get_ref().to_string(), at: key.span() }
}

/// A TOML value as JSON; dates become their text.
pub(crate) fn to_json(value: &DeValue<'_>) -> Json {
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
