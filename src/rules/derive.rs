//! From an exchange to events.
use serde_json::Value;

use super::ready::Ready;
use super::{Caller, Derived, Found, RuleSet};
use crate::event::Actor;
use crate::exchange::{Exchange, Request};
use crate::memory::{Lesson, Recall};

pub(crate) fn derive(_: &RuleSet, _: Found, _: &Exchange, _: &Caller, _: &dyn Recall, _: &[Lesson]) -> Derived {
    Derived::default()
}

pub(crate) fn credential(_: &Ready, _: &Request) -> Option<String> {
    None
}

pub(crate) fn actor_of(_: &Ready, _: &Value) -> Option<Actor> {
    None
}
