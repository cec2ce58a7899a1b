//! The keys of a rule file: what each is called, what it takes, what it means.
//!
//! One table for whoever walks a file, for "did you mean", for the manual and
//! for the schema that editors read.

use Takes::{Any, Case, Duration, Keys, List, Number, Sentence, Table, Text, Texts, Truth, Value, Word};

/// A key, what it takes, and what it means in one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) means: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// A text.
    Text,
    /// A text, or a list of texts.
    Texts,
    /// A text, or a table of languages.
    Sentence,
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Number,
    /// `"30s"`, `"5m"`, `"2h"`, `"1d"`.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A table with any keys, whose values are of this sort.
    Table(&'static Takes),
    /// A table with these keys.
    Keys(&'static [Key]),
    /// A list of what this is.
    List(&'static Takes),
    /// A test: a step, and what only a test has.
    Case,
    /// One of these.
    Any(&'static [Takes]),
    /// Any value.
    Value,
}

/// The names of keys.
pub(crate) fn names(keys: &[Key]) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|key| key.name)
}

/// Whether a name is one of these keys.
pub(crate) fn has(keys: &[Key], name: &str) -> bool {
    names(keys).any(|known| known == name)
}

const fn key(name: &'static str, takes: Takes, means: &'static str) -> Key {
    Key { name, takes, means }
}

const TRUE_OR_TEXTS: Takes = Any(&[Truth, Texts]);

pub(crate) const FILE: &[Key] = &[
    key("category", Text, "what the page shows"),
    key("prefix", Texts, "a path that stands before every route of the file; with a list each route exists under each"),
    key("graphql", Text, "the path, from the root, at which `mutation` and `query` routes are read"),
    key("rpc", Text, "the path, from the root, at which `rpc` routes are read (JSON-RPC 2.0)"),
    key("in_workspace", Texts, "whose log it is: an expression; `path.workspace` unless said"),
    key("method_override", Texts, "where a POST says for which method it stands, where the platform honours it"),
    key("guarantee", GUARANTEE, "when an event is on disk"),
    key("failures", Truth, "whether what failed is recorded; true unless said"),
    key("ignore", List(&Keys(IGNORE)), "what is read and left out, and why"),
];

const GUARANTEE: Takes = Word(&["outcome"]);

pub(crate) const IGNORE: &[Key] =
    &[key("when", Texts, "which requests"), key("why", Text, "the reason: `coverage` shows it")];

pub(crate) const KIND: &[Key] = &[
    key("at", Texts, "its address; the last `{name}` is its id, what stands before is its collection"),
    key("id", Text, "where its id is, inside the thing; `id` unless said"),
    key(
        "name",
        Texts,
        "how people call it: a field, a text with `{{ }}`, or a list of which the first that is there counts; `name` unless said",
    ),
    key("type", Texts, "only where one kind stands for many: which of them this is"),
    key("one", Texts, "where a response holds one thing; the kind's name unless said, `.` is the whole body"),
    key(
        "many",
        Texts,
        "where a response holds several; the kind's name and an `s` unless said, or the body where it is a list",
    ),
    key("sent", Texts, "where a request holds it; `.` unless said"),
    key("link", Text, "its page: a text that knows `id`, `name`, `path`, `workspace.id`"),
    key("learn", List(&Keys(LEARN)), "other places that show it: a search, `GET /me`, `query documents`"),
    key(
        "fetch",
        TRUE_OR_TEXTS,
        "may be asked for before it is changed, when its name or former state is not known; never where the answer holds a secret",
    ),
    key("log", TRUE_OR_TEXTS, "writes the usual actions itself: `created`, `edited`, `deleted`"),
    key("bulk", Texts, "with `log`: collection-level PATCH and DELETE also exist, and this is where their ids are"),
];

pub(crate) const LEARN: &[Key] = &[
    key("when", Texts, "which requests"),
    key("each", Texts, "where in the answer the things are"),
    key("id", Text, "where the id is; the kind's unless said"),
    key("name", Texts, "where the name is; the kind's unless said"),
    key("in_workspace", Texts, "whose things they are; the kind's unless said"),
];

pub(crate) const ACTION: &[Key] = &[
    key("when", Texts, "which requests: `METHOD /path`, `ANY /path`, `mutation NAME`, `query NAME`, `rpc NAME`"),
    key("message", Sentence, "the sentence; `{{ }}` holds expressions"),
    key("message_failed", Sentence, "the sentence when it did not succeed; \"Failed: \" and the message unless said"),
    key("title", Sentence, "the action's label; the verb and the resource unless said"),
    key("if", Text, "a condition"),
    key("changed", Texts, "one of these fields of the target was sent and is not as it was"),
    key("changes", Texts, "fields whose former and new value the event keeps; those of `changed` unless said"),
    key("otherwise", Truth, "only when no other action of this route fired"),
    key("each", Texts, "one event for each element"),
    key("join", Texts, "another list, whose element that belongs to `each` is `joined`"),
    key(
        "by",
        Any(&[Text, Table(&Text)]),
        "the field by which they belong together, `{ ours = \"theirs\" }`, or `index`; the kind's id unless said",
    ),
    key(
        "target",
        Any(&[Text, Truth, Keys(TARGET)]),
        "what it was done to: a kind's name, a table, or false; the deepest kind on the route unless said",
    ),
    key("with", Table(&Any(&[Texts, Keys(WITH)])), "another thing by its id, also a target of the event"),
    key("let", Table(&Texts), "a value for the sentence, kept under `details`; nothing else of a body is kept"),
    key("success", Text, "inside a 2xx: whether this element succeeded"),
    key("in_workspace", Texts, "whose log it is; the file's unless said"),
    key("category", Text, "what the page shows; the file's unless said"),
    key("guarantee", GUARANTEE, "when the event is on disk"),
    key("failures", Truth, "whether what failed is recorded; the file's unless said"),
    key("job", Keys(JOB), "what was accepted and is not done: its outcome comes when anybody's poll passes by"),
    key("coalesce", Duration, "the same sentence again within this time is counted, not written again"),
    key("max_events", Number, "how many events one request may give, at most 4000; 500 unless said"),
    key("test", List(&Case), "tests of the action: `[[RESOURCE.VERB.test]]`"),
];

pub(crate) const TARGET: &[Key] = &[
    key("kind", Text, "its kind"),
    key("type", Texts, "which of the many that the kind stands for"),
    key("id", Texts, "its id; unknown unless said"),
    key("name", Texts, "its name; what memory knows unless said"),
];

pub(crate) const WITH: &[Key] = &[
    key("kind", Text, "its kind; the name after `with.` unless said"),
    key("type", Texts, "which of the many that the kind stands for"),
    key("id", Texts, "its id"),
];

pub(crate) const JOB: &[Key] = &[
    key("id", Texts, "the job's id in the answer that accepted it"),
    key("watch", Texts, "the route of the poll, whose last `{name}` is that id"),
    key("done", Text, "whether a poll's answer says that it ended"),
    key("success", Text, "whether it ended well"),
    key("give_up", Duration, "after so long the outcome is unknown"),
];

pub(crate) const IDENTITY: &[Key] = &[
    key("credential", Texts, "where a credential is: `bearer`, `cookie.sid`, `header['x-api-key']`"),
    key("actor", Texts, "where verified claims say who it is"),
    key("kind", Text, "the kind whose memory turns that id into a name"),
    key("seen", List(&Keys(SEEN)), "exchanges that tie credentials to a person"),
];

pub(crate) const SEEN: &[Key] = &[
    key("when", Texts, "which requests"),
    key("tokens", Texts, "the credentials; the caller's own unless said"),
    key("actor", Texts, "who: an id, an e-mail address, or an object with `id`, `name`, `email`"),
];

/// A request of a test, and its answer.
pub(crate) const STEP: &[Key] = &[
    key("send", Text, "the method, a space and the full path"),
    key("as", Text, "the actor; nobody unless said"),
    key("after", Duration, "how long after the step before"),
    key("body", Value, "what is sent, as JSON"),
    key("form", Table(&Text), "what is sent, as a form"),
    key("fields", Table(&Text), "the fields of a multipart body"),
    key("files", List(&Any(&[Text, Table(&Value)])), "the files of a multipart body"),
    key("raw", Text, "what is sent, as it is"),
    key("header", Table(&Text), "fields of the request's head"),
    key("status", Number, "what is answered; 200 unless said"),
    key("response", Value, "the answer's body, as JSON"),
    key("reply", Table(&Text), "fields of the answer's head"),
];

/// What a test has beside a step's keys.
pub(crate) const CASE: &[Key] = &[
    key("given", Table(&Value), "what memory knows: `{ kind.ID = \"name\" }` or `{ kind.ID = { field = … } }`"),
    key("workspace", Text, "whose memory that is, where `send` does not say it"),
    key("first", List(&Keys(STEP)), "what happened before"),
    key("fetched", Keys(FETCHED), "what a look-up answers"),
    key(
        "expect",
        Any(&[Text, List(&Any(&[Text, Keys(EXPECT)])), Keys(EXPECT)]),
        "all events of the exchange in any order; a text is a successful event's sentence; `nothing`",
    ),
];

pub(crate) const FETCHED: &[Key] = &[
    key("status", Number, "the status; 200 unless said"),
    key("response", Value, "the body, as JSON"),
    key("after_ms", Number, "how late it comes, in ms"),
];

pub(crate) const EXPECT: &[Key] = &[
    key("message", Text, "the sentence"),
    key("method", Text, "the method that counted"),
    key("messages", Table(&Text), "the sentence in several languages"),
    key("outcome", Word(&["success", "failure", "denied", "pending", "unknown"]), "how it ended"),
    key("actor", Text, "who"),
    key("workspace", Text, "whose log"),
    key("target_id", Text, "the first target's id"),
    key("target_name", Text, "the first target's name"),
    key("target_link", Text, "the first target's link"),
    key("target_kind", Text, "the first target's kind"),
    key("details", Table(&Value), "the values that the rule named"),
    key("missing", Texts, "what the sentence asked for and nobody sent"),
    key("changes", Value, "fields with their former and new value"),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::problem::SourceFile;

    /// A value of that sort, as TOML.
    fn sample(takes: &Takes) -> String {
        match takes {
            Text | Texts | Sentence => "\"POST /x\"".to_owned(),
            Truth => "true".to_owned(),
            Number => "200".to_owned(),
            Duration => "\"5m\"".to_owned(),
            Word(words) => format!("\"{}\"", words[0]),
            Table(values) => format!("{{ name = {} }}", sample(values)),
            Keys(keys) => table(keys),
            Case => table(&[STEP, CASE].concat()),
            List(elements) => format!("[{}]", sample(elements)),
            Any(all) => sample(all.last().unwrap()),
            Value => "7".to_owned(),
        }
    }

    fn table(keys: &[Key]) -> String {
        let pairs: Vec<String> = keys.iter().map(|key| format!("{} = {}", key.name, sample(&key.takes))).collect();
        format!("{{ {} }}", pairs.join(", "))
    }

    #[test]
    fn whoever_walks_a_file_knows_every_key_of_the_tables() {
        let lines = |keys: &[Key]| -> String {
            keys.iter().map(|key| format!("{} = {}\n", key.name, sample(&key.takes))).collect()
        };
        let identity = table(IDENTITY);
        let (file, kind, action) = (lines(FILE), lines(KIND), lines(ACTION));
        let text = format!("identity = {identity}\n{file}\n[kind.thing]\n{kind}\n[thing.made]\n{action}");
        let source = SourceFile { name: "rules/all.toml".to_owned(), text };
        let (_, problems) = super::super::read(&Arc::new(source));
        let unknown: Vec<String> = problems
            .iter()
            .filter(|problem| ["unknown-key", "toml", "after-test", "late-scalar"].contains(&problem.code))
            .map(|problem| problem.in_one_line())
            .collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
    }
}
