//! One element of an operation under one action: its things, its values, how it ended.

use std::sync::Arc;

use minijinja::Value;

use super::derive::elements;
use super::entry::{Bound, Whose};
use super::expression::{as_id, as_text, attribute, dig, is_there};
use super::operation::Operation;
use super::ready::{Action, By, Kind, Ready, Target};
use super::scope::{Frame, Known, Sent, thing_of};
use super::template::write_value;
use super::things::{Stands, View};
use super::trace::Silence;
use crate::event::Outcome;
use crate::memory::Recall;

/// What every element of an operation begins with: a frame, and the target.
pub(crate) type Base = (Arc<Frame>, Option<Arc<Known>>);

/// An action at its place, for one operation.
pub(crate) struct Setting<'a> {
    pub(crate) kinds: &'a [Kind],
    pub(crate) memory: &'a dyn Recall,
    pub(crate) action: &'a Action,
    pub(crate) bound: &'a Bound,
    pub(crate) operation: &'a Operation,
    pub(crate) workspace: Option<String>,
    /// The things on the route that the action asks for.
    on_route: Vec<(Arc<str>, Value)>,
}

impl<'a> Setting<'a> {
    pub(crate) fn of(
        ready: &'a Ready,
        memory: &'a dyn Recall,
        action: &'a Action,
        bound: &'a Bound,
        operation: &'a Operation,
    ) -> Setting<'a> {
        let kinds = &ready.kinds;
        let workspace = as_text(&action.in_workspace.value(&operation.frame)).filter(|id| !id.is_empty());
        let mut setting = Setting { kinds, memory, action, bound, operation, workspace, on_route: Vec::new() };
        for on in bound.on_route.iter().rev() {
            let (Some(kind), Whose::Address { id, exact }) = (kinds.get(on.kind), on.whose) else { continue };
            let known = setting.on_route.iter().any(|(name, _)| *name == kind.name);
            if !known && action.asks_for(&kind.name) {
                let stands = if exact { Stands::AtItsAddress } else { Stands::Mentioned };
                let thing = setting.view(kind, None).thing(setting.parameter(id), stands);
                setting.on_route.push((Arc::clone(&kind.name), Value::from_object(thing)));
            }
        }
        setting
    }

    pub(crate) fn view(&self, kind: &'a Kind, type_: Option<String>) -> View<'_> {
        let type_ = type_.or_else(|| {
            if kind.type_.0.is_empty() {
                return None;
            }
            as_text(&kind.type_.value(&self.operation.frame))
        });
        let workspace = self.workspace.as_deref().unwrap_or("");
        View { kind, operation: self.operation, memory: self.memory, workspace, type_ }
    }

    /// The value of a route's parameter by its number.
    fn parameter(&self, number: usize) -> Option<String> {
        let name = self.bound.place.names().get(number)?;
        as_id(&attribute(&self.operation.facts.path, name))
    }

    /// What is seen before there are elements, and the target as far as it is known then.
    pub(crate) fn base(&self) -> Base {
        let mut frame = (*self.operation.frame).clone();
        frame.things.clone_from(&self.on_route);
        if self.action.asks_for("workspace")
            && !self
                .kinds
                .iter()
                .any(|kind| kind.is_workspace() && frame.things.iter().any(|(name, _)| *name == kind.name))
        {
            frame.workspace = self.workspace_thing();
        }
        let mut frame = Arc::new(frame);
        // With `each` every element has its own target.
        if self.action.each.is_some() && !self.action.each_asks_for_things {
            return (frame, None);
        }
        let target = self.target(&frame).map(Arc::new);
        self.put_target(&mut frame, target.as_ref());
        (frame, target)
    }

    fn workspace_thing(&self) -> Value {
        let Some(id) = &self.workspace else { return Value::UNDEFINED };
        let before = self.memory.recall(id, "workspace", id).or_else(|| self.memory.recall("", "workspace", id));
        let name = before.as_ref().and_then(|thing| thing.name.clone());
        Value::from_object(Known { kind: "workspace".into(), id: Some(id.clone()), name, before, ..Known::default() })
    }

    /// The target as an expression sees it, and what was sent about it.
    fn put_target(&self, frame: &mut Arc<Frame>, target: Option<&Arc<Known>>) {
        let Some(target) = target else { return };
        let kind = self.bound.target.and_then(|(kind, _)| self.kinds.get(kind));
        let frame = Arc::make_mut(frame);
        let value = Value::from_dyn_object(Arc::clone(target));
        frame.things.retain(|(name, _)| *name != target.kind);
        frame.things.push((Arc::clone(&target.kind), value.clone()));
        frame.target = value;
        let fires = &*self.operation.method == "PATCH" && !self.operation.is_form;
        frame.sent = kind.map(|kind| Sent {
            body: kind.sent_in(&self.operation.facts.input),
            before: target.before.clone(),
            fires_when_unknown: fires,
        });
    }

    fn target(&self, frame: &Arc<Frame>) -> Option<Known> {
        let (number, whose) = self.bound.target?;
        let kind = self.kinds.get(number)?;
        let (id, stands) = match whose {
            Whose::Address { id, exact: true } => (self.parameter(id), Stands::AtItsAddress),
            Whose::Address { id, exact: false } => (self.parameter(id), Stands::Mentioned),
            Whose::Collection { exact: true } => (None, Stands::Made),
            Whose::Collection { exact: false } | Whose::Elsewhere => (None, Stands::Mentioned),
        };
        if matches!(self.action.target, Target::Element(_)) {
            return Some(self.view(kind, None).element(&frame.each));
        }
        let Target::Table { type_, id, name, .. } = &self.action.target else {
            return Some(self.view(kind, None).thing(id, stands));
        };
        let view = self.view(kind, as_text(&type_.value(frame)));
        let mut known = view.thing(as_id(&id.value(frame)), Stands::Mentioned);
        let said = name.value(frame);
        let mut written = String::new();
        if is_there(&said) && write_value(&said, &mut written) {
            known.name = Some(written);
            known.link = view.link(&known);
        }
        Some(known)
    }
}

/// One element, put together.
pub(crate) struct Element<'a> {
    pub(crate) setting: &'a Setting<'a>,
    pub(crate) frame: Arc<Frame>,
    pub(crate) target: Option<Arc<Known>>,
    pub(crate) outcome: Outcome,
    /// The job that will say how it ends.
    pub(crate) job: Option<String>,
}

impl<'a> Element<'a> {
    /// Puts an element of `length` together; an error is why the action does not fire for it.
    pub(crate) fn new(
        setting: &'a Setting<'a>,
        base: Base,
        each: Value,
        index: usize,
        length: usize,
    ) -> Result<Element<'a>, Silence> {
        let action = setting.action;
        let (mut frame, mut target) = base;
        if action.each.is_some() {
            let own = Arc::make_mut(&mut frame);
            own.index = if is_there(&each) { Value::from(index) } else { Value::UNDEFINED };
            own.each = each;
            if action.join.is_some() {
                let joined = partner(setting, &frame, index, length);
                Arc::make_mut(&mut frame).joined = joined;
            }
            target = setting.target(&frame).map(Arc::new);
            setting.put_target(&mut frame, target.as_ref());
        }
        for with in &action.with {
            let Some(kind) = setting.kinds.get(with.kind) else { continue };
            let view = setting.view(kind, as_text(&with.type_.value(&frame)));
            let thing = view.thing(as_id(&with.id.value(&frame)), Stands::Mentioned);
            Arc::make_mut(&mut frame).things.push((Arc::clone(&with.name), Value::from_object(thing)));
        }
        for (name, chain) in &action.lets {
            let value = chain.value(&frame);
            // A thing that nobody can name is not there.
            let value =
                if thing_of(&value).is_some_and(|thing| thing.label().is_none()) { Value::UNDEFINED } else { value };
            Arc::make_mut(&mut frame).lets.push((Arc::clone(name), value));
        }
        let sent = frame.sent.as_ref();
        if !action.changed.is_empty()
            && !action.changed.iter().any(|field| sent.is_some_and(|sent| sent.changed(field)))
        {
            return Err(Silence::Unchanged(frame));
        }
        if action.condition.as_ref().is_some_and(|condition| !condition.value(&frame).is_true()) {
            return Err(Silence::Condition(frame));
        }
        let mut outcome = outcome(setting, &frame);
        let mut job = None;
        if let Some(watched) = action.job.as_ref().filter(|_| outcome == Outcome::Success) {
            job = as_id(&watched.id.value(&frame));
            // Without a job it ended at once, unless the platform says itself that it did not.
            if job.is_some() || setting.operation.facts.status.as_i64() == Some(202) {
                outcome = Outcome::Pending;
            }
        }
        // A target of which neither id nor name is known says nothing.
        target = target.filter(|target| target.label().is_some());
        Ok(Element { setting, frame, target, outcome, job })
    }

    pub(crate) fn frame(&self) -> &Arc<Frame> {
        &self.frame
    }

    pub(crate) fn workspace(&self) -> Option<&str> {
        self.setting.workspace.as_deref()
    }

    /// The target's kind, seen from here.
    pub(crate) fn target_view(&self) -> Option<(View<'_>, &Known)> {
        let target = self.target.as_deref()?;
        let kind = self.setting.kinds.get(self.setting.bound.target?.0)?;
        Some((self.setting.view(kind, target.type_.clone()), target))
    }

    /// Whether the target was deleted, made or changed at its own address, where its kind teaches anyway.
    pub(crate) fn target_teaches_itself(&self) -> bool {
        use Whose::{Address, Collection};
        matches!(self.setting.bound.target, Some((_, Address { exact: true, .. } | Collection { exact: true })))
    }

    /// Whether the target was one of many that were deleted at once.
    pub(crate) fn target_is_gone(&self) -> bool {
        &*self.setting.operation.method == "DELETE" && matches!(self.setting.action.target, Target::Element(_))
    }

    /// The name that the rule itself gives the target.
    pub(crate) fn has_own_name(&self) -> bool {
        matches!(&self.setting.action.target, Target::Table { name, .. } if !name.0.is_empty())
    }
}

/// How an element ended: as its operation did, unless the rule asks inside a success.
fn outcome(setting: &Setting<'_>, frame: &Arc<Frame>) -> Outcome {
    let outcome = setting.operation.outcome;
    let Some(success) = setting.action.success.as_ref().filter(|_| outcome == Outcome::Success) else { return outcome };
    if setting.action.join.is_some() && !is_there(&frame.joined) {
        return Outcome::Unknown;
    }
    let value = success.value(frame);
    match (is_there(&value), value.is_true()) {
        (false, _) => Outcome::Unknown,
        (true, true) => Outcome::Success,
        (true, false) => Outcome::Failure,
    }
}

/// The element of the other list that belongs to this one.
fn partner(setting: &Setting<'_>, frame: &Arc<Frame>, index: usize, length: usize) -> Value {
    let Some(others) = setting.action.join.as_ref().and_then(|join| elements(&join.value(frame))) else {
        return Value::UNDEFINED;
    };
    let by_id;
    let fields: Vec<(&str, &str)> = match &setting.action.by {
        By::Index if others.len() == length => return others.get(index).cloned().unwrap_or_default(),
        By::Index => return Value::UNDEFINED,
        By::Fields(fields) => fields.iter().map(|(ours, theirs)| (&**ours, &**theirs)).collect(),
        By::Id => {
            by_id = setting.bound.target.and_then(|(kind, _)| setting.kinds.get(kind)).map_or("id", |kind| &*kind.id);
            vec![(by_id, by_id)]
        }
    };
    // An element that is not an object is itself what is compared.
    let ours = |field: &str| {
        let own = dig(&frame.each, field);
        as_text(if is_there(&own) { &own } else { &frame.each })
    };
    let belongs = |other: &Value| {
        fields.iter().all(|(our, their)| {
            let theirs = dig(other, their);
            let theirs = as_text(if is_there(&theirs) { &theirs } else { other });
            matches!((ours(our), theirs), (Some(ours), Some(theirs)) if ours == theirs)
        })
    };
    others.into_iter().find(belongs).unwrap_or_default()
}
