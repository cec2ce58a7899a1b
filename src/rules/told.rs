//! What is told of one element: its sentence in every language, what that lacks and why, things and values.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::body::is_unsaid;
use super::element::Element;
use super::expression::{dig, is_there};
use super::load::is_secret;
use super::ready::Translation;
use super::scope::{Facts, thing_of};
use super::template::{Absent, Text};
use super::things::to_json;
use crate::event::{self, Change, Message, Missing, Outcome};
use crate::memory;

/// A value longer than this, in bytes of JSON, is stored as its size and digest: an event is no copy of a body.
const LONGEST_VALUE: usize = 16_384;

impl Element<'_> {
    /// The sentence, and what it lacks.
    pub(crate) fn sentence(&self) -> (Message, Vec<Missing>) {
        self.sentence_of(self.outcome)
    }

    /// The sentence for an outcome that is not known yet.
    pub(crate) fn sentence_of(&self, outcome: Outcome) -> (Message, Vec<Missing>) {
        let action = self.setting.action;
        let (message, absent) = self.write(&action.message, action.message_failed.as_ref(), outcome);
        let mut missing: Vec<Missing> = Vec::new();
        for absent in absent {
            if !missing.iter().any(|known| known.name == absent.name) {
                missing.push(Missing { reason: self.reason(&absent), name: absent.name });
            }
        }
        (message, missing)
    }

    /// What it says in the other languages.
    pub(crate) fn translations(&self, outcome: Outcome) -> Vec<event::Translation> {
        let write = |it: &Translation| event::Translation {
            language: Arc::clone(&it.language),
            title: Arc::clone(&it.title),
            message: self.write(&it.message, it.message_failed.as_ref(), outcome).0,
        };
        self.setting.action.translations.iter().map(write).collect()
    }

    fn write<'t>(&self, text: &'t Text, failed: Option<&'t Text>, outcome: Outcome) -> (Message, Vec<Absent<'t>>) {
        let has_failed = matches!(outcome, Outcome::Failure | Outcome::Denied);
        match failed {
            Some(failed) if has_failed => failed.write(&self.frame, ""),
            _ => text.write(&self.frame, if has_failed { "Failed: " } else { "" }),
        }
    }

    /// Why a value is missing: from where its expression would have had it.
    fn reason(&self, absent: &Absent<'_>) -> String {
        let (action, operation) = (self.setting.action, self.setting.operation);
        let mut asked: Vec<&str> = absent.asked.iter().map(|name| &**name).collect();
        let mut at = 0;
        // Through `let`, `each` and `join` to what was asked in the end.
        while let Some(name) = asked.get(at).copied().filter(|_| at < 64) {
            at += 1;
            let root = name.split('.').next().unwrap_or(name);
            let chain = match root {
                "each" | "index" => action.each.as_ref(),
                "joined" => action.join.as_ref(),
                _ => action.lets.iter().find(|(known, _)| **known == *root).map(|(_, chain)| chain),
            };
            asked.extend(chain.into_iter().flat_map(|chain| chain.names()));
        }
        if let Some(why) = asked.iter().find_map(|name| unsaid(&operation.facts, name)) {
            return why;
        }
        let roots: Vec<&str> = asked.iter().map(|name| name.split('.').next().unwrap_or(name)).collect();
        let any = |names: &[&str]| roots.iter().any(|root| names.contains(root));
        let of_request = any(&["input", "uploads", "upload"]);
        let of_response = any(&["output", "reply"]);
        match (&operation.input_unreadable, &operation.output_unreadable) {
            (Some(why), _) if of_request => why.clone(),
            (_, Some(why)) if of_response || !of_request && !any(&["path", "query", "header"]) => why.clone(),
            _ if of_response && operation.outcome != Outcome::Success => "the request did not succeed".to_owned(),
            _ if of_response => "not in the response".to_owned(),
            _ if of_request || any(&["path", "query", "header", "claim"]) => "not in the request".to_owned(),
            _ => "nothing seen so far told it".to_owned(),
        }
    }

    /// The target, then the things of `with`.
    pub(crate) fn targets(&self) -> Vec<event::Target> {
        let with = self.setting.action.with.iter().filter_map(|with| {
            let (_, value) = self.frame.things.iter().rev().find(|(name, _)| *name == with.name)?;
            thing_of(value).filter(|thing| thing.label().is_some())
        });
        let all = self.target.as_deref().into_iter().chain(with);
        all.map(|thing| event::Target {
            kind: thing.type_.clone().unwrap_or_else(|| str::to_owned(&thing.kind)),
            id: thing.id.clone(),
            name: thing.name.clone(),
            link: thing.link.clone(),
        })
        .collect()
    }

    /// The fields that changed, if it happened.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let Some(sent) = self.frame.sent.as_ref().filter(|_| self.outcome == Outcome::Success) else {
            return Vec::new();
        };
        let fields = self.setting.action.changes.iter().filter(|field| sent.changed(field));
        fields
            .map(|field| Change {
                field: str::to_owned(field),
                from: sent.before(field).map(|value| shown(field, to_json(&value))),
                to: Some(shown(field, to_json(&sent.now(field)))),
            })
            .collect()
    }

    /// The values of `let` that are there.
    pub(crate) fn details(&self) -> Map<String, Json> {
        let there = self.frame.lets.iter().filter(|(_, value)| is_there(value));
        there.map(|(name, value)| (str::to_owned(name), stored(to_json(value)))).collect()
    }
}

/// Why a name of a body has no single value, where it has none.
fn unsaid(facts: &Facts, name: &str) -> Option<String> {
    let (root, path) = name.split_once('.')?;
    let (value, which) = match root {
        "input" => (&facts.input, "request"),
        "output" => (&facts.output, "response"),
        _ => return None,
    };
    let (before, last) = path.rsplit_once('.').unwrap_or((".", path));
    let why = "it stands twice, or is a number too large to be exact";
    is_unsaid(&dig(value, before), last).then(|| format!("`{last}` has no single value in the {which}: {why}"))
}

/// A field's value in the list of changes; of a secret only that it changed.
fn shown(field: &str, value: Json) -> Json {
    let secret = field.rsplit('.').next().is_some_and(is_secret);
    if secret { "[redacted]".into() } else { stored(value) }
}

/// A value as it is stored.
fn stored(value: Json) -> Json {
    let size = value.to_string().len();
    if size <= LONGEST_VALUE {
        return value;
    }
    json!({ "bytes": size, "sha256": memory::digest(&value) })
}
