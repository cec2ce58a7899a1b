//! Who is waited for in an exchange, until when, and what it means when they do not come.

use super::counts::PlatformFailure;
use super::problem_reply::Trouble;
use super::relay::{Failure, Relay};
use super::watch::NEVER;

/// Over how long the least rate of a body is measured.
const RATE_WINDOW_MS: u64 = 10_000;

/// How fast a client sends its body.
#[derive(Debug, Default)]
pub(super) struct Rate {
    pub(super) since: u64,
    pub(super) bytes: u64,
}

impl Relay<'_> {
    /// The failure of whoever did not come in time; `None` and a new measure if nobody is late.
    pub(super) fn expired(&mut self, now: u64) -> Option<Failure> {
        let settings = &self.worker.settings;
        if now >= self.rate.since + RATE_WINDOW_MS {
            let too_slow = self.rate.bytes < settings.body_min_rate_bytes.saturating_mul(RATE_WINDOW_MS / 1000);
            if self.waits_for_body() && too_slow {
                return Some(Failure::ClientSlow);
            }
            self.rate = Rate { since: now, bytes: 0 };
        }
        let (deadline, failure) = self.next_deadline();
        (now >= deadline).then_some(failure)
    }

    /// Whether the request's body is waited for, and the client alone keeps us waiting.
    fn waits_for_body(&self) -> bool {
        !self.up.finished && !self.up.broken && !self.up.out.blocked && !self.up.expects
    }

    /// The nearest deadline, and whose failure it is.
    pub(super) fn next_deadline(&self) -> (u64, Failure) {
        let settings = &self.worker.settings;
        let silent = Failure::Platform(PlatformFailure::Silent, Trouble::PlatformSilent);
        let mut nearest = (NEVER, silent);
        let mut by = |deadline: u64, failure: Failure| {
            if deadline < nearest.0 {
                nearest = (deadline, failure);
            }
        };
        let request_is_out = self.up.finished || self.up.broken;
        if self.waits_for_body() {
            by(self.client_at + settings.body_timeout_ms, Failure::ClientSlow);
            if settings.body_min_rate_bytes > 0 {
                by(self.rate.since + RATE_WINDOW_MS, Failure::ClientSlow);
            }
        } else if !request_is_out {
            by(self.platform_at + settings.reply_timeout_ms, silent);
        }
        if self.down.out.blocked {
            by(self.client_at + settings.send_timeout_ms, Failure::ClientSlow);
        } else if request_is_out && !self.down.ended {
            by(self.platform_at + settings.reply_timeout_ms, silent);
        }
        if self.client.eof {
            by(self.eof_at + settings.half_close_timeout_ms, Failure::ClientGone);
        }
        nearest
    }
}
