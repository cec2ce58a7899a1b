//! Ending a question before it is answered: its time is up, or whoever asked has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

/// SQLite asks so often whether to go on: about every 100 µs.
const STEPS: i32 = 2_000;

/// Ends the questions of a [`Store`](crate::record::Store) that listens to it. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on questions end with [`StoreError::Stopped`](crate::record::StoreError::Stopped).
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Something that stops the questions when it is dropped.
    pub fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets a connection's statements end when it is asked for, until [`forget`].
    pub(crate) fn watch(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let stop = self.clone();
        conn.progress_handler(STEPS, Some(move || stop.is_asked()))
    }
}

/// The connection's statements run to their ends again.
pub(crate) fn forget(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.progress_handler(0, None::<fn() -> bool>)
}

/// See [`Stop::on_drop`].
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.now();
    }
}
