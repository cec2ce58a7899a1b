//! Where each value came from: a place in the file, a variable or a flag.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::Override;
use crate::problem::{Place, Problem, SourceFile};

/// Where the values of a configuration came from.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    source: Arc<SourceFile>,
    /// By key with its section: `proxy.listen`.
    spans: BTreeMap<String, Range<usize>>,
    /// Variables and flags, which win over the file.
    origins: BTreeMap<String, String>,
}

impl Places {
    pub(super) fn new(source: &Arc<SourceFile>, table: &DeTable<'_>, overrides: &[Override]) -> Places {
        let mut spans = BTreeMap::new();
        gather(table, "", &mut spans);
        let origins = overrides.iter().map(|one| (one.path.join("."), one.origin.clone())).collect();
        Places { source: Arc::clone(source), spans, origins }
    }

    /// Whether the file, a variable or a flag sets `key`.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.origins.contains_key(key) || self.spans.contains_key(key)
    }

    /// The problem at the place of `key` (`proxy.listen`), or with the name of who set it. A default has no place.
    pub(crate) fn point(&self, key: &str, mut problem: Problem) -> Problem {
        if let Some(origin) = self.origins.get(key) {
            problem.title = format!("`{origin}`: {}", problem.title);
        } else if let Some(span) = self.spans.get(key) {
            problem.place = Some(Place { file: Arc::clone(&self.source), span: span.clone() });
        }
        problem
    }
}

fn gather(table: &DeTable<'_>, before: &str, spans: &mut BTreeMap<String, Range<usize>>) {
    for (key, value) in table {
        let path = if before.is_empty() { key.get_ref().to_string() } else { format!("{before}.{}", key.get_ref()) };
        let mut span = value.span();
        if let DeValue::Table(inner) = value.get_ref() {
            gather(inner, &path, spans);
            // The heading or the key, not all that stands in it.
            span = key.span();
        }
        spans.insert(path, span);
    }
}
