//! What a set says of a route: which actions stand there, or why it is left out.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::call::Sort;
use super::entry::Entry;
use super::{Found, RuleSet};

/// What a set says of one method at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Actions stand at this route.
    Mapped {
        /// The template, with the prefix: `/api/documents/{id}`.
        route: String,
        /// `document.deleted` …, in the order of the files.
        actions: Vec<Arc<str>>,
    },
    /// It is left out on purpose.
    Ignored {
        /// The template, with the prefix.
        route: String,
        /// The reason that the file gives.
        why: Arc<str>,
    },
    /// A GraphQL endpoint: its operations are covered one by one.
    Endpoint,
    /// Nothing stands there.
    Unmapped,
}

impl RuleSet {
    /// What the set says of a method at a path (without a query).
    /// A call has the method `mutation`, `query` or `rpc`, and its name for a path.
    pub fn covers(&self, method: &str, path: &str) -> Cover {
        if let Some(sort) = Sort::of(method) {
            let found = self.ready.endpoints.iter().find_map(|endpoint| endpoint.calls(sort).find(path));
            return found.map_or(Cover::Unmapped, |entry| self.cover_of(entry));
        }
        let mut cover = Cover::Unmapped;
        self.ready.matcher.walk(path, &mut |leaf| {
            let Some(leaf) = self.ready.leaves.get(leaf) else { return ControlFlow::Continue(()) };
            let named = leaf.methods.iter().find(|(known, _)| **known == *method).map(|(_, entry)| *entry);
            match named.or(leaf.other).and_then(|at| self.ready.entries.get(at)) {
                Some(entry) if entry.has_rules() => {
                    cover = self.cover_of(entry);
                    ControlFlow::Break(())
                }
                Some(entry) if entry.endpoint.is_some() => {
                    cover = Cover::Endpoint;
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Continue(()),
            }
        });
        cover
    }

    fn cover_of(&self, entry: &Entry) -> Cover {
        match (&entry.ignored, entry.rules.first()) {
            (_, Some(bound)) => Cover::Mapped {
                route: bound.place.text().to_owned(),
                actions: {
                    let actions = entry.rules.iter().filter_map(|bound| self.ready.actions.get(bound.action));
                    actions.filter(|action| !action.is_part).map(|action| Arc::clone(&action.key)).collect()
                },
            },
            (Some(ignored), None) => {
                Cover::Ignored { route: ignored.place.text().to_owned(), why: Arc::clone(&ignored.why) }
            }
            (None, None) => Cover::Unmapped,
        }
    }

    /// The kinds and their addresses, prefixes included.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.ready
            .kinds
            .iter()
            .map(|kind| (&*kind.name, kind.addresses.iter().map(|template| &*template.text).collect()))
    }

    /// The template of the rule that was found, with its prefix; `None` where no rule acts.
    pub fn route_of(&self, found: Found) -> Option<&str> {
        let entry = self.ready.entries.get(found.spots().find_map(|spot| spot.rules)?)?;
        entry.rules.first().map(|bound| bound.place.text())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::set_of;
    use super::*;

    #[test]
    fn a_route_is_mapped_ignored_or_neither() {
        let set = set_of(
            r#"
category = "Things"
prefix   = "/api"
ignore   = [{ when = "POST /things/search", why = "reads" }]

[thing.made]
when    = "POST /things"
target  = false
message = "made"

[thing.deleted]
when    = "DELETE /things/{id:[0-9]+}"
target  = false
message = "deleted"
"#,
        );
        let made = Cover::Mapped { route: "/api/things".into(), actions: vec!["thing.made".into()] };
        assert_eq!(set.covers("POST", "/api/things"), made);
        let ignored = Cover::Ignored { route: "/api/things/search".into(), why: "reads".into() };
        assert_eq!(set.covers("POST", "/api/things/search"), ignored);
        assert_eq!(set.covers("DELETE", "/api/things/red"), Cover::Unmapped);
        assert!(matches!(set.covers("DELETE", "/api/things/7"), Cover::Mapped { .. }));
        let found = set.find("DELETE", "/api/things/7?force=1").unwrap();
        assert_eq!(set.route_of(found), Some("/api/things/{id:[0-9]+}"));
    }
}
