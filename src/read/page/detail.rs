//! Everything that is known of one event: the panel beside the list, and a page of its own.

use jiff::{SignedDuration, Timestamp};

use crate::event::{Event, Outcome};
use crate::read::EventObject;
use crate::read::query::{Params, When};
use crate::record::query::{Count, Field, Stored};

use super::desk::{Desk, list_href};
use super::families::icon_of;
use super::format::{self, Stamp};
use super::person::Person;
use super::sentence::{self, Badge, Changed, Part};

/// What "around this time" means.
const AROUND: SignedDuration = SignedDuration::from_mins(30);

/// One event, ready to be shown.
#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) workspace: Option<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) person: Person,
    pub(crate) email: Option<String>,
    pub(crate) unknown_because: Option<String>,
    pub(crate) person_narrow: Option<Narrow>,
    pub(crate) stamp: Stamp,
    pub(crate) ago: String,
    pub(crate) badge: Badge,
    pub(crate) reason: Option<String>,
    pub(crate) category: String,
    pub(crate) category_icon: &'static str,
    pub(crate) category_narrow: Narrow,
    pub(crate) title: String,
    pub(crate) action: String,
    pub(crate) action_narrow: Narrow,
    pub(crate) targets: Vec<Thing>,
    pub(crate) ip: Option<(String, Narrow)>,
    pub(crate) changes: Vec<Changed>,
    pub(crate) further: Vec<Further>,
    pub(crate) request: Option<Request>,
    pub(crate) client: Option<String>,
    pub(crate) values: Vec<(String, String)>,
    pub(crate) missing: Vec<(String, String)>,
    pub(crate) rule: Option<(String, String)>,
    pub(crate) hash: String,
    pub(crate) json: String,
    pub(crate) page_href: String,
    pub(crate) list_href: String,
}

/// The lists with only this value, and without it.
#[derive(Debug)]
pub(crate) struct Narrow {
    pub(crate) what: String,
    pub(crate) only: String,
    pub(crate) without: String,
}

/// A thing that the action was done to.
#[derive(Debug)]
pub(crate) struct Thing {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) is_gone: bool,
    pub(crate) narrow: Option<Narrow>,
}

/// Another question that this event suggests.
#[derive(Clone, Debug)]
pub(crate) struct Further {
    pub(crate) icon: &'static str,
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) count: String,
    /// The question, to be counted.
    pub(crate) params: Params,
}

/// What is kept of the request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) answer: String,
    pub(crate) id: String,
}

impl Detail {
    /// Everything about an event; `counts` belong to [`further`] in its order.
    pub(crate) fn new(desk: &Desk, stored: &Stored, counts: &[Count]) -> Detail {
        let event = &stored.event;
        let person = Person::new(&event.actor);
        let narrow = |field, value: &str, what: &str| Narrow {
            what: what.to_owned(),
            only: desk.only(field, value),
            without: desk.without(field, value),
        };
        let mut further = further(desk, event);
        for (further, count) in further.iter_mut().zip(counts) {
            further.count = format!("{}{}", format::thousands(count.value), if count.capped { "+" } else { "" });
        }
        Detail {
            id: event.id.to_string(),
            number: format::thousands(stored.seq),
            workspace: event.workspace.as_deref().map(str::to_owned),
            parts: sentence::living_parts(desk, event),
            person_narrow: person.key.as_deref().map(|key| narrow(Field::User, key, &person.name)),
            person,
            email: event.actor.email.clone().filter(|email| event.actor.label() != Some(email)),
            unknown_because: event.actor.unknown_because.clone(),
            stamp: format::stamp(event.time, &desk.zone),
            ago: ago(event.time, desk.now),
            badge: sentence::badge(event.outcome),
            reason: sentence::reason(event),
            category: event.category.to_string(),
            category_icon: icon_of(&event.category),
            category_narrow: narrow(Field::Category, &event.category, &event.category),
            title: event.said_in(desk.language.as_deref()).0.to_string(),
            action: event.action.to_string(),
            action_narrow: narrow(Field::Action, &event.action, &event.action),
            targets: things(desk, event, &narrow),
            ip: event.source.ip.map(|ip| (ip.to_string(), narrow(Field::Ip, &ip.to_string(), &ip.to_string()))),
            changes: sentence::all_changes(&event.changes),
            further,
            request: request(event),
            client: event.source.user_agent.as_deref().map(|agent| format::client(agent).unwrap_or(agent.to_owned())),
            values: event.details.iter().map(|(name, value)| (name.clone(), format::value(Some(value)))).collect(),
            missing: event.missing.iter().map(|missing| (missing.name.clone(), missing.reason.clone())).collect(),
            rule: event.rule.as_ref().map(|rule| (rule.file.to_string(), rule.version.to_string())),
            hash: hex::encode(stored.hash),
            json: serde_json::to_string_pretty(&EventObject::from(stored)).unwrap_or_default(),
            page_href: desk.event(event.id),
            list_href: desk.closed(),
        }
    }
}

/// The questions that an event suggests, not counted yet.
pub(crate) fn further(desk: &Desk, event: &Event) -> Vec<Further> {
    let question = |icon, name: String, change: &dyn Fn(&mut Params)| {
        let mut params = Params { tz: desk.params.tz.clone(), ..Params::default() };
        change(&mut params);
        Further { icon, name, href: list_href(&params), count: String::new(), params }
    };
    let mut all = Vec::new();
    if let Some(target) = event.targets.first()
        && let Some(id) = &target.id
    {
        let name = target.name.as_ref().unwrap_or(id);
        all.push(question("page", format!("Everything about {name}"), &|params| {
            params.insert(Field::Target, false, format!("{}:{id}", target.kind));
        }));
    }
    let person = Person::new(&event.actor);
    if let Some(key) = &person.key {
        let bound = |at: Result<Timestamp, jiff::Error>| at.ok().and_then(|at| When::parse(&at.to_string()).ok());
        all.push(question("person", format!("{}, 30 min around this", person.name), &|params| {
            params.insert(Field::User, false, key);
            params.since = bound(event.time.checked_sub(AROUND));
            params.until = bound(event.time.checked_add(AROUND));
        }));
    }
    if let Some(request) = event.request.as_ref().filter(|request| !request.id.is_empty()) {
        all.push(question("stack", "Same request".to_owned(), &|params| {
            params.insert(Field::Request, false, &request.id);
        }));
    }
    all
}

fn things(desk: &Desk, event: &Event, narrow: &dyn Fn(Field, &str, &str) -> Narrow) -> Vec<Thing> {
    let thing = |target: &crate::event::Target| {
        let name = target.name.clone().or_else(|| target.id.clone());
        Thing {
            kind: target.kind.clone(),
            narrow: target
                .id
                .as_ref()
                .zip(name.as_ref())
                .map(|(id, name)| narrow(Field::Target, &format!("{}:{id}", target.kind), name)),
            name: name.unwrap_or_else(|| "(unknown)".to_owned()),
            id: target.id.clone(),
            is_gone: target.link.as_deref().is_some_and(|link| desk.is_gone(event.id, link)),
            link: target.link.clone().filter(|link| sentence::is_safe(link) && !desk.is_gone(event.id, link)),
        }
    };
    event.targets.iter().map(thing).collect()
}

fn request(event: &Event) -> Option<Request> {
    let request = event.request.as_ref()?;
    let answer = match (request.status, event.outcome) {
        (Some(code), _) => format!("{} in {}", format::status(code), format::duration(request.duration_ms)),
        (None, Outcome::Unknown) => format!("no whole answer after {}", format::duration(request.duration_ms)),
        (None, _) => "the platform could not be reached".to_owned(),
    };
    Some(Request { line: format!("{} {}", request.method, request.path), answer, id: request.id.clone() })
}

/// How long ago, beside the time itself: never instead of it.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    let words = |number: i64, unit: &str| format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" });
    match seconds {
        i64::MIN..0 => String::new(),
        0..60 => "just now".to_owned(),
        60..3_600 => words(seconds / 60, "minute"),
        3_600..86_400 => words(seconds / 3_600, "hour"),
        _ => words(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_said_in_one_unit() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        for (seconds, words) in [(0, "just now"), (60, "1 minute ago"), (7_199, "1 hour ago"), (200_000, "2 days ago")]
        {
            assert_eq!(ago(at(0), at(seconds)), words);
        }
        assert_eq!(ago(at(5), at(0)), "", "a clock that went back says nothing");
    }
}
