//! Bearer tokens: a signature is verified, then the claims are believed.
//!
//! Refused: an algorithm that is not listed (`none` never is), a key of
//! another family (a public key as an HMAC secret), a foreign issuer or
//! audience, a token without an end or past it, `crit` extensions.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::Value;

use super::Who;
use super::fields::person;
use super::keys::{Choice, Keys, Refresh};
use super::settings::{Fields, Jwt, SettingsError};
use crate::clock::Clock;
use crate::outgoing::Outgoing;

/// A verified token is not verified again for this long, at most.
const LONGEST_TRUST: SignedDuration = SignedDuration::from_hours(1);

/// Verifies tokens.
pub(super) struct Verifier {
    keys: Keys,
    algorithms: Vec<Algorithm>,
    issuers: HashSet<String>,
    audiences: HashSet<String>,
    leeway: i64,
    claims: Fields,
}

/// What became of a token.
pub(super) enum Verdict {
    /// It is genuine: whose it is, and until when.
    Genuine(Who, Timestamp),
    /// It is not believed, and why.
    Refused(&'static str),
    /// Keys are being fetched; ask again then.
    Wait(Refresh),
}

impl Verifier {
    pub(super) fn new(settings: &Jwt, outgoing: Option<&Outgoing>, clock: &Clock) -> Result<Verifier, SettingsError> {
        let algorithms = settings
            .algorithms
            .iter()
            .map(|name| name.parse().map_err(|_| SettingsError::Algorithm(name.clone())))
            .collect::<Result<Vec<Algorithm>, _>>()?;
        Ok(Verifier {
            keys: Keys::new(settings, &algorithms, outgoing, clock)?,
            algorithms,
            issuers: settings.issuer.iter().cloned().collect(),
            audiences: settings.audience.iter().cloned().collect(),
            leeway: i64::from(settings.leeway_seconds),
            claims: settings.claims.clone(),
        })
    }

    /// Whether a credential has the form of a token: three parts, the first a JSON object in base64url.
    pub(super) fn concerns(credential: &str) -> bool {
        credential.starts_with("eyJ") && credential.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Verifies a token. `may_wait` is false after keys were fetched for it.
    pub(super) fn verify(&self, token: &str, now: Timestamp, may_wait: bool) -> Verdict {
        let Ok(header) = decode_header(token) else {
            return Verdict::Refused("the token has no head that can be read");
        };
        if !self.algorithms.contains(&header.alg) {
            return Verdict::Refused("the token is signed by an algorithm that is not listed");
        }
        if header.crit.is_some_and(|names| !names.is_empty()) {
            return Verdict::Refused("the token has extensions that must be understood and are not");
        }
        match self.keys.choose(header.kid.as_deref(), header.alg, now, may_wait) {
            Choice::Key(key) => {
                let mut validation = Validation::new(header.alg);
                self.demand(&mut validation);
                match decode::<Value>(token, &key.key, &validation) {
                    Ok(token) => self.judge(token.claims, now),
                    Err(error) => Verdict::Refused(reason(error.kind())),
                }
            }
            Choice::Wait(refresh) => Verdict::Wait(refresh),
            Choice::None(reason) => Verdict::Refused(reason),
        }
    }

    /// What the claims must say besides their times, which our own clock judges.
    fn demand(&self, validation: &mut Validation) {
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims.clear();
        validation.validate_aud = !self.audiences.is_empty();
        if !self.audiences.is_empty() {
            validation.aud = Some(self.audiences.clone());
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if !self.issuers.is_empty() {
            validation.iss = Some(self.issuers.clone());
            validation.required_spec_claims.insert("iss".to_owned());
        }
    }

    /// Judges the times of claims whose signature is good.
    fn judge(&self, claims: Value, now: Timestamp) -> Verdict {
        let second = |name: &str| match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().or_else(|| value.as_f64().and_then(whole)).map(Some).ok_or(()),
        };
        let (Ok(Some(end)), Ok(start)) = (second("exp"), second("nbf")) else {
            return Verdict::Refused("the token does not say when it ends");
        };
        if end.saturating_add(self.leeway) <= now.as_second() {
            return Verdict::Refused("the token expired");
        }
        if start.is_some_and(|start| start.saturating_sub(self.leeway) > now.as_second()) {
            return Verdict::Refused("the token is not valid yet");
        }
        let Some(actor) = person(&claims, &self.claims) else {
            return Verdict::Refused("the token names nobody");
        };
        let longest = now.checked_add(LONGEST_TRUST).unwrap_or(now);
        let end = Timestamp::from_second(end.saturating_add(self.leeway)).unwrap_or(longest);
        Verdict::Genuine(Who { actor, claims, signed: true }, end.min(longest))
    }
}

/// The whole seconds of a number such as 1767801600.5.
fn whole(second: f64) -> Option<i64> {
    let bounded = (0.0..4e9).contains(&second);
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked; fractions of a second do not matter")]
    bounded.then_some(second as i64)
}

fn reason(error: &ErrorKind) -> &'static str {
    match error {
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::InvalidIssuer => "the token is from another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => "the token does not name its issuer",
        ErrorKind::MissingRequiredClaim(_) => "the token does not name its audience",
        ErrorKind::InvalidAlgorithm => "the token's algorithm does not fit the key",
        _ => "the token is malformed",
    }
}
