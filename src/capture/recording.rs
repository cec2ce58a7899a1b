//! Where records are made when nobody can wait for them, or when nobody is left who could.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::{Kept, Recorded};

/// Knows of all that was left to be recorded. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Recording {
    pub(crate) tasks: TaskTracker,
    /// The runtime; the caller's own where this is `None`.
    pub(crate) runtime: Option<Handle>,
}

impl Recording {
    /// Lets it go on by itself, on a thread of its own where there is no runtime.
    pub(crate) fn leave(&self, recorded: Recorded) {
        match self.runtime.clone().map_or_else(Handle::try_current, Ok) {
            Ok(runtime) => {
                self.tasks.spawn_on(Left(Some(recorded)), &runtime);
            }
            Err(_) => alone(recorded),
        }
    }

    /// What may be awaited or dropped: dropped, it goes on. Without a runtime it is given back.
    #[cfg(any(feature = "layer", feature = "pingora"))]
    pub(crate) fn carry(&self, recorded: Recorded) -> Recorded {
        match self.runtime.clone().map_or_else(Handle::try_current, Ok) {
            Ok(runtime) => {
                let task = self.tasks.spawn_on(Left(Some(recorded)), &runtime);
                Box::pin(async move { task.await.unwrap_or(Kept::Lost) })
            }
            Err(_) => recorded,
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until all that was left behind is recorded.
    #[cfg(any(feature = "layer", feature = "pingora"))]
    pub(crate) async fn settled(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

/// A record that is being made. A runtime that ends drops its tasks: what was not begun is then done elsewhere.
struct Left(Option<Recorded>);

impl Future for Left {
    type Output = Kept;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Kept> {
        let Some(recorded) = &mut self.0 else { return Poll::Ready(Kept::Lost) };
        let polled = recorded.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(recorded) = self.0.take() {
            alone(recorded);
        }
    }
}

/// Makes a record on a thread and a runtime of its own. Where not even that can be had the future is dropped, and
/// whoever made it counts what is lost.
fn alone(recorded: Recorded) {
    let started = std::thread::Builder::new().name("last-words".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Nobody is left who could be told; the observer says what was lost.
        let _ = runtime.map(|runtime| runtime.block_on(recorded));
    });
    if let Err(error) = started {
        tracing::error!(%error, "an exchange ended outside of a runtime, and no thread could be started for its record");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn telling(tell: mpsc::SyncSender<&'static str>, name: &'static str) -> Recorded {
        Box::pin(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            tell.send(name).unwrap();
            Kept::OnDisk
        })
    }

    #[test]
    fn what_ends_outside_of_a_runtime_or_with_it_is_recorded_all_the_same() {
        let (tell, told) = mpsc::sync_channel(2);
        let recording = Recording::default();
        recording.leave(telling(tell.clone(), "outside"));
        let soon = std::time::Duration::from_secs(10);
        assert_eq!(told.recv_timeout(soon), Ok("outside"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { recording.leave(telling(tell, "ended")) });
        drop(runtime);
        assert_eq!(told.recv_timeout(soon), Ok("ended"));
        assert!(recording.is_idle());
    }
}
