//! The end of a connection that a watched exchange opened: a second event, in
//! the words of the first.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::Inner;
use crate::capture::{Carried, Follow, Recorded};
use crate::event::{Event, Missing, Outcome};
use crate::exchange::Exchange;

/// The events of an opening, for its closing. Empty until they are derived.
pub(super) type Opened = Arc<Mutex<Vec<Event>>>;

/// Waits for the end of one connection.
pub(super) struct Closing {
    pub(super) pipeline: Arc<Inner>,
    pub(super) opened: Opened,
}

impl Follow for Closing {
    fn closed(self: Box<Self>, carried: Carried) -> Recorded {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        let events = opened.into_iter().map(|event| closed(event, carried)).collect();
        let pipeline = self.pipeline;
        Box::pin(async move { pipeline.keep(events).await })
    }
}

/// What nobody should take a WebSocket's event for.
pub(super) fn frames_are_not_read(event: &mut Event) {
    let reason = "what a WebSocket carries after it has opened is not read".to_owned();
    event.missing.push(Missing { name: "frames".to_owned(), reason });
}

/// The closing of what this event opened.
fn closed(opened: Event, carried: Carried) -> Event {
    let Carried { up, down, duration } = carried;
    let time = opened.time.checked_add(duration).unwrap_or(opened.time);
    let mut event = Event {
        id: Exchange::number(time),
        time,
        action: format!("{}.closed", opened.action).into(),
        title: format!("{}: closed", opened.title).into(),
        outcome: Outcome::Success,
        changes: Vec::new(),
        ..opened
    };
    // Behind the first sentence, so that its links stay where they are.
    let text = &mut event.message.text;
    let _ = write!(text, ": closed after {}, {} up, {} down", span(duration), bytes(up), bytes(down));
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    for (name, value) in
        [("opened", json!(opened.id)), ("bytes_up", json!(up)), ("bytes_down", json!(down)), ("duration_ms", json!(ms))]
    {
        event.details.insert(name.to_owned(), value);
    }
    event
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("0.{} s", duration.subsec_millis() / 100),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `310 B`, `3.1 KB`, `10 KB`, `2.4 MB`.
fn bytes(count: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "KB", "MB", "GB"] {
        let next = unit.saturating_mul(1000);
        if count < next || name == "GB" {
            let (whole, tenth) = (count / unit, count % unit / (unit / 10).max(1));
            return if unit == 1 || whole >= 10 {
                format!("{whole} {name}")
            } else {
                format!("{whole}.{tenth} {name}")
            };
        }
        unit = next;
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_what_a_person_says() {
        let spans = [(0, "0.0 s"), (430, "0.4 s"), (12_345, "12 s"), (185_000, "3 min 5 s"), (7_440_000, "2 h 4 min")];
        for (ms, said) in spans {
            assert_eq!(span(Duration::from_millis(ms)), said);
        }
        let sizes = [
            (0, "0 B"),
            (999, "999 B"),
            (3_149, "3.1 KB"),
            (10_400, "10 KB"),
            (2_400_000, "2.4 MB"),
            (7_000_000_000_000, "7000 GB"),
        ];
        for (count, said) in sizes {
            assert_eq!(bytes(count), said);
        }
    }
}
