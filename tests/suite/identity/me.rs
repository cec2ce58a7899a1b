//! Credentials that say nothing: the platform is asked once whose they are.

use super::*;

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
