//! What is counted: one set of counters for each thread, added up when asked for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::capture::body::Budget;
use crate::capture::wire::refusal::Refusal;

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// One writer: no locked instruction is needed.
    pub(super) fn add(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    pub(super) fn take(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(1), Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one thread counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: Count,
    pub(super) open: Count,
    /// WebSockets that are open, and that ever were.
    pub(super) upgrades: Count,
    pub(super) upgrades_made: Count,
    /// Times that the system gave no connection: no descriptor, no memory.
    pub(super) accept_failed: Count,
    pub(super) turned_away: Count,
    pub(super) clients_gone: Count,
    pub(super) client_timeouts: Count,
    pub(super) platform_failed: [Count; PlatformFailure::ALL.len()],
    pub(super) refused: [Count; Refusal::ALL.len()],
}

impl Counts {
    pub(super) fn refused(&self, refusal: Refusal) {
        let place = Refusal::ALL.iter().position(|other| *other == refusal);
        if let Some(count) = place.and_then(|place| self.refused.get(place)) {
            count.add();
        }
    }

    pub(super) fn platform_failed(&self, failure: PlatformFailure) {
        let place = PlatformFailure::ALL.iter().position(|other| *other == failure);
        if let Some(count) = place.and_then(|place| self.platform_failed.get(place)) {
            count.add();
        }
    }
}

/// How the platform failed a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlatformFailure {
    /// No connection could be made.
    Unreachable,
    /// It closed before its reply was whole.
    Closed,
    /// It was silent for too long.
    Silent,
    /// Its reply has no single meaning.
    Malformed,
}

impl PlatformFailure {
    const ALL: [PlatformFailure; 4] =
        [PlatformFailure::Unreachable, PlatformFailure::Closed, PlatformFailure::Silent, PlatformFailure::Malformed];

    fn label(self) -> &'static str {
        match self {
            PlatformFailure::Unreachable => "unreachable",
            PlatformFailure::Closed => "closed",
            PlatformFailure::Silent => "silent",
            PlatformFailure::Malformed => "malformed",
        }
    }
}

/// The counters of all threads, as one metric each.
#[derive(Clone, Debug)]
pub(super) struct AllCounts {
    pub(super) threads: Vec<Arc<Counts>>,
    pub(super) copies: Budget,
}

impl AllCounts {
    fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.threads.iter().map(|counts| of(counts)).fold(0, u64::wrapping_add)
    }
}

impl Collector for AllCounts {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let plain: [(&str, &str, Of); 6] = [
            ("proxy_requests", "requests that were forwarded or tried to be", |counts| counts.requests.now()),
            ("proxy_turned_away", "connections beyond a limit", |counts| counts.turned_away.now()),
            ("proxy_clients_gone", "clients that left before their reply was whole", |counts| {
                counts.clients_gone.now()
            }),
            ("proxy_upgrades", "WebSockets that were opened", |counts| counts.upgrades_made.now()),
            ("proxy_accept_failures", "tries to accept for which the system had no descriptor or memory", |counts| {
                counts.accept_failed.now()
            }),
            ("proxy_client_timeouts", "clients that were too slow", |counts| counts.client_timeouts.now()),
        ];
        for (name, help, of) in plain {
            let total = Total(self.sum(of));
            total.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let help = "times that a copy of a body was cut because all copies held as much as they may";
        let total = Total(self.copies.refused());
        total.encode(encoder.encode_descriptor("proxy_body_copies_refused", help, None, MetricType::Counter)?)?;
        let help = "bytes that copies of bodies hold";
        let held = i64::try_from(self.copies.drawn()).unwrap_or(i64::MAX);
        encoder.encode_descriptor("proxy_body_copies_bytes", help, None, MetricType::Gauge)?.encode_gauge(&held)?;
        let gauges: [(&str, &str, Of); 2] = [
            ("proxy_open_connections", "connections of clients that are open", |counts| counts.open.now()),
            ("proxy_open_upgrades", "WebSockets that are open", |counts| counts.upgrades.now()),
        ];
        for (name, help, of) in gauges {
            let value = i64::try_from(self.sum(of)).unwrap_or(i64::MAX);
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        let help = "requests that were refused, by reason";
        let mut refused = encoder.encode_descriptor("proxy_refused", help, None, MetricType::Counter)?;
        for (place, refusal) in Refusal::ALL.iter().enumerate() {
            let total = Total(self.sum(|counts| counts.refused.get(place).map_or(0, Count::now)));
            total.encode(refused.encode_family(&[("reason", refusal.label())])?)?;
        }
        let help = "replies of the platform that did not come whole, by reason";
        let mut failed = encoder.encode_descriptor("proxy_upstream_errors", help, None, MetricType::Counter)?;
        for (place, failure) in PlatformFailure::ALL.iter().enumerate() {
            let total = Total(self.sum(|counts| counts.platform_failed.get(place).map_or(0, Count::now)));
            total.encode(failed.encode_family(&[("reason", failure.label())])?)?;
        }
        Ok(())
    }
}

/// Reads one number of a thread's counters.
type Of = fn(&Counts) -> u64;

/// A counter's value at one moment.
#[derive(Debug)]
struct Total(u64);

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        encoder.encode_counter::<NoLabelSet, u64, u64>(&self.0, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
