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
use crate::event::Event;
use crate::identity::Identity;
use crate::memory::Memory;
use crate::pipeline::Pipeline;
use crate::read::export::{Columns, Guard, csv_head, csv_rows};
use crate::read::{EventObject, Zone};
use crate::record::query::{Position, Stored};

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
    let rules = match sources::load_rules(paths) {
        Ok((rules, _)) => Arc::new(rules),
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(NEGATIVE);
        }
    };
    let exchanges = har::read(&arguments.recording)?;
    // Nobody is asked: the platform of a recording may be gone, and credentials of yesterday stay where they are.
    // The clock stands where the recording does: its tokens were valid then.
    let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
    let identity = Identity::offline(&config.identity, clock.clone())?;
    let pipeline = Pipeline::new(
        rules,
        Memory::bounded(config.rules.memory_things, config.rules.memory_bytes),
        identity,
        None,
        None,
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut events: Vec<Event> = Vec::new();
    for exchange in exchanges {
        clock.set(exchange.finished());
        events.extend(runtime.block_on(pipeline.derive(exchange)).events);
    }
    write_events(arguments.format, events)?;
    Ok(GOOD)
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
