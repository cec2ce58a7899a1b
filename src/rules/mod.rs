//! Step 2: from an exchange to events, by declarative rules.
//!
//! Synchronous and pure: no I/O, no clock, no state. What an exchange teaches
//! comes back as a value, so `replay`, `test`, Layer and sidecar cannot disagree.
//!
//! A set is loaded once ([`RuleSet::load`]) and then asked three things: is this
//! request of interest ([`RuleSet::find`]), what should be looked up before it
//! goes on ([`RuleSet::lookups`]), and what happened ([`RuleSet::derive`]).

mod body;
mod call;
mod cases;
mod coalesce;
mod covers;
mod derive;
mod divergence;
mod element;
mod entry;
mod events;
mod expression;
mod filters;
mod graphql;
mod job;
mod languages;
pub mod layout;
mod learn;
mod left_out;
mod load;
mod lookup;
mod matcher;
mod method;
mod operation;
mod path;
mod ready;
mod retry;
mod route;
mod rpc;
pub mod schema;
mod scope;
mod source;
mod spelling;
mod template;
#[cfg(test)]
mod tests;
mod things;
mod told;
mod trace;
mod written;

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::event::{Actor, Event};
use crate::exchange::{Body, Exchange, Request, Response};
use crate::memory::{Lesson, Memory, Recall};
use crate::problem::{self, Level, Problem, SourceFile};

pub use cases::{CaseResult, Difference};
pub use covers::Cover;
pub use divergence::{Divergence, DivergingField, divergences};
pub use lookup::Lookup;
pub use source::{read_files, stamp};
pub use trace::{Candidate, Fate, Valued};

use graphql::persisted::Documents;
use ready::Ready;

/// Who sent a request, as far as `identity` could tell.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The actor an event will carry.
    pub actor: Actor,
    /// The claims of the caller's token (an object, or null): only those whose signature was verified.
    pub claims: Value,
}

/// What one exchange gives.
#[derive(Debug, Default)]
pub struct Derived {
    /// The events, in the order in which the rules' elements stand.
    pub events: Vec<Event>,
    /// What memory should learn.
    pub lessons: Vec<Lesson>,
    /// Credentials that were tied to a person.
    pub sightings: Vec<Sighting>,
    /// Calls that may change something, of a GraphQL or JSON-RPC endpoint, whether a rule stands there or not.
    pub calls: Vec<Called>,
}

/// One call of a GraphQL or JSON-RPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// `mutation` or `rpc`.
    pub sort: &'static str,
    /// The field's or method's name.
    pub name: String,
    /// Whether it did what it should.
    pub succeeded: bool,
}

/// Credentials that an exchange tied to a person (`[[identity.seen]]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The credentials themselves. `identity` keeps keyed fingerprints only.
    pub tokens: Vec<String>,
    /// Whose they are.
    pub actor: Actor,
}

/// What an action is called, for menus, documents and families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionInfo<'a> {
    /// `document.tag_added`.
    pub key: &'a Arc<str>,
    /// `add tag to document`.
    pub title: &'a Arc<str>,
    /// `Documents`.
    pub category: &'a Arc<str>,
    /// `documents.toml`.
    pub file: &'a Arc<str>,
    /// How many tests stand below it.
    pub tests: usize,
}

/// Somebody is interested in a request: which rules, and what else looks on. Only good for the set it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// For its own method.
    own: Spot,
    /// For the methods that it may turn out to stand for.
    over: [Spot; 3],
}

/// What stands at one path for one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) rules: Option<usize>,
    pub(crate) watch: Option<usize>,
    /// A rule's own route takes the address away from the kinds that stand there.
    pub(crate) taken: bool,
    acts: bool,
}

impl Spot {
    const NONE: Spot = Spot { rules: None, watch: None, taken: false, acts: false };
}

impl Found {
    /// Whether a rule may make an event of it; else it only teaches. Of a GraphQL endpoint only its bodies tell.
    pub fn acts(self) -> bool {
        self.own.acts || self.over.iter().any(|spot| spot.acts)
    }
}

/// Which bodies a set needs copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedBodies {
    /// The request's.
    pub request_body: bool,
    /// The response's.
    pub response_body: bool,
}

/// A loaded set of rules. Cloning is not needed: share it in an `Arc`.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) ready: Ready,
    pub(crate) documents: Documents,
    pub(crate) version: Arc<str>,
}

impl RuleSet {
    /// Loads rule files, and of `*.json` the texts of persisted GraphQL queries. `Ok` carries warnings; `Err` every problem, warnings too, sorted by place.
    pub fn load(files: &[Arc<SourceFile>]) -> Result<(RuleSet, Vec<Problem>), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut shapes = Vec::new();
        // By name, so that nothing can depend on the order in which files are given.
        let mut sorted: Vec<&Arc<SourceFile>> = files.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut hash, mut documents) = (Sha256::new(), Documents::default());
        for source in sorted {
            if source.name.ends_with(".json") {
                problems.extend(documents.add(source).err());
            } else {
                let (shape, wrong) = written::read(source);
                problems.extend(wrong);
                shapes.push(shape);
            }
            hash.update((source.text.len() as u64).to_le_bytes());
            hash.update(source.text.as_bytes());
        }
        let version = hex::encode(hash.finalize());
        let (ready, mut problems) = load::compile(&shapes, problems);
        problem::sort(&mut problems);
        problems.dedup();
        if problems.iter().any(|problem| problem.level == Level::Error) {
            return Err(problems);
        }
        Ok((RuleSet { ready, documents, version: format!("sha256:{version}").into() }, problems))
    }

    /// Whether anything of the set is interested in a request: a rule, or only what learns.
    /// `target` is the origin form as sent. Allocates nothing unless the path holds percent-escapes.
    pub fn find(&self, method: &str, target: &str) -> Option<Found> {
        let own = self.spot(method, target);
        if method != "POST" || self.ready.overrides.is_empty() {
            return own.map(|own| Found { own, over: [Spot::NONE; 3] });
        }
        let over = method::STOOD_FOR.map(|method| self.spot(method, target));
        let any = own.is_some() || over.iter().any(Option::is_some);
        any.then(|| Found { own: own.unwrap_or(Spot::NONE), over: over.map(|spot| spot.unwrap_or(Spot::NONE)) })
    }

    fn spot(&self, method: &str, target: &str) -> Option<Spot> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let mut found = Spot::NONE;
        let mut ruled = false;
        self.ready.matcher.walk(path, &mut |leaf| {
            let Some(leaf) = self.ready.leaves.get(leaf) else { return ControlFlow::Continue(()) };
            let named = leaf.methods.iter().find(|(known, _)| **known == *method).map(|(_, entry)| *entry);
            let at = named.or(leaf.other);
            if let Some((at, entry)) = at.and_then(|at| Some((at, self.ready.entries.get(at)?))) {
                if found.watch.is_none() && entry.watches() && (!ruled || entry.watches_beside_kinds()) {
                    found.watch = Some(at);
                    found.taken = ruled;
                }
                if found.rules.is_none() && entry.has_rules() {
                    found.rules = Some(at);
                }
            }
            ruled |= leaf.has_rules;
            let done = found.rules.is_some() && found.watch.is_some();
            if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let acts = found.rules.and_then(|at| self.ready.entries.get(at)).is_some_and(|entry| !entry.rules.is_empty());
        if !acts {
            found.rules = None;
        }
        let watched = found.watch.and_then(|at| self.ready.entries.get(at));
        found.acts = acts || watched.is_some_and(|entry| entry.endpoint.is_some());
        (acts || watched.is_some()).then_some(found)
    }

    /// What acts on a request under the plain spelling of its path, where nothing is interested in it as it was
    /// sent; the target so spelt is what is to be derived from.
    pub fn find_respelt(&self, method: &str, target: &str) -> Option<(Found, String)> {
        let plain = spelling::plain(target)?;
        let found = self.find(method, &plain).filter(|found| found.acts())?;
        Some((found, plain))
    }

    /// Which bodies are needed to derive what was found.
    pub fn wants(&self, found: Found) -> WantedBodies {
        let mut wanted = WantedBodies::default();
        let entries = found.spots().flat_map(|spot| [spot.rules, spot.watch]);
        for entry in entries.flatten().filter_map(|at| self.ready.entries.get(at)) {
            wanted.request_body |= entry.wants_request;
            wanted.response_body |= entry.wants_response;
        }
        wanted
    }

    /// What to ask the platform before the request goes on: things on the route that rules name and memory lacks.
    /// Never for a safe method. `request` is the head; its body is not read.
    pub fn lookups(&self, found: Found, request: &Request, memory: &dyn Recall) -> Vec<Lookup> {
        lookup::lookups(&self.ready, found, request, memory)
    }

    /// What a look-up's answer says of things; nothing unless it is a 2xx. Give it to [`RuleSet::derive`].
    pub fn taught_by_lookup(&self, lookup: &Lookup, response: &Response, now: jiff::Timestamp) -> Vec<Lesson> {
        lookup::taught(&self.ready, lookup, response, now)
    }

    /// Where the rules say a credential is (`[identity].credential`): the first that the request carries.
    pub fn credential(&self, request: &Request) -> Option<String> {
        derive::credential(&self.ready, request)
    }

    /// The same where only the body holds one.
    pub fn credential_in_body(&self, request: &Request) -> Option<String> {
        if !self.ready.identity.credential.roots().any(|root| root == "input") {
            return None;
        }
        let head = Request { body: Body::default(), ..request.clone() };
        if self.credential(&head).is_some() { None } else { self.credential(request) }
    }

    /// The person whom verified claims name (`[identity].actor`), where the rules say so.
    pub fn actor_of(&self, claims: &Value) -> Option<Actor> {
        derive::actor_of(&self.ready, claims)
    }

    /// What an exchange gives. `memory` is what was known before it; `fetched` what look-ups said of it,
    /// which is learned only if the exchange succeeded.
    pub fn derive(
        &self,
        found: Found,
        exchange: &Exchange,
        caller: &Caller,
        memory: &dyn Recall,
        fetched: &[Lesson],
    ) -> Derived {
        derive::derive(self, found, exchange, caller, memory, fetched, None)
    }

    /// The events of jobs whose end nobody saw in time (`job.give_up`). Ask now and then.
    pub fn give_up(&self, memory: &Memory, now: jiff::Timestamp) -> Derived {
        let (events, lessons) = job::given_up(self.ready.actions.iter(), memory, now, |action, number| {
            events::eventless(self, action, now, number)
        });
        Derived { events, lessons, ..Derived::default() }
    }

    /// Like [`RuleSet::derive`], and what came of each action at the route, fired or not.
    pub fn explain(
        &self,
        found: Found,
        exchange: &Exchange,
        caller: &Caller,
        memory: &dyn Recall,
    ) -> (Derived, Vec<Candidate>) {
        let mut candidates = Vec::new();
        let derived = derive::derive(self, found, exchange, caller, memory, &[], Some(&mut candidates));
        (derived, candidates)
    }

    /// The actions, in the order of file names and of headings.
    pub fn actions(&self) -> impl Iterator<Item = ActionInfo<'_>> {
        self.ready.actions.iter().filter(|action| !action.is_part).map(|action| ActionInfo {
            key: &action.key,
            title: &action.title,
            category: &action.category,
            file: &action.file,
            tests: action.tests.len(),
        })
    }

    /// The hash of all files: `sha256:9f2c…`.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Runs the tests inside the files; with a filter those whose name (`document.replaced #1`) it fits.
    pub fn run_cases(&self, filter: Option<&regex::Regex>) -> Vec<CaseResult> {
        cases::run(self, filter)
    }

    /// Actions without a test, as warnings. Those that `log` writes are tested where it is made.
    pub fn untested(&self) -> Vec<Problem> {
        let bare = self.ready.actions.iter().filter(|action| action.tests.is_empty() && !action.generated);
        bare.map(|action| {
            Problem::warning("untested", format!("the action `{}` has no test", action.key))
                .at(&action.source, action.at.clone())
                .help(format!("a test stands below it: `[[{}.test]]`", action.key))
        })
        .collect()
    }
}
