//! A person as the page shows them: a name, and a letter on a colour that stays theirs.

use sha2::{Digest as _, Sha256};

use crate::event::{Actor, ActorKind};
use crate::read::actor_label;

/// How many colours there are for letters.
const COLOURS: u8 = 8;

/// A person, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// What a filter on users takes; None for nobody.
    pub(crate) key: Option<String>,
    /// The first letter of the name; None where an icon stands for it.
    pub(crate) letter: Option<String>,
    pub(crate) colour: u8,
    pub(crate) icon: &'static str,
}

impl Person {
    /// The actor of an event.
    pub(crate) fn new(actor: &Actor) -> Person {
        let key = actor.id.as_ref().or(actor.email.as_ref()).or(actor.name.as_ref()).cloned();
        let is_person = actor.kind == ActorKind::User || (actor.kind == ActorKind::Unknown && actor.label().is_some());
        let icon = match actor.kind {
            ActorKind::Service | ActorKind::Token | ActorKind::System => "bot",
            _ => "anon",
        };
        let person = Person::called(actor_label(actor), key.as_deref().unwrap_or_default());
        Person { letter: person.letter.filter(|_| is_person), key, icon, ..person }
    }

    /// Somebody of whom only a name and a key are known.
    pub(crate) fn called(name: &str, key: &str) -> Person {
        let letter = name.chars().find(|c| c.is_alphanumeric());
        Person {
            name: name.to_owned(),
            key: Some(key.to_owned()),
            letter: letter.map(|letter| letter.to_uppercase().collect()),
            colour: colour(key),
            icon: "anon",
        }
    }
}

/// The same key has the same colour on every page and after every restart.
fn colour(key: &str) -> u8 {
    Sha256::digest(key.as_bytes()).first().copied().unwrap_or_default() % COLOURS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_a_letter_and_keeps_the_colour() {
        let actor =
            Actor { kind: ActorKind::User, id: Some("u_1".into()), name: Some("élodie".into()), ..Actor::default() };
        let renamed = Actor { name: Some("Zoë".into()), ..actor.clone() };
        assert_eq!(Person::new(&actor).letter.as_deref(), Some("É"));
        assert_eq!(Person::new(&actor).colour, Person::new(&renamed).colour);
    }

    #[test]
    fn programs_and_nobody_have_an_icon() {
        let service = Actor { kind: ActorKind::Service, name: Some("Sync".into()), ..Actor::default() };
        assert_eq!((Person::new(&service).letter, Person::new(&service).icon), (None, "bot"));
        let nobody = Person::new(&Actor { kind: ActorKind::Anonymous, ..Actor::default() });
        assert_eq!((nobody.letter, nobody.icon, nobody.key), (None, "anon", None));
    }
}
