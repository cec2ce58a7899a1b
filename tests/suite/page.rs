//! The page through the real router: what it says, links to, remembers and refuses.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use sidetrail::read::{Settings, Zone, new_token, router};
use sidetrail::record::Right;
use tower::ServiceExt as _;

use crate::fixture::{EVENTS, Fixture, NOW, at, events, late_event};

async fn answer(fixture: &Fixture, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri(path).header(header::HOST, "127.0.0.1:8081");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router(fixture.state.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(answer: Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn page(fixture: &Fixture, path: &str) -> String {
    let answer = answer(fixture, path, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    text(answer).await
}

/// The values of an attribute that stand behind `mark`, unescaped.
fn after<'a>(html: &'a str, mark: &'a str) -> impl Iterator<Item = String> + 'a {
    let values = html.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap());
    values.map(|value| value.replace("&#38;", "&").replace("&amp;", "&"))
}

/// A page without what is new every time: names of files, cursors; and without the symbols.
fn steady(html: &str) -> String {
    let (before, rest) = html.split_once("<svg class=\"sprite\"").unwrap();
    let (_, after) = rest.split_once("</symbol>\n</svg>").unwrap();
    let hash = regex::Regex::new(r"\.[0-9a-f]{16}\.").unwrap();
    // Each store seals its cursors with a secret of its own.
    let cursor = regex::Regex::new("cursor=[A-Za-z0-9_-]+").unwrap();
    let text = format!("{before}{after}");
    cursor.replace_all(&hash.replace_all(&text, ".HASH."), "cursor=SEALED").into_owned()
}

fn rome() -> Settings {
    Settings { zone: Zone::named("Europe/Rome").unwrap(), ..Settings::default() }
}

#[tokio::test]
async fn the_pages_of_a_list_hold_every_event_once() {
    let fixture = Fixture::new().await;
    let mut seen = Vec::new();
    let mut next = Some("/?limit=25".to_owned());
    while let Some(path) = next {
        let html = page(&fixture, &path).await;
        seen.extend(after(&html, "data-id=\""));
        next = after(&html, "rel=\"next\" href=\"").next();
        assert!(seen.len() <= EVENTS, "a page leads back");
    }
    assert_eq!(seen.len(), EVENTS);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), EVENTS);
}

#[tokio::test]
async fn newer_leads_back_to_the_same_page_and_says_its_place() {
    let fixture = Fixture::new().await;
    let first = page(&fixture, "/?limit=25").await;
    let second = page(&fixture, &after(&first, "rel=\"next\" href=\"").next().unwrap()).await;
    assert!(second.contains("<b>26–50</b> of <b>300</b> events"));
    let back = page(&fixture, &after(&second, "rel=\"prev\" href=\"").next().unwrap()).await;
    assert_eq!(after(&back, "data-id=\"").collect::<Vec<_>>(), after(&first, "data-id=\"").collect::<Vec<_>>());
    assert!(back.contains("<b>1–25</b> of <b>300</b> events"));
}

#[tokio::test]
async fn a_list_that_is_held_still_says_what_came_meanwhile() {
    let fixture = Fixture::new().await;
    let first = page(&fixture, "/?limit=25").await;
    assert!(!first.contains("class=\"newer\""), "a list that was just asked for has nothing newer");
    let next = after(&first, "rel=\"next\" href=\"").next().unwrap();
    assert!(!page(&fixture, &next).await.contains("class=\"newer\""));
    for n in 0..3 {
        fixture.recorder.record(vec![late_event(n, at(NOW))]).await.unwrap();
    }
    let second = page(&fixture, &next).await;
    assert!(second.contains("<b>26–50</b> of <b>300</b> events"), "the list itself stays as it was");
    assert!(second.contains("<a class=\"newer\" href=\"/?limit=25\">3 newer events</a>"), "{second}");
    let fresh = page(&fixture, "/?limit=25").await;
    assert!(fresh.contains("<b>1–25</b> of <b>303</b> events") && !fresh.contains("class=\"newer\""));
}

#[tokio::test]
async fn a_thing_that_was_deleted_has_no_link_until_it_is_seen_again() {
    use sidetrail::memory::{Key, Lesson};
    let fixture = Fixture::new().await;
    let event = events().into_iter().rev().find(|event| event.targets[0].link.is_some()).unwrap();
    let (target, path) = (&event.targets[0], format!("/events/{}", event.id));
    let href = format!("href=\"{}\"", target.link.as_ref().unwrap());
    let workspace = event.workspace.as_deref().unwrap();
    let key = || Key {
        workspace: workspace.into(),
        kind: target.kind.as_str().into(),
        id: target.id.as_deref().unwrap().into(),
    };
    let lesson = |gone| Lesson { key: key(), name: None, fields: serde_json::Map::new(), gone, seen: at(NOW) };
    for gone in [true, false] {
        fixture.recorder.remember(vec![lesson(gone)]);
        for address in [path.clone(), format!("/?limit=200&user={}", event.actor.id.as_deref().unwrap())] {
            // Names go to the disk when nothing else is to do: soon, not at once.
            let mut html = page(&fixture, &address).await;
            for _ in 0..2_000 {
                if html.contains("no longer exists") == gone {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
                html = page(&fixture, &address).await;
            }
            assert_eq!((html.contains("no longer exists"), html.contains(&href)), (gone, !gone), "{address}");
        }
    }
}

#[tokio::test]
async fn words_from_outside_are_words_and_not_markup() {
    let fixture = Fixture::new().await;
    for path in [
        "/?limit=200",
        "/?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/?target=%3Cimg+src%3Dx%3E",
        "/?user='%22%3E%3Cb%3E",
    ] {
        let html = page(&fixture, path).await;
        assert!(!html.contains("<script>alert"), "{path}");
        assert!(!html.contains("<img"), "{path}");
        assert!(!html.contains(" style="), "{path}: a strict policy forbids styles in the page");
    }
    let html = page(&fixture, "/?limit=200").await;
    assert!(html.contains("&#60;script&#62;alert(1)&#60;/script&#62;.html"));
}

#[tokio::test]
async fn a_day_says_how_many_events_it_has_in_all() {
    let fixture = Fixture::with(rome(), events()).await;
    let html = page(&fixture, "/?limit=25").await;
    let day = at("2026-01-13T23:00:00Z");
    let expected = events().iter().filter(|event| event.time >= day).count();
    assert!(html.contains(&format!("<b>Wednesday 14 January 2026</b><span>{expected} events</span>")), "{expected}");
    let without_chart = page(&fixture, "/?limit=25&chart=0").await;
    assert!(without_chart.contains(&format!("<span>{expected} events</span>")));
}

#[tokio::test]
async fn times_are_in_the_zone_that_is_printed() {
    let fixture = Fixture::with(rome(), events()).await;
    let html = page(&fixture, "/?limit=25").await;
    assert!(html.contains("Europe/Rome <span class=\"grey\">GMT+1</span>"));
    assert!(html.contains("<b>12:40:21</b>"));
    assert!(page(&fixture, "/?limit=25&tz=UTC").await.contains("<b>11:40:21</b>"));
}

#[tokio::test]
async fn a_submitted_form_becomes_the_address_that_it_means() {
    let fixture = Fixture::new().await;
    for (form, address) in [
        (
            "/?q=&from=2026-01-08&to=2026-01-09&action=&show=base&show=category",
            "/?since=2026-01-08&until=2026-01-10&show=category",
        ),
        ("/?q=pricing&from=&to=&show=base", "/?q=pricing&show=none"),
        ("/?q=&category=Documents&category=Publish", "/?category=Documents&category=Publish"),
        ("/?tz=UTC&q=", "/"),
    ] {
        let answer = answer(&fixture, form, &[]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{form}");
        assert_eq!(answer.headers()[header::LOCATION], address, "{form}");
    }
}

#[tokio::test]
async fn rows_and_columns_are_remembered() {
    let fixture = Fixture::new().await;
    let said = answer(&fixture, "/?limit=25&show=ip", &[]).await;
    let cookie = said.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let later = text(answer(&fixture, "/", &[("cookie", &cookie)]).await).await;
    assert_eq!(after(&later, "data-id=\"").count(), 25);
    assert!(later.contains("IP address</th>") && !later.contains("Category</th>"));
    let plain = answer(&fixture, "/", &[]).await;
    assert!(plain.headers().get(header::SET_COOKIE).is_none(), "nothing is remembered that nobody chose");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_nothing_is_listed() {
    let fixture = Fixture::new().await;
    for path in
        ["/?foo=1", "/?ip=x", "/?limit=7", "/?cursor=made-up", "/?from=tomorrow", "/?since=2026-01-09&until=2026-01-08"]
    {
        let answer = answer(&fixture, path, &[]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        let html = text(answer).await;
        assert!(html.contains("This address cannot be read") && !html.contains("data-id"), "{path}");
    }
    let html = page(&fixture, "/?q=actor%3Acosimo+outcom%3Adenied").await;
    assert!(html.contains("at column 14.") && html.contains("outcome:denied") && !html.contains("data-id"));
}

#[tokio::test]
async fn an_empty_list_says_which_of_three_it_is() {
    let fixture = Fixture::new().await;
    let html = page(&fixture, "/?q=pricing&ip=192.0.2.99").await;
    assert!(html.contains("Nothing matches these two filters") && html.contains("without the word "));
    let (some, none) = (html.find("without <b>").unwrap(), html.find("without the word ").unwrap());
    assert!(some < none, "what leads somewhere comes first");
    assert!(page(&fixture, "/?since=2020-01-01&until=2020-01-03").await.contains("No events, 1 to 2 Jan 2020"));
    let nothing = Fixture::with(Settings::default(), Vec::new()).await;
    assert!(page(&nothing, "/?q=pricing").await.contains("Nothing has been recorded yet"));
}

#[tokio::test]
async fn an_empty_range_offers_the_nearest_day_that_has_something() {
    let fixture = Fixture::with(rome(), events()).await;
    let last = events().last().unwrap().time;
    let on_clock = |at: jiff::Timestamp| at.in_tz("Europe/Rome").unwrap().strftime("%d %b %Y %H:%M:%S").to_string();
    let day = |html: &str, mark: &str| {
        let (before, offer) = html.split_once(mark).expect("the offer");
        assert!(before.ends_with("<span>"), "{mark}");
        let stamp = offer.split("</bdi>").next().unwrap().rsplit('>').next().unwrap().to_owned();
        (stamp, before.rsplit("<a href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&"))
    };
    let html = page(&fixture, "/?since=2026-01-15&until=2026-01-18").await;
    let (stamp, href) = day(&html, "Newest before: ");
    assert_eq!(stamp, on_clock(last));
    assert_eq!(href, "/?since=2026-01-14&until=2026-01-15");
    assert!(after(&page(&fixture, &href).await, "data-id=\"").count() > 0, "the day has it");

    let html = page(&fixture, "/?since=2026-01-15&until=2026-01-18&category=Documents").await;
    let newest = events().into_iter().rfind(|event| &*event.category == "Documents").unwrap();
    let (stamp, href) = day(&html, "The same filters, newest before: ");
    assert_eq!(stamp, on_clock(newest.time));
    assert!(href.contains("category=Documents"), "{href}");

    let html = page(&fixture, "/?since=2020-01-01&until=2020-01-03").await;
    assert_eq!(day(&html, "Oldest after: ").0, on_clock(events()[0].time));
}

#[tokio::test]
async fn a_reader_of_one_workspace_sees_nothing_of_another() {
    let fixture = Fixture::new().await;
    let token = new_token().unwrap();
    let workspaces = Some(BTreeSet::from(["39".to_owned()]));
    let rights = BTreeSet::from([Right::Read]);
    fixture.store.create_token("Anna", &token.sha256, &rights, workspaces.as_ref(), at(NOW)).unwrap();
    let bearer = format!("Bearer {}", token.text);
    let with = [("authorization", bearer.as_str())];
    let html = text(answer(&fixture, "/?limit=200", &with).await).await;
    let theirs: Vec<_> = events().into_iter().filter(|event| event.workspace.as_deref() == Some("40")).collect();
    for name in ["Zoë Lo Presti", "Giosuè Ferrari", "Workspace 40", "Nobody has to sign in"] {
        assert!(!html.contains(name), "{name}");
    }
    let foreign = format!("/events/{}", theirs[0].id);
    assert_eq!(answer(&fixture, &foreign, &with).await.status(), StatusCode::NOT_FOUND);
    let open = text(answer(&fixture, &format!("/?event={}", theirs[0].id), &with).await).await;
    assert!(!open.contains("id=\"panel\""));
    let out = answer(&fixture, "/?q=a&limit=25", &[]).await;
    assert_eq!(out.headers()[header::LOCATION], "/sign-in?next=%2F%3Fq%3Da%26limit%3D25");
}

#[tokio::test]
async fn coverage_is_for_those_who_may_change_the_rules_of_all_workspaces() {
    let fixture = Fixture::new().await;
    let html = page(&fixture, "/coverage").await;
    let order: Vec<String> = after(&html, "scope=\"rowgroup\"><b class=\"").collect();
    assert_eq!(order, ["cov-unmapped-word", "cov-mapped-word", "cov-ignored-word"]);
    for words in ["heartbeat of the editor, changes nothing", "217 requests", "sidetrail draft", "12 more requests"] {
        assert!(html.contains(words), "{words}");
    }
    assert!(html.contains("href=\"/?action=document.tag_added\""));

    let workspaces = BTreeSet::from(["39".to_owned()]);
    for (name, rights, only, may) in [
        ("Rita", [Right::Read].as_slice(), None, false),
        ("Ada", &[Right::Read, Right::Admin], None, true),
        ("Olga", &[Right::Read, Right::Admin], Some(&workspaces), false),
    ] {
        let token = new_token().unwrap();
        let rights = rights.iter().copied().collect();
        fixture.store.create_token(name, &token.sha256, &rights, only, at(NOW)).unwrap();
        let bearer = format!("Bearer {}", token.text);
        let with = [("authorization", bearer.as_str())];
        let status = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(answer(&fixture, "/coverage", &with).await.status(), status, "{name}");
        let list = text(answer(&fixture, "/", &with).await).await;
        assert_eq!(list.contains("href=\"/coverage\""), may, "{name}");
    }
    let out = answer(&fixture, "/coverage", &[]).await;
    assert_eq!(out.headers()[header::LOCATION], "/sign-in?next=%2Fcoverage");
}

#[tokio::test]
async fn the_list_and_an_event_are_drawn_as_they_were() {
    let fixture = Fixture::with(rome(), events()).await;
    let list = page(&fixture, "/?limit=25&category=Documents&show=category,target,ip").await;
    insta::assert_snapshot!("list", steady(&list));
    let shown = events().into_iter().find(|event| event.changes.len() > 1);
    let one = page(&fixture, &format!("/events/{}?category=Documents", shown.unwrap().id)).await;
    insta::assert_snapshot!("event", steady(&one));
}
