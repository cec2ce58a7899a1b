//! Things looked up on the platform before a request goes on that may take them away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::{Inner, Matched};
use crate::capture::Pending;
use crate::capture::body::{Budget, Copier};
use crate::clock::Clock;
use crate::exchange::{Headers, Request, Response};
use crate::memory::Lesson;
use crate::outgoing::{Get, Outgoing};
use crate::rules::Lookup;

/// The fields of a request that a look-up carries on, beside the Host of the platform.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "x-api-key", "accept-language"];
/// An answer larger than this is not read: a thing's name is not in it.
const LOOKUP_BYTES: usize = 262_144;

/// How things are looked up before a request goes on.
#[derive(Clone)]
pub struct Lookups {
    /// Who makes the calls.
    pub outgoing: Outgoing,
    /// The platform's address, `http://host:port`.
    pub platform: String,
    /// The longest that one request may wait for all its look-ups.
    pub timeout: Duration,
    /// When what they say was seen.
    pub clock: Clock,
}

/// What look-ups said before the request went on; learned only if it succeeds.
pub(super) type Fetched = Arc<Mutex<Vec<Lesson>>>;

impl Inner {
    /// Asks the platform, with the caller's credential, for things that memory lacks and this request may take away.
    pub(super) fn look_up(self: &Arc<Self>, matched: &Matched, request: &Request) -> Option<(Pending, Fetched)> {
        let lookups = self.lookups.as_ref()?;
        let wanted = matched.rules.lookups(matched.found, request, &self.memory);
        if wanted.is_empty() {
            return None;
        }
        let (this, lookups, headers) = (Arc::clone(self), lookups.clone(), credentials(request));
        let rules = Arc::clone(&matched.rules);
        let fetched = Fetched::default();
        let found = Arc::clone(&fetched);
        let pending = Box::pin(async move {
            let all = wanted.iter().map(|lookup| async {
                this.counters.lookups.inc();
                let lessons = lookups
                    .ask(lookup, headers.clone())
                    .await
                    .map(|response| rules.taught_by_lookup(lookup, &response, lookups.clock.now()));
                match lessons {
                    Some(lessons) if !lessons.is_empty() => {
                        lock(&found).extend(lessons);
                    }
                    _ => {
                        this.counters.lookups_failed.inc();
                    }
                }
            });
            // Too late is the same as unknown: the request must not wait for our curiosity.
            let _ = tokio::time::timeout(lookups.timeout, futures_util::future::join_all(all)).await;
        });
        Some((pending, fetched))
    }
}

impl Lookups {
    async fn ask(&self, lookup: &Lookup, headers: Headers) -> Option<Response> {
        let url = format!("{}{}", self.platform, lookup.path);
        let get = Get { url, headers, timeout: self.timeout, cap: LOOKUP_BYTES };
        let answer = self.outgoing.get(get).await.ok()?;
        let mut copy = Copier::new(&answer.headers, LOOKUP_BYTES, &Budget::unlimited());
        copy.push(&answer.body);
        Some(Response { status: answer.status, body: copy.finish(true), headers: answer.headers })
    }
}

pub(super) fn lock(fetched: &Fetched) -> MutexGuard<'_, Vec<Lesson>> {
    fetched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The caller's own credentials: a look-up may see what the caller may see, no more.
fn credentials(request: &Request) -> Headers {
    let carries = |name: &[u8]| CREDENTIALS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    let fields = request.headers.iter().filter(|(name, _)| carries(name));
    fields.map(|(name, value)| (Bytes::copy_from_slice(name), Bytes::copy_from_slice(value))).collect()
}
