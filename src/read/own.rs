//! sidetrail's own events about its readers: exports, sign-ins.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::access::Principal;
use super::export::Exported;
use super::query::Params;
use crate::event::{Actor, Event, Message, Outcome, Source};
use crate::record::query::{Clause, Field, Filter, Scope};

/// More of a user agent is not kept.
const USER_AGENT_BYTES: usize = 512;

/// What an event of sidetrail's own says.
pub(crate) struct Own {
    pub(crate) action: &'static str,
    pub(crate) title: &'static str,
    pub(crate) message: String,
    pub(crate) outcome: Outcome,
    pub(crate) actor: Actor,
    pub(crate) details: Map<String, Value>,
}

/// An event of sidetrail's own, in the log of `workspace`.
pub(crate) fn own(own: Own, workspace: Option<Arc<str>>, now: Timestamp, source: Source) -> Event {
    let random = Uuid::now_v7();
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let tail: [u8; 10] = std::array::from_fn(|at| random.as_bytes().get(at + 6).copied().unwrap_or_default());
    Event {
        id: uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid(),
        time: now,
        workspace,
        category: "Access".into(),
        action: own.action.into(),
        title: own.title.into(),
        message: Message::plain(own.message),
        outcome: own.outcome,
        actor: own.actor,
        translations: Vec::new(),
        targets: Vec::new(),
        changes: Vec::new(),
        details: own.details,
        missing: Vec::new(),
        source,
        request: None,
        rule: None,
    }
}

/// An export, once in the log of each workspace whose events leave; in sidetrail's own where all may.
pub(crate) fn exported(
    principal: &Principal,
    filter: &Filter,
    params: &Params,
    file: &Exported,
    now: Timestamp,
    source: Source,
) -> Vec<Event> {
    let events = if file.count == 1 { "event" } else { "events" };
    let format = file.layout.format.word();
    let one = |workspace: Option<Arc<str>>| {
        let mut details = Map::new();
        details.insert("format".to_owned(), json!(format));
        details.insert("filter".to_owned(), json!(params.binding()));
        // A total over several workspaces would tell each of the others.
        let message = if workspaces(filter).len() > 1 {
            format!("Exported events as {}", format.to_uppercase())
        } else {
            details.insert("count".to_owned(), json!(file.count));
            format!("Exported {} {events} as {}", file.count, format.to_uppercase())
        };
        let (action, title) = ("log.exported", "export audit log");
        let actor = principal.actor();
        let facts = Own { action, title, message, outcome: Outcome::Success, actor, details };
        own(facts, workspace, now, source.clone())
    };
    let named = workspaces(filter);
    if named.is_empty() { vec![one(None)] } else { named.iter().map(|name| one(Some(name.as_str().into()))).collect() }
}

/// The workspaces that a filter is limited to, by scope or by name; none where it is not.
fn workspaces(filter: &Filter) -> BTreeSet<String> {
    let asked = |clause: &&Clause| clause.field == Field::Workspace && !clause.negated;
    let mut named: Option<BTreeSet<String>> = match &filter.scope {
        Scope::Only(names) => Some(names.clone()),
        Scope::All => None,
    };
    for clause in filter.clauses.iter().filter(asked) {
        let these: BTreeSet<String> = clause.values.iter().cloned().collect();
        named = Some(match named {
            Some(names) => names.intersection(&these).cloned().collect(),
            None => these,
        });
    }
    named.unwrap_or_default()
}

/// Where a reader sits.
pub(crate) fn source(peer: SocketAddr, headers: &HeaderMap) -> Source {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.map(|agent| agent.get(..USER_AGENT_BYTES).unwrap_or(agent).to_owned());
    Source { ip: Some(peer.ip().to_canonical()), user_agent: agent }
}
