//! Jobs: what a platform accepted and ends later. The event of the request is
//! `pending`; when anybody's poll passes by that says how it ended, a second
//! event says so, in the words and the name of whoever began it.
//!
//! What is kept of a job until then is a thing in memory, so it survives a
//! restart as names do, and is forgotten as they are: then nothing follows.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use super::derive::Run;
use super::element::Element;
use super::entry::Place;
use super::expression::{as_id, attribute, dig};
use super::operation::Operation;
use super::ready::{Action, Job, Translation};
use crate::event::{self, Actor, ActorKind, Event, Mark, Message, Missing, Outcome, Source, Target};
use crate::memory::{Key, Lesson, Memory, Thing};

/// What memory calls a job. No rule's kind can be called so.
const KIND: &str = "pending job";

fn key(action: &Action, id: &str) -> Key {
    Key { workspace: "".into(), kind: KIND.into(), id: format!("{} {id}", action.key).into() }
}

/// What memory keeps of a job that an element began.
pub(crate) fn begun(action: &Action, element: &Element<'_>, event: &Event) -> Option<Lesson> {
    let id = element.job.as_ref()?;
    let text = |outcome| message_json(&element.sentence_of(outcome).0);
    let fields = [
        ("id", json!(id)),
        ("workspace", json!(event.workspace)),
        ("actor", actor_json(&event.actor)),
        ("targets", event.targets.iter().map(target_json).collect()),
        ("success", text(Outcome::Success)),
        ("failure", text(Outcome::Failure)),
        ("translations", translations_json(action, element)),
        ("details", Json::Object(event.details.clone())),
        ("begun", json!(event.time.as_microsecond())),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Some(Lesson { key: key(action, id), name: None, fields, gone: false, seen: event.time })
}

/// Whether an exchange that somebody watches a job with says that it ended; then the event of that.
pub(crate) fn polled(run: &mut Run<'_>, number: usize, place: &Place, operation: &Operation) {
    let Some((action, job)) = run.set.ready.actions.get(number).and_then(|it| Some((it, it.job.as_ref()?))) else {
        return;
    };
    let facts = &operation.facts;
    let named = place.names().last().and_then(|name| as_id(&attribute(&facts.path, name)));
    let id = named.or_else(|| as_id(&dig(&facts.input, "id"))).or_else(|| as_id(&dig(&facts.output, "id")));
    let Some(key) = id.filter(|_| operation.teaches()).map(|id| key(action, &id)) else { return };
    let Some(thing) = run.memory.recall("", KIND, &key.id).filter(|thing| !thing.gone) else { return };
    let done = match &job.done {
        Some(done) => done.value(&operation.frame).is_true(),
        None => facts.status.as_i64() != Some(202),
    };
    if !done {
        return;
    }
    let success = job.success.as_ref().map(|success| success.value(&operation.frame));
    let outcome = match success {
        Some(value) if value.is_undefined() || value.is_none() => Outcome::Unknown,
        Some(value) if !value.is_true() => Outcome::Failure,
        _ => Outcome::Success,
    };
    let bare = run.bare_event(action, None, run.derived.events.len());
    // Whoever polls is not who began it: their address would stand beside another's name.
    run.derived.events.push(Event { source: Source::default(), ..ended(bare, &thing, outcome) });
    run.derived.lessons.push(over(key, run.whole.finished));
}

/// A job that ended, as memory keeps it: nothing of it but that.
fn over(key: Key, seen: Timestamp) -> Lesson {
    let kept = ["actor", "targets", "success", "failure", "translations", "details"];
    let fields: Map<String, Json> = kept.iter().map(|name| ((*name).to_owned(), Json::Null)).collect();
    Lesson { key, name: None, fields, gone: true, seen }
}

/// The events of jobs that nobody saw the end of in time, and what memory learns by that.
pub(crate) fn given_up<'a>(
    actions: impl Iterator<Item = &'a Action>,
    memory: &Memory,
    now: Timestamp,
    bare: impl Fn(&Action, usize) -> Event,
) -> (Vec<Event>, Vec<Lesson>) {
    let waiting: Vec<(&Action, &Job)> = actions.filter_map(|action| Some((action, action.job.as_ref()?))).collect();
    let (mut events, mut lessons) = (Vec::new(), Vec::new());
    if waiting.is_empty() {
        return (events, lessons);
    }
    for (key, thing) in memory.of_kind(KIND) {
        let Some(of) = key.id.split(' ').next().filter(|_| !thing.gone) else { continue };
        let Some((action, job)) = waiting.iter().find(|(action, _)| *action.key == *of) else { continue };
        if now.duration_since(begun_at(&thing)) < job.give_up {
            continue;
        }
        let mut event = ended(bare(action, events.len()), &thing, Outcome::Unknown);
        let reason = format!("nobody saw the end of it within {}", words(job.give_up));
        event.missing.push(Missing { name: "outcome".to_owned(), reason });
        events.push(event);
        lessons.push(over(key, now));
    }
    (events, lessons)
}

fn begun_at(thing: &Thing) -> Timestamp {
    let begun = thing.fields.get("begun").and_then(Json::as_i64);
    begun.and_then(|begun| Timestamp::from_microsecond(begun).ok()).unwrap_or(thing.seen)
}

fn words(duration: SignedDuration) -> String {
    match duration.as_secs() {
        secs if secs % 3_600 == 0 => format!("{} h", secs / 3_600),
        secs if secs % 60 == 0 => format!("{} min", secs / 60),
        secs => format!("{secs} s"),
    }
}

/// The event that a job ended, by what was kept of its beginning.
fn ended(bare: Event, thing: &Thing, outcome: Outcome) -> Event {
    let field = |name: &str| thing.fields.get(name).unwrap_or(&Json::Null);
    let said = if outcome == Outcome::Failure { "failure" } else { "success" };
    let mut details = field("details").as_object().cloned().unwrap_or_default();
    details.entry("job").or_insert_with(|| field("id").clone());
    let translations = field("translations").as_array().into_iter().flatten();
    Event {
        translations: translations.map(|it| translation_of(it, said)).collect(),
        workspace: field("workspace").as_str().map(Into::into),
        message: message_of(field(said)),
        actor: actor_of(field("actor")),
        targets: field("targets").as_array().into_iter().flatten().map(target_of).collect(),
        details,
        outcome,
        ..bare
    }
}

fn text(value: &Json, name: &str) -> Option<String> {
    value.get(name).and_then(Json::as_str).map(str::to_owned)
}

fn message_json(message: &Message) -> Json {
    let marks = message.marks.iter().map(|mark| json!([mark.start, mark.end, mark.link]));
    json!({ "text": message.text, "marks": marks.collect::<Vec<_>>() })
}

fn message_of(value: &Json) -> Message {
    let place = |value: Option<&Json>| value.and_then(Json::as_u64).and_then(|at| usize::try_from(at).ok());
    let mark = |value: &Json| {
        let link = value.get(2).and_then(Json::as_str).map(str::to_owned);
        Some(Mark { start: place(value.get(0))?, end: place(value.get(1))?, link })
    };
    let marks = value.get("marks").and_then(Json::as_array).into_iter().flatten().filter_map(mark).collect();
    Message { text: text(value, "text").unwrap_or_default(), marks }
}

fn translations_json(action: &Action, element: &Element<'_>) -> Json {
    let in_outcome = |outcome| element.translations(outcome).into_iter().map(|it| message_json(&it.message));
    let both = in_outcome(Outcome::Success).zip(in_outcome(Outcome::Failure));
    let one = |(it, (success, failure)): (&Translation, (Json, Json))| json!({ "language": it.language, "title": it.title, "success": success, "failure": failure });
    action.translations.iter().zip(both).map(one).collect()
}

fn translation_of(value: &Json, said: &str) -> event::Translation {
    event::Translation {
        language: text(value, "language").unwrap_or_default().into(),
        title: text(value, "title").unwrap_or_default().into(),
        message: message_of(value.get(said).unwrap_or(&Json::Null)),
    }
}

fn actor_json(actor: &Actor) -> Json {
    json!({ "kind": actor.kind.word(), "id": actor.id, "name": actor.name, "email": actor.email,
            "unknown_because": actor.unknown_because })
}

fn actor_of(value: &Json) -> Actor {
    Actor {
        kind: text(value, "kind").and_then(|word| ActorKind::from_word(&word)).unwrap_or_default(),
        id: text(value, "id"),
        name: text(value, "name"),
        email: text(value, "email"),
        unknown_because: text(value, "unknown_because"),
    }
}

fn target_json(target: &Target) -> Json {
    json!({ "kind": target.kind, "id": target.id, "name": target.name, "link": target.link })
}

fn target_of(value: &Json) -> Target {
    Target {
        kind: text(value, "kind").unwrap_or_default(),
        id: text(value, "id"),
        name: text(value, "name"),
        link: text(value, "link"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Recall;
    use crate::rules::Caller;
    use crate::rules::tests::{ended as exchange, set_of};

    #[test]
    fn a_job_that_nobody_saw_end_is_given_up_once() {
        let set = set_of(
            "category = \"A\"\n[thing.exported]\nwhen = \"POST /a\"\njob = { id = \"output.id\", watch = \"GET /jobs/{job}\", give_up = \"2h\" }\nmessage = \"exported\"\n",
        );
        let memory = Memory::new(9);
        let begin = exchange("POST /a", &Json::Null, 202, &json!({ "id": 7 }));
        let found = set.find("POST", "/a").unwrap();
        let derived = set.derive(found, &begin, &Caller::default(), &memory, &[]);
        assert_eq!(derived.events[0].outcome, Outcome::Pending);
        memory.learn(derived.lessons);
        let at = |hours| begin.finished() + SignedDuration::from_hours(hours);
        assert!(set.give_up(&memory, at(1)).events.is_empty());
        let given_up = set.give_up(&memory, at(2));
        assert_eq!((given_up.events.len(), given_up.events[0].outcome), (1, Outcome::Unknown));
        assert_eq!(given_up.events[0].missing[0].reason, "nobody saw the end of it within 2 h");
        memory.learn(given_up.lessons);
        let left = memory.recall("", KIND, "thing.exported 7").unwrap();
        assert!(left.gone && left.fields["actor"].is_null() && left.fields["success"].is_null());
        assert!(set.give_up(&memory, at(3)).events.is_empty());
        let poll = exchange("GET /jobs/7", &Json::Null, 200, &json!({}));
        let found = set.find("GET", "/jobs/7").unwrap();
        assert!(set.derive(found, &poll, &Caller::default(), &memory, &[]).events.is_empty());
    }

    #[test]
    fn what_is_kept_of_an_actor_a_target_and_a_sentence_comes_back() {
        let actor = Actor { kind: ActorKind::User, id: Some("1".to_owned()), ..Actor::default() };
        assert_eq!(actor_of(&actor_json(&actor)), actor);
        let target = Target { kind: "a".to_owned(), link: Some("/x".to_owned()), ..Target::default() };
        assert_eq!(target_of(&target_json(&target)), target);
        let mark = Mark { start: 1, end: 2, link: Some("/x".to_owned()) };
        let message = Message { text: "abc".to_owned(), marks: vec![mark] };
        assert_eq!(message_of(&message_json(&message)), message);
    }
}
