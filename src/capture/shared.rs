//! A watched exchange as fronts built of `http` types hold it: its two bodies are
//! moved by different hands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

#[cfg(feature = "layer")]
use super::Pending;
use super::Recorded;
use super::watching::Watching;
use crate::exchange::Headers;

/// A watched exchange whose two bodies are moved by different hands.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Together>>);

struct Together {
    watching: Box<Watching>,
    #[cfg(feature = "layer")]
    unread: Option<Unread>,
}

/// Reads the rest of a request's body that nobody else will.
#[cfg(feature = "layer")]
pub(crate) type Unread = Box<dyn FnOnce(Shared) -> Pending + Send>;

impl Shared {
    pub(crate) fn new(watching: Box<Watching>) -> Shared {
        Shared(Arc::new(Mutex::new(Together {
            watching,
            #[cfg(feature = "layer")]
            unread: None,
        })))
    }

    /// Looks at it, or tells it something.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Watching) -> T) -> T {
        look(&mut self.lock().watching)
    }

    /// Keeps what reads on where the service did not.
    #[cfg(feature = "layer")]
    pub(crate) fn leave_unread(&self, rest: Unread) {
        let mut both = self.lock();
        if both.watching.lacks_request() {
            both.unread = Some(rest);
        }
    }

    #[cfg(feature = "layer")]
    pub(crate) fn take_unread(&self) -> Option<Unread> {
        self.lock().unread.take()
    }

    /// The end of the whole reply; what comes back is awaited before the client sees it. Dropped, it goes on.
    pub(crate) fn complete(&self) -> Option<Recorded> {
        self.with(|watching| watching.response_whole = true);
        self.broken()
    }

    /// The end without a whole reply.
    pub(crate) fn broken(&self) -> Option<Recorded> {
        self.with(|watching| {
            let recorded = watching.end()?;
            Some(watching.recording.carry(recorded))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Together> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields of a head.
pub(crate) fn fields(map: &http::HeaderMap) -> Headers {
    map.iter()
        .map(|(name, value)| (Bytes::copy_from_slice(name.as_ref()), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
