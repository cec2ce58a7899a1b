//! The writing half in numbers.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::record::recorder::Shared;

/// Counted by the recording side and the writer.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) committed: Counter,
    pub(crate) commits: Counter,
    pub(crate) failures: Counter,
    pub(crate) spilled: Counter,
    pub(crate) lost: Counter,
    pub(crate) forgotten: Counter,
    /// Seconds since the epoch.
    pub(crate) last_commit: Gauge,
}

impl Numbers {
    pub(crate) fn register(&self, registry: &mut Registry, shared: Arc<Shared>) {
        let counters = [
            ("record_events", "Events written to the store", &self.committed),
            ("record_commits", "Transactions of the store", &self.commits),
            ("record_failures", "Transactions that failed", &self.failures),
            ("record_spilled_events", "Events that went to the spill file", &self.spilled),
            ("record_lost_events", "Events that neither the store nor the spill file took", &self.lost),
            ("record_dropped_lessons", "Names that memory learned and the store did not keep", &self.forgotten),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let help = "When the last commit was, in seconds since the epoch";
        registry.register("record_last_commit_seconds", help, self.last_commit.clone());
        registry.register_collector(Box::new(Depths(shared)));
    }
}

/// What is read when somebody asks.
struct Depths(Arc<Shared>);

impl std::fmt::Debug for Depths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Depths")
    }
}

impl Collector for Depths {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let waiting = [
            ("record_queue_events", "Events that wait for the writer", self.0.queue.depth() as u64),
            ("record_spill_waiting_events", "Events that wait in the spill file", self.0.spill.waiting()),
        ];
        for (name, help, value) in waiting {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
