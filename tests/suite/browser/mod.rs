//! The page in real Chromium: by mouse and keyboard, with and without its script, at every width.
//!
//! Pictures of what was seen are kept in the build directory (`tmp/pictures`).

mod driver;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidetrail::read::Settings;
use tokio_util::sync::CancellationToken;

use crate::fixture::Fixture;
use driver::{Browser, Look};

const DESK: Look = Look { width: 1440, height: 1000, dark: false, script: true };

/// Every sort of page that there is.
const PAGES: [(&str, &str); 9] = [
    ("list", "/"),
    (
        "filtered",
        "/?category=Documents&category=Variables&not.user=svc_1&outcome=success&show=category,target,ip,outcome,action",
    ),
    ("nothing-matches", "/?since=2026-01-10&until=2026-01-12&q=delete&category=Settings%3A+Team&user=u_812"),
    ("nothing-in-range", "/?since=2025-01-10&until=2025-01-12"),
    ("mistake", "/?q=actor%3Acosimo+outcom%3Adenied"),
    ("sign-in", "/sign-in"),
    ("panel", "/?limit=25&event=FIRST"),
    ("event", "/events/FIRST"),
    ("coverage", "/coverage"),
];

/// The read side of a fixture on a port of its own.
struct Site {
    /// Its store goes when it goes.
    _fixture: Fixture,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Site {
    async fn new() -> Site {
        Site::of(Fixture::new().await).await
    }

    async fn of(fixture: Fixture) -> Site {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = sidetrail::read::router(fixture.state.clone());
        tokio::spawn(sidetrail::read::serve(listener, router, stop.clone()));
        Site { _fixture: fixture, address, stop }
    }

    /// An address of the site; FIRST stands for an event with changes and a link.
    fn at(&self, path: &str) -> String {
        let events = crate::fixture::events();
        let first = events.iter().rev().find(|event| event.changes.len() > 1).unwrap();
        format!("http://{}{}", self.address, path.replace("FIRST", &first.id.to_string()))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Ids of the events in the list, as they stand.
async fn listed(browser: &Browser) -> Vec<String> {
    let ids = browser.eval("[...document.querySelectorAll('tr.ev')].map((row) => row.dataset.id)").await;
    ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_filters_turns_pages_and_opens_an_event() {
    let site = Site::new().await;
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.go(&site.at("/")).await;

    browser.click(".filters details:nth-of-type(2) summary").await;
    browser.click("input[name=category][value='Settings: Team']").await;
    browser.click(".filters details[open] button").await;
    browser.says(".chip span", "Category is Settings: Team").await;
    let team = crate::fixture::events().iter().filter(|event| &*event.category == "Settings: Team").count();
    assert!(browser.text(".status p").await.ends_with(&format!("of {team} events")));

    browser.click(".chip a").await;
    browser.click(".rows a:nth-of-type(1)").await;
    browser.says(".status p", "1–25 of 300 events").await;
    let first = listed(&browser).await;
    browser.click("a[rel=next]").await;
    browser.says(".status p", "26–50 of 300 events").await;
    assert!(listed(&browser).await.iter().all(|id| !first.contains(id)));
    browser.click("a[rel=prev]").await;
    browser.says(".status p", "1–25 of 300 events").await;
    assert_eq!(listed(&browser).await, first);

    browser.press("/").await;
    browser.type_into("#q", "pricing\u{e007}").await;
    browser.until("location.search.includes('q=pricing') && document.readyState === 'complete'").await;
    browser.says(".chip b", "pricing").await;
    browser.go(&site.at("/?limit=25")).await;

    browser.click("tr.ev a.go").await;
    browser.until("document.activeElement.id === 'panel-h'").await;
    browser.is_at(&format!("event={}", first[0])).await;
    assert_eq!(listed(&browser).await, first, "the list stays as it is");
    browser.click("[data-step='1']").await;
    browser.until(&format!("document.querySelector('#panel').dataset.id === '{}'", first[1])).await;
    browser.back().await;
    browser.until(&format!("document.querySelector('#panel')?.dataset.id === '{}'", first[0])).await;
    browser.press("\u{e00c}").await;
    browser.until("!document.querySelector('#panel')").await;
    let focused = browser.eval("document.activeElement.closest('tr')?.dataset.id").await;
    assert_eq!(focused, json!(first[0]), "the focus goes back to where the panel was opened");
    browser.go(&site.at("/?limit=25&event=FIRST")).await;
    browser.has("#panel .onlies", 5).await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_file_is_what_the_api_gives_and_the_list_shows() {
    let site = Site::new().await;
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.go(&site.at("/?category=Documents&limit=200&since=2026-01-08&until=2026-01-12")).await;
    let shown = listed(&browser).await;
    assert!(!shown.is_empty());
    let link = "document.querySelector('.head .pop a.pick').href";
    let address = browser.eval(link).await.as_str().unwrap().to_owned();
    let asked = format!("fetch('{address}').then((answer) => answer.text())");
    let api = browser.eval(&asked).await.as_str().unwrap().trim_start_matches('\u{feff}').to_owned();
    browser.click(".head summary").await;
    assert!(browser.text(".head .pop-title").await.starts_with(&format!("{} events", shown.len())));
    browser.click(".head .pop a.pick").await;
    let file = downloaded(&browser).await;
    assert!(file.starts_with('\u{feff}'), "a spreadsheet knows UTF-8 by its mark");
    let file = file.trim_start_matches('\u{feff}');
    assert_eq!(file, api);
    let ids: Vec<String> =
        csv::Reader::from_reader(file.as_bytes()).records().map(|row| row.unwrap()[3].to_owned()).collect();
    assert_eq!(ids, shown);
    browser.end().await;
}

/// The one file that the browser downloaded, when it is whole.
async fn downloaded(browser: &Browser) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let files = std::fs::read_dir(browser.downloads()).unwrap().map(|entry| entry.unwrap().path());
        let whole = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|extension| extension == "csv");
        match files.into_iter().find(whole) {
            Some(path) => return std::fs::read_to_string(path).unwrap(),
            None => assert!(Instant::now() < end, "no file came"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_without_a_script() {
    let site = Site::new().await;
    let browser = Browser::start().await;
    browser.look(Look { script: false, ..DESK }).await;
    browser.go(&site.at("/?limit=25")).await;
    browser.has("html.js", 0).await;
    browser.has("tr.ev", 25).await;
    let seen =
        "[...document.querySelectorAll('[hidden]')].filter((one) => getComputedStyle(one).display !== 'none').length";
    browser.has("[data-browser-zone][hidden]", 1).await;
    assert_eq!(browser.eval(seen).await, json!(0), "no control that does nothing");

    browser.click(".filters details:nth-of-type(3) summary").await;
    browser.click("input[name=user][value=u_812]").await;
    browser.click(".filters details[open] button").await;
    browser.is_at("/?user=u_812&limit=25&show=category").await;
    browser.says(".chip span", "User is Cosimo Scarfò").await;
    browser.type_into("#q", "tag\u{e007}").await;
    browser.has(".chip", 2).await;
    browser.click(".chips .clear").await;
    browser.has(".chip", 0).await;
    browser.click("a[rel=next]").await;
    browser.says(".status p", "26–50 of 300 events").await;
    browser.click("tr.ev a.go").await;
    browser.is_at("/events/").await;
    browser.has("h2.sentence", 1).await;
    browser.click(".crumb").await;
    // Back to the same page of the list.
    browser.says(".status p", "26–50 of 300 events").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sees_what_has_no_rule_first_and_goes_to_the_log_of_an_action() {
    let site = Site::new().await;
    let browser = Browser::start().await;
    browser.look(Look { script: false, ..DESK }).await;
    browser.go(&site.at("/")).await;
    browser.click(".bar-nav a:nth-of-type(2)").await;
    browser.says("h1", "Coverage").await;
    browser.says(".bar-nav [aria-current]", "Coverage").await;
    browser.says(".route th", "POST /api/v1/workspaces/{id}/documents/{id}/share").await;
    assert!(browser.text("#verdict").await.starts_with("0.4 % of the requests"));
    browser.click(".acts a").await;
    browser.says(".chip span", "Action is document.uploaded").await;
    assert!(browser.count("tr.ev").await > 0);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_runs_over_the_edge_and_every_target_can_be_hit() {
    let site = Site::new().await;
    let browser = Browser::start().await;
    for (name, path) in PAGES {
        for width in [320, 390, 720, 832, 1024, 1120, 1440, 1920] {
            browser.look(Look { width, ..DESK }).await;
            browser.go(&site.at(path)).await;
            let wide = browser.eval("document.documentElement.scrollWidth").await;
            assert_eq!(wide, json!(width), "{name} at {width} px");
            let small = browser.eval(SMALL_TARGETS).await;
            assert_eq!(small, json!([]), "{name} at {width} px");
            if matches!(width, 320 | 390 | 1440) {
                browser.picture(&format!("{name}-{width}")).await;
            }
        }
    }
    browser.end().await;
}

/// Links, buttons and fields outside sentences that are smaller than 24 by 24 px (WCAG 2.5.8).
const SMALL_TARGETS: &str = "[...document.querySelectorAll('a, button, summary, input, select')] \
    .filter((one) => !one.closest('.msg, .sentence, svg, dd, .plain, .lead, .foot, .mistake, label') && one.type !== 'hidden') \
    .filter((one) => one.checkVisibility() && !one.closest('.skip, .apply, .as-table')) \
    .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()]) \
    .filter(([, box]) => box.width > 0 && (box.width < 23.5 || box.height < 23.5)) \
    .map(([html, box]) => `${html} ${box.width}x${box.height}`)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_to_complain_about_and_the_console_is_silent() {
    let axe = std::fs::read_to_string(axe_core()).expect("axe-core is missing: tests/run fetches it");
    let site = Site::new().await;
    let nothing = Site::of(Fixture::with(Settings::default(), Vec::new()).await).await;
    let browser = Browser::start().await;
    let mut looked = BTreeSet::new();
    for (width, dark) in [(1440, false), (1440, true), (390, false), (390, true)] {
        browser.look(Look { width, dark, ..DESK }).await;
        let pages = PAGES.map(|(name, path)| (name, site.at(path)));
        for (name, address) in pages.into_iter().chain([("nothing-ever", nothing.at("/"))]) {
            browser.go(&address).await;
            assert_eq!(violations(&browser, &axe).await, json!([]), "{name}, {width} px, dark: {dark}");
            browser.picture(&format!("{name}-{width}-{}", if dark { "dark" } else { "light" })).await;
            looked.insert(name);
        }
        // The menus are the same in both colours but for the colours.
        if dark != (width == 390) {
            continue;
        }
        browser.go(&site.at("/")).await;
        for menu in
            browser.eval("[...document.querySelectorAll('details')].map((_, at) => at)").await.as_array().unwrap()
        {
            let open = format!("document.querySelectorAll('details').forEach((one, at) => one.open = at === {menu})");
            browser.eval(&open).await;
            assert_eq!(violations(&browser, &axe).await, json!([]), "menu {menu}, {width} px, dark: {dark}");
            browser.picture(&format!("menu-{menu}-{width}-{}", if dark { "dark" } else { "light" })).await;
        }
    }
    assert_eq!(looked.len(), PAGES.len() + 1);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.end().await;
}

/// What axe finds by WCAG 2.0 to 2.2, A and AA, and by its best practice.
async fn violations(browser: &Browser, axe: &str) -> Value {
    browser.eval(&format!("{axe};0")).await;
    let run = "axe.run({resultTypes: ['violations']}).then((found) => found.violations.map((one) => \
               [one.id, one.help, one.nodes.slice(0, 3).map((node) => [node.target, node.failureSummary])]))";
    browser.eval(run).await
}

/// Where axe-core is: `AXE_CORE`, else where `tests/run` puts it.
fn axe_core() -> PathBuf {
    if let Some(place) = std::env::var_os("AXE_CORE") {
        return place.into();
    }
    let tools = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../tools");
    let found = std::fs::read_dir(tools).into_iter().flatten().filter_map(Result::ok);
    let place = found.map(|entry| entry.path().join("node_modules/axe-core/axe.min.js")).find(|place| place.is_file());
    place.expect("axe-core is missing: tests/run fetches it")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_zone_are_chosen_by_click_and_one_requests_events_fold() {
    let mut events = crate::fixture::events();
    let last = events.last().unwrap().clone();
    for n in 1..=5 {
        let mut event = last.clone();
        event.id = uuid::Uuid::from_u128(last.id.as_u128() + n);
        events.push(event);
    }
    let site = Site::of(Fixture::with(Settings::default(), events).await).await;
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.go(&site.at("/?limit=25")).await;
    browser.says(".fold", "and 5 more").await;
    browser.has("tr.ev", 20).await;
    browser.click(".pager .rows a:nth-of-type(2)").await;
    browser.until("location.search.includes('limit=50') && document.readyState === 'complete'").await;
    browser.has("tr.ev", 45).await;
    browser.says(".pager .rows [aria-current]", "50").await;
    let utc = browser.text("tr.ev time b").await;
    browser.go(&site.at("/?limit=25&tz=Europe%2FRome")).await;
    assert!(browser.text(".zone summary").await.contains("Europe/Rome"));
    assert_ne!(browser.text("tr.ev time b").await, utc, "an hour later");
    browser.click(".zone summary").await;
    browser.click(".zone .pick").await;
    browser.until("!location.search.includes('tz=') && document.readyState === 'complete'").await;
    assert_eq!(browser.text("tr.ev time b").await, utc);
    browser.click(".fold").await;
    browser.until("location.search.includes('request=') && document.readyState === 'complete'").await;
    browser.has("tr.ev", 6).await;
    browser.end().await;
}
