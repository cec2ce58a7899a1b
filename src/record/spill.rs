//! The file beside the store for events that the store did not take in time.
//!
//! One JSON line each, `{"id":…,"sha256":…,"event":…}`: the event's canonical
//! bytes in base64 and their hash, so that a torn line is recognised. Appended
//! and fsynced; written into the store as soon as that works again, at the
//! latest at the next start. An event that reached both is kept once, by its id.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::record::canonical::from_canonical;
use crate::record::queue::Entry;
use crate::record::sqlite::{beside, private};

pub(crate) struct Spill {
    path: PathBuf,
    /// Held while the file is written or moved aside.
    file: Mutex<()>,
    /// Lines that wait for the store.
    waiting: AtomicU64,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    id: String,
    sha256: String,
    event: String,
}

impl Spill {
    /// The spill file of a store; counts what an earlier run left.
    pub(crate) fn of(store: &Path) -> std::io::Result<Spill> {
        let spill = Spill { path: beside(store, ".spill"), file: Mutex::new(()), waiting: AtomicU64::new(0) };
        let mut left = 0;
        for path in [&spill.path, &spill.aside()] {
            if path.exists() {
                let lines = BufReader::new(File::open(path)?).split(b'\n');
                left += lines.map_while(Result::ok).filter(|line| !line.is_empty()).count() as u64;
            }
        }
        spill.waiting.store(left, Ordering::Relaxed);
        Ok(spill)
    }

    /// Appends events; they are on disk when it returns.
    pub(crate) fn append(&self, entries: &[Entry]) -> std::io::Result<()> {
        // Begins with a line end: a line torn by a crash must not swallow this one.
        let mut lines = Vec::from(b"\n");
        for entry in entries {
            let line = Line {
                id: entry.event.id.to_string(),
                sha256: sum(&entry.canonical),
                event: STANDARD.encode(&entry.canonical),
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        let _held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = private(&self.path)?;
        file.write_all(&lines)?;
        file.sync_data()?;
        sync_folder(&self.path)?;
        self.waiting.fetch_add(u64::try_from(entries.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }

    /// How many events wait here.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Gives everything that waits to `write`, in portions; the file goes once all is written.
    /// Returns how many lines were unreadable.
    pub(crate) fn drain<E: From<std::io::Error>>(
        &self,
        mut write: impl FnMut(Vec<Event>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let aside = self.aside();
        let mut torn = 0;
        // Twice: what an interrupted run moved aside, then what came since.
        for _ in 0..2 {
            if !aside.exists() {
                let _held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                if !self.path.exists() {
                    break;
                }
                std::fs::rename(&self.path, &aside)?;
            }
            let (read, unreadable) = replay(&aside, &mut write)?;
            std::fs::remove_file(&aside)?;
            sync_folder(&self.path)?;
            self.waiting.fetch_sub(read.min(self.waiting()), Ordering::Relaxed);
            torn += unreadable;
        }
        Ok(torn)
    }

    fn aside(&self) -> PathBuf {
        beside(&self.path, ".replay")
    }
}

fn replay<E: From<std::io::Error>>(
    path: &Path,
    write: &mut impl FnMut(Vec<Event>) -> Result<(), E>,
) -> Result<(u64, u64), E> {
    let (mut read, mut torn) = (0, 0);
    let mut portion = Vec::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        read += 1;
        match parse(&line) {
            Some(event) => portion.push(event),
            None => torn += 1,
        }
        if portion.len() >= 256 {
            write(std::mem::take(&mut portion))?;
        }
    }
    if !portion.is_empty() {
        write(portion)?;
    }
    Ok((read, torn))
}

fn parse(line: &[u8]) -> Option<Event> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let bytes = STANDARD.decode(line.event).ok()?;
    if sum(&bytes) == line.sha256 { from_canonical(&bytes).ok() } else { None }
}

fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A new file's name is durable only when its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
