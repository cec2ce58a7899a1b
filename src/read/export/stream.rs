//! The events of an export, a portion at a time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Exported;
use crate::read::error::ReadError;
use crate::read::state::State;
use crate::record::query::{Filter, Order, Position, Stored};
use crate::record::{Store, StoreError};

/// Events of one question: enough that asking costs little, few enough to stay small.
const PORTION: usize = 500;
/// Portions that wait for the client.
const WAITING: usize = 2;
/// A client that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// All events of a filter, a portion at a time; between two portions nothing holds the store.
#[derive(Clone, Debug)]
pub struct Batches {
    filter: Filter,
    order: Order,
    after: Option<Position>,
    done: bool,
}

impl Batches {
    /// Those of a filter, which ought to be pinned (`upto`).
    pub fn new(filter: Filter, order: Order) -> Batches {
        Batches { filter, order, after: None, done: false }
    }

    /// The next portion; none at the end.
    ///
    /// # Errors
    /// When the store has no answer.
    pub fn next(&mut self, store: &Store) -> Result<Option<Vec<Stored>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let page = store.page(&self.filter, self.order, PORTION, self.after)?;
        self.done = !page.more;
        self.after = page.events.last().map(|last| last.position);
        Ok(Some(page.events))
    }
}

type Portion = Result<Bytes, std::io::Error>;

/// The body of an export. It ends with an error, which breaks the connection, unless it is whole.
pub(crate) fn body(state: State, filter: Filter, order: Order, file: Exported, turn: OwnedSemaphorePermit) -> Body {
    let (sender, receiver) = mpsc::channel::<Portion>(WAITING);
    tokio::spawn(async move {
        let _turn = turn;
        let count = file.count;
        let sending = send_all(&state, Batches::new(filter, order), &file, &sender);
        let outcome = tokio::select! {
            outcome = sending => outcome,
            // Nobody takes it any more: the question that runs for it ends too.
            () = sender.closed() => Err(ReadError::Broken),
        };
        match outcome {
            Ok(sent) if sent == count => {
                state.metrics().exported.inc_by(sent);
            }
            outcome => {
                state.metrics().broken_exports.inc();
                let sent = outcome.as_ref().copied().unwrap_or_default();
                tracing::warn!(count, sent, "an export was broken off");
                let broken = std::io::Error::other("the export is not whole");
                // A client that has gone needs no word.
                let _ = tokio::time::timeout(PATIENCE, sender.send(Err(broken))).await;
            }
        }
    });
    Body::from_stream(unfold(receiver, |mut receiver| async {
        let portion = receiver.recv().await?;
        Some((portion, receiver))
    }))
}

/// Sends everything and tells how many events that were.
async fn send_all(
    state: &State,
    mut batches: Batches,
    file: &Exported,
    sender: &mpsc::Sender<Portion>,
) -> Result<u64, ReadError> {
    send(sender, file.layout.head()).await?;
    let mut sent = 0;
    loop {
        let layout = file.layout.clone();
        let portion = state.ask_long(move |store| {
            let events = batches.next(store)?;
            let rows = events.map(|events| (events.len(), layout.rows(&events)));
            Ok((batches, rows))
        });
        let (rest, rows) = portion.await?;
        batches = rest;
        let Some((events, rows)) = rows else { return Ok(sent) };
        send(sender, rows).await?;
        sent += u64::try_from(events).unwrap_or_default();
    }
}

async fn send(sender: &mpsc::Sender<Portion>, bytes: Vec<u8>) -> Result<(), ReadError> {
    if bytes.is_empty() {
        return Ok(());
    }
    match tokio::time::timeout(PATIENCE, sender.send(Ok(bytes.into()))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(ReadError::Broken),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arc_swap::ArcSwap;
    use http_body_util::BodyExt as _;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::clock::Clock;
    use crate::read::export::{Columns, Format, Guard, Layout};
    use crate::read::{Parts, Rules, Settings, Zone};
    use crate::record::query::Scope;

    /// An export of an empty store that promised `count` events.
    async fn export(count: u64) -> Result<Bytes, axum::Error> {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", home.path().join("log.db").display());
        let settings = crate::record::Settings { url, ..crate::record::Settings::default() };
        let clock = Clock::standing_at("2026-01-14T12:00:00Z".parse().unwrap());
        let (recorder, store) = crate::record::open(&settings, clock.clone()).unwrap();
        let state = State::new(Parts {
            store,
            recorder,
            clock,
            settings: Settings::default(),
            rules: Arc::new(ArcSwap::from_pointee(Rules::default())),
            rulebook: None,
            registry: Registry::default(),
        });
        let turn = state.exports().clone().try_acquire_owned().unwrap();
        let columns = Columns { zone: Zone::utc(), language: None, guard: Guard::Formulas };
        let layout = Layout { format: Format::Csv, columns, bom: false };
        let file = Exported { layout, count, at: String::new() };
        let body = body(state, Filter::all(Scope::All), Order::Descending, file, turn);
        body.collect().await.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn an_export_that_is_whole_ends_well() {
        assert!(export(0).await.unwrap().starts_with(b"User,Date/Time,Action,"));
    }

    #[tokio::test]
    async fn an_export_that_holds_other_events_than_it_promised_breaks() {
        assert!(export(1).await.is_err());
    }
}
