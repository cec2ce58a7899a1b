//! The running memory: bounded in things and in bytes, shared by all threads.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;

use super::bounds::{cost, keep_within};
use super::by_use::ByUse;
use super::key::{Key, Parts};
use super::{Lesson, Recall, Thing};

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
    things: usize,
    bytes: usize,
    known: Mutex<ByUse>,
}

impl Memory {
    /// How many things are kept unless the configuration says otherwise.
    pub const DEFAULT_THINGS: usize = 50_000;
    /// How many bytes they may take unless the configuration says otherwise: 32 MiB.
    pub const DEFAULT_BYTES: usize = 32 << 20;

    /// An empty memory for at most so many things (at least one), and the default number of bytes.
    pub fn new(things: usize) -> Memory {
        Memory::bounded(things, Memory::DEFAULT_BYTES)
    }

    /// An empty memory for at most so many things (at least one) that take about so many bytes.
    pub fn bounded(things: usize, bytes: usize) -> Memory {
        Memory { things: things.max(1), bytes, known: Mutex::new(ByUse::new()) }
    }

    /// Fills it with what a store kept, most recently seen first. What does not fit comes back, to be forgotten.
    pub fn preload(&self, things: Vec<(Key, Thing)>) -> Vec<Key> {
        let mut room = self.bytes;
        let mut fits = |(key, thing): &(Key, Thing)| {
            let left = room.checked_sub(cost(key, thing));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let mut things = things.into_iter();
        let mut fitting = Vec::new();
        let mut left_out = Vec::new();
        for one in things.by_ref() {
            if fitting.len() >= self.things || !fits(&one) {
                left_out.push(one.0);
                break;
            }
            fitting.push(one);
        }
        left_out.extend(things.map(|(key, _)| key));
        let mut known = self.lock();
        for (key, thing) in fitting.into_iter().rev() {
            known.change(&key, |slot| {
                *slot = Arc::new(thing);
                true
            });
        }
        left_out
    }

    /// Takes lessons in, in their order, each within the limits of one thing. Most of what passes by says what was
    /// known: only news comes back.
    pub fn learn(&self, lessons: Vec<Lesson>) -> Learned {
        let mut known = self.lock();
        let mut learned = Learned::default();
        for lesson in lessons.into_iter().filter_map(keep_within) {
            let is_news = known.change(&lesson.key, |thing| {
                let is_news = !thing.says(&lesson);
                if is_news {
                    Arc::make_mut(thing).take_in(&lesson);
                }
                is_news
            });
            if is_news {
                learned.news.push(lesson);
            }
            while known.len() > self.things || known.bytes() > self.bytes && known.len() > 1 {
                learned.forgotten.extend(known.forget_oldest());
            }
        }
        learned
    }

    /// The things of a kind. Looks at all that is known.
    pub fn of_kind(&self, kind: &str) -> Vec<(Key, Arc<Thing>)> {
        self.lock()
            .iter()
            .filter(|(key, _)| *key.kind == *kind)
            .map(|(key, thing)| (key.clone(), Arc::clone(thing)))
            .collect()
    }

    /// How many things are known.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByUse> {
        // A panic elsewhere leaves whole things behind: every step keeps the list linked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(Memory::DEFAULT_THINGS)
    }
}

impl Recall for Memory {
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>> {
        self.lock().use_(&(workspace, kind, id) as &dyn Parts)
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use jiff::Timestamp;
    use serde_json::Map;

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
    fn what_takes_too_many_bytes_goes_the_least_recently_used_first() {
        let memory = Memory::bounded(1_000, 20_000);
        let long = "x".repeat(500);
        let lessons = (0..100).map(|id| lesson(&id.to_string(), Some(&long))).collect();
        let forgotten = memory.learn(lessons).forgotten;
        assert_eq!((forgotten.first(), memory.len() + forgotten.len()), (Some(&lesson("0", None).key), 100));
        assert!((20..40).contains(&memory.len()), "{}", memory.len());
        let again = Memory::bounded(1_000, 2_000);
        again.preload(
            (0..9)
                .map(|id| (lesson(&id.to_string(), None).key, Thing { name: Some(long.clone()), ..Thing::default() }))
                .collect(),
        );
        assert!(again.len() == 2 && again.recall("39", "document", "0").is_some());
    }

    #[test]
    fn a_thing_grows_and_shrinks_and_its_bytes_with_it() {
        let memory = Memory::new(10);
        memory.learn(vec![lesson("1", Some(&"x".repeat(400)))]);
        let full = memory.lock().bytes();
        memory.learn(vec![lesson("1", Some("x"))]);
        assert_eq!(memory.lock().bytes(), full - 399);
        memory.lock().forget_oldest();
        assert_eq!(memory.lock().bytes(), 0);
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
