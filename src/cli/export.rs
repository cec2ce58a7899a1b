//! `sidetrail export`: all matching events as a file, with a progress bar and a checksum.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use super::GOOD;
use super::filters::{Filters, StoreFile};
use super::remote::{Remote, Server};
use crate::read::export::{Batches, Columns, Format, Guard, Layout};
use crate::record::Store;
use crate::record::query::{Filter, Order};

/// Counting for the progress bar stops here.
const COUNTED: u64 = 10_000_000;

/// `export [filters]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    store: StoreFile,
    #[command(flatten)]
    server: Server,
    /// The columns of the page's CSV, or the API's objects one a line
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    /// Write cells that a spreadsheet would run as formulas as they are (for programs)
    #[arg(long)]
    raw: bool,
    /// Begin a CSV with a byte order mark (for spreadsheets)
    #[arg(long)]
    bom: bool,
    /// The file to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Shape {
    /// RFC 4180, for spreadsheets.
    #[default]
    Csv,
    /// Lossless, one JSON object a line.
    Ndjson,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if let Some(remote) = arguments.server.connect()? {
        return export_remote(arguments, &remote);
    }
    let (store, mut filter) = match arguments.filters.open(&arguments.store) {
        Ok(opened) => opened,
        Err(code) => return Ok(code),
    };
    // Nothing that is recorded from now on belongs to this file.
    filter.upto = Some(store.newest()?);
    let layout = arguments.layout();
    let (rows, checksum) = match &arguments.output {
        Some(path) => {
            let file = File::create(path)?;
            let answer = write_all(&store, filter, &layout, &file)?;
            file.sync_all()?;
            answer
        }
        None => write_all(&store, filter, &layout, std::io::stdout().lock())?,
    };
    say!("{rows} events, sha256:{}", hex::encode(checksum));
    Ok(GOOD)
}

/// The same, of a running server, which records it.
fn export_remote(arguments: &Arguments, remote: &Remote) -> anyhow::Result<u8> {
    if let Err(code) = arguments.filters.filter() {
        return Ok(code);
    }
    let layout = arguments.layout();
    let escape = if arguments.raw { "none" } else { "formula" };
    let (format, bom) = (layout.format.word(), u8::from(arguments.bom));
    let query = format!("{}&order=asc&format={format}&bom={bom}&escape={escape}", arguments.filters.to_query());
    let file = arguments.output.as_ref().map(File::create).transpose()?;
    let out: Box<dyn Write> = match &file {
        Some(file) => Box::new(file),
        None => Box::new(std::io::stdout().lock()),
    };
    let (mut out, mut hash) = (BufWriter::new(out), Sha256::new());
    let rows = remote.export(&query, |bytes| {
        hash.update(bytes);
        out.write_all(bytes)
    })?;
    out.flush()?;
    if let Some(file) = &file {
        file.sync_all()?;
    }
    say!("{rows} events, sha256:{}", hex::encode(hash.finalize()));
    Ok(GOOD)
}

impl Arguments {
    fn layout(&self) -> Layout {
        let format = match self.format {
            Shape::Csv => Format::Csv,
            Shape::Ndjson => Format::Ndjson,
        };
        let guard = if self.raw { Guard::None } else { Guard::Formulas };
        Layout { format, columns: Columns { zone: self.filters.zone(), language: None, guard }, bom: self.bom }
    }
}

/// Writes everything; how many events, and the SHA-256 of what was written.
fn write_all(store: &Store, filter: Filter, layout: &Layout, out: impl Write) -> anyhow::Result<(u64, [u8; 32])> {
    let bar = progress(store, &filter)?;
    let (mut out, mut hash, mut rows) = (BufWriter::new(out), Sha256::new(), 0);
    let mut write = |bytes: &[u8]| {
        hash.update(bytes);
        out.write_all(bytes)
    };
    write(&layout.head())?;
    let mut batches = Batches::new(filter, Order::Ascending);
    while let Some(events) = batches.next(store)? {
        write(&layout.rows(&events))?;
        rows += events.len() as u64;
        bar.set_position(rows);
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok((rows, hash.finalize().into()))
}

/// A bar on a terminal, else nothing.
fn progress(store: &Store, filter: &Filter) -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} events, {eta} left")?;
    Ok(ProgressBar::new(store.count(filter, COUNTED)?.value).with_style(style))
}
