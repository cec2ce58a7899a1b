//! Asks for a thing before it changes.
use std::sync::Arc;

use super::Found;
use super::ready::Ready;
use crate::exchange::{Request, Response};
use crate::memory::{Lesson, Recall};

/// One GET to the platform, with the caller's own credential, before the request goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The target, in origin form.
    pub path: String,
    /// What is asked for: workspace, kind, id.
    pub(crate) workspace: Arc<str>,
    pub(crate) kind: usize,
    pub(crate) id: Arc<str>,
}

pub(crate) fn lookups(_: &Ready, _: Found, _: &Request, _: &dyn Recall) -> Vec<Lookup> {
    Vec::new()
}

pub(crate) fn taught(_: &Ready, _: &Lookup, _: &Response, _: jiff::Timestamp) -> Vec<Lesson> {
    Vec::new()
}
