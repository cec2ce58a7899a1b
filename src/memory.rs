//! Names and states learned from earlier exchanges, so that a sentence can say
//! "Deleted user anna@acme.it" when only an id passes by.
//!
//! Keyed by workspace, kind and id; bounded (the least recently used thing
//! goes first); a deleted thing stays as a tombstone, so that its name is still
//! known. Ids compare as text.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

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

/// What is known of a thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thing {
    /// What people call it.
    pub name: Option<String>,
    /// The fields that some rule mentions, by their dotted name.
    pub fields: Map<String, Value>,
    /// Whether it was deleted.
    pub gone: bool,
    /// When it was last seen in an exchange.
    pub seen: Timestamp,
}

/// What one exchange teaches about one thing. `None` and absent fields leave what is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// Which thing.
    pub key: Key,
    /// Its name, where the exchange said it.
    pub name: Option<String>,
    /// Its fields, where the exchange said them; `null` is a value.
    pub fields: Map<String, Value>,
    /// Whether it was deleted. A later lesson that shows it again revives it.
    pub gone: bool,
    /// When.
    pub seen: Timestamp,
}

/// Where `rules` looks a thing up: the running memory, or a test's `given`.
pub trait Recall {
    /// What is known of the thing.
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>>;
}

/// What is known, with lessons of the moment laid over it: a look-up's answer before it is believed.
pub struct Overlay<'a> {
    /// What is known.
    pub below: &'a dyn Recall,
    /// What was just said.
    pub lessons: &'a [Lesson],
}

impl Recall for Overlay<'_> {
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>> {
        let known = self.below.recall(workspace, kind, id);
        let mut thing: Option<Thing> = None;
        for lesson in self.lessons {
            let key = &lesson.key;
            if &*key.id == id && &*key.kind == kind && &*key.workspace == workspace {
                thing.get_or_insert_with(|| known.as_deref().cloned().unwrap_or_default()).take_in(lesson);
            }
        }
        thing.map(Arc::new).or(known)
    }
}

impl Thing {
    /// Whether a lesson teaches nothing new: all it says is known, and known recently enough to be kept.
    fn says(&self, lesson: &Lesson) -> bool {
        self.gone == lesson.gone
            && lesson.seen.duration_since(self.seen) < SEEN_AGAIN
            && lesson.name.as_ref().is_none_or(|name| self.name.as_ref() == Some(name))
            && lesson.fields.iter().all(|(field, value)| self.fields.get(field) == Some(value))
    }

    /// Adds a lesson to what is known.
    pub fn take_in(&mut self, lesson: &Lesson) {
        if let Some(name) = &lesson.name {
            self.name = Some(name.clone());
        }
        for (field, value) in &lesson.fields {
            self.fields.insert(field.clone(), value.clone());
        }
        self.gone = lesson.gone;
        self.seen = self.seen.max(lesson.seen);
    }
}

/// That a thing was seen again is news after so long: a restart loads what was seen last.
const SEEN_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What lessons did to the memory.
#[derive(Debug, Default, PartialEq)]
pub struct Learned {
    /// Lessons that said something new, in their order.
    pub news: Vec<Lesson>,
    /// Things that had to be forgotten for want of room.
    pub forgotten: Vec<Key>,
}

/// The running memory. One for a whole process; shared by reference.
pub struct Memory {
    inner: Mutex<Inner>,
}

impl Memory {
    /// How many things are kept unless the configuration says otherwise: about 60 MB when full.
    pub const DEFAULT_CAPACITY: usize = 200_000;

    /// An empty memory for at most `capacity` things (at least one).
    pub fn new(capacity: usize) -> Memory {
        Memory { inner: Mutex::new(Inner::new(capacity.max(1))) }
    }

    /// Fills it with what a store kept, most recently seen first; what does not fit is left out.
    pub fn preload(&self, things: Vec<(Key, Thing)>) {
        let mut inner = self.lock();
        let room = inner.capacity;
        for (key, thing) in things.into_iter().take(room).rev() {
            let slot = inner.slot_of(&key);
            if let Some(slot) = inner.slots.get_mut(slot) {
                slot.thing = Arc::new(thing);
            }
        }
    }

    /// Takes lessons in, in their order. Most of what passes by says what was known: only news comes back.
    pub fn learn(&self, lessons: Vec<Lesson>) -> Learned {
        let mut inner = self.lock();
        let mut learned = Learned::default();
        for lesson in lessons {
            if inner.at.len() >= inner.capacity && !inner.at.contains_key(&lesson.key as &dyn Parts) {
                learned.forgotten.extend(inner.forget_oldest());
            }
            let slot = inner.slot_of(&lesson.key);
            let Some(slot) = inner.slots.get_mut(slot) else { continue };
            if slot.thing.says(&lesson) {
                continue;
            }
            Arc::make_mut(&mut slot.thing).take_in(&lesson);
            learned.news.push(lesson);
        }
        learned
    }

    /// How many things are known.
    pub fn len(&self) -> usize {
        self.lock().at.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole things behind: every step below keeps the list linked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(Memory::DEFAULT_CAPACITY)
    }
}

impl Recall for Memory {
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>> {
        let mut inner = self.lock();
        let slot = *inner.at.get(&(workspace, kind, id) as &dyn Parts)?;
        inner.touch(slot);
        inner.slots.get(slot).map(|slot| Arc::clone(&slot.thing))
    }
}

/// No slot: the end of the list.
const NONE: usize = usize::MAX;

/// A map from key to slot, and the slots linked from most to least recently used.
struct Inner {
    capacity: usize,
    at: HashMap<Key, usize>,
    slots: Vec<Slot>,
    newest: usize,
    oldest: usize,
}

struct Slot {
    key: Key,
    thing: Arc<Thing>,
    newer: usize,
    older: usize,
}

impl Inner {
    fn new(capacity: usize) -> Inner {
        Inner { capacity, at: HashMap::new(), slots: Vec::new(), newest: NONE, oldest: NONE }
    }

    /// The slot of a key, made where there is none, and now the most recently used.
    fn slot_of(&mut self, key: &Key) -> usize {
        if let Some(&slot) = self.at.get(key as &dyn Parts) {
            self.touch(slot);
            return slot;
        }
        let fresh = Slot { key: key.clone(), thing: Arc::default(), newer: NONE, older: NONE };
        self.slots.push(fresh);
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
    fn forget_oldest(&mut self) -> Option<Key> {
        let gone = self.oldest;
        self.unlink(gone);
        if gone >= self.slots.len() {
            return None;
        }
        let removed = self.slots.swap_remove(gone);
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

/// A key as borrowed parts, so that looking up allocates nothing.
trait Parts {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lesson(id: &str, name: Option<&str>) -> Lesson {
        let key = Key { workspace: "39".into(), kind: "document".into(), id: id.into() };
        let name = name.map(str::to_owned);
        Lesson { key, name, fields: Map::new(), gone: false, seen: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_thing_keeps_what_a_later_lesson_does_not_say() {
        let memory = Memory::new(10);
        memory.learn(vec![lesson("1", Some("Manual.pdf"))]);
        memory.learn(vec![Lesson { gone: true, ..lesson("1", None) }]);
        let thing = memory.recall("39", "document", "1").unwrap();
        assert_eq!((thing.name.as_deref(), thing.gone), (Some("Manual.pdf"), true));
        assert_eq!(memory.recall("40", "document", "1"), None);
    }

    #[test]
    fn the_least_recently_used_thing_is_forgotten_first() {
        let memory = Memory::new(2);
        memory.learn(vec![lesson("1", Some("a")), lesson("2", Some("b"))]);
        memory.recall("39", "document", "1");
        let forgotten = memory.learn(vec![lesson("3", Some("c"))]).forgotten;
        assert_eq!(forgotten, [lesson("2", None).key]);
        assert!(memory.recall("39", "document", "1").is_some());
    }

    #[test]
    fn what_a_store_kept_is_known_again_and_the_oldest_goes_first() {
        let memory = Memory::new(2);
        let thing = |name: &str| Thing { name: Some(name.to_owned()), ..Thing::default() };
        memory.preload(vec![(lesson("9", None).key, thing("new")), (lesson("8", None).key, thing("old"))]);
        assert_eq!(memory.learn(vec![lesson("7", None)]).forgotten, [lesson("8", None).key]);
        assert_eq!(memory.recall("39", "document", "9").unwrap().name.as_deref(), Some("new"));
    }

    #[test]
    fn an_overlay_shows_its_lessons_over_what_is_known() {
        let memory = Memory::new(2);
        memory.learn(vec![lesson("1", Some("old"))]);
        let lessons = [lesson("1", Some("new"))];
        let overlay = Overlay { below: &memory, lessons: &lessons };
        assert_eq!(overlay.recall("39", "document", "1").unwrap().name.as_deref(), Some("new"));
        assert_eq!(memory.recall("39", "document", "1").unwrap().name.as_deref(), Some("old"));
    }

    #[test]
    fn only_news_comes_back() {
        let memory = Memory::new(10);
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let said = |name, gone, hours| Lesson { gone, seen: at(hours), ..lesson("1", name) };
        let is_news = |lesson: Lesson| !memory.learn(vec![lesson]).news.is_empty();
        assert!(is_news(said(Some("a"), false, 0)));
        assert!(!is_news(said(Some("a"), false, 0)) && !is_news(said(None, false, 0)));
        assert!(is_news(said(Some("b"), false, 0)), "another name");
        assert!(is_news(said(None, true, 0)), "it is gone");
        assert!(is_news(said(None, false, 0)), "it is back");
        assert!(is_news(said(None, false, 1)), "a restart would forget what is not seen for long");
    }

    proptest! {
        #[test]
        fn it_forgets_like_a_list_ordered_by_use(ids in prop::collection::vec(0u8..12, 0..200), room in 1usize..6) {
            let memory = Memory::new(room);
            let mut model: Vec<String> = Vec::new();
            for id in ids {
                let id = id.to_string();
                memory.learn(vec![lesson(&id, Some(&id))]);
                model.retain(|known| *known != id);
                model.push(id);
                if model.len() > room {
                    model.remove(0);
                }
                prop_assert_eq!(memory.len(), model.len());
            }
            for id in &model {
                prop_assert!(memory.recall("39", "document", id).is_some());
            }
        }
    }
}
