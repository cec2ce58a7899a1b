//! The only source of time: real, or set by hand in a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Tells the time. Cloning is cheap; clones of a set clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds since the epoch, when set by hand.
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock { set: None }
    }

    /// A clock that stands at `at` until [`Clock::set`] moves it.
    pub fn standing_at(at: Timestamp) -> Clock {
        Clock { set: Some(Arc::new(AtomicI64::new(at.as_microsecond()))) }
    }

    /// Moves a clock made by [`Clock::standing_at`]; does nothing to the machine's.
    pub fn set(&self, to: Timestamp) {
        if let Some(set) = &self.set {
            set.store(to.as_microsecond(), Ordering::SeqCst);
        }
    }

    /// The time now, to the microsecond.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.set {
            Some(set) => Timestamp::from_microsecond(set.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH),
            None => {
                let now = Timestamp::now();
                Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
            }
        }
    }
}
