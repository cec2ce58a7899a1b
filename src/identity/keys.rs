//! The keys that verify tokens: one from a file, or a set (RFC 7517) from a file or an address.
//!
//! A set from an address is fetched when it is first needed, when it is old
//! (the old one serves meanwhile), and when a token names a key that is not
//! in it: that at most once in [`PAUSE`], so that forged tokens cannot make
//! sidetrail call. A fetch that fails leaves what is known.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

use super::settings::{Jwt, SettingsError};
use crate::clock::Clock;
use crate::exchange::Headers;
use crate::outgoing::{CallError, Get, Outgoing, check_address};

/// Between two fetches because of an unknown key.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// For one fetch. An audited reply may wait for it.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A set of keys is a few KiB.
const LARGEST_SET: usize = 256 * 1024;

/// A fetch that is under way.
pub(super) type Refresh = Shared<BoxFuture<'static, ()>>;

/// A key and what it is for.
pub(super) struct Key {
    name: Option<String>,
    algorithm: Option<Algorithm>,
    pub(super) key: DecodingKey,
}

/// The key for a token.
pub(super) enum Choice {
    /// This one.
    Key(Arc<Key>),
    /// Perhaps one of those that are being fetched.
    Wait(Refresh),
    /// None, and why.
    None(&'static str),
}

/// All keys.
pub(super) struct Keys {
    set: Arc<Mutex<Set>>,
    address: Option<Address>,
}

#[derive(Default)]
struct Set {
    keys: Vec<Arc<Key>>,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
    refresh: Option<Refresh>,
}

struct Address {
    url: String,
    outgoing: Outgoing,
    clock: Clock,
    refresh: SignedDuration,
}

impl Keys {
    pub(super) fn new(
        settings: &Jwt,
        algorithms: &[Algorithm],
        outgoing: Option<&Outgoing>,
        clock: &Clock,
    ) -> Result<Keys, SettingsError> {
        let first = algorithms.first().ok_or(SettingsError::NoAlgorithms)?.family();
        let mut address = None;
        let keys = match (&settings.key_file, &settings.jwks) {
            (Some(path), None) => {
                if algorithms.iter().any(|algorithm| algorithm.family() != first) {
                    return Err(SettingsError::MixedFamilies);
                }
                vec![Arc::new(Key { name: None, algorithm: None, key: key_from_file(path, first)? })]
            }
            (None, Some(_)) if algorithms.iter().any(|algorithm| algorithm.family() == AlgorithmFamily::Hmac) => {
                return Err(SettingsError::SecretInKeySet);
            }
            (None, Some(url)) if url.contains("://") => {
                check_address(url).map_err(SettingsError::Address)?;
                let refresh = SignedDuration::from_secs(i64::from(settings.refresh_seconds));
                // Without calls (a recording is replayed) the set stays empty.
                address = outgoing.cloned().map(|outgoing| Address {
                    url: url.clone(),
                    outgoing,
                    clock: clock.clone(),
                    refresh,
                });
                Vec::new()
            }
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                let keys = keys_of_set(&read(&path)?);
                if keys.is_empty() {
                    return Err(SettingsError::NoKey(path));
                }
                keys
            }
            _ => return Err(SettingsError::OneKeySource),
        };
        Ok(Keys { set: Arc::new(Mutex::new(Set { keys, ..Set::default() })), address })
    }

    /// The key that a token's head asks for.
    pub(super) fn choose(&self, name: Option<&str>, algorithm: Algorithm, now: Timestamp, may_wait: bool) -> Choice {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let found = set.find(name, algorithm);
        let Some(address) = &self.address else {
            return found.map_or(Choice::None("no key fits the token"), Choice::Key);
        };
        let old = set.fetched.is_none_or(|at| now.duration_since(at) > address.refresh);
        let calm = set.tried.is_none_or(|at| now.duration_since(at) > PAUSE);
        if (old || found.is_none()) && calm && set.refresh.is_none() {
            set.tried = Some(now);
            set.refresh = Some(address.fetch(&self.set));
        }
        match (found, &set.refresh) {
            (Some(key), _) => Choice::Key(key),
            (None, Some(refresh)) if may_wait => Choice::Wait(refresh.clone()),
            (None, _) if set.keys.is_empty() => Choice::None("the keys could not be fetched"),
            (None, _) => Choice::None("no key fits the token"),
        }
    }
}

impl Set {
    /// By its name; or, where the token names none, the only one of the family.
    fn find(&self, name: Option<&str>, algorithm: Algorithm) -> Option<Arc<Key>> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.key.family() == algorithm.family()
                && key.algorithm.is_none_or(|only| only == algorithm)
                && (name.is_none() || key.name.is_none() || key.name.as_deref() == name)
        });
        let first = fitting.next()?;
        // Two that fit equally well are not tried one after the other: the token must say.
        (name.is_some() || fitting.next().is_none()).then(|| Arc::clone(first))
    }
}

impl Address {
    fn fetch(&self, set: &Arc<Mutex<Set>>) -> Refresh {
        let get = Get { url: self.url.clone(), headers: Headers::default(), timeout: TIMEOUT, cap: LARGEST_SET };
        let (call, set, clock) = (self.outgoing.get(get), Arc::clone(set), self.clock.clone());
        let task = self.outgoing.spawn(async move {
            let answer = call.await;
            let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.refresh = None;
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let keys = keys_of_set(&answer.body);
                    if keys.is_empty() {
                        tracing::warn!("the key set holds no key that can be used; the former keys stay");
                    } else {
                        set.keys = keys;
                        set.fetched = Some(clock.now());
                    }
                }
                Ok(answer) => tracing::warn!(status = answer.status, "the key set could not be fetched"),
                Err(CallError::Stopped) => {}
                Err(error) => tracing::warn!(%error, "the key set could not be fetched"),
            }
        });
        task.map(|_| ()).boxed().shared()
    }
}

fn key_from_file(path: &Path, family: AlgorithmFamily) -> Result<DecodingKey, SettingsError> {
    let text = read(path)?;
    let key = match family {
        AlgorithmFamily::Hmac => {
            let secret = text.trim_ascii_end();
            // A public key here would let everybody who has it sign.
            let usable = !secret.is_empty() && !secret.starts_with(b"-----BEGIN");
            return usable.then(|| DecodingKey::from_secret(secret)).ok_or(SettingsError::NoKey(path.to_owned()));
        }
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(&text),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(&text),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(&text),
    };
    key.map_err(|_| SettingsError::NoKey(path.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, SettingsError> {
    std::fs::read(path).map_err(|error| SettingsError::Unreadable(path.to_owned(), error))
}

/// The keys of a set that can verify; those for encryption, secrets and unknown sorts are left out.
fn keys_of_set(text: &[u8]) -> Vec<Arc<Key>> {
    let Ok(set) = serde_json::from_slice::<Value>(text) else { return Vec::new() };
    let Some(keys) = set.get("keys").and_then(Value::as_array) else { return Vec::new() };
    keys.iter()
        .filter(|key| key.get("use").is_none_or(|purpose| purpose == "sig"))
        .filter_map(|value| {
            let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            let algorithm = match text("alg") {
                Some(name) => Some(name.parse().ok()?),
                None => None,
            };
            let usable = key.family() != AlgorithmFamily::Hmac;
            usable.then(|| Arc::new(Key { name: text("kid").map(str::to_owned), algorithm, key }))
        })
        .collect()
}
