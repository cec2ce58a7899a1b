//! A store that is always the same: a week of two workspaces, about 300 events.
//!
//! Every category of the shipped rules, people with Italian names, failures,
//! refusals, jobs that have not ended, values nobody sent, links, changes,
//! names that a spreadsheet would take for a formula. The clock stands at
//! [`NOW`], five minutes after the newest event.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sidetrail::clock::Clock;
use sidetrail::event::{
    Actor, ActorKind, Change, Event, Mark, Message, Missing, Outcome, RequestFacts, RuleFacts, Source, Target,
};
use sidetrail::read::{ActionFacts, Coverage, CoverageRow, Parts, Reloaded, Rulebook, Rules, Settings, State};
use sidetrail::record::{self, Recorder, Store};
use tempfile::TempDir;
use uuid::Uuid;

/// Where the clock stands.
pub(crate) const NOW: &str = "2026-01-14T12:00:00Z";
/// How many events there are.
pub(crate) const EVENTS: usize = 300;

/// A store of the fixture's events and everything that reads it.
pub(crate) struct Fixture {
    pub(crate) clock: Clock,
    pub(crate) recorder: Recorder,
    pub(crate) store: Store,
    pub(crate) state: State,
    /// Removed at the end.
    _home: TempDir,
}

impl Fixture {
    /// A store of [`events`], read as `[read]` is by default.
    pub(crate) async fn new() -> Fixture {
        Fixture::with(Settings::default(), events()).await
    }

    /// A store of these events, oldest first, read as these settings say.
    pub(crate) async fn with(settings: Settings, events: Vec<Event>) -> Fixture {
        let home = TempDir::new().unwrap();
        let url = format!("sqlite:{}", home.path().join("log.db").display());
        let clock = Clock::standing_at(at(NOW));
        let store = record::Settings { url, ..record::Settings::default() };
        let (recorder, store) = record::open(&store, clock.clone()).unwrap();
        for hour in events.chunk_by(|a, b| b.time.duration_since(a.time) < SignedDuration::from_hours(1)) {
            for some in hour.chunks(50) {
                clock.set(some.last().unwrap().time);
                recorder.record(some.to_vec()).await.unwrap();
            }
        }
        clock.set(at(NOW));
        let parts = Parts {
            store: store.clone(),
            recorder: recorder.clone(),
            clock: clock.clone(),
            settings,
            rules: Arc::new(ArcSwap::from_pointee(rules())),
            rulebook: Some(Arc::new(Book)),
            registry: prometheus_client::registry::Registry::default(),
        };
        Fixture { clock, recorder, store, state: State::new(parts), _home: home }
    }
}

/// Rules that cover some of a platform.
struct Book;

impl Rulebook for Book {
    fn reload(&self, _: Actor, _: Source) -> Reloaded {
        Reloaded::Unchanged { version: VERSION.to_owned() }
    }

    fn shadow(&self) -> Option<Value> {
        None
    }

    fn coverage(&self) -> Coverage {
        let row = |method: &str, route: &str, requests, succeeded| CoverageRow {
            method: method.to_owned(),
            route: route.to_owned(),
            actions: Vec::new(),
            why: None,
            requests,
            succeeded,
        };
        let acts = |actions: &[&str], row| CoverageRow {
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            ..row
        };
        let tags = ["document.tag_added", "document.tag_deleted"];
        Coverage {
            unmapped: vec![
                row("POST", "/api/v1/workspaces/{id}/documents/{id}/share", 214, 209),
                row("DELETE", "/api/v1/workspaces/{id}/integrations/{id}/credentials/{id}/rotations/{id}", 3, 0),
            ],
            ignored: vec![CoverageRow {
                why: Some("heartbeat of the editor, changes nothing".to_owned()),
                ..row("POST", "/api/v1/workspaces/{id}/presence", 48_117, 48_117)
            }],
            mapped: vec![
                acts(&["document.uploaded"], row("POST", "/api/v1/workspaces/{workspace}/documents", 1_204, 1_190)),
                acts(&tags, row("PATCH", "/api/v1/workspaces/{workspace}/documents/{id}/tags", 38, 38)),
            ],
            left_out: 12,
        }
    }
}

/// What the shipped rules declare, in their order.
pub(crate) fn rules() -> Rules {
    let fact = |(category, action, title, ..): &Kind| ActionFacts {
        action: (*action).to_owned(),
        title: (*title).to_owned(),
        category: (*category).to_owned(),
        file: format!("{}.toml", action.split('.').next().unwrap()),
    };
    Rules { version: VERSION.to_owned(), actions: KINDS.iter().map(fact).collect(), refused: None }
}

/// A time, as RFC 3339 writes it.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The events, oldest first.
pub(crate) fn events() -> Vec<Event> {
    let week = SignedDuration::from_hours(7 * 24);
    let end = at(NOW) - SignedDuration::from_mins(5);
    let mut dice = Dice(39);
    let seconds = week.as_secs().unsigned_abs();
    let mut time =
        || end - SignedDuration::from_micros(i64::try_from(dice.roll(seconds)).unwrap() * 1_000_000 + 412_000);
    let mut times: Vec<Timestamp> = (0..EVENTS).map(|_| time()).collect();
    times.sort();
    times.into_iter().enumerate().map(|(n, time)| event(n, time, &mut dice)).collect()
}

/// One event that differs from those of [`events`] by its number: for what arrives while a test reads.
pub(crate) fn late_event(n: usize, time: Timestamp) -> Event {
    event(EVENTS + n, time, &mut Dice(1000 + n as u64))
}

const VERSION: &str = "sha256:9f2c4e1d0b7a68f35c2e9d1047b6a8f3e5c2d1b0a9f8e7d6c5b4a39281706f5e";

/// Category, action, title, sentence, kind of the target, whether it is a link.
type Kind = (&'static str, &'static str, &'static str, &'static str, &'static str, bool);

#[rustfmt::skip]
const KINDS: [Kind; 42] = [
    ("Publish", "publish.next", "publish on next env", "Workspace published on staging", "workspace", false),
    ("Publish", "publish.production", "publish on prod", "Workspace published on production", "workspace", false),
    ("Chats", "chat.takeover_started", "start human takeover", "started human takeover for chat {target}", "conversation", true),
    ("Documents", "document.uploaded", "upload document", "uploaded document {target}", "document", true),
    ("Documents", "document.url_inserted", "insert URL", "inserted URL {target}", "document", false),
    ("Documents", "document.replaced", "replace document", "replaced document {target} with {second}", "document", false),
    ("Documents", "document.tag_added", "add tag to document", "added tag {tag} to {target}", "document", false),
    ("Documents", "document.tag_deleted", "delete tag to document", "deleted tag {tag} to {target}", "document", false),
    ("Utilities: Conversation Logs", "conversation_logs.exported", "export CSV", "Exported Conversation Logs data", "workspace", false),
    ("Utilities: Issues", "issue.created", "create issue", "Created issue {target}", "issue", false),
    ("Utilities: Issues", "issue.deleted", "delete issue", "Deleted issue {target}", "issue", false),
    ("Utilities: Issues", "issue.edited", "edit issue", "Edited issue {target}", "issue", false),
    ("Utilities: Evaluators", "evaluator.added", "add evaluator", "Added evaluator {target}", "evaluator", true),
    ("Utilities: Evaluators", "evaluator.edited", "edit evaluator", "Edited evaluator {target}", "evaluator", true),
    ("Utilities: Evaluators", "evaluator.activated", "activated evaluator", "Activated evaluator {target}", "evaluator", true),
    ("Utilities: Evaluators", "evaluators.exported", "export CSV", "Exported Evaluators data", "workspace", false),
    ("Agent settings", "agent_settings.changed", "change global agent settings", "changed Global Agent Settings", "workspace", false),
    ("Variables", "variable.added", "add variable", "Added variable {target}", "variable", false),
    ("Variables", "variable.edited", "edit variable", "Edited variable {target}", "variable", false),
    ("Variables", "variable.deleted", "delete variable", "Deleted variable {target}", "variable", false),
    ("Variables", "secret.added", "add secret", "Added secret {target}", "secret", false),
    ("Variables", "secret.deleted", "delete secret", "Deleted secret {target}", "secret", false),
    ("Settings: Workspace", "workspace.name_edited", "edit WS name", "Edited Workspace name", "workspace", false),
    ("Settings: Workspace", "workspace.url_edited", "edit URL", "Edited Workspace URL", "workspace", false),
    ("Settings: Workspace", "workspace.timezone_edited", "edit timezone", "Edited Workspace timezone", "workspace", false),
    ("Settings: Workspace", "workspace.multilanguage_enabled", "enable multilanguage", "Enabled multilanguage", "workspace", false),
    ("Settings: Workspace", "workspace.primary_language_changed", "change primary language", "Changed primary language with: Italian", "workspace", false),
    ("Settings: Workspace", "workspace.translations_reset", "reset translations", "Has reset translations", "workspace", false),
    ("Settings: Workspace", "workspace.content_exported", "export content", "Exported Chats and Knowledge base data", "workspace", false),
    ("Settings: Team", "team.member_invited", "invite user", "Invited member {target} as {role}", "member", false),
    ("Settings: Team", "team.role_changed", "change role", "Changed role of {target} with {role}", "member", false),
    ("Settings: Team", "team.member_deleted", "delete user", "Deleted user {target}", "member", false),
    ("Settings: Handover", "handover.toggled", "turn handover on/off", "Turned handover on", "handover", false),
    ("Settings: Handover", "handover.closing_days_edited", "edit closing days", "Edited handover closing days", "handover", false),
    ("Settings: Web Chat", "web_chat.edited", "edit web chat widget", "Edited web chat widget", "widget", false),
    ("Builder", "agent.created", "create agent", "Created agent {target}", "agent", false),
    ("Builder", "workflow.created", "create workflow", "Created workflow {target}", "workflow", false),
    ("Builder", "agent.edited", "edit agent", "Edited agent {target}", "agent", false),
    ("Builder", "workflow.edited", "edit workflow", "Edited workflow {target}", "workflow", false),
    ("Builder", "agent.deleted", "delete agent", "Deleted agent {target}", "agent", false),
    ("Builder", "workflow.deleted", "delete workflow", "Delete workflow {target}", "workflow", false),
    ("Access", "session.signed_in", "sign in", "user logged in", "session", false),
];

/// Id, name, e-mail.
const PEOPLE: [(&str, &str, &str); 7] = [
    ("u_812", "Cosimo Scarfò", "cosimo@acme.it"),
    ("u_813", "Anna D'Angelo", "anna@acme.it"),
    ("u_814", "Niccolò Bianchi", "niccolo@acme.it"),
    ("u_815", "Mariagrazia Di Benedetto Della Rovere", "mariagrazia@acme.it"),
    ("u_816", "Zoë Lo Presti", "zoe@acme.it"),
    ("u_817", "Giosuè Ferrari", "giosue@acme.it"),
    ("u_818", "Però Là", "pero@acme.it"),
];

const NAMES: [&str; 12] = [
    "Price list.pdf",
    "Manuale d'uso.pdf",
    "=HYPERLINK(\"http://evil.example\";\"x\").pdf",
    "Perché sì.docx",
    "قائمة الأسعار.pdf",
    "a,b;\"c\".csv",
    "+39 06 1234.txt",
    "  @sum.xlsx",
    "Relazione annuale 2025 – versione definitiva con allegati e correzioni (2).pdf",
    "<script>alert(1)</script>.html",
    "AZI-20",
    "Support bot",
];

const TAGS: [&str; 4] = ["pricing", "listinov2", "urgente", "2026"];

fn event(n: usize, time: Timestamp, dice: &mut Dice) -> Event {
    let kind = KINDS[dice.below(KINDS.len())];
    let (category, action, title, sentence, target_kind, link) = kind;
    let workspace = if dice.below(4) == 0 { "40" } else { "39" };
    let target = target(dice, workspace, target_kind, link);
    let outcome = match dice.below(20) {
        0 => Outcome::Failure,
        1 => Outcome::Denied,
        2 => Outcome::Pending,
        3 => Outcome::Unknown,
        _ => Outcome::Success,
    };
    let missing = dice.below(25) == 0;
    let message = message(dice, sentence, &target, outcome, missing);
    let changes = if action.contains("edit") || action.contains("tag_added") { changes(dice) } else { Vec::new() };
    let mut details = serde_json::Map::new();
    if action.contains(".tag_") {
        details.insert("tag".to_owned(), json!(TAGS[dice.below(TAGS.len())]));
    }
    Event {
        id: Uuid::from_u128(
            (u128::from(time.as_millisecond().unsigned_abs()) << 80) | (0x7 << 76) | (0x8 << 60) | (n as u128 + 1),
        ),
        time,
        workspace: Some(workspace.into()),
        category: category.into(),
        action: action.into(),
        title: title.into(),
        message,
        outcome,
        actor: actor(dice, workspace),
        translations: Vec::new(),
        targets: vec![target],
        changes,
        details,
        missing: missing
            .then(|| Missing {
                name: "note".to_owned(),
                reason: "the response body was cut at 262144 bytes".to_owned(),
            })
            .into_iter()
            .collect(),
        source: Source {
            ip: Some(IpAddr::from([203, 0, 113, u8::try_from(7 + dice.below(5)).unwrap()])),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/134.0".to_owned()),
        },
        request: Some(RequestFacts {
            id: format!("req-{n:04}"),
            method: if action.contains("delete") { "DELETE" } else { "POST" }.to_owned(),
            path: format!("/api/v1/workspaces/{workspace}/{target_kind}s"),
            status: status(outcome),
            duration_ms: 20 + dice.roll(300),
        }),
        rule: Some(RuleFacts {
            file: format!("{}.toml", action.split('.').next().unwrap()).into(),
            version: VERSION.into(),
        }),
    }
}

/// Workspace 40 has people of its own: whoever reads 39 must never see them.
fn actor(dice: &mut Dice, workspace: &str) -> Actor {
    match dice.below(20) {
        0 => Actor {
            kind: ActorKind::Service,
            id: Some("svc_1".to_owned()),
            name: Some("Sync Zapier".to_owned()),
            ..Actor::default()
        },
        1 => Actor { unknown_because: Some("the platform's /me answered 401".to_owned()), ..Actor::default() },
        2 => Actor { kind: ActorKind::Anonymous, ..Actor::default() },
        _ => {
            let (id, name, email) = if workspace == "40" { PEOPLE[4 + dice.below(3)] } else { PEOPLE[dice.below(4)] };
            Actor {
                kind: ActorKind::User,
                id: Some(id.to_owned()),
                name: Some(name.to_owned()),
                email: Some(email.to_owned()),
                unknown_because: None,
            }
        }
    }
}

fn target(dice: &mut Dice, workspace: &str, kind: &str, link: bool) -> Target {
    let number = dice.below(NAMES.len());
    let id = format!("{}", 900 + number);
    let link = link.then(|| format!("/w/{workspace}/{kind}s/{id}"));
    Target { kind: kind.to_owned(), name: Some(NAMES[number].to_owned()), id: Some(id), link }
}

fn message(dice: &mut Dice, sentence: &str, target: &Target, outcome: Outcome, missing: bool) -> Message {
    let mut text = if matches!(outcome, Outcome::Failure | Outcome::Denied) { "Failed: " } else { "" }.to_owned();
    let mut marks = Vec::new();
    let mut rest = sentence;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        text.push_str(before);
        let start = text.len();
        text.push_str(match name {
            "target" => target.name.as_deref().unwrap(),
            "second" => "Nuovo.pdf",
            "tag" => TAGS[dice.below(TAGS.len())],
            _ => "admin",
        });
        let link = target.link.clone().filter(|_| name == "target");
        marks.push(Mark { start, end: text.len(), link });
        rest = after;
    }
    text.push_str(rest);
    if missing {
        text.push_str(" (unknown note)");
    }
    Message { text, marks }
}

fn changes(dice: &mut Dice) -> Vec<Change> {
    let change = |field: &str, from: Option<Value>, to: Value| Change { field: field.to_owned(), from, to: Some(to) };
    let mut changes = vec![change("name", Some(json!("Listino")), json!(NAMES[dice.below(NAMES.len())]))];
    if dice.below(2) == 0 {
        changes.push(change("tags", Some(json!(["a"])), json!(["a", "listinov2"])));
    }
    if dice.below(3) == 0 {
        changes.push(change("limit", None, json!(9_007_199_254_740_993_u64)));
    }
    changes
}

fn status(outcome: Outcome) -> Option<u16> {
    match outcome {
        Outcome::Success => Some(200),
        Outcome::Failure => Some(409),
        Outcome::Denied => Some(403),
        Outcome::Pending => Some(202),
        Outcome::Unknown => None,
    }
}

/// The same numbers every time (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_shr(11) % sides
    }

    fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll(sides as u64)).unwrap()
    }
}
