//! A second set of rules beside the live one: it sees the same exchanges,
//! records nothing, and what it would have said otherwise is kept for those who
//! want to know before they use it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use serde::Serialize;

use super::closing::Opened;
use super::{Pipeline, Watch};
use crate::capture::{Follow, Kept, Observe, Pending, Recorded, Refused, Tally, Wants, Witness};
use crate::exchange::{Exchange, Request};
use crate::rules::{Divergence, RuleSet, divergences};

/// Diverging exchanges that are kept; the oldest goes first.
const KEPT: usize = 100;

/// An observer that shows each exchange to two pipelines; only the live one records. Clones share it.
#[derive(Clone)]
pub struct Shadowing {
    live: Pipeline,
    next: Pipeline,
    report: Arc<Report>,
}

#[derive(Default)]
struct Report {
    compared: Counter,
    diverging: Counter,
    latest: Mutex<VecDeque<DivergingExchange>>,
}

/// An exchange of which the two sets tell otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DivergingExchange {
    /// When it ended.
    pub time: Timestamp,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// What differs.
    pub divergences: Vec<Divergence>,
}

/// How the second set did so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShadowReport {
    /// Hash of the second set.
    pub version: String,
    /// Exchanges that at least one set acts on.
    pub compared: u64,
    /// Those of which they tell otherwise.
    pub diverging: u64,
    /// The latest of them, the newest first.
    pub latest: Vec<DivergingExchange>,
}

impl Shadowing {
    /// `next` has no recorder.
    pub fn new(live: Pipeline, next: Pipeline) -> Shadowing {
        Shadowing { live, next, report: Arc::default() }
    }

    /// The pipeline that records nothing.
    pub fn next(&self) -> &Pipeline {
        &self.next
    }

    /// Puts another second set in the place of this one, and forgets what that one told.
    pub fn exchange_rules(&self, rules: Arc<RuleSet>) {
        self.next.exchange_rules(rules);
        self.report.latest().clear();
    }

    /// How the second set did so far.
    pub fn report(&self) -> ShadowReport {
        ShadowReport {
            version: self.next.rules().version().to_string(),
            compared: self.report.compared.get(),
            diverging: self.report.diverging.get(),
            latest: self.report.latest().iter().rev().cloned().collect(),
        }
    }

    /// Announces its counters.
    pub fn register(&self, registry: &mut Registry) {
        let Report { compared, diverging, .. } = &*self.report;
        registry.register("shadow_compared", "Exchanges shown to the shadow rules, too", compared.clone());
        registry.register("shadow_diverging", "Exchanges of which they tell otherwise", diverging.clone());
    }
}

impl Observe for Shadowing {
    fn admit(&self, method: &str, target: &str) -> Option<Box<dyn Witness>> {
        let live = self.live.watch(method, target);
        let next = self.next.watch(method, target);
        match next {
            None if live.as_ref().is_none_or(|live| !live.matched.found.acts()) => {
                live.map(|live| Box::new(live) as Box<dyn Witness>)
            }
            next => Some(Box::new(Both { live, next, report: Arc::clone(&self.report) })),
        }
    }

    fn tally(&self, method: &str, target: &str) -> Option<Tally> {
        self.live.tally(method, target)
    }

    fn refused(&self, refused: &Refused<'_>) {
        self.live.refused(refused);
    }
}

/// Watches one exchange for both.
struct Both {
    live: Option<Watch>,
    next: Option<Watch>,
    report: Arc<Report>,
}

impl Witness for Both {
    fn wants(&self) -> Wants {
        let of = |watch: &Option<Watch>| watch.as_ref().map(Watch::wants).unwrap_or_default();
        let (live, next) = (of(&self.live), of(&self.next));
        Wants {
            request_body: live.request_body || next.request_body,
            response_body: live.response_body || next.response_body,
        }
    }

    fn begin(&mut self, request: &Request) -> Option<Pending> {
        if let Some(next) = &mut self.next {
            // It has nobody to ask the platform for it.
            let _ = next.begin(request);
        }
        self.live.as_mut()?.begin(request)
    }

    fn follow(&mut self) -> Option<Box<dyn Follow>> {
        self.live.as_mut()?.follow()
    }

    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded {
        let Both { live, next, report } = *self;
        let told = Opened::default();
        let recorded = live.map(|mut live| {
            live.told = Some(Arc::clone(&told));
            Box::new(live).observe(exchange.clone())
        });
        Box::pin(async move {
            let kept = match recorded {
                Some(recorded) => recorded.await,
                None => Kept::OnDisk,
            };
            let (time, method) = (exchange.finished(), exchange.request.method.clone());
            let path = super::paths::shown(exchange.request.path());
            let new = match next {
                Some(Watch { pipeline, matched, inquiry, .. }) => {
                    pipeline.conclude(matched, exchange, inquiry, &[]).await.events
                }
                None => Vec::new(),
            };
            let old = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
            if !old.is_empty() || !new.is_empty() {
                report.add(DivergingExchange { time, method, path, divergences: divergences(&old, &new) });
            }
            kept
        })
    }
}

impl Report {
    fn latest(&self) -> MutexGuard<'_, VecDeque<DivergingExchange>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, exchange: DivergingExchange) {
        self.compared.inc();
        if exchange.divergences.is_empty() {
            return;
        }
        self.diverging.inc();
        let mut latest = self.latest();
        if latest.len() >= KEPT {
            latest.pop_front();
        }
        latest.push_back(exchange);
    }
}
