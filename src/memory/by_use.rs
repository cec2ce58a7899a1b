//! Things in the order of their use: a map from key to slot, and the slots
//! linked from most to least recently used. Nothing here knows of limits.

use std::collections::HashMap;
use std::sync::Arc;

use super::key::{Key, Parts};
use super::{Thing, bounds};

/// No slot: the end of the list.
const NONE: usize = usize::MAX;

/// The things that are known, and in which order they were used.
pub(super) struct ByUse {
    at: HashMap<Key, usize>,
    slots: Vec<Slot>,
    newest: usize,
    oldest: usize,
    bytes: usize,
}

struct Slot {
    key: Key,
    thing: Arc<Thing>,
    bytes: usize,
    newer: usize,
    older: usize,
}

impl ByUse {
    pub(super) fn new() -> ByUse {
        ByUse { at: HashMap::new(), slots: Vec::new(), newest: NONE, oldest: NONE, bytes: 0 }
    }

    /// How many things there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<Thing>)> {
        self.slots.iter().map(|slot| (&slot.key, &slot.thing))
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The thing of a key, which is used by asking.
    pub(super) fn use_(&mut self, key: &dyn Parts) -> Option<Arc<Thing>> {
        let slot = *self.at.get(key)?;
        self.touch(slot);
        self.slots.get(slot).map(|slot| Arc::clone(&slot.thing))
    }

    /// Uses the thing of a key, which is there afterwards, and lets it be changed; whether that says that it was.
    pub(super) fn change(&mut self, key: &Key, change: impl FnOnce(&mut Arc<Thing>) -> bool) -> bool {
        let slot = match self.at.get(key as &dyn Parts) {
            Some(&slot) => {
                self.touch(slot);
                slot
            }
            None => self.add(key),
        };
        let Some(slot) = self.slots.get_mut(slot) else { return false };
        let changed = change(&mut slot.thing);
        if changed {
            let bytes = bounds::cost(&slot.key, &slot.thing);
            self.bytes = self.bytes - slot.bytes + bytes;
            slot.bytes = bytes;
        }
        changed
    }

    fn add(&mut self, key: &Key) -> usize {
        let thing = Arc::default();
        let bytes = bounds::cost(key, &thing);
        self.bytes += bytes;
        self.slots.push(Slot { key: key.clone(), thing, bytes, newer: NONE, older: NONE });
        let slot = self.slots.len() - 1;
        self.at.insert(key.clone(), slot);
        self.link_newest(slot);
        slot
    }

    fn touch(&mut self, slot: usize) {
        if self.newest != slot {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    fn unlink(&mut self, slot: usize) {
        let Some((newer, older)) = self.slots.get(slot).map(|slot| (slot.newer, slot.older)) else { return };
        match self.slots.get_mut(newer) {
            Some(neighbour) => neighbour.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, slot: usize) {
        let second = self.newest;
        if let Some(first) = self.slots.get_mut(slot) {
            first.newer = NONE;
            first.older = second;
        }
        match self.slots.get_mut(second) {
            Some(neighbour) => neighbour.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    /// Forgets the least recently used thing; the last slot moves into its place.
    pub(super) fn forget_oldest(&mut self) -> Option<Key> {
        let gone = self.oldest;
        self.unlink(gone);
        if gone >= self.slots.len() {
            return None;
        }
        let removed = self.slots.swap_remove(gone);
        self.bytes -= removed.bytes;
        self.at.remove(&removed.key as &dyn Parts);
        if let Some(moved) = self.slots.get(gone) {
            let (newer, older) = (moved.newer, moved.older);
            self.at.insert(moved.key.clone(), gone);
            match self.slots.get_mut(newer) {
                Some(neighbour) => neighbour.older = gone,
                None => self.newest = gone,
            }
            match self.slots.get_mut(older) {
                Some(neighbour) => neighbour.newer = gone,
                None => self.oldest = gone,
            }
        }
        Some(removed.key)
    }
}
