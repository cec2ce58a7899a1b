//! The state of the sample platform: everything it knows, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::people::Person;
use super::seed;

/// A thing, as the API shows it.
pub(crate) type Thing = Map<String, Value>;

/// The platform: clones share one state.
#[derive(Clone)]
pub(crate) struct Platform(Arc<Mutex<World>>);

impl Platform {
    /// A platform with the people and things that it begins with.
    pub(crate) fn seeded() -> Platform {
        Platform(Arc::new(Mutex::new(seed::world())))
    }

    /// The state, for the time of one request.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything the platform knows.
#[derive(Default)]
pub(crate) struct World {
    /// Opaque cookies, and whose they are.
    pub(crate) sessions: HashMap<String, Person>,
    /// The workspaces by id.
    pub(crate) workspaces: BTreeMap<String, Workspace>,
    /// Jobs by id: how often they were asked for, and what for.
    pub(crate) jobs: HashMap<String, (u32, &'static str)>,
    last_id: u64,
}

impl World {
    /// A number that nothing has yet.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.max(2000) + 1;
        self.last_id
    }

    /// The workspace of that id.
    pub(crate) fn workspace(&mut self, id: &str) -> Result<&mut Workspace, Refusal> {
        self.workspaces.get_mut(id).ok_or_else(|| Refusal::not_found("workspace", id))
    }
}

/// One workspace.
#[derive(Default)]
pub(crate) struct Workspace {
    /// Its own fields: name, slug, time zone, languages.
    pub(crate) settings: Thing,
    /// Everything in it that has an id, by collection (`documents`) and id.
    pub(crate) things: BTreeMap<&'static str, BTreeMap<String, Thing>>,
    /// What exists once: `handover`, `webChat`, `agentSettings`.
    pub(crate) single: BTreeMap<&'static str, Thing>,
    /// How many versions were published.
    pub(crate) version: u64,
    /// Number of the last issue.
    pub(crate) last_issue: u64,
}

impl Workspace {
    /// All things of a collection, by id.
    pub(crate) fn all(&mut self, many: &'static str) -> &mut BTreeMap<String, Thing> {
        self.things.entry(many).or_default()
    }

    /// One thing of a collection.
    pub(crate) fn one(&mut self, many: &'static str, id: &str) -> Result<&mut Thing, Refusal> {
        self.all(many).get_mut(id).ok_or_else(|| Refusal::not_found(many.trim_end_matches('s'), id))
    }

    /// Whether a thing of the collection has this text in this field.
    pub(crate) fn has(&mut self, many: &'static str, field: &str, text: &str) -> bool {
        self.all(many).values().any(|thing| thing.get(field).and_then(Value::as_str) == Some(text))
    }

    /// Adds a thing under its id.
    pub(crate) fn add(&mut self, many: &'static str, id: u64, fields: Value) -> Thing {
        let mut thing = Thing::new();
        thing.insert("id".to_owned(), Value::String(id.to_string()));
        if let Value::Object(fields) = fields {
            thing.extend(fields);
        }
        self.all(many).insert(id.to_string(), thing.clone());
        thing
    }

    /// The role of whoever has this e-mail address, if they belong to the workspace.
    pub(crate) fn role(&mut self, email: &str) -> Option<String> {
        let members = self.all("members").values();
        let member = members.into_iter().find(|member| member.get("email").and_then(Value::as_str) == Some(email))?;
        member.get("role").and_then(Value::as_str).map(str::to_owned)
    }
}
