//! Where kinds stand: by their addresses and by their collections.

use std::collections::BTreeMap;

use super::kinds::Kind;
use super::route::{Segment, shape};

/// The kinds by their addresses and collections.
pub(super) struct Standing<'a> {
    pub(super) kinds: &'a [Kind],
    pub(super) addresses: BTreeMap<String, usize>,
    pub(super) collections: BTreeMap<String, usize>,
}

impl<'a> Standing<'a> {
    pub(super) fn of(kinds: &'a [Kind]) -> Standing<'a> {
        let by =
            |shape: &dyn Fn(&Kind) -> String| kinds.iter().enumerate().map(|(at, kind)| (shape(kind), at)).collect();
        Standing {
            kinds,
            addresses: by(&|kind| shape(&kind.address)),
            collections: by(&|kind| shape(kind.collection())),
        }
    }

    /// The kind whose address this is.
    pub(super) fn at(&self, segments: &[Segment]) -> Option<&'a Kind> {
        self.addresses.get(&shape(segments)).and_then(|at| self.kinds.get(*at))
    }

    /// The deepest kind whose address begins a route.
    pub(super) fn owner(&self, segments: &[Segment]) -> Option<&'a Kind> {
        (1..=segments.len()).rev().find_map(|length| self.at(segments.get(..length)?))
    }
}
