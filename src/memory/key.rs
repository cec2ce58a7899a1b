//! Which thing: a key, and the same as borrowed parts, so that looking up allocates nothing.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Which thing: workspace (empty where there is none), kind, id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose thing.
    pub workspace: Arc<str>,
    /// The kind's name: `document`.
    pub kind: Arc<str>,
    /// The platform's id, as text.
    pub id: Arc<str>,
}

/// A key, owned or borrowed.
pub(super) trait Parts {
    fn parts(&self) -> (&str, &str, &str);
}

impl Parts for Key {
    fn parts(&self) -> (&str, &str, &str) {
        (&self.workspace, &self.kind, &self.id)
    }
}

impl Parts for (&str, &str, &str) {
    fn parts(&self) -> (&str, &str, &str) {
        *self
    }
}

impl Hash for dyn Parts + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn Parts + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Parts + '_ {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl<'a> Borrow<dyn Parts + 'a> for Key {
    fn borrow(&self) -> &(dyn Parts + 'a) {
        self
    }
}
