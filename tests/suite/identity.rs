//! Who sent a request: forged tokens, key sets that rotate, a platform that knows its users or does not.

mod jwt;
mod me;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use sidetrail::clock::Clock;
use sidetrail::event::{Actor, ActorKind};
use sidetrail::exchange::{Body, Headers, Request};
use sidetrail::identity::{Fields, Identity, Jwt, Me, Settings, SettingsError, Who};
use sidetrail::outgoing::Outgoing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PRIVATE: &[u8] = include_bytes!("../fixtures/identity/rsa.pem");
const PUBLIC: &[u8] = include_bytes!("../fixtures/identity/rsa.pub.pem");
const FOREIGN: &[u8] = include_bytes!("../fixtures/identity/other.pem");
const NOW: i64 = 1_767_800_000;

/// A platform: what it answers to the next requests, and what it was asked.
#[derive(Clone)]
struct Platform {
    url: String,
    answer: Arc<Mutex<(u16, String, Duration)>>,
    asked: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
}

impl Platform {
    async fn start(status: u16, body: impl ToString) -> Platform {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = Platform {
            url: format!("http://{}", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new((status, body.to_string(), Duration::ZERO))),
            asked: Arc::default(),
            last: Arc::default(),
        };
        let serving = platform.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let platform = serving.clone();
                tokio::spawn(async move {
                    let mut bytes = [0; 8192];
                    while let Ok(length @ 1..) = socket.read(&mut bytes).await {
                        platform.asked.fetch_add(1, Ordering::SeqCst);
                        *platform.last.lock().unwrap() = String::from_utf8_lossy(&bytes[..length]).to_lowercase();
                        let (status, body, delay) = platform.answer.lock().unwrap().clone();
                        tokio::time::sleep(delay).await;
                        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        if socket.write_all(head.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        platform
    }

    fn says(&self, status: u16, body: impl ToString) {
        *self.answer.lock().unwrap() = (status, body.to_string(), Duration::ZERO);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn clock() -> Clock {
    Clock::standing_at(Timestamp::from_second(NOW).unwrap())
}

fn later(clock: &Clock, seconds: i64) {
    clock.set(clock.now().checked_add(SignedDuration::from_secs(seconds)).unwrap());
}

fn request(fields: &[(&'static str, &str)], trusted: bool) -> Request {
    let mut headers = Headers::default();
    fields.iter().for_each(|(name, value)| headers.push(*name, (*value).to_owned()));
    Request {
        method: "POST".into(),
        target: "/".into(),
        headers,
        body: Body::default(),
        peer: None,
        client: None,
        peer_is_trusted: trusted,
    }
}

fn bearer(token: &str) -> Request {
    request(&[("Authorization", &format!("Bearer {token}"))], false)
}

async fn who(identity: &Identity, token: &str) -> Who {
    identity.begin(&bearer(token), Some(token)).finish(Some(200)).await
}

fn because(who: &Who) -> &str {
    who.actor.unknown_because.as_deref().unwrap_or_default()
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/identity").join(name)
}

fn rs256() -> Jwt {
    Jwt {
        key_file: Some(fixture("rsa.pub.pem")),
        algorithms: vec!["RS256".into()],
        issuer: vec!["https://acme.it".into()],
        audience: vec!["platform".into()],
        ..Jwt::default()
    }
}

fn claims() -> Value {
    json!({"sub": "u_812", "name": "Cosimo", "email": "cosimo@acme.it", "exp": NOW + 600,
           "iss": "https://acme.it", "aud": ["platform", "other"]})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn sign(algorithm: Algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn signed(claims: &Value) -> String {
    sign(Algorithm::RS256, None, claims, &EncodingKey::from_rsa_pem(PRIVATE).unwrap())
}

/// A token whose head and claims are as given, and whose signature is `signature`.
fn forged(head: &Value, claims: &Value, signature: &str) -> String {
    use base64::Engine;
    let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(head), part(claims))
}

#[tokio::test]
async fn a_header_is_believed_only_from_a_trusted_proxy() {
    let header = Fields { id: "X-User".into(), name: "X-Name".into(), email: String::new() };
    let settings = Settings { header: Some(header), ..Settings::default() };
    let identity = Identity::offline(&settings, clock()).unwrap();
    let fields = [("x-user", "u_1"), ("X-Name", " Anna ")];
    let none = None::<&str>;
    let trusted = identity.begin(&request(&fields, true), none).finish(Some(401)).await;
    assert_eq!((trusted.actor.id.as_deref(), trusted.actor.name.as_deref()), (Some("u_1"), Some("Anna")));
    let spoofed = identity.begin(&request(&fields, false), none).finish(Some(200)).await;
    assert_eq!(spoofed.actor.kind, ActorKind::Anonymous);
}

#[tokio::test]
async fn a_request_without_a_credential_is_anonymous_and_one_that_nobody_can_read_is_a_token() {
    let identity = Identity::offline(&Settings::default(), clock()).unwrap();
    let nobody = identity.begin(&bearer(""), None::<&str>).finish(Some(200)).await;
    assert_eq!((nobody.actor.kind, because(&nobody)), (ActorKind::Anonymous, "the request carried no credential"));
    let token = who(&identity, "opaque").await;
    assert_eq!(token.actor.kind, ActorKind::Token);
    assert_eq!(because(&token), "nothing in `[identity]` tells whose credential this is");
}
