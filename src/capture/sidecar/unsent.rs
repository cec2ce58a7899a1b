//! A request that goes nowhere, because the platform cannot be reached: what
//! its client sends is read for a moment, so that its event can say what was asked.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::timeout;

use super::relay::Client;
use super::worker::Worker;
use crate::capture::watching::Watching;
use crate::capture::wire::framing::Framing;

/// How long the answer may wait for a body that nobody will get.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads on from what is in the client's buffer, as far as a witness copies it.
/// A client that waits for `100 Continue` sends nothing, and is not waited for.
pub(super) async fn read_unsent(
    worker: &Worker,
    client: &mut Client,
    framing: &mut Framing,
    expects: bool,
    watching: &mut Watching,
) {
    let patience = PATIENCE.min(Duration::from_millis(worker.settings.body_timeout_ms));
    // Late is the same as not at all.
    let _ = timeout(patience, async {
        loop {
            let arrived = client.inbound.filled();
            // What has no single meaning ends the reading: the copy is not whole.
            let Ok(taken) = framing.advance(arrived, &mut |content| watching.request_content(content)) else { return };
            client.inbound.consume(taken, &worker.spare);
            watching.request_whole = framing.is_done();
            if !watching.lacks_request() || expects || client.eof || client.inbound.is_full() {
                return;
            }
            let read = poll_fn(|cx| client.inbound.poll_fill(&mut client.stream, &worker.spare, cx));
            client.eof = !matches!(read.await, Ok(1..));
        }
    })
    .await;
}
