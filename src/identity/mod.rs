//! Who sent a request: a credential becomes claims and a person.
//!
//! In this order: headers of a trusted proxy; a bearer token whose signature
//! is verified by a key or a JWKS; what an earlier exchange tied to the
//! credential; one cached call to the platform's own `/me`. One question is
//! under way for each credential, however many requests carry it. What nobody
//! could tell stays visible as unknown, with the reason. Credentials are kept
//! as keyed fingerprints only; claims without a good signature are not believed.

mod fields;
mod jwt;
mod keys;
mod known;
mod me;
mod settings;

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::clock::Clock;
use crate::event::{Actor, ActorKind};
use crate::exchange::Request;
use crate::outgoing::Outgoing;
use fields::complete;
use jwt::{Verdict, Verifier};
use known::{Entry, Fingerprint, Flight, Known};
use me::Asker;
pub use settings::{Fields, Jwt, Me, Settings, SettingsError};

/// A question that got no answer in this time is asked anew.
const LONGEST_FLIGHT: SignedDuration = SignedDuration::from_secs(30);
/// How long a refusal is remembered where no `/me` says it.
const DOUBT: SignedDuration = SignedDuration::from_secs(10);

/// Tells who sent requests. Clones share what is known.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    header: Option<Fields>,
    jwt: Option<Verifier>,
    me: Option<Asker>,
    outgoing: Option<Outgoing>,
    known: Known,
    seen: SignedDuration,
    clock: Clock,
}

/// Who sent a request.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// The person, or why it is unknown.
    pub actor: Actor,
    /// The claims of a token whose signature is good; else null.
    pub claims: Value,
    /// Whether a signature says so, which holds whatever the platform answers.
    signed: bool,
}

/// A question about one request, under way.
pub struct Inquiry {
    state: State,
    origin: Option<(Identity, Fingerprint)>,
}

enum State {
    Answered(Who),
    Waiting(Flight),
}

impl Identity {
    /// Reads keys and checks addresses. `upstream` is the platform, `http://host:port`.
    pub fn new(
        settings: &Settings,
        upstream: &str,
        outgoing: Outgoing,
        clock: Clock,
    ) -> Result<Identity, SettingsError> {
        let me = settings.me.as_ref().map(|me| Asker::new(me, upstream, outgoing.clone())).transpose()?;
        Identity::build(settings, me, Some(outgoing), clock)
    }

    /// The same without any call: for recordings, whose credentials are no business of the platform any more.
    pub fn offline(settings: &Settings, clock: Clock) -> Result<Identity, SettingsError> {
        Identity::build(settings, None, None, clock)
    }

    /// Everything that [`Identity::new`] would refuse. Keys are read, nobody is called.
    pub fn check(settings: &Settings, upstream: &str, clock: &Clock) -> Vec<SettingsError> {
        let me = settings.me.as_ref().and_then(|me| me::address_of(me, upstream).err());
        let jwt = settings.jwt.as_ref().and_then(|jwt| Verifier::new(jwt, None, clock).err());
        me.into_iter().chain(jwt).collect()
    }

    fn build(
        settings: &Settings,
        me: Option<Asker>,
        outgoing: Option<Outgoing>,
        clock: Clock,
    ) -> Result<Identity, SettingsError> {
        let jwt = settings.jwt.as_ref().map(|jwt| Verifier::new(jwt, outgoing.as_ref(), &clock)).transpose()?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| SettingsError::NoRandomness)?;
        let known = Known::new(key, settings.remembered);
        let seen = SignedDuration::from_secs(i64::from(settings.seen_seconds));
        Ok(Identity(Arc::new(Inner { header: settings.header.clone(), jwt, me, outgoing, known, seen, clock })))
    }

    /// Begins to find out who sent a request. Never blocks; what must be asked is asked from now on.
    pub fn begin(&self, request: &Request, credential: Option<impl AsRef<str>>) -> Inquiry {
        if let Some(who) = self.by_header(request) {
            return Inquiry::answered(who);
        }
        let credential = credential.as_ref().map(AsRef::as_ref).filter(|credential| !credential.is_empty());
        let Some(credential) = credential else {
            return Inquiry::answered(Who::nobody(ActorKind::Anonymous, "the request carried no credential"));
        };
        let now = self.0.clock.now();
        let print = self.0.known.fingerprint(credential);
        let state = match self.0.known.get(&print, now) {
            Some(Entry::Answer(who, _)) => State::Answered(who),
            Some(Entry::Asking(flight, ..)) => State::Waiting(flight),
            None => self.ask(request, credential, print, now),
        };
        Inquiry { state, origin: Some((self.clone(), print)) }
    }

    /// Ties credentials to a person that an exchange showed.
    pub fn learn(&self, tokens: &[String], actor: &Actor) {
        let now = self.0.clock.now();
        for token in tokens.iter().filter(|token| !token.is_empty()) {
            let print = self.0.known.fingerprint(token);
            let who = match self.0.known.get(&print, now) {
                // A signature says more than an exchange does; it may lack the name.
                Some(Entry::Answer(mut who, until)) if who.signed => {
                    complete(&mut who.actor, actor);
                    self.0.known.put(print, who, until);
                    continue;
                }
                _ => Who { actor: actor.clone(), ..Who::default() },
            };
            self.0.known.put(print, who, after(now, self.0.seen));
        }
    }

    /// Who a trusted proxy says it is.
    fn by_header(&self, request: &Request) -> Option<Who> {
        let names = self.0.header.as_ref().filter(|_| request.peer_is_trusted)?;
        let value = |name: &str| {
            let value = request.headers.first(name)?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let actor = Actor {
            kind: ActorKind::User,
            id: value(&names.id),
            name: value(&names.name),
            email: value(&names.email),
            unknown_because: None,
        };
        actor.label().is_some().then(|| Who { actor, signed: true, ..Who::default() })
    }

    /// Asks everybody who may know.
    fn ask(&self, request: &Request, credential: &str, print: Fingerprint, now: Timestamp) -> State {
        let inner = &self.0;
        let verdict = match &inner.jwt {
            Some(jwt) if Verifier::concerns(credential) => jwt.verify(credential, now, true),
            _ => Verdict::Refused(""),
        };
        let (refused, wait) = match verdict {
            Verdict::Genuine(who, until) => {
                let nameless = who.actor.name.is_none();
                let Some(me) = inner.me.as_ref().filter(|_| nameless) else {
                    inner.known.put(print, who.clone(), until);
                    return State::Answered(who);
                };
                // Signed, but without the name that people know: the platform may tell it.
                return self.fly(print, now, || {
                    let call = me.ask(request, credential);
                    async move {
                        let mut who = who;
                        match call.await {
                            Ok(actor) if actor.id.is_none() || actor.id == who.actor.id => {
                                complete(&mut who.actor, &actor);
                            }
                            _ => {}
                        }
                        (who, until)
                    }
                });
            }
            Verdict::Refused(reason) => (reason, None),
            Verdict::Wait(refresh) => ("", Some((refresh, credential.to_owned()))),
        };
        if wait.is_none() && inner.me.is_none() {
            let who = match refused {
                "" => Who::nobody(ActorKind::Token, "nothing in `[identity]` tells whose credential this is"),
                reason => Who::nobody(ActorKind::Unknown, reason),
            };
            inner.known.put(print, who.clone(), after(now, DOUBT));
            return State::Answered(who);
        }
        self.fly(print, now, || {
            let call = inner.me.as_ref().map(|me| me.ask(request, credential));
            self.clone().resolve(wait, call, refused)
        })
    }

    /// The slow way: keys are fetched, the platform is asked.
    async fn resolve(
        self,
        wait: Option<(keys::Refresh, String)>,
        call: Option<impl Future<Output = Result<Actor, String>>>,
        refused: &'static str,
    ) -> (Who, Timestamp) {
        let inner = &self.0;
        let mut because = refused.to_owned();
        if let (Some((refresh, credential)), Some(jwt)) = (wait, &inner.jwt) {
            refresh.await;
            match jwt.verify(&credential, inner.clock.now(), false) {
                Verdict::Genuine(who, until) => return (who, until),
                Verdict::Refused(reason) => reason.clone_into(&mut because),
                Verdict::Wait(_) => "the keys could not be fetched".clone_into(&mut because),
            }
        }
        let answer = match call {
            Some(call) => Some(call.await),
            None => None,
        };
        let now = inner.clock.now();
        match (answer, &inner.me) {
            (Some(Ok(actor)), Some(me)) => (Who { actor, ..Who::default() }, after(now, me.believed)),
            (Some(Err(why)), Some(me)) => {
                let why = if because.is_empty() { why } else { format!("{because}; {why}") };
                (Who::nobody(ActorKind::Unknown, &why), after(now, me.doubted))
            }
            _ => (Who::nobody(ActorKind::Unknown, &because), after(now, DOUBT)),
        }
    }

    /// Lets one question run for everybody who carries the credential, and keeps its answer.
    fn fly<F>(&self, print: Fingerprint, now: Timestamp, question: impl FnOnce() -> F) -> State
    where
        F: Future<Output = (Who, Timestamp)> + Send + 'static,
    {
        let Some(outgoing) = &self.0.outgoing else {
            return State::Answered(Who::nobody(ActorKind::Unknown, "nobody is asked about a recording"));
        };
        let flight = self.0.known.join(print, now, after(now, LONGEST_FLIGHT), |number| {
            let (question, identity) = (question(), self.clone());
            let task = outgoing.spawn(async move {
                let (who, until) = question.await;
                identity.0.known.land(print, number, who.clone(), until);
                who
            });
            task.map(|who| who.unwrap_or_else(|_| Who::nobody(ActorKind::Unknown, "sidetrail was shutting down")))
                .boxed()
                .shared()
        });
        State::Waiting(flight)
    }
}

impl Inquiry {
    fn answered(who: Who) -> Inquiry {
        Inquiry { state: State::Answered(who), origin: None }
    }

    /// Who it was. `status` is what the platform answered to the request itself: a 401 means that it did not know
    /// the credential, whatever was known of it before; only a signature stands against that.
    pub async fn finish(self, status: Option<u16>) -> Who {
        let who = match self.state {
            State::Answered(who) => who,
            State::Waiting(flight) => flight.await,
        };
        match self.origin {
            Some((identity, print)) if status == Some(401) && !who.signed => {
                identity.0.known.forget(&print);
                match who.actor.unknown_because {
                    Some(_) => who,
                    None => Who::nobody(ActorKind::Unknown, "the platform answered 401 to the credential"),
                }
            }
            _ => who,
        }
    }
}

impl Who {
    fn nobody(kind: ActorKind, because: &str) -> Who {
        let actor = Actor { kind, unknown_because: Some(because.to_owned()), ..Actor::default() };
        Who { actor, ..Who::default() }
    }
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.checked_add(time).unwrap_or(now)
}
