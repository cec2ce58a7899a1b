//! Calls: what one request to a GraphQL or JSON-RPC endpoint asks to be done.
//! Each is an operation of its own.

use std::sync::Arc;

use minijinja::Value;

use super::Called;
use super::derive::Run;
use super::entry::{Asks, Endpoint, Place};
use super::graphql::{self, persisted::Passed};
use super::operation::{Operation, Whole};
use super::scope::Frame;
use super::{job, learn, rpc};
use crate::event::Outcome;

/// Calls that are read of one request. That there were more is said, never silently less.
pub(crate) const MOST_CALLS: usize = 1_000;

/// What a call is, by the word of its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Mutation,
    Query,
    Rpc,
}

impl Sort {
    /// The word of a route.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Sort::Mutation => "mutation",
            Sort::Query => "query",
            Sort::Rpc => "rpc",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Sort> {
        [Sort::Mutation, Sort::Query, Sort::Rpc].into_iter().find(|sort| sort.word() == word)
    }
}

/// One call of a request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) sort: Sort,
    pub(crate) name: String,
    /// The field's arguments, the method's params.
    pub(crate) input: Value,
    pub(crate) uploads: Value,
    pub(crate) reply: Reply,
}

/// Where its result stands in the answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Under a key of `data`, of that operation of a batch.
    Field { operation: usize, key: String },
    /// In the answer of that id, in a batch. None: nobody asked for an answer.
    Id { id: Option<Value>, batch: bool },
}

/// The calls of a request, and why some of it cannot be told.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) calls: Vec<Call>,
    pub(crate) unread: Vec<String>,
    /// Query texts that came with their hashes.
    pub(crate) passed: Vec<Passed>,
}

/// How a call ended inside an answer that came.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) output: Value,
    pub(crate) error: Value,
}

impl<'a> Run<'a> {
    /// The events and lessons of the calls of a request.
    pub(crate) fn calls(&mut self, endpoint: &'a Endpoint) {
        let Calls { calls, unread, passed } = self.read_calls(endpoint);
        for call in calls {
            self.call(endpoint, &call);
        }
        // A POST that cannot be told apart may have changed something.
        if !unread.is_empty() && endpoint.changes_something() && self.whole.exchange.request.method == "POST" {
            self.unclassified(unread);
        }
        if self.whole.outcome == Outcome::Success {
            let seen = self.whole.finished;
            self.derived.lessons.extend(passed.into_iter().map(|passed| passed.lesson(seen)));
        }
    }

    fn read_calls(&self, endpoint: &Endpoint) -> Calls {
        let whole = self.whole;
        if let Some(why) = &whole.request.unreadable {
            return Calls { unread: vec![why.clone()], ..Calls::default() };
        }
        if endpoint.rpc && (!endpoint.graphql || rpc::looks_so(&whole.request.value)) {
            return rpc::calls(&whole.request.value);
        }
        graphql::calls(&whole.request, &whole.query(), &self.set.documents, self.memory)
    }

    fn call(&mut self, endpoint: &'a Endpoint, call: &Call) {
        if call.sort != Sort::Query {
            let succeeded = self.whole.ended(call).outcome == Outcome::Success;
            self.derived.calls.push(Called { sort: call.sort.word(), name: call.name.clone(), succeeded });
        }
        let Some(entry) = endpoint.calls(call.sort).find(&call.name) else { return };
        let asks = entry.asks;
        if entry.ignored.is_none() {
            self.rules(entry, |whole, place| Some(whole.call_operation(place, call, asks)));
        }
        for (number, place) in &entry.learns {
            let operation = self.whole.call_operation(place, call, asks);
            learn::from_elsewhere(self, *number, &operation);
        }
        for (number, place) in &entry.jobs {
            let operation = self.whole.call_operation(place, call, asks);
            job::polled(self, *number, place, &operation);
        }
        for (number, place) in &entry.seen {
            let operation = self.whole.call_operation(place, call, asks);
            self.sighting(*number, &operation);
        }
    }
}

impl Whole<'_> {
    /// One call as an operation.
    pub(crate) fn call_operation(&self, place: &Place, call: &Call, asks: Asks) -> Operation {
        let mut path = Vec::new();
        if let Place::Call(name) = place
            && let Some(found) = name.pattern.as_ref().and_then(|pattern| pattern.captures(&call.name))
        {
            for (at, parameter) in name.names.iter().enumerate() {
                let value = found.get(at + 1).map(|value| Value::from(value.as_str()));
                path.push((&**parameter, value.unwrap_or_default()));
            }
        }
        let mut facts = self.facts(path, asks);
        facts.input = call.input.clone();
        facts.uploads = call.uploads.clone();
        let Ended { outcome, output, error } = self.ended(call);
        (facts.output, facts.error) = (output, error);
        let facts = Arc::new(facts);
        Operation {
            frame: Arc::new(Frame::of(Arc::clone(&facts))),
            facts,
            outcome,
            // What is not sent stays.
            method: if call.sort == Sort::Query { "GET" } else { "PATCH" }.into(),
            is_form: false,
            input_unreadable: None,
            output_unreadable: self.response.unreadable.clone(),
        }
    }

    fn ended(&self, call: &Call) -> Ended {
        let answer = &self.response.value;
        let without = |outcome| Ended { outcome, output: Value::UNDEFINED, error: Value::UNDEFINED };
        match &call.reply {
            _ if self.outcome != Outcome::Success => Ended { error: answer.clone(), ..without(self.outcome) },
            Reply::Id { id: None, .. } => without(Outcome::Success),
            _ if self.response.unreadable.is_some() => without(Outcome::Unknown),
            Reply::Field { operation, key } => graphql::ended(answer, *operation, key),
            Reply::Id { id: Some(id), batch } => rpc::ended(answer, id, *batch),
        }
    }
}
