//! `sidetrail serve`: wires everything. The one place that knows all the parts.
//!
//! [`start`] is also what the demo and the tests use: the same wiring, in a
//! process that does other things too.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::rulebook::{Keeper, Watch};
use super::sources::{self, ConfigFile};
use super::{CONFIGURATION, GOOD, UNREACHABLE};
use crate::capture::Observe;
use crate::capture::sidecar::{BindError, Sidecar, raise_descriptors};
use crate::clock::Clock;
use crate::config::{Config, Log, Override, RulePaths};
use crate::identity::{Identity, SettingsError};
use crate::memory::Memory;
use crate::outgoing::Outgoing;
use crate::pipeline::{Lookups, Pipeline, Shadowing};
use crate::problem::Problem;
use crate::read::settings::{ListenError, may_listen};
use crate::read::{self, Parts, State};
use crate::record::{self, OpenError, Recorder, Store, StoreError};
use crate::rules::RuleSet;

/// How much of what memory has no room for is forgotten at a start.
const MOST_FORGOTTEN: usize = 10_000;
/// Threads that may block on the store for readers.
const READER_THREADS: usize = 8;

/// `serve [--config config.toml]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Where clients connect, instead of `proxy.listen`
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The platform, instead of `proxy.upstream`
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Where page and API are served, instead of `read.listen`
    #[arg(long, value_name = "ADDRESS")]
    read_listen: Option<String>,
    /// Where events are kept, instead of `store.url`
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

impl Arguments {
    fn flags(&self) -> Vec<Override> {
        [
            ("--listen", "proxy", "listen", &self.listen),
            ("--upstream", "proxy", "upstream", &self.upstream),
            ("--read-listen", "read", "listen", &self.read_listen),
            ("--store", "store", "url", &self.store),
        ]
        .into_iter()
        .filter_map(|(flag, section, key, value)| Some(Override::flag(flag, section, key, value.as_ref()?)))
        .collect()
    }
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration or the rules have mistakes.
    #[error("the configuration or the rules have {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// `[identity]` names something that cannot be used.
    #[error(transparent)]
    Identity(#[from] SettingsError),
    /// Others could read everything.
    #[error(transparent)]
    Open(#[from] ListenError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store does not answer.
    #[error(transparent)]
    Answer(#[from] StoreError),
    /// The proxied address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address of the page cannot be listened on.
    #[error("cannot serve the page at `{0}`: {1}")]
    Read(SocketAddr, std::io::Error),
    /// The system gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

impl StartError {
    /// Whether the user's files are wrong, not the machine's state.
    fn is_configuration(&self) -> bool {
        matches!(self, StartError::Problems(_) | StartError::Identity(_) | StartError::Open(_))
    }
}

/// A running sidetrail. Dropping it without [`Running::stop`] leaves its threads running.
pub struct Running {
    /// Where clients connect.
    pub proxy: SocketAddr,
    /// Where page and API are served.
    pub read: SocketAddr,
    /// Answers questions of what was recorded.
    pub store: Store,
    recorder: Recorder,
    pipeline: Pipeline,
    state: State,
    rules_watch: Watch,
    stop_proxy: CancellationToken,
    stop_read: CancellationToken,
    proxy_thread: std::thread::JoinHandle<()>,
    read_thread: std::thread::JoinHandle<()>,
}

impl Running {
    /// Drains the proxy, writes what is queued, ends the page. Nothing accepted is lost.
    pub fn stop(self) {
        self.state.stop();
        self.stop_proxy.cancel();
        join(self.proxy_thread, "proxy");
        self.pipeline.finish();
        // It leaves the ledger of routes with the recorder.
        drop(self.rules_watch);
        self.stop_read.cancel();
        join(self.read_thread, "read");
        let closing = tokio::runtime::Builder::new_current_thread().enable_time().build();
        match closing {
            Ok(runtime) => runtime.block_on(self.recorder.close()),
            Err(error) => tracing::error!(%error, "the store was not closed; what was acknowledged is on disk"),
        }
    }

    /// Whether a part ended by itself, which it never should.
    fn is_broken(&self) -> bool {
        self.proxy_thread.is_finished() || self.read_thread.is_finished()
    }
}

fn join(thread: std::thread::JoinHandle<()>, name: &str) {
    if thread.join().is_err() {
        tracing::error!(thread = name, "a thread ended by a bug");
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let config = match arguments.file.load(&arguments.flags()) {
        Ok(config) => config,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(CONFIGURATION);
        }
    };
    start_log(&config.log);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anything is accepted: whoever reads that it serves may end it at once, and nothing accepted is lost.
    let signals = {
        let _entered = runtime.enter();
        Signals::catch()?
    };
    let files = raise_descriptors(&config.proxy);
    let running = match start(config, Clock::system()) {
        Ok(running) => running,
        Err(error) => return Ok(refuse(&error)),
    };
    if let (false, Some(most)) = (files.suffice(), files.most) {
        let needed = files.needed;
        tracing::warn!(
            most,
            needed,
            "the limit on open files is too low for `connections_max`: raise it (`ulimit -n`)"
        );
    }
    tracing::info!(proxy = %running.proxy, page = %format!("http://{}/", running.read), "serving");
    let broken = runtime.block_on(signals.wait_for_the_end(&running));
    tracing::info!("stopping: no new connections, running requests may end");
    running.stop();
    Ok(if broken { UNREACHABLE } else { GOOD })
}

fn refuse(error: &StartError) -> u8 {
    match error {
        StartError::Problems(problems) => sources::print_problems(problems),
        other => say!("sidetrail: {}", with_causes(other)),
    }
    if error.is_configuration() { CONFIGURATION } else { UNREACHABLE }
}

/// An error and why: `cannot listen on 127.0.0.1:8080: Address already in use`.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        // Some say it themselves.
        if !text.ends_with(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}

/// The signals that ask for the end. Caught from the moment this is made.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or Ctrl-C, and reads the rules again on SIGHUP; `true` when a part ended by itself instead.
    async fn wait_for_the_end(mut self, running: &Running) -> bool {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return false,
                _ = self.interrupt.recv() => return false,
                _ = self.hangup.recv() => running.rules_watch.reload(),
                () = tokio::time::sleep(Duration::from_secs(1)) => if running.is_broken() { return true },
            }
        }
    }
}

fn start_log(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = if log.json { lines.json().try_init() } else { lines.try_init() };
}

/// Starts everything in threads of its own; returns when both addresses are listened on.
///
/// # Errors
/// Nothing runs when anything is wrong: see [`StartError`].
pub fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
    let rules = load(&config.rules)?;
    let outgoing = Outgoing::start().map_err(StartError::Thread)?;
    let identity =
        Identity::new(&config.identity, &config.proxy.upstream.to_string(), outgoing.clone(), clock.clone())?;

    let (recorder, store) = record::open(&config.store, clock.clone())?;
    // Revoked ones count: once a token was made, the log stays closed.
    may_listen(config.read.listen, store.has_tokens()?)?;
    let lookups = lookups(&config, outgoing, &clock);
    let memory = remembered(&config.rules, &store, Some(&recorder))?;
    let pipeline = Pipeline::new(Arc::new(rules), memory, identity.clone(), Some(recorder.clone()), lookups);
    pipeline.ledger().preload(store.routes()?);
    let sidecar = Sidecar::bind(&config.proxy)?;

    let mut registry = Registry::with_prefix("sidetrail");
    pipeline.register(&mut registry);
    recorder.register(&mut registry);
    sidecar.register(&mut registry);

    let shadow = shadow(&config.rules, &pipeline, identity, &store)?;
    if let Some(shadow) = &shadow {
        shadow.register(&mut registry);
    }
    let observe = observer(&pipeline, shadow.as_ref());
    let rulebook = Keeper::new(
        (config.rules.paths.clone(), pipeline.clone()),
        shadow.clone().map(|shadow| (config.rules.shadow.clone(), shadow)),
        recorder.clone(),
        clock.clone(),
        &mut registry,
    );
    let rulebook = Arc::new(rulebook);

    let state = State::new(Parts {
        store: store.clone(),
        recorder: recorder.clone(),
        clock: clock.clone(),
        settings: config.read.clone(),
        rules: rulebook.facts(),
        rulebook: Some(rulebook.clone()),
        registry,
    });
    let stop_read = CancellationToken::new();
    let (read, read_thread) = serve_read(config.read.listen, state.clone(), stop_read.clone())
        .map_err(|error| StartError::Read(config.read.listen, error))?;

    let proxy = sidecar.local_addr();
    let stop_proxy = CancellationToken::new();
    let (beside, stop) = (pipeline.clone(), stop_proxy.clone());
    let proxy_thread = spawn("proxy", move || serve_proxy(sidecar, observe, &beside, &clock, stop))?;
    let rules_watch =
        Watch::start(rulebook, Duration::from_millis(config.rules.watch_ms)).map_err(StartError::Thread)?;
    Ok(Running {
        pipeline,
        state,
        rules_watch,
        proxy,
        read,
        store,
        recorder,
        stop_proxy,
        stop_read,
        proxy_thread,
        read_thread,
    })
}

fn load(settings: &RulePaths) -> Result<RuleSet, StartError> {
    let (rules, warnings) = sources::load_rules(&settings.paths).map_err(StartError::Problems)?;
    for warning in &warnings {
        tracing::warn!(code = warning.code, "{}", warning.title);
    }
    Ok(rules)
}

/// What the fronts show exchanges to.
fn observer(pipeline: &Pipeline, shadow: Option<&Shadowing>) -> Arc<dyn Observe> {
    match shadow {
        Some(shadow) => Arc::new(shadow.clone()),
        None => Arc::new(pipeline.clone()),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(StartError::Thread)
}

/// Memory with what the store kept of it.
fn remembered(settings: &RulePaths, store: &Store, recorder: Option<&Recorder>) -> Result<Memory, StoreError> {
    let memory = Memory::bounded(settings.memory_things, settings.memory_bytes);
    // A few more than fit: what was kept under a larger limit is forgotten by and by.
    let left_out = memory.preload(store.things(settings.memory_things.saturating_add(MOST_FORGOTTEN))?);
    if let Some(recorder) = recorder {
        recorder.forget(left_out);
    }
    Ok(memory)
}

/// How the platform is asked before something is lost; nobody asks it where the time for that is 0.
fn lookups(config: &Config, outgoing: Outgoing, clock: &Clock) -> Option<Lookups> {
    (config.rules.fetch_timeout_ms > 0).then(|| Lookups {
        outgoing,
        platform: config.proxy.upstream.to_string(),
        timeout: Duration::from_millis(config.rules.fetch_timeout_ms),
        clock: clock.clone(),
    })
}

/// The second set of rules, where one is configured. It begins with what memory knows.
fn shadow(
    settings: &RulePaths,
    live: &Pipeline,
    identity: Identity,
    store: &Store,
) -> Result<Option<Shadowing>, StartError> {
    if settings.shadow.is_empty() {
        return Ok(None);
    }
    let (rules, _) = sources::load_rules(&settings.shadow).map_err(StartError::Problems)?;
    let next = Pipeline::new(Arc::new(rules), remembered(settings, store, None)?, identity, None, None);
    Ok(Some(Shadowing::new(live.clone(), next)))
}

fn serve_proxy(
    sidecar: Sidecar,
    observe: Arc<dyn Observe>,
    pipeline: &Pipeline,
    clock: &Clock,
    stop: CancellationToken,
) {
    let served = tokio::runtime::Builder::new_current_thread().enable_time().build().and_then(|runtime| {
        let proxy = sidecar.run(observe, clock.clone(), stop);
        runtime.block_on(async {
            tokio::select! {
                served = proxy => served,
                never = pipeline.give_up_jobs(clock) => match never {},
            }
        })
    });
    if let Err(error) = served {
        tracing::error!(%error, "the proxy ended");
    }
}

/// Serves page and API on a thread with a runtime of its own, so that no reader slows the proxy's.
fn serve_read(
    listen: SocketAddr,
    state: State,
    stop: CancellationToken,
) -> std::io::Result<(SocketAddr, std::thread::JoinHandle<()>)> {
    let listener = std::net::TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(READER_THREADS).build()?;
    let thread = std::thread::Builder::new().name("read".to_owned()).spawn(move || {
        let served = runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            read::serve(listener, read::router(state), stop).await;
            std::io::Result::Ok(())
        });
        if let Err(error) = served {
            tracing::error!(%error, "the page ended");
        }
    })?;
    Ok((address, thread))
}
