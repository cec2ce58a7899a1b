//! `sidetrail query` and `sidetrail tail`: events of the store on stdout.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::filters::{Filters, StoreFile};
use super::remote::{Line, Remote, Server};
use super::sources::Format;
use super::{GOOD, print};
use crate::read::export::ndjson_line;
use crate::record::Store;
use crate::record::query::{Filter, Order, Position, Stored};

/// How often `tail` asks for what is new.
const TAIL_EVERY: Duration = Duration::from_millis(500);
/// `tail` prints at most so many of what is new at once.
const TAIL_BATCH: usize = 1000;
/// The column of users when the widest name is not known in advance.
const TAIL_USER: usize = 20;

/// `query [filters]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    store: StoreFile,
    #[command(flatten)]
    server: Server,
    /// At most so many events
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Newest first (desc) or oldest first (asc)
    #[arg(long, value_enum, default_value_t)]
    order: Direction,
    /// Aligned text, or one JSON object per line (those of the API)
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// `tail [filters]`
#[derive(clap::Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    store: StoreFile,
    #[command(flatten)]
    server: Server,
    /// Print so many of the newest first
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: u16,
    /// Aligned text, or one JSON object per line (those of the API)
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Direction {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if let Some(remote) = arguments.server.connect()? {
        return query_remote(arguments, &remote);
    }
    let (store, filter) = match arguments.filters.open(&arguments.store) {
        Ok(opened) => opened,
        Err(code) => return Ok(code),
    };
    let order = match arguments.order {
        Direction::Desc => Order::Descending,
        Direction::Asc => Order::Ascending,
    };
    let limit = usize::try_from(arguments.limit)?;
    let page = store.page(&filter, order, limit, None)?;
    let mut out = std::io::stdout().lock();
    write_events(&mut out, &arguments.filters, arguments.format, &page.events)?;
    say_more(page.more);
    Ok(GOOD)
}

fn say_more(more: bool) {
    if more && std::io::stderr().is_terminal() {
        say!("there are more: raise --limit, narrow the filters, or use `sidetrail export`");
    }
}

/// The same, of a running server.
fn query_remote(arguments: &Arguments, remote: &Remote) -> anyhow::Result<u8> {
    if let Err(code) = arguments.filters.filter() {
        return Ok(code);
    }
    let order = match arguments.order {
        Direction::Desc => "desc",
        Direction::Asc => "asc",
    };
    let query = format!("{}&order={order}", arguments.filters.to_query());
    let (lines, more) = remote.list(&query, usize::try_from(arguments.limit)?)?;
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Human => {
            let events = lines.iter().map(Line::event).collect::<Result<Vec<_>, _>>()?;
            print::events(&mut out, &time_zone(&arguments.filters), events.iter())?;
        }
        Format::Json => {
            for line in &lines {
                writeln!(out, "{}", line.json)?;
            }
        }
    }
    say_more(more);
    Ok(GOOD)
}

fn write_events(out: &mut impl Write, filters: &Filters, format: Format, events: &[Stored]) -> anyhow::Result<()> {
    match format {
        Format::Human => print::events(out, &time_zone(filters), events.iter().map(|stored| &stored.event))?,
        Format::Json => {
            for stored in events {
                out.write_all(&ndjson_line(stored))?;
            }
        }
    }
    Ok(())
}

fn time_zone(filters: &Filters) -> TimeZone {
    TimeZone::get(filters.zone().name()).unwrap_or(TimeZone::UTC)
}

pub(crate) fn tail(arguments: &TailArguments) -> anyhow::Result<u8> {
    if let Some(remote) = arguments.server.connect()? {
        return tail_remote(arguments, &remote);
    }
    let (store, filter) = match arguments.filters.open(&arguments.store) {
        Ok(opened) => opened,
        Err(code) => return Ok(code),
    };
    let zone = time_zone(&arguments.filters);
    let mut out = std::io::stdout().lock();
    let mut at = store.newest()?;
    let mut last = store.page(&filter, Order::Descending, usize::from(arguments.lines), None)?.events;
    last.reverse();
    loop {
        for stored in &last {
            match arguments.format {
                Format::Human => print::line(&mut out, &zone, TAIL_USER, &stored.event)?,
                Format::Json => out.write_all(&ndjson_line(stored))?,
            }
        }
        out.flush()?;
        std::thread::sleep(TAIL_EVERY);
        (last, at) = what_is_new(&store, &filter, at)?;
    }
}

/// The matching events beyond `at`, and how far was looked.
fn what_is_new(store: &Store, filter: &Filter, at: Position) -> anyhow::Result<(Vec<Stored>, Position)> {
    let newest = store.newest()?;
    if newest <= at {
        return Ok((Vec::new(), at));
    }
    let page = store.page(filter, Order::Ascending, TAIL_BATCH, Some(at))?;
    let reached = if page.more { page.events.last().map_or(newest, |stored| stored.position) } else { newest };
    Ok((page.events.into_iter().filter(|stored| stored.position <= reached).collect(), reached))
}

/// The same, of a running server. Ends when it cannot be asked any more.
fn tail_remote(arguments: &TailArguments, remote: &Remote) -> anyhow::Result<u8> {
    if let Err(code) = arguments.filters.filter() {
        return Ok(code);
    }
    let zone = time_zone(&arguments.filters);
    let query = arguments.filters.to_query();
    let mut out = std::io::stdout().lock();
    // One more than is wanted: it is where the next question ends, also where none is to be printed.
    let wanted = usize::from(arguments.lines);
    let mut new = remote.newer(&query, None, wanted + 1)?;
    let mut known = new.last().map(|line| line.id.clone());
    new = new.split_off(new.len().saturating_sub(wanted));
    loop {
        for line in &new {
            match arguments.format {
                Format::Human => print::line(&mut out, &zone, TAIL_USER, &line.event()?)?,
                Format::Json => writeln!(out, "{}", line.json)?,
            }
        }
        out.flush()?;
        std::thread::sleep(TAIL_EVERY);
        new = remote.newer(&query, known.as_deref(), TAIL_BATCH)?;
        known = new.last().map(|line| line.id.clone()).or(known);
    }
}
