//! The memory that copies of bodies may take, all of them together.
//!
//! Forwarding never waits for it: where nothing is left a copy is cut, and the
//! event says why. What is drawn is given back when the copy is dropped, with
//! the exchange that it belongs to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

/// The default for all copies together, in bytes.
pub(crate) const COPIES_BYTES: usize = 64 << 20;
/// The default for how much of each body is copied, in bytes.
pub(crate) const COPY_BYTES: usize = 256 * 1024;

/// The least that a copy grows by, in bytes.
const GROWTH: usize = 512;

/// One for a process. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    drawn: AtomicUsize,
    refused: AtomicU64,
}

/// What one copy has drawn.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    drawn: usize,
}

impl Budget {
    /// So many bytes for all copies together.
    pub(crate) fn new(limit: usize) -> Budget {
        Budget(Arc::new(Inner { limit, drawn: AtomicUsize::new(0), refused: AtomicU64::new(0) }))
    }

    /// For what is bounded otherwise: one copy at a time.
    pub(crate) fn unlimited() -> Budget {
        Budget::new(usize::MAX)
    }

    /// A share for one copy, with nothing in it.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), drawn: 0 }
    }

    /// Bytes that copies hold now.
    pub(crate) fn drawn(&self) -> usize {
        self.0.drawn.load(Relaxed)
    }

    /// How often there was nothing left.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }
}

impl Share {
    /// Draws more; `false`: there is not so much left, and nothing was drawn.
    pub(crate) fn draw(&mut self, bytes: usize) -> bool {
        let inner = &self.budget.0;
        let before = inner.drawn.fetch_add(bytes, Relaxed);
        let given = before.saturating_add(bytes) <= inner.limit;
        if given {
            self.drawn = self.drawn.saturating_add(bytes);
        } else {
            inner.drawn.fetch_sub(bytes, Relaxed);
            inner.refused.fetch_add(1, Relaxed);
        }
        given
    }

    /// Draws what is taken in any case, because it is small and bounded for each copy.
    pub(super) fn draw_always(&mut self, bytes: usize) {
        self.budget.0.drawn.fetch_add(bytes, Relaxed);
        self.drawn = self.drawn.saturating_add(bytes);
    }

    /// Gives some back.
    pub(super) fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.drawn);
        self.budget.0.drawn.fetch_sub(bytes, Relaxed);
        self.drawn -= bytes;
    }

    /// Appends as much of `content` as there is memory for, growing to at most
    /// `most` bytes; answers how much that was.
    pub(super) fn append(&mut self, bytes: &mut Vec<u8>, content: &[u8], most: usize) -> usize {
        let needed = bytes.len().saturating_add(content.len());
        if needed > bytes.capacity() {
            let target = needed.max(bytes.capacity().saturating_mul(2)).max(GROWTH).min(most.max(needed));
            if self.draw(target - bytes.capacity()) {
                bytes.reserve_exact(target - bytes.len());
            }
        }
        let fits = content.len().min(bytes.capacity() - bytes.len());
        bytes.extend_from_slice(content.get(..fits).unwrap_or_default());
        fits
    }

    /// The copied content; what was drawn is given back when it is dropped.
    pub(super) fn seal(self, content: Vec<u8>) -> Bytes {
        if self.drawn == 0 {
            return Bytes::from(content);
        }
        Bytes::from_owner(Sealed { content, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.drawn.fetch_sub(self.drawn, Relaxed);
    }
}

struct Sealed {
    content: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_given_back_when_its_copy_is_dropped() {
        let budget = Budget::new(1000);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.draw(600) && !other.draw(600) && other.draw(400));
        assert_eq!((budget.drawn(), budget.refused()), (1000, 1));
        let sealed = one.seal(vec![1; 600]);
        assert_eq!((sealed.len(), budget.drawn()), (600, 1000));
        let slice = sealed.slice(10..20);
        drop(sealed);
        assert_eq!(budget.drawn(), 1000, "a slice of it is still there");
        drop((slice, other));
        assert_eq!(budget.drawn(), 0);
    }

    #[test]
    fn an_append_grows_to_what_it_needs_and_never_beyond_the_budget() {
        let budget = Budget::new(2000);
        let (mut share, mut bytes) = (budget.share(), Vec::new());
        for _ in 0..300 {
            share.append(&mut bytes, &[7; 10], 10_000);
        }
        assert!(bytes.len() <= 2000 && bytes.len() > 900, "{}", bytes.len());
        assert!(bytes.capacity() <= 2000);
        let mut exact = Vec::new();
        assert_eq!(Budget::unlimited().share().append(&mut exact, &[7; 700], 700), 700);
        assert_eq!(exact.capacity(), 700);
    }
}
