//! What is known of credentials, by fingerprint: never the credential itself.
//!
//! A fingerprint is an HMAC under a key that lives as long as the process, so
//! neither a memory dump of it nor anything derived from it gives a token
//! back. Bounded: two generations, of which the older is let go as a whole.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, Shared};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::Who;

/// Stands for a credential.
pub(super) type Fingerprint = [u8; 32];

/// A question that is under way; everybody who asks the same waits for this one.
pub(super) type Flight = Shared<BoxFuture<'static, Who>>;

/// What is known of a credential.
#[derive(Clone)]
pub(super) enum Entry {
    /// An answer, and until when it holds.
    Answer(Who, Timestamp),
    /// A question under way, its number, and until when it may be waited for.
    Asking(Flight, u64, Timestamp),
}

/// Bounded memory of credentials.
pub(super) struct Known {
    /// Ready to take a credential: what the key itself costs is paid once.
    keyed: Hmac<Sha256>,
    generations: Mutex<Generations>,
}

struct Generations {
    young: HashMap<Fingerprint, Entry>,
    old: HashMap<Fingerprint, Entry>,
    half: usize,
    flights: u64,
}

impl Known {
    pub(super) fn new(key: [u8; 32], most: usize) -> Known {
        let half = (most / 2).max(1);
        Known {
            keyed: Hmac::<Sha256>::new_from_slice(&key).expect("an HMAC takes a key of any length"),
            generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new(), half, flights: 0 }),
        }
    }

    pub(super) fn fingerprint(&self, credential: &str) -> Fingerprint {
        let mut mac = self.keyed.clone();
        mac.update(credential.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// What holds now.
    pub(super) fn get(&self, of: &Fingerprint, now: Timestamp) -> Option<Entry> {
        let mut generations = self.lock();
        let entry = generations.find(of)?;
        let (Entry::Answer(_, until) | Entry::Asking(_, _, until)) = &entry;
        (now < *until).then_some(entry)
    }

    pub(super) fn put(&self, of: Fingerprint, who: Who, until: Timestamp) {
        self.lock().put(of, Entry::Answer(who, until));
    }

    /// Joins the flight that is under way, or starts one: `start` gets its number.
    pub(super) fn join(
        &self,
        of: Fingerprint,
        now: Timestamp,
        until: Timestamp,
        start: impl FnOnce(u64) -> Flight,
    ) -> Flight {
        let mut generations = self.lock();
        match generations.find(&of) {
            Some(Entry::Asking(flight, _, until)) if now < until => flight,
            _ => {
                generations.flights += 1;
                let number = generations.flights;
                let flight = start(number);
                generations.put(of, Entry::Asking(flight.clone(), number, until));
                flight
            }
        }
    }

    /// The answer of a flight; ignored if something newer is known by now.
    pub(super) fn land(&self, of: Fingerprint, number: u64, who: Who, until: Timestamp) {
        let mut generations = self.lock();
        if matches!(generations.find(&of), Some(Entry::Asking(_, current, _)) if current == number) {
            generations.put(of, Entry::Answer(who, until));
        }
    }

    pub(super) fn forget(&self, of: &Fingerprint) {
        let mut generations = self.lock();
        generations.young.remove(of);
        generations.old.remove(of);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    /// What is kept, whether it still holds or not; being asked for makes it young.
    fn find(&mut self, of: &Fingerprint) -> Option<Entry> {
        if let Some(entry) = self.young.get(of) {
            return Some(entry.clone());
        }
        let entry = self.old.remove(of)?;
        self.put(*of, entry.clone());
        Some(entry)
    }

    fn put(&mut self, of: Fingerprint, entry: Entry) {
        if self.young.len() >= self.half && !self.young.contains_key(&of) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&of);
        self.young.insert(of, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_was_not_asked_for_lately_goes_first() {
        let known = Known::new([7; 32], 4);
        let prints: Vec<_> = (0..6).map(|number| known.fingerprint(&format!("token {number}"))).collect();
        for print in &prints {
            known.put(*print, Who::default(), at(100));
            assert!(known.get(&prints[0], at(1)).is_some(), "the one in use stays");
        }
        assert!(known.get(&prints[1], at(1)).is_none());
        assert!(known.get(&prints[5], at(1)).is_some());
        let generations = known.lock();
        assert!(generations.young.len() + generations.old.len() <= 4);
    }

    #[test]
    fn an_answer_ends_when_its_time_is_over() {
        let known = Known::new([7; 32], 10);
        let print = known.fingerprint("token");
        known.put(print, Who::default(), at(100));
        assert!(known.get(&print, at(99)).is_some());
        assert!(known.get(&print, at(100)).is_none());
    }

    #[test]
    fn a_fingerprint_depends_on_the_key() {
        assert_ne!(Known::new([1; 32], 1).fingerprint("t"), Known::new([2; 32], 1).fingerprint("t"));
    }
}
