//! Who acted, through the real program: headers of a trusted proxy, a cookie that only the platform understands.

use super::*;

const HEADERS: &str = "[identity.header]\nid = 'x-user-id'\nname = 'x-user-name'\nemail = 'x-user-email'";

/// `POST /things` with these fields.
fn make_with(fields: &str) -> String {
    make("x").replacen("Host: a\r\n", &format!("Host: a\r\n{fields}\r\n"), 1)
}

#[test]
fn headers_name_the_actor_where_a_trusted_proxy_sent_them_and_nowhere_else() {
    let anna = make_with(
        "X-User-Id: u_1\r\nX-User-Name: Anna Bò\r\nX-User-Email: anna@acme.it\r\nX-Forwarded-For: 203.0.113.7",
    );
    for (trusted, proxy) in [(true, "trusted_proxies = ['127.0.0.0/8']"), (false, "trusted_proxies = ['10.0.0.0/8']")] {
        let (address, heard) = platform(created);
        let serve = Serve::start(address, proxy, HEADERS);
        assert!(serve.ask(&anna).starts_with("HTTP/1.1 201 "));
        assert!(heard.lock().unwrap()[0].contains("X-User-Id: u_1\r\n"), "it passes in both cases");
        let events = serve.stop();
        let (actor, ip) = (&events[0]["actor"], &events[0]["source"]["ip"]);
        if trusted {
            let said = (&actor["id"], &actor["name"], &actor["email"], ip);
            assert_eq!(said, (&"u_1".into(), &"Anna Bò".into(), &"anna@acme.it".into(), &"203.0.113.7".into()));
        } else {
            assert!(actor["id"].is_null() && actor["unknown_because"].is_string(), "{actor}");
            assert_eq!(ip, "127.0.0.1");
        }
    }
}

#[test]
fn an_opaque_cookie_is_asked_for_once_at_the_platforms_own_me() {
    let rules = format!("{RULES}\n[identity]\ncredential = ['cookie.sid', 'bearer']\n");
    let (address, heard) = platform(|head, body| match head.starts_with("GET /me ") {
        true if head.to_ascii_lowercase().contains("sid=anna-1") => {
            reply("200 OK", "application/json", r#"{"user":{"id":7,"name":"Anna","email":"anna@acme.it"}}"#)
        }
        true => reply("401 Unauthorized", "application/json", "{}"),
        false => created(head, body),
    });
    let me = "[identity.me]\npath = '/me'\nfields = { id = 'user.id', name = 'user.name', email = 'user.email' }";
    let serve = Serve::with(&rules, &format!("http://{address}"), "", me, |program| Command::new(program));
    for cookie in ["theme=dark; sid=anna-1", "sid=anna-1", "sid=stale-9"] {
        assert!(serve.ask(make_with(&format!("Cookie: {cookie}"))).starts_with("HTTP/1.1 201 "));
    }
    let events = serve.stop();
    let names: Vec<_> = events.iter().map(|event| event["actor"]["name"].as_str()).collect();
    assert_eq!(names, [Some("Anna"), Some("Anna"), None], "{events:?}");
    assert_eq!((&events[0]["actor"]["id"], &events[0]["actor"]["email"]), (&"7".into(), &"anna@acme.it".into()));
    let why = events[2]["actor"]["unknown_because"].as_str().unwrap();
    assert!(why.contains("401"), "{why}");
    assert!(!events.iter().any(|event| event.to_string().contains("anna-1")), "a credential is in the log");
    let asked: Vec<String> =
        heard.lock().unwrap().iter().filter(|head| head.starts_with("GET /me ")).cloned().collect();
    assert_eq!(asked.len(), 2, "each credential once: {asked:?}");
    assert!(asked.iter().all(|head| head.contains("sidetrail-lookup: 1")), "{asked:?}");
}
