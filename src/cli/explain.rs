//! `sidetrail explain`: why a request gave this event and no other; what a problem's code means.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use uuid::Uuid;

use super::sources::{self, ConfigFile};
use super::{CONFIGURATION, GOOD, NEGATIVE, USAGE};
use crate::capture::body::{Budget, Copier};
use crate::clock::Clock;
use crate::config::Config;
use crate::event::{Actor, ActorKind};
use crate::exchange::{Body, End, Exchange, Headers, Request, Response};
use crate::memory::{Memory, Recall, Thing};
use crate::problem::codes;
use crate::record::Store;
use crate::record::query::Scope;
use crate::rules::{Caller, Candidate, Cover, Fate, RuleSet, Valued};

/// Bytes of a body that are read.
const BODY_BYTES: usize = 16 << 20;

/// `explain METHOD PATH …`, `explain --event ID`, `explain CODE`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A method and a path (with a query), or the code of a problem
    #[arg(value_name = "METHOD PATH | CODE", num_args = 0..=2)]
    what: Vec<String>,
    /// The event of the store that is to be explained
    #[arg(long, value_name = "ID", conflicts_with = "what")]
    event: Option<Uuid>,
    /// The request's body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A field of the request's head; its type is JSON unless said
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The answer's status
    #[arg(long, default_value_t = 200)]
    status: u16,
    /// The answer's body
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// Who asks
    #[arg(long = "as", value_name = "NAME")]
    actor: Option<String>,
    /// A thing that memory knows
    #[arg(long, value_name = "KIND.ID=NAME")]
    given: Vec<String>,
    /// Know what the store's memory knows
    #[arg(long)]
    store: bool,
    /// Rule files and folders [default: those of the configuration]
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: sources::Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if let [code] = arguments.what.as_slice() {
        return explain_code(code);
    }
    let config = match arguments.file.load(&[]) {
        Ok(config) => config,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(CONFIGURATION);
        }
    };
    let paths = if arguments.rules.is_empty() { &config.rules.paths } else { &arguments.rules };
    let rules = match sources::load_rules(paths) {
        Ok((rules, _)) => rules,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(NEGATIVE);
        }
    };
    match (arguments.what.as_slice(), arguments.event) {
        ([method, target], _) => explain_request(arguments, &config, &rules, method, target),
        (_, Some(id)) => explain_event(&config, &rules, id),
        _ => {
            say!("sidetrail: say what: METHOD PATH, --event ID, or the code of a problem ({})", known_codes());
            Ok(USAGE)
        }
    }
}

fn known_codes() -> String {
    let codes: Vec<&str> = codes::all().iter().map(|known| known.code).collect();
    codes.join(", ")
}

fn explain_code(code: &str) -> anyhow::Result<u8> {
    let Some(found) = codes::explain(code) else {
        say!("sidetrail: `{code}` is no code of a problem: {}", known_codes());
        return Ok(NEGATIVE);
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: {}", found.code, found.means)?;
    for (name, text) in [("wrong", found.wrong), ("right", found.right)] {
        if !text.is_empty() {
            writeln!(out, "\n{name}:")?;
            text.lines().try_for_each(|line| writeln!(out, "    {line}"))?;
        }
    }
    Ok(GOOD)
}

fn explain_request(
    arguments: &Arguments,
    config: &Config,
    rules: &RuleSet,
    method: &str,
    target: &str,
) -> anyhow::Result<u8> {
    if !target.starts_with('/') {
        say!("sidetrail: `{target}` is no path: it begins with `/`");
        return Ok(USAGE);
    }
    let exchange = exchange(arguments, method, target)?;
    let memory = Known::of(arguments, config)?;
    let actor = match &arguments.actor {
        Some(name) => Actor { kind: ActorKind::User, name: Some(name.clone()), ..Actor::default() },
        None => Actor { kind: ActorKind::Anonymous, ..Actor::default() },
    };
    let caller = Caller { actor, claims: Value::Null };
    let cover = rules.covers(method, exchange.request.path());
    let found = rules.find(method, target);
    let candidates = found.map(|found| rules.explain(found, &exchange, &caller, &memory).1).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    match arguments.format {
        sources::Format::Human => print(&mut out, &cover, found.is_some(), &candidates)?,
        sources::Format::Json => writeln!(out, "{:#}", to_json(&cover, &candidates))?,
    }
    let fired = candidates.iter().flat_map(|it| &it.fates).any(|fate| matches!(fate, Fate::Fired { .. }));
    Ok(if fired { GOOD } else { NEGATIVE })
}

/// The exchange that the arguments describe.
fn exchange(arguments: &Arguments, method: &str, target: &str) -> anyhow::Result<Exchange> {
    let mut headers = Headers::default();
    for field in &arguments.header {
        let (name, value) = field.split_once(':').with_context(|| format!("`{field}` is no `NAME: VALUE`"))?;
        headers.push(name.trim().to_owned(), value.trim().to_owned());
    }
    let json = || {
        let mut headers = Headers::default();
        headers.push("content-type", "application/json");
        headers
    };
    if headers.first("content-type").is_none() && arguments.body.is_some() {
        headers.push("content-type", "application/json");
    }
    let body = arguments.body.as_deref().map(|path| read(path, &headers)).transpose()?.unwrap_or_default();
    let answer_headers = json();
    let answer = arguments.response.as_deref().map(|path| read(path, &answer_headers)).transpose()?;
    let now = Clock::system().now();
    Ok(Exchange {
        id: Exchange::number(now),
        started: now,
        duration: Duration::ZERO,
        request: Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body,
            peer: None,
            client: None,
            peer_is_trusted: false,
        },
        response: Some(Response {
            status: arguments.status,
            headers: answer_headers,
            body: answer.unwrap_or_default(),
        }),
        end: End::Complete,
    })
}

fn read(path: &Path, headers: &Headers) -> anyhow::Result<Body> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut copy = Copier::new(headers, BODY_BYTES, &Budget::unlimited());
    copy.push(&bytes);
    Ok(copy.finish(true))
}

/// What is known of things: said on the command line, else by the store.
struct Known {
    given: Vec<(String, String, Arc<Thing>)>,
    store: Option<Memory>,
}

impl Known {
    fn of(arguments: &Arguments, config: &Config) -> anyhow::Result<Known> {
        let mut given = Vec::new();
        for text in &arguments.given {
            let parts = text.split_once('=').and_then(|(key, name)| Some((key.split_once('.')?, name)));
            let ((kind, id), name) = parts.with_context(|| format!("`{text}` is no `KIND.ID=NAME`"))?;
            let thing = Thing { name: Some(name.to_owned()), ..Thing::default() };
            given.push((kind.to_owned(), id.to_owned(), Arc::new(thing)));
        }
        let store = if arguments.store {
            let memory = Memory::bounded(config.rules.memory_things, config.rules.memory_bytes);
            memory.preload(Store::open_existing(&config.store)?.things(config.rules.memory_things)?);
            Some(memory)
        } else {
            None
        };
        Ok(Known { given, store })
    }
}

impl Recall for Known {
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>> {
        let given = self.given.iter().find(|(given_kind, given_id, _)| given_kind == kind && given_id == id);
        let given = given.map(|(_, _, thing)| Arc::clone(thing));
        given.or_else(|| self.store.as_ref()?.recall(workspace, kind, id))
    }
}

fn print(out: &mut impl Write, cover: &Cover, found: bool, candidates: &[Candidate]) -> std::io::Result<()> {
    match cover {
        Cover::Mapped { route, .. } => writeln!(out, "matches {route}")?,
        Cover::Ignored { route, why } => writeln!(out, "left out by {route}: {why}")?,
        Cover::Endpoint => writeln!(out, "an endpoint: its calls are told one by one")?,
        Cover::Unmapped if found => writeln!(out, "no action stands here; a kind learns from it")?,
        Cover::Unmapped => {
            writeln!(out, "no rule and no kind stands here: see `sidetrail coverage`, `sidetrail draft`")?
        }
    }
    for candidate in candidates {
        for fate in &candidate.fates {
            let place = format!("{}:{}", candidate.file, candidate.line);
            let values = match fate {
                Fate::Fired { message, outcome, values } => {
                    writeln!(out, "\n+ {} ({place}) {outcome}: {message}", candidate.action)?;
                    values
                }
                Fate::Silent { why, values } => {
                    writeln!(out, "\n- {} ({place}) gives no event: {why}", candidate.action)?;
                    values
                }
            };
            values.iter().try_for_each(|value| writeln!(out, "    {}", line(value)))?;
        }
    }
    Ok(())
}

/// `let.role      input.role = "editor"`
fn line(valued: &Valued) -> String {
    let value = valued.value.as_ref().map_or_else(|| "nobody sent it".to_owned(), ToString::to_string);
    format!("{:14} {}  →  {value}", valued.key, valued.expression)
}

fn to_json(cover: &Cover, candidates: &[Candidate]) -> Value {
    let route = match cover {
        Cover::Mapped { route, .. } => json!({ "mapped": route }),
        Cover::Ignored { route, why } => json!({ "ignored": route, "why": why }),
        Cover::Endpoint => json!("endpoint"),
        Cover::Unmapped => json!("unmapped"),
    };
    let value = |it: &Valued| json!({ "key": it.key, "expression": it.expression, "value": it.value });
    let fate = |fate: &Fate| match fate {
        Fate::Fired { message, outcome, values } => {
            json!({ "fired": message, "outcome": outcome, "values": values.iter().map(value).collect::<Vec<_>>() })
        }
        Fate::Silent { why, values } => {
            json!({ "silent": why, "values": values.iter().map(value).collect::<Vec<_>>() })
        }
    };
    let one = |it: &Candidate| {
        json!({ "action": it.action, "file": it.file, "line": it.line, "route": it.route,
                "fates": it.fates.iter().map(fate).collect::<Vec<_>>() })
    };
    json!({ "route": route, "candidates": candidates.iter().map(one).collect::<Vec<_>>() })
}

/// What the store kept of why: the body is gone, as it should be.
fn explain_event(config: &Config, rules: &RuleSet, id: Uuid) -> anyhow::Result<u8> {
    let Some(stored) = Store::open_existing(&config.store)?.event(&Scope::All, id)? else {
        say!("sidetrail: the store has no event {id}");
        return Ok(NEGATIVE);
    };
    let event = stored.event;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: {}", event.action, event.message.text)?;
    if let Some(request) = &event.request {
        let status = request.status.map_or("no answer".to_owned(), |status| status.to_string());
        writeln!(out, "    request        {} {}  →  {status}", request.method, request.path)?;
        if let Cover::Mapped { route, actions } = rules.covers(&request.method, &request.path) {
            let actions: Vec<&str> = actions.iter().map(|action| &**action).collect();
            writeln!(out, "    route          {route}  →  {}", actions.join(", "))?;
        }
    }
    match &event.rule {
        Some(rule) => {
            let now = if *rule.version == **rules.version() { "the current rules" } else { "not the current rules" };
            writeln!(out, "    rule           {}, {} ({now})", rule.file, rule.version)?;
        }
        None => writeln!(out, "    rule           none: an event of sidetrail's own")?,
    }
    let unknown = event.actor.unknown_because.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    writeln!(out, "    actor          {}{unknown}", event.actor.label().unwrap_or(event.actor.kind.word()))?;
    for target in &event.targets {
        let name = target.name.as_deref().unwrap_or("(no name was known)");
        writeln!(out, "    target         {} {}  →  {name}", target.kind, target.id.as_deref().unwrap_or("(no id)"))?;
    }
    for (name, value) in &event.details {
        writeln!(out, "    let.{name:10} {value}")?;
    }
    for missing in &event.missing {
        writeln!(out, "    missing        {}: {}", missing.name, missing.reason)?;
    }
    writeln!(
        out,
        "\nIts body was not kept. To see why other actions gave nothing: sidetrail explain METHOD PATH --body FILE"
    )?;
    Ok(GOOD)
}
