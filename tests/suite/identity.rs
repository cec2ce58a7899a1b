//! Who sent a request: forged tokens, key sets that rotate, a platform that knows its users or does not.

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
async fn a_token_with_a_good_signature_names_its_owner() {
    let settings = Settings { jwt: Some(rs256()), ..Settings::default() };
    let identity = Identity::offline(&settings, clock()).unwrap();
    let who = who(&identity, &signed(&claims())).await;
    assert_eq!(who.actor.kind, ActorKind::User);
    assert_eq!(
        (who.actor.id.as_deref(), who.actor.name.as_deref(), who.actor.email.as_deref()),
        (Some("u_812"), Some("Cosimo"), Some("cosimo@acme.it"))
    );
    assert_eq!(who.claims["aud"][1], "other");
}

#[tokio::test]
async fn a_token_that_proves_nothing_names_nobody() {
    let settings = Settings { jwt: Some(rs256()), ..Settings::default() };
    let identity = Identity::offline(&settings, clock()).unwrap();
    let good = signed(&claims());
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    let foreign = EncodingKey::from_rsa_pem(FOREIGN).unwrap();
    let no_end = {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("exp");
        claims
    };
    let table = [
        ("alg none", forged(&json!({"alg": "none"}), &claims(), ""), "the token has no head that can be read"),
        ("alg None", forged(&json!({"alg": "None"}), &claims(), "x"), "the token has no head that can be read"),
        (
            "the public key as a secret",
            sign(Algorithm::HS256, None, &claims(), &EncodingKey::from_secret(PUBLIC)),
            "the token is signed by an algorithm that is not listed",
        ),
        (
            "another RSA algorithm",
            sign(Algorithm::RS512, None, &claims(), &EncodingKey::from_rsa_pem(PRIVATE).unwrap()),
            "the token is signed by an algorithm that is not listed",
        ),
        ("no signature", format!("{unsigned}."), "the token's signature is wrong"),
        ("a foreign key", sign(Algorithm::RS256, None, &claims(), &foreign), "the token's signature is wrong"),
        ("expired", signed(&with("exp", json!(NOW - 31))), "the token expired"),
        ("without an end", signed(&no_end), "the token does not say when it ends"),
        ("an end that is no number", signed(&with("exp", json!("never"))), "the token does not say when it ends"),
        ("not valid yet", signed(&with("nbf", json!(NOW + 31))), "the token is not valid yet"),
        ("for others", signed(&with("aud", json!("other"))), "the token is for another audience"),
        ("for nobody", signed(&with("aud", Value::Null)), "the token does not name its audience"),
        ("by others", signed(&with("iss", json!("https://evil.it"))), "the token is from another issuer"),
        (
            "extensions",
            forged(&json!({"alg": "RS256", "crit": ["x"], "x": 1}), &claims(), "AA"),
            "the token has extensions that must be understood and are not",
        ),
    ];
    for (what, token, reason) in table {
        let who = who(&identity, &token).await;
        assert_eq!((who.actor.kind, because(&who)), (ActorKind::Unknown, reason), "{what}");
        assert_eq!((who.actor.label(), &who.claims), (None, &Value::Null), "{what}");
    }
}

#[tokio::test]
async fn a_verified_token_is_believed_until_it_ends() {
    let clock = clock();
    let settings = Settings { jwt: Some(rs256()), ..Settings::default() };
    let identity = Identity::offline(&settings, clock.clone()).unwrap();
    let token = signed(&claims());
    later(&clock, 620);
    assert_eq!(who(&identity, &token).await.actor.name.as_deref(), Some("Cosimo"), "within the leeway");
    later(&clock, 11);
    assert_eq!(because(&who(&identity, &token).await), "the token expired");
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let hs = || vec!["HS256".to_owned()];
    let set = |jwt: Jwt| Identity::offline(&Settings { jwt: Some(jwt), ..Settings::default() }, clock()).err();
    let secret = fixture("rsa.pub.pem");
    assert!(matches!(set(Jwt::default()), Some(SettingsError::NoAlgorithms)));
    assert!(matches!(set(Jwt { key_file: None, ..rs256() }), Some(SettingsError::OneKeySource)));
    assert!(matches!(set(Jwt { jwks: Some("x".into()), ..rs256() }), Some(SettingsError::OneKeySource)));
    assert!(matches!(set(Jwt { algorithms: vec!["none".into()], ..rs256() }), Some(SettingsError::Algorithm(_))));
    let mixed = vec!["RS256".to_owned(), "HS256".to_owned()];
    assert!(matches!(set(Jwt { algorithms: mixed, ..rs256() }), Some(SettingsError::MixedFamilies)));
    let public_as_secret = Jwt { key_file: Some(secret), algorithms: hs(), ..Jwt::default() };
    assert!(matches!(set(public_as_secret), Some(SettingsError::NoKey(_))));
    let secret_in_set = Jwt { jwks: Some("http://h/".into()), algorithms: hs(), ..Jwt::default() };
    assert!(matches!(set(secret_in_set), Some(SettingsError::SecretInKeySet)));
    let tls = Jwt { key_file: None, jwks: Some("https://h/jwks".into()), ..rs256() };
    assert!(matches!(set(tls), Some(SettingsError::Address(_))));
    let missing = Jwt { key_file: Some(fixture("nowhere.pem")), ..rs256() };
    assert!(matches!(set(missing), Some(SettingsError::Unreadable(..))));
}

fn key_set(kids: &[(&str, &[u8])]) -> String {
    let keys: Vec<Value> = kids
        .iter()
        .map(|(kid, key)| {
            let key = EncodingKey::from_rsa_pem(key).unwrap();
            let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap()).unwrap();
            jwk["kid"] = json!(kid);
            jwk
        })
        .collect();
    json!({"keys": keys}).to_string()
}

#[tokio::test]
async fn a_key_set_is_fetched_once_and_again_for_a_new_key_but_not_for_every_forgery() {
    let clock = clock();
    let platform = Platform::start(200, key_set(&[("one", PRIVATE)])).await;
    let jwt = Jwt { key_file: None, jwks: Some(format!("{}/jwks", platform.url)), ..rs256() };
    let settings = Settings { jwt: Some(jwt), ..Settings::default() };
    let identity = Identity::new(&settings, &platform.url, Outgoing::start().unwrap(), clock.clone()).unwrap();
    let (private, foreign) = (EncodingKey::from_rsa_pem(PRIVATE).unwrap(), EncodingKey::from_rsa_pem(FOREIGN).unwrap());
    let by = |kid: &str, key: &EncodingKey, sub: &str| sign(Algorithm::RS256, Some(kid), &with("sub", json!(sub)), key);
    assert_eq!(who(&identity, &by("one", &private, "1")).await.actor.id.as_deref(), Some("1"));
    assert_eq!(who(&identity, &by("one", &private, "2")).await.actor.id.as_deref(), Some("2"));
    assert_eq!(platform.asked(), 1);
    for number in 0..20 {
        let forgery = by(&format!("kid {number}"), &foreign, "0");
        assert_eq!(because(&who(&identity, &forgery).await), "no key fits the token");
    }
    assert_eq!(platform.asked(), 1, "unknown keys within the pause");
    platform.says(200, key_set(&[("two", FOREIGN)]));
    later(&clock, 61);
    assert_eq!(who(&identity, &by("two", &foreign, "3")).await.actor.id.as_deref(), Some("3"));
    assert_eq!(because(&who(&identity, &by("one", &private, "4")).await), "no key fits the token");
    platform.says(500, "");
    later(&clock, 61);
    assert_eq!(because(&who(&identity, &by("one", &private, "5")).await), "no key fits the token");
    assert_eq!(who(&identity, &by("two", &foreign, "6")).await.actor.id.as_deref(), Some("6"), "the former keys stay");
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_the_reason() {
    let platform = Platform::start(404, "").await;
    let jwt = Jwt { key_file: None, jwks: Some(format!("{}/jwks", platform.url)), ..rs256() };
    let settings = Settings { jwt: Some(jwt), ..Settings::default() };
    let identity = Identity::new(&settings, &platform.url, Outgoing::start().unwrap(), clock()).unwrap();
    assert_eq!(because(&who(&identity, &signed(&claims())).await), "the keys could not be fetched");
}

fn with_me(platform: &Platform, clock: &Clock) -> Identity {
    let me = Me { path: "/api/me".into(), timeout_ms: 300, answer_bytes: 1000, ..Me::default() };
    let settings = Settings { me: Some(me), ..Settings::default() };
    Identity::new(&settings, &platform.url, Outgoing::start().unwrap(), clock.clone()).unwrap()
}

#[tokio::test]
async fn an_opaque_credential_is_resolved_by_one_call_however_many_requests_carry_it() {
    let clock = clock();
    let platform = Platform::start(200, json!({"id": 7, "name": "Anna", "email": "anna@acme.it"})).await;
    platform.answer.lock().unwrap().2 = Duration::from_millis(50);
    let identity = with_me(&platform, &clock);
    let inquiries: Vec<_> = (0..50).map(|_| identity.begin(&bearer("opaque"), Some("opaque"))).collect();
    for inquiry in inquiries {
        assert_eq!(inquiry.finish(Some(200)).await.actor.id.as_deref(), Some("7"));
    }
    assert_eq!(who(&identity, "opaque").await.actor.name.as_deref(), Some("Anna"));
    assert_eq!(platform.asked(), 1);
    let asked = platform.last.lock().unwrap().clone();
    assert!(asked.starts_with("get /api/me http/1.1\r\n") && asked.contains("authorization: bearer opaque"), "{asked}");
    later(&clock, 301);
    platform.says(200, json!({"id": 7, "name": "Anna B."}));
    assert_eq!(who(&identity, "opaque").await.actor.name.as_deref(), Some("Anna B."));
}

#[tokio::test]
async fn only_the_header_that_holds_the_credential_goes_to_the_platform() {
    let platform = Platform::start(200, json!({"id": 7})).await;
    let identity = with_me(&platform, &clock());
    let request = request(&[("Authorization", "Bearer mine"), ("Cookie", "sid=theirs"), ("X-Secret", "mine")], false);
    identity.begin(&request, Some("mine")).finish(None).await;
    let asked = platform.last.lock().unwrap().clone();
    assert!(asked.contains("bearer mine") && !asked.contains("theirs") && !asked.contains("x-secret"), "{asked}");
}

#[tokio::test]
async fn a_credential_that_no_listed_header_holds_is_not_taken_for_whoever_the_cookie_is() {
    let platform = Platform::start(200, json!({"id": 7, "name": "Anna"})).await;
    let identity = with_me(&platform, &clock());
    let request = request(&[("X-Api-Key", "key-of-cosimo"), ("Cookie", "sid=annas")], false);
    let who = identity.begin(&request, Some("key-of-cosimo")).finish(Some(200)).await;
    assert_eq!((who.actor.id.as_deref(), platform.asked()), (None, 0));
    assert!(because(&who).contains("holds the credential"), "{}", because(&who));
}

#[tokio::test]
async fn what_the_platform_does_not_tell_stays_unknown_with_the_reason() {
    let platform = Platform::start(200, "").await;
    let clock = clock();
    let identity = with_me(&platform, &clock);
    let table = [
        (401, String::new(), "the platform's `/api/me` answered 401"),
        (500, String::new(), "the platform's `/api/me` answered 500"),
        (302, String::new(), "the platform's `/api/me` answered 302"),
        (200, "<html>".to_owned(), "the platform's `/api/me` answered no JSON"),
        (200, "{\"error\": 1}".to_owned(), "the platform's `/api/me` named nobody"),
        (200, "x".repeat(1001), "the platform's `/api/me` gave an answer of more than 1000 bytes"),
    ];
    for (number, (status, body, reason)) in table.into_iter().enumerate() {
        platform.says(status, body);
        let who = who(&identity, &format!("token {number}")).await;
        assert_eq!((who.actor.kind, because(&who)), (ActorKind::Unknown, reason));
    }
    *platform.answer.lock().unwrap() = (200, json!({"id": 1}).to_string(), Duration::from_secs(5));
    let slow = who(&identity, "slow").await;
    assert_eq!(because(&slow), "the platform's `/api/me` gave no answer within 300 ms");
    let asked = platform.asked();
    platform.says(200, json!({"id": 1}));
    assert_eq!(
        because(&who(&identity, "token 0").await),
        "the platform's `/api/me` answered 401",
        "not asked again at once"
    );
    assert_eq!(platform.asked(), asked);
    later(&clock, 11);
    assert_eq!(who(&identity, "token 0").await.actor.id.as_deref(), Some("1"), "but soon");
}

#[tokio::test]
async fn an_exchange_teaches_whose_a_credential_is_until_the_platform_answers_401() {
    let platform = Platform::start(401, "").await;
    let identity = with_me(&platform, &clock());
    let actor = Actor { kind: ActorKind::User, email: Some("cosimo@acme.it".into()), ..Actor::default() };
    let before = identity.begin(&bearer("fresh"), Some("fresh"));
    identity.learn(&["fresh".to_owned(), String::new()], &actor);
    before.finish(Some(200)).await;
    assert_eq!(who(&identity, "fresh").await.actor, actor, "an older question does not overwrite it");
    let refused = identity.begin(&bearer("fresh"), Some("fresh")).finish(Some(401)).await;
    assert_eq!(because(&refused), "the platform answered 401 to the credential");
    assert_eq!(because(&who(&identity, "fresh").await), "the platform's `/api/me` answered 401");
}

#[tokio::test]
async fn a_signed_token_without_a_name_gets_it_from_the_platform_if_the_person_is_the_same() {
    let platform = Platform::start(200, json!({"id": "u_812", "name": "Cosimo"})).await;
    let settings = Settings { jwt: Some(rs256()), me: Some(Me::default()), ..Settings::default() };
    let identity = Identity::new(&settings, &platform.url, Outgoing::start().unwrap(), clock()).unwrap();
    let nameless = with("name", Value::Null);
    let known = who(&identity, &signed(&nameless)).await;
    assert_eq!((known.actor.id.as_deref(), known.actor.name.as_deref()), (Some("u_812"), Some("Cosimo")));
    platform.says(200, json!({"id": "u_1", "name": "Somebody else"}));
    let mut other = nameless;
    other["jti"] = json!(2);
    let unnamed = who(&identity, &signed(&other)).await;
    assert_eq!((unnamed.actor.id.as_deref(), unnamed.actor.name.as_deref()), (Some("u_812"), None));
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
