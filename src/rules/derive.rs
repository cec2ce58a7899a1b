//! From an exchange to events.
//!
//! Order within one operation: things on the route, `each`; per element `join`,
//! things, `let`, `changed`, `if`, `success`, the sentence; then memory learns.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::element::{Element, Setting};
use super::entry::{Bound, Entry, Place};
use super::expression::{Chain, as_text, dig, is_there};
use super::learn;
use super::left_out::{LeftOut, MOST_ELEMENTS};
use super::operation::{Operation, Whole, credential_facts};
use super::path::Template;
use super::ready::{Action, Kind, Ready};
use super::scope::{Facts, Frame};
use super::things::name_of;
use super::trace::{Candidate, Fate};
use super::{Caller, Derived, Found, RuleSet};
use super::{coalesce, job, retry};
use crate::event::{Actor, ActorKind, Outcome};
use crate::exchange::{Exchange, Request};
use crate::memory::{Lesson, Overlay, Recall};

/// What one exchange gives.
pub(crate) fn derive(
    set: &RuleSet,
    found: Found,
    exchange: &Exchange,
    caller: &Caller,
    memory: &dyn Recall,
    fetched: &[Lesson],
    trace: Option<&mut Vec<Candidate>>,
) -> Derived {
    let overlay = Overlay { below: memory, lessons: fetched };
    let memory: &dyn Recall = if fetched.is_empty() { memory } else { &overlay };
    let mut whole = Whole::read(exchange, caller);
    whole.stands_for(&set.ready.overrides);
    let whole = whole;
    let found = found.spot(whole.stood_for);
    let mut run = Run { set, whole: &whole, memory, derived: Derived::default(), left_out: LeftOut::default(), trace };
    if whole.outcome == Outcome::Success {
        run.derived.lessons.extend(fetched.iter().cloned());
    }
    let mut made = Made::default();
    if let Some(entry) = found.rules.and_then(|at| set.ready.entries.get(at)) {
        run.rules_sharing(entry, &mut made, |whole, place| match place {
            Place::Path(template) => whole.operation(template, entry.asks),
            Place::Call(_) => None,
        });
    }
    if let Some(entry) = found.watch.and_then(|at| set.ready.entries.get(at)) {
        if found.watch != found.rules {
            made = Made::default();
        }
        run.watch(entry, found.taken, &mut made);
    }
    let left_out = std::mem::take(&mut run.left_out).events(&run);
    run.derived.events.extend(left_out);
    run.credit();
    retry::name_the_first(&mut run);
    run.derived
}

/// The operation that was put together last. Everything at one entry stands at templates of one shape and shares
/// it, unless the parameters are called differently.
#[derive(Default)]
struct Made(Option<(Arc<[Arc<str>]>, Operation)>);

impl Made {
    fn of(&mut self, names: &Arc<[Arc<str>]>, make: impl FnOnce() -> Option<Operation>) -> Option<&Operation> {
        if self.0.as_ref().is_none_or(|(known, _)| known != names) {
            self.0 = make().map(|operation| (Arc::clone(names), operation));
        }
        self.0.as_ref().map(|(_, operation)| operation)
    }
}

/// One derivation under way.
pub(crate) struct Run<'a> {
    pub(crate) set: &'a RuleSet,
    pub(crate) whole: &'a Whole<'a>,
    pub(crate) memory: &'a dyn Recall,
    pub(crate) derived: Derived,
    left_out: LeftOut<'a>,
    /// Where somebody wants to know why.
    trace: Option<&'a mut Vec<Candidate>>,
}

impl<'a> Run<'a> {
    /// The actions of an entry: those that say `otherwise` only if no other fired.
    pub(crate) fn rules(&mut self, entry: &'a Entry, operation: impl Fn(&Whole<'a>, &Place) -> Option<Operation>) {
        self.rules_sharing(entry, &mut Made::default(), operation);
    }

    fn rules_sharing(
        &mut self,
        entry: &'a Entry,
        made: &mut Made,
        operation: impl Fn(&Whole<'a>, &Place) -> Option<Operation>,
    ) {
        let ready = &self.set.ready;
        let mut fired = false;
        for otherwise in [false, true] {
            for bound in &entry.rules {
                let Some(action) = ready.actions.get(bound.action).filter(|action| action.otherwise == otherwise)
                else {
                    continue;
                };
                if otherwise && fired {
                    self.say(action, bound, || Fate::silent("`otherwise`: another action of this route gave an event"));
                    continue;
                }
                let Some(operation) = made.of(bound.place.names(), || operation(self.whole, &bound.place)) else {
                    continue;
                };
                let events = self.action(action, bound, operation);
                // Several that say `otherwise` may fire together.
                fired |= events && !otherwise;
            }
        }
    }

    /// What looks on besides rules: kinds, `learn`, sign-ins, the fields of a GraphQL endpoint.
    fn watch(&mut self, entry: &'a Entry, taken: bool, made: &mut Made) {
        let (asks, whole) = (entry.asks, self.whole);
        let mut at = |template: &Template, act: &mut dyn FnMut(&Operation)| {
            made.of(&template.names, || whole.operation(template, asks)).into_iter().for_each(act);
        };
        for teacher in entry.teachers.iter().filter(|_| !taken) {
            at(&teacher.template, &mut |operation| learn::from_address(self, teacher, operation));
        }
        for (number, place) in &entry.learns {
            if let Place::Path(template) = &**place {
                at(template, &mut |operation| learn::from_elsewhere(self, *number, operation));
            }
        }
        for (number, place) in &entry.seen {
            if let Place::Path(template) = &**place {
                at(template, &mut |operation| self.sighting(*number, operation));
            }
        }
        for (number, place) in &entry.jobs {
            if let Place::Path(template) = &**place {
                at(template, &mut |operation| job::polled(self, *number, place, operation));
            }
        }
        if let Some(endpoint) = entry.endpoint.and_then(|at| self.set.ready.endpoints.get(at)) {
            self.calls(endpoint);
        }
    }

    /// The events of one action; whether there were any.
    fn action(&mut self, action: &'a Action, bound: &'a Bound, operation: &Operation) -> bool {
        let setting = Setting::of(&self.set.ready, self.memory, action, bound, operation);
        let base = setting.base();
        let elements = match &action.each {
            None => vec![Value::UNDEFINED],
            Some(each) => match elements(&each.value(&base.0)) {
                // Nothing was there to act on.
                Some(list) if list.is_empty() && operation.outcome == Outcome::Success => {
                    self.say(action, bound, || Fate::silent("`each` is an empty list, and the request succeeded"));
                    return false;
                }
                Some(list) if !list.is_empty() => list,
                _ => vec![Value::UNDEFINED],
            },
        };
        let (length, given) = (elements.len(), self.derived.events.len());
        let (room, mut fired) = (LeftOut::room(action, given), false);
        let mut base = Some(base);
        for (index, each) in elements.into_iter().take(MOST_ELEMENTS).enumerate() {
            // The last element takes the frame itself: most actions have only one.
            let own = if index + 1 == length { base.take() } else { base.clone() };
            let Some(own) = own else { break };
            let element = match Element::new(&setting, own, each, index, length) {
                Ok(element) => element,
                Err(silence) => {
                    self.say(action, bound, || silence.fate(action));
                    continue;
                }
            };
            if !action.failures && matches!(element.outcome, Outcome::Failure | Outcome::Denied) {
                self.say(action, bound, || Fate::silent("it did not succeed, and `failures = false`"));
                continue;
            }
            if self.derived.events.len() - given >= room {
                self.left_out.count(action, element.workspace(), 1, element.outcome);
                self.say(action, bound, || Fate::silent("it is beyond `max_events`"));
                continue;
            }
            let mut event = self.event(action, &element);
            if let Some(within) = action.coalesce
                && coalesce::is_repetition(&mut event, within, self.memory, &mut self.derived.lessons)
            {
                fired = true;
                self.say(action, bound, || Fate::silent("`coalesce`: the same sentence was written a moment ago"));
                continue;
            }
            if let Some(job) = &element.job {
                event.details.entry("job").or_insert_with(|| job.as_str().into());
            }
            self.derived.lessons.extend(job::begun(action, &element, &event));
            self.derived.lessons.extend(learn::from_target(&element, event.time));
            self.say(action, bound, || Fate::fired(&event, &element));
            self.derived.events.push(event);
        }
        if let Some(unseen) = length.checked_sub(MOST_ELEMENTS).filter(|unseen| *unseen > 0) {
            self.left_out.count(action, setting.workspace.as_deref(), unseen, Outcome::Unknown);
        }
        fired || self.derived.events.len() > given
    }

    /// Tells what came of an action, where somebody wants to know.
    fn say(&mut self, action: &Action, bound: &Bound, fate: impl FnOnce() -> Fate) {
        let Some(trace) = &mut self.trace else { return };
        let candidate = Candidate::of(action, bound);
        let same = |known: &&mut Candidate| known.action == candidate.action && known.route == candidate.route;
        match trace.iter_mut().find(same) {
            Some(known) => known.fates.push(fate()),
            None => trace.push(Candidate { fates: vec![fate()], ..candidate }),
        }
    }

    /// Ties the credentials of a successful exchange to a person.
    pub(crate) fn sighting(&mut self, number: usize, operation: &Operation) {
        let Some(seen) = self.set.ready.identity.seen.get(number).filter(|_| operation.teaches()) else { return };
        let mut frame = Arc::clone(&operation.frame);
        let mut tokens: Vec<String> = Vec::new();
        for expression in &seen.tokens {
            for token in elements(&expression.value(&frame)).unwrap_or_default() {
                tokens.extend(token.as_str().filter(|token| !token.is_empty()).map(str::to_owned));
            }
        }
        if seen.tokens.is_empty() {
            tokens.extend(credential(&self.set.ready, &self.whole.exchange.request));
        }
        let Some(first) = tokens.first() else { return };
        Arc::make_mut(&mut frame).token = Value::from(first.as_str());
        if let Some(actor) = person(&seen.actor.value(&frame), self.set.ready.person(), &operation.facts) {
            self.derived.sightings.push(super::Sighting { tokens, actor });
        }
    }
}

/// A list's elements; anything else that is there counts as a list of one.
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    if !is_there(value) {
        return None;
    }
    Some(match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter().map(Iterator::collect).unwrap_or_default(),
        _ => vec![value.clone()],
    })
}

/// A person from a value: an id, an e-mail address, or an object whose id and name are where the kind of people has
/// them, else called `id`, `name`, `email`.
fn person(value: &Value, kind: Option<&Kind>, facts: &Arc<Facts>) -> Option<Actor> {
    let field = |name: &str| as_text(&dig(value, name)).filter(|text| !text.is_empty());
    let actor = match value.kind() {
        ValueKind::Map => Actor {
            kind: ActorKind::User,
            id: kind.and_then(|kind| field(&kind.id)).or_else(|| field("id")),
            name: kind.and_then(|kind| name_of(&kind.names, value, facts)).or_else(|| field("name")),
            email: field("email").or_else(|| field("mail")),
            unknown_because: None,
        },
        _ => {
            let id = as_text(value).filter(|text| !text.is_empty())?;
            let email = Some(id.clone()).filter(|id| id.contains('@'));
            Actor { kind: ActorKind::User, id: Some(id), name: None, email, unknown_because: None }
        }
    };
    actor.label().is_some().then_some(actor)
}

/// The first credential that a request carries where `[identity].credential` says one is.
pub(crate) fn credential(ready: &Ready, request: &Request) -> Option<String> {
    let chain = &ready.identity.credential;
    if chain.0.is_empty() {
        return None;
    }
    let (facts, lets) = credential_facts(request, &|root| chain.roots().any(|asked| asked == root));
    let frame = Arc::new(Frame { lets, ..Frame::of(Arc::new(facts)) });
    as_text(&chain.value(&frame)).filter(|token| !token.is_empty())
}

/// The person whom claims name.
pub(crate) fn actor_of(ready: &Ready, claims: &serde_json::Value) -> Option<Actor> {
    let chain: &Chain = &ready.identity.actor;
    let facts = Arc::new(Facts { claim: Value::from(minijinja::value::Serde(claims)), ..Facts::default() });
    person(&chain.value(&Arc::new(Frame::of(Arc::clone(&facts)))), ready.person(), &facts)
}
