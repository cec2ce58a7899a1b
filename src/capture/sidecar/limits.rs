//! How many connections at one time: in all, from one address, as WebSockets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::capture::client_address::is_trusted;
use crate::capture::settings::Settings;

/// Counted over all threads.
#[derive(Debug, Default)]
pub(super) struct Limits {
    open: AtomicUsize,
    upgrades: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that counts; no longer when it is dropped.
pub(super) struct Place {
    limits: Arc<Limits>,
    address: Option<IpAddr>,
}

/// A WebSocket that counts; no longer when it is dropped.
pub(super) struct UpgradePlace(Arc<Limits>);

impl Limits {
    /// A place for a connection from this address, if there is one.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, settings: &Settings) -> Option<Place> {
        // Made first: whatever way out is taken, it counts back.
        let mut place = Place { limits: Arc::clone(self), address: None };
        if self.open.fetch_add(1, Relaxed) >= settings.connections_max {
            return None;
        }
        if !is_trusted(address, &settings.trusted_proxies) {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(address).or_default();
            if *count >= settings.connections_per_address {
                drop(by_address);
                return None;
            }
            *count += 1;
            drop(by_address);
            place.address = Some(address);
        }
        Some(place)
    }

    /// A place for a WebSocket, if there is one.
    pub(super) fn upgrade(self: &Arc<Self>, settings: &Settings) -> Option<UpgradePlace> {
        let place = UpgradePlace(Arc::clone(self));
        (self.upgrades.fetch_add(1, Relaxed) < settings.upgrades_max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limits.open.fetch_sub(1, Relaxed);
        let Some(address) = self.address else { return };
        let mut by_address = self.limits.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }
}

impl Drop for UpgradePlace {
    fn drop(&mut self) {
        self.0.upgrades.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_holder_is_gone() {
        let settings = Settings { connections_max: 3, connections_per_address: 2, ..Settings::default() };
        let limits = Arc::new(Limits::default());
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let first = limits.enter(one, &settings);
        let second = limits.enter(one, &settings);
        assert!(second.is_some() && limits.enter(one, &settings).is_none());
        let third = limits.enter(other, &settings);
        assert!(third.is_some() && limits.enter(other, &settings).is_none());
        drop(first);
        assert!(limits.enter(one, &settings).is_some());
    }
}
