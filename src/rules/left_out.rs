//! What a request did beyond the number of events that it may give: counted,
//! and said in one event for each action, never silently less.

use super::derive::Run;
use super::ready::Action;
use crate::event::{Event, Message, Outcome};

/// Events that one exchange gives at most. An event's number in its exchange has 12 bits (see `event_id`).
const MOST_EVENTS: usize = 4_000;
/// Actions whose surplus is told apart; that of further ones is added to the last.
const MOST_ACTIONS: usize = 64;
/// Elements of one action that are looked at; those behind them are only counted.
pub(crate) const MOST_ELEMENTS: usize = 10_000;

/// What was left out of one exchange.
#[derive(Default)]
pub(crate) struct LeftOut<'a>(Vec<Surplus<'a>>);

struct Surplus<'a> {
    action: &'a Action,
    workspace: Option<String>,
    count: usize,
    /// How all of it ended, where that is the same.
    outcome: Outcome,
}

impl<'a> LeftOut<'a> {
    /// How many events an action may still give, where an exchange gave so many before it.
    pub(crate) fn room(action: &Action, given: usize) -> usize {
        action.max_events.min(MOST_EVENTS.saturating_sub(given))
    }

    /// Counts what an action did and gives no event of its own.
    pub(crate) fn count(&mut self, action: &'a Action, workspace: Option<&str>, count: usize, outcome: Outcome) {
        let full = self.0.len() >= MOST_ACTIONS;
        let known = match self.0.iter().position(|surplus| surplus.action.key == action.key) {
            Some(at) => self.0.get_mut(at),
            None if full => self.0.last_mut(),
            None => None,
        };
        match known {
            Some(surplus) => {
                surplus.count += count;
                if surplus.outcome != outcome {
                    surplus.outcome = Outcome::Unknown;
                }
            }
            None => self.0.push(Surplus { action, workspace: workspace.map(str::to_owned), count, outcome }),
        }
    }

    /// The events that say it.
    pub(crate) fn events(self, run: &Run<'_>) -> Vec<Event> {
        let event = |(at, surplus): (usize, Surplus<'_>)| {
            let Surplus { action, workspace, count, outcome } = surplus;
            let mut event = run.bare_event(action, workspace.as_deref(), run.derived.events.len() + at);
            event.message = Message::plain(format!("{}: {count} more in the same request", action.title));
            event.outcome = outcome;
            event.details.insert("left_out".to_owned(), count.into());
            event
        };
        self.0.into_iter().enumerate().map(event).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::memory::Memory;
    use crate::rules::tests::{ended, set_of};
    use crate::rules::{Caller, Derived};

    fn derived(rules: &str, elements: usize) -> Vec<Event> {
        let set = set_of(rules);
        let found = set.find("POST", "/a").unwrap();
        let list: Vec<usize> = (0..elements).collect();
        let exchange = ended("POST /a", &serde_json::json!({ "list": list }), 200, &serde_json::Value::Null);
        let Derived { events, .. } = set.derive(found, &exchange, &Caller::default(), &Memory::new(9), &[]);
        events
    }

    #[test]
    fn an_exchange_gives_so_many_events_and_says_how_many_more_there_were() {
        let rule = |verb: &str, more: &str| {
            format!("[thing.{verb}]\nwhen = \"POST /a\"\neach = \"input.list\"\n{more}\nmessage = \"{verb}\"\n")
        };
        let events = derived(&format!("category = \"A\"\n{}", rule("made", "")), 700);
        assert_eq!((events.len(), &*events[500].message.text), (501, "made thing: 200 more in the same request"));
        let both =
            format!("category = \"A\"\n{}{}", rule("made", "max_events = 3900"), rule("sent", "max_events = 200"));
        let events = derived(&both, 3_900);
        let said: Vec<&str> = events[4_000..].iter().map(|event| &*event.message.text).collect();
        assert_eq!((events.len(), said), (4_001, vec!["sent thing: 3800 more in the same request"]));
        let mut ids: Vec<uuid::Uuid> = events.iter().map(|event| event.id).collect();
        ids.dedup();
        assert!(ids.len() == 4_001 && ids.is_sorted());
    }

    #[test]
    fn elements_beyond_what_is_looked_at_are_counted() {
        let rule = "category = \"A\"\n[thing.made]\nwhen = \"POST /a\"\neach = \"input.list\"\nif = \"each == 3\"\nmessage = \"made {{ each }}\"\n";
        let events = derived(rule, 10_040);
        assert_eq!(events[1].message.text, "made thing: 40 more in the same request");
        assert_eq!(events.len(), 2);
    }
}
