//! How many files and connections the system lets this process have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::capture::Settings;

/// What is open beside connections: the store, its log, listeners, readers of the page.
const OTHERS: u64 = 256;

/// The system's limit on open files, and what the settings may need of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// The most that may be open; `None`: as many as there are.
    pub most: Option<u64>,
    /// What `connections_max` clients need: a connection of theirs and one to the platform each.
    pub needed: u64,
}

impl Descriptors {
    /// Whether `connections_max` clients could all be served.
    pub fn suffice(&self) -> bool {
        self.most.is_none_or(|most| most >= self.needed)
    }
}

/// Raises the soft limit on open files to the hard one (`setrlimit(2)`, which
/// any process may) and says what it is then. Where the system refuses, the
/// limit stays as it is.
pub fn raise_descriptors(settings: &Settings) -> Descriptors {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let most = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let connections = u64::try_from(settings.connections_max).unwrap_or(u64::MAX);
    Descriptors { most, needed: connections.saturating_mul(2).saturating_add(OTHERS) }
}
