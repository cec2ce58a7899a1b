//! Signed tokens, and the keys that prove them.

use super::*;

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
