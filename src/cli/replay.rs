//! `sidetrail replay`: the events that a recording gives, offline and in its order.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::sources::{self, ConfigFile};
use super::{CONFIGURATION, GOOD, NEGATIVE, print};
use crate::capture::har;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::Event;
use crate::exchange::Exchange;
use crate::identity::Identity;
use crate::memory::Memory;
use crate::pipeline::Pipeline;
use crate::read::export::{Columns, Guard, csv_head, csv_rows};
use crate::read::{EventObject, Zone};
use crate::record::query::{Position, Stored};
use crate::rules::{Divergence, RuleSet, divergences};

/// `replay FILE.har`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A recording of a browser or a proxy, HAR 1.2
    recording: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// Rule files and folders [default: those of the configuration]
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Print only what these other rules tell otherwise: `-` they, `+` the current ones. Exit 1 where anything differs
    #[arg(long, value_name = "OLD_RULES", conflicts_with = "format")]
    diff: Vec<PathBuf>,
    /// Aligned text, one JSON object per line, or CSV
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// Aligned text.
    #[default]
    Text,
    /// One JSON object per line.
    Ndjson,
    /// The columns of the page's export.
    Csv,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let config = match arguments.file.load(&[]) {
        Ok(config) => config,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(CONFIGURATION);
        }
    };
    let paths = if arguments.rules.is_empty() { &config.rules.paths } else { &arguments.rules };
    let sets = [paths, &arguments.diff].into_iter().filter(|paths| !paths.is_empty());
    let sets: Result<Vec<_>, _> = sets.map(|paths| sources::load_rules(paths)).collect();
    let sets = match sets {
        Ok(sets) => sets,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(NEGATIVE);
        }
    };
    let exchanges = har::read(&arguments.recording)?;
    let mut replays = sets.into_iter().map(|(rules, _)| Replay::new(rules, &config));
    let Some(mut new) = replays.next().transpose()? else { return Ok(GOOD) };
    let Some(mut old) = replays.next().transpose()? else {
        let mut events = Vec::new();
        for exchange in exchanges {
            events.extend(new.events(exchange));
        }
        write_events(arguments.format, events)?;
        return Ok(GOOD);
    };
    let mut out = std::io::stdout().lock();
    let (mut compared, mut diverging) = (0, 0);
    for exchange in exchanges {
        let request = format!("{} {}", exchange.request.method, exchange.request.path());
        let (was, is) = (old.events(exchange.clone()), new.events(exchange));
        compared += 1;
        let found = divergences(&was, &is);
        if !found.is_empty() {
            diverging += 1;
            writeln!(out, "{request}")?;
            found.iter().try_for_each(|divergence| write_divergence(&mut out, divergence))?;
        }
    }
    say!("{diverging} of {compared} exchanges are told otherwise");
    Ok(if diverging == 0 { GOOD } else { NEGATIVE })
}

/// One set of rules on its way through a recording.
struct Replay {
    pipeline: Pipeline,
    clock: Clock,
    runtime: tokio::runtime::Runtime,
}

impl Replay {
    /// Nobody is asked: the platform of a recording may be gone, and credentials of yesterday stay where they are.
    /// The clock stands where the recording does: its tokens were valid then.
    fn new(rules: RuleSet, config: &Config) -> anyhow::Result<Replay> {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let identity = Identity::offline(&config.identity, clock.clone())?;
        let memory = Memory::bounded(config.rules.memory_things, config.rules.memory_bytes);
        let pipeline = Pipeline::new(Arc::new(rules), memory, identity, None, None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Replay { pipeline, clock, runtime })
    }

    fn events(&mut self, exchange: Exchange) -> Vec<Event> {
        self.clock.set(exchange.finished());
        self.runtime.block_on(self.pipeline.derive(exchange)).events
    }
}

fn write_divergence(out: &mut impl Write, divergence: &Divergence) -> std::io::Result<()> {
    match divergence {
        Divergence::Added { action, message } => writeln!(out, "+ {action}: {message}"),
        Divergence::Removed { action, message } => writeln!(out, "- {action}: {message}"),
        Divergence::Changed { action, fields } => fields.iter().try_for_each(|field| {
            // A text without its quotes is what people read.
            let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "- {action}, {}: {}", field.field, shown(&field.old))?;
            writeln!(out, "+ {action}, {}: {}", field.field, shown(&field.new))
        }),
    }
}

fn write_events(format: Shape, events: Vec<Event>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Shape::Text => print::events(&mut out, &TimeZone::UTC, events.iter())?,
        Shape::Csv => {
            out.write_all(&csv_head())?;
            let columns = Columns { zone: Zone::utc(), language: None, guard: Guard::Formulas };
            out.write_all(&csv_rows(&numbered(events), &columns))?;
        }
        Shape::Ndjson => {
            for stored in numbered(events) {
                let mut object = serde_json::to_value(EventObject::from(&stored))?;
                // Nothing was stored: there is no place in a log and no hash to show.
                if let Some(object) = object.as_object_mut() {
                    object.remove("seq");
                    object.remove("hash");
                }
                writeln!(out, "{object}")?;
            }
        }
    }
    Ok(())
}

/// Events as if they stood in a store, counted from 1 in their order.
fn numbered(events: Vec<Event>) -> Vec<Stored> {
    let count = |(seq, event)| Stored { position: Position(0), seq, hash: [0; 32], event };
    (1..).zip(events).map(count).collect()
}
