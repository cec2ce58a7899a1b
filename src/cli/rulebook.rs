//! Keeps the rules of a running sidetrail: reads them anew when the files
//! change, on SIGHUP, and when a reader asks.
//!
//! New rules are checked and their own tests are run before they take the place
//! of the old ones, between two requests. Bad ones change nothing; the log, the
//! metrics, `/readyz` and the page say so. A change is an event.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::{Map, json};

use crate::authoring::coverage::{Report, Row};
use crate::clock::Clock;
use crate::event::{Actor, ActorKind, Event, Message, Outcome, Source};
use crate::exchange::Exchange;
use crate::pipeline::{Pipeline, Shadowing};
use crate::problem::{self, Level, Problem};
use crate::read::{self, ActionFacts, Coverage, CoverageRow, RefusedRules, Reloaded, Rulebook};
use crate::record::Recorder;
use crate::rules::{self, CaseResult, RuleSet};

/// How often the ledger of routes is given to the store.
const LEDGER: Duration = Duration::from_secs(60);

/// Holds the rules of a running sidetrail.
pub(crate) struct Keeper {
    paths: Vec<PathBuf>,
    pipeline: Pipeline,
    /// The second set, and where it is.
    shadow: Option<(Vec<PathBuf>, Shadowing)>,
    facts: Arc<ArcSwap<read::Rules>>,
    recorder: Recorder,
    clock: Clock,
    numbers: Numbers,
    /// One reload at a time.
    turn: Mutex<()>,
}

#[derive(Clone, Default)]
struct Numbers {
    changed: Counter,
    refused: Counter,
    stale: Gauge,
}

impl Keeper {
    pub(crate) fn new(
        (paths, pipeline): (Vec<PathBuf>, Pipeline),
        shadow: Option<(Vec<PathBuf>, Shadowing)>,
        recorder: Recorder,
        clock: Clock,
        registry: &mut Registry,
    ) -> Keeper {
        let numbers = Numbers::default();
        registry.register("rules_changes", "Reloads that changed the rules", numbers.changed.clone());
        registry.register("rules_refusals", "Reloads that were refused", numbers.refused.clone());
        registry.register("rules_stale", "1: the rules on disk are refused, older ones in use", numbers.stale.clone());
        let facts = Arc::new(ArcSwap::from_pointee(facts(&pipeline.rules())));
        Keeper { paths, pipeline, shadow, facts, recorder, clock, numbers, turn: Mutex::new(()) }
    }

    /// What the read side may know of the rules.
    pub(crate) fn facts(&self) -> Arc<ArcSwap<read::Rules>> {
        Arc::clone(&self.facts)
    }

    fn refuse(&self, version: String, problems: &[Problem]) -> Reloaded {
        let errors = problems.iter().filter(|problem| problem.level == Level::Error);
        let first = errors.clone().next().map(Problem::in_one_line).unwrap_or_default();
        let count = errors.count();
        tracing::error!(problems = count, first, "the rules on disk are refused; those before them stay in use");
        self.numbers.refused.inc();
        self.numbers.stale.set(1);
        let refused = RefusedRules { at: self.clock.now(), problems: count, first };
        let now = self.facts.load_full();
        self.facts.store(Arc::new(read::Rules { refused: Some(refused), ..(*now).clone() }));
        let problems = problem::to_json(problems);
        Reloaded::Refused { version, problems: problems.as_array().cloned().unwrap_or_default() }
    }
}

impl Rulebook for Keeper {
    fn reload(&self, actor: Actor, source: Source) -> Reloaded {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.reload_shadow();
        let from = self.pipeline.rules();
        let version = from.version().to_string();
        let loaded = rules::read_files(&self.paths).and_then(|files| RuleSet::load(&files));
        let (set, warnings) = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => return self.refuse(version, &problems),
        };
        if set.version() == from.version() {
            self.numbers.stale.set(0);
            self.facts.store(Arc::new(facts(&set)));
            return Reloaded::Unchanged { version };
        }
        let unmet: Vec<Problem> = set.run_cases(None).iter().filter_map(CaseResult::to_problem).collect();
        if !unmet.is_empty() {
            return self.refuse(version, &unmet);
        }
        for warning in &warnings {
            tracing::warn!(code = warning.code, "{}", warning.title);
        }
        let (to, actions) = (set.version().to_string(), set.actions().count());
        self.facts.store(Arc::new(facts(&set)));
        self.pipeline.exchange_rules(Arc::new(set));
        self.numbers.changed.inc();
        self.numbers.stale.set(0);
        tracing::info!(from = version, to, actions, "the rules were changed");
        self.record(changed(&version, &to, actor, source, self.clock.now()));
        Reloaded::Changed { from: version, to, actions }
    }

    fn shadow(&self) -> Option<serde_json::Value> {
        let (_, shadow) = self.shadow.as_ref()?;
        serde_json::to_value(shadow.report()).ok()
    }

    fn coverage(&self) -> Coverage {
        let ledger = self.pipeline.ledger();
        let report = Report::of_traffic(&self.pipeline.rules(), ledger.lines(), ledger.left_out());
        let rows = |rows: Vec<Row>| rows.into_iter().map(row).collect();
        Coverage {
            unmapped: rows(report.unmapped),
            ignored: rows(report.ignored),
            mapped: rows(report.mapped),
            left_out: report.left_out,
        }
    }
}

impl Keeper {
    /// The second set changes as readily as the first, and nobody is told but by its hash.
    fn reload_shadow(&self) {
        let Some((paths, shadow)) = &self.shadow else { return };
        match rules::read_files(paths).and_then(|files| RuleSet::load(&files)) {
            Ok((set, _)) if set.version() == shadow.next().rules().version() => {}
            Ok((set, _)) => {
                tracing::info!(version = %set.version(), "the shadow rules were changed");
                shadow.exchange_rules(Arc::new(set));
            }
            Err(problems) => {
                let first = problems.first().map(Problem::in_one_line).unwrap_or_default();
                tracing::error!(first, "the shadow rules on disk are refused; those before them stay");
            }
        }
    }

    /// All files that are looked after.
    fn stamp(&self) -> (u64, u64) {
        let shadow = self.shadow.as_ref().map(|(paths, _)| rules::stamp(paths));
        (rules::stamp(&self.paths), shadow.unwrap_or(0))
    }

    /// The change is done whether it can be recorded or not; what the store does not take waits in the spill file.
    fn record(&self, event: Event) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        match runtime {
            Ok(runtime) => {
                if let Err(error) = runtime.block_on(self.recorder.record(vec![event])) {
                    tracing::error!(%error, "the change of rules is not in the store");
                }
            }
            Err(error) => tracing::error!(%error, "the change of rules could not be recorded"),
        }
    }
}

fn row(row: Row) -> CoverageRow {
    CoverageRow {
        method: row.method,
        route: row.route,
        actions: row.actions,
        why: row.why,
        requests: row.requests.unwrap_or(0),
        succeeded: row.succeeded.unwrap_or(0),
    }
}

fn facts(rules: &RuleSet) -> read::Rules {
    let actions = rules.actions().map(|action| ActionFacts {
        action: action.key.to_string(),
        title: action.title.to_string(),
        category: action.category.to_string(),
        file: action.file.to_string(),
    });
    read::Rules { version: rules.version().to_string(), actions: actions.collect(), refused: None }
}

fn changed(from: &str, to: &str, actor: Actor, source: Source, time: jiff::Timestamp) -> Event {
    let mut details = Map::new();
    details.insert("from".to_owned(), json!(from));
    details.insert("to".to_owned(), json!(to));
    let short = |version: &str| version.trim_start_matches("sha256:").chars().take(8).collect::<String>();
    Event {
        id: Exchange::number(time),
        time,
        workspace: None,
        category: "Rules".into(),
        action: "rules.changed".into(),
        title: "change rules".into(),
        message: Message::plain(format!("Changed the rules from {} to {}", short(from), short(to))),
        outcome: Outcome::Success,
        actor,
        translations: Vec::new(),
        targets: Vec::new(),
        changes: Vec::new(),
        details,
        missing: Vec::new(),
        source,
        request: None,
        rule: None,
    }
}

/// Looks after the files in a thread of its own, until it is dropped.
pub(crate) struct Watch {
    asked: Option<SyncSender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    /// Begins to look, every so often; never where `every` is zero (SIGHUP still reloads).
    pub(crate) fn start(keeper: Arc<Keeper>, every: Duration) -> std::io::Result<Watch> {
        let (asked, asks) = sync_channel(1);
        let thread = std::thread::Builder::new().name("rules".to_owned()).spawn(move || look(&keeper, &asks, every))?;
        Ok(Watch { asked: Some(asked), thread: Some(thread) })
    }

    /// Reads the rules again: SIGHUP.
    pub(crate) fn reload(&self) {
        // Somebody asked already: what is read then is as new.
        let _ = self.asked.as_ref().map(|asked| asked.try_send(()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.asked.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(keeper: &Keeper, asks: &Receiver<()>, every: Duration) {
    let system = || Actor { kind: ActorKind::System, ..Actor::default() };
    let mut known = keeper.stamp();
    let mut changing = None;
    let mut ledger_kept = std::time::Instant::now();
    let pause = if every.is_zero() { LEDGER } else { every.min(LEDGER) };
    loop {
        match asks.recv_timeout(pause) {
            Ok(()) => {
                known = keeper.stamp();
                keeper.reload(system(), Source::default());
            }
            Err(RecvTimeoutError::Timeout) if !every.is_zero() => {
                let now = keeper.stamp();
                // Whoever writes several files, or one in pieces, is waited for.
                if now != known && changing == Some(now) {
                    (known, changing) = (now, None);
                    keeper.reload(system(), Source::default());
                } else {
                    changing = (now != known).then_some(now);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if ledger_kept.elapsed() >= LEDGER {
            ledger_kept = std::time::Instant::now();
            keeper.recorder.keep_routes(keeper.pipeline.ledger().lines());
        }
    }
    keeper.recorder.keep_routes(keeper.pipeline.ledger().lines());
}
