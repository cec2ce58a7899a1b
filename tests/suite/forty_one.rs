//! The 41 actions of the specification end to end: the sample platform, the
//! real `sidetrail serve` in front of it, real sockets; in two acts with a
//! restart of sidetrail between them, on the same store.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;

use sidetrail::event::Event;
use sidetrail::record::query::{Filter, Order, Scope};
use sidetrail::record::{Settings, Store};
use tokio::runtime::Runtime;

use crate::demo::{platform, story};

/// Workspace, who, action, outcome, sentence, first target: everything the day
/// must leave in the log, in its order. Independent of the rule files.
const LOG: &str = "
-  | anonymous          | session.signed_in                  | denied  | failed to log in as anna@acme.it                        | person:- anna@acme.it
39 | Cosimo Scarfò      | session.signed_in                  | success | user logged in                                          | person:u_812 cosimo@acme.it
39 | Valentina Cantù    | session.signed_in                  | success | user logged in                                          | person:u_813 valentina@acme.it
39 | Giosuè Brambilla   | session.signed_in                  | success | user logged in                                          | person:u_814 giosue@acme.it
40 | Ilaria Calò        | session.signed_in                  | success | user logged in                                          | person:u_815 ilaria@acme.it
40 | Niccolò D'Amico    | session.signed_in                  | success | user logged in                                          | person:u_816 niccolo@acme.it
39 | Desirée Dell'Acqua | session.signed_in                  | success | user logged in                                          | person:u_817 desiree@acme.it
39 | Zoë Plattner       | session.signed_in                  | success | user logged in                                          | person:u_818 zoe@acme.it
39 | Valentina Cantù    | workspace.name_edited              | success | Edited Workspace name                                   | workspace:39 Acme Assistant
39 | Valentina Cantù    | workspace.timezone_edited          | success | Edited Workspace timezone                               | workspace:39 Acme Assistant
39 | Valentina Cantù    | workspace.url_edited               | success | Edited Workspace URL                                    | workspace:39 Acme Assistant
39 | Cosimo Scarfò      | workspace.multilanguage_enabled    | success | Enabled multilanguage                                   | workspace:39 Acme Assistant
39 | Cosimo Scarfò      | workspace.primary_language_changed | success | Changed primary language with: Italian                  | workspace:39 Acme Assistant
39 | Cosimo Scarfò      | workspace.translations_reset       | success | Has reset translations                                  | workspace:39 Acme Assistant
40 | Ilaria Calò        | workspace.content_exported         | success | Exported Chats and Knowledge base data                  | workspace:40 Beta Viaggi
39 | Valentina Cantù    | handover.toggled                   | success | Turned handover on                                      | workspace:39 Acme Assistant
40 | Valentina Cantù    | handover.toggled                   | success | Turned handover off                                     | workspace:40 Beta Viaggi
40 | Ilaria Calò        | handover.closing_days_edited       | success | Edited handover closing days                            | workspace:40 Beta Viaggi
39 | Cosimo Scarfò      | web_chat.edited                    | success | Edited web chat widget                                  | workspace:39 Acme Assistant
39 | Cosimo Scarfò      | agent_settings.changed             | success | changed Global Agent Settings                           | workspace:39 Acme Assistant
40 | Ilaria Calò        | agent_settings.changed             | success | changed Global Agent Settings                           | workspace:40 Beta Viaggi
39 | Cosimo Scarfò      | publish.next                       | success | Workspace published on staging                          | workspace:39 Acme Assistant
39 | Cosimo Scarfò      | publish.production                 | success | Workspace published on production                       | workspace:39 Acme Assistant
39 | Valentina Cantù    | team.member_invited                | success | Invited member anna@acme.it as editor                   | member:2003 anna@acme.it
39 | Valentina Cantù    | team.member_invited                | success | Invited member piero@acme.it as admin                   | member:2004 piero@acme.it
39 | Valentina Cantù    | team.member_invited                | failure | Failed: Invited member cosimo@acme.it as viewer         | member:- cosimo@acme.it
39 | Valentina Cantù    | team.member_invited                | success | Invited member lucia@acme.it as editor                  | member:2006 lucia@acme.it
39 | Valentina Cantù    | team.member_invited                | failure | Failed: Invited member nobody as editor                 | member:- nobody
39 | Valentina Cantù    | team.member_invited                | success | Invited member sofia@acme.it as Revisore esterno        | member:2007 sofia@acme.it
39 | Giosuè Brambilla   | document.uploaded                  | success | uploaded document Product_Manual.pdf                    | document:2008 Product_Manual.pdf -> /w/39/documents/2008
39 | Giosuè Brambilla   | document.uploaded                  | success | uploaded document Prezzi 2026.pdf                       | document:2009 Prezzi 2026.pdf -> /w/39/documents/2009
39 | Giosuè Brambilla   | document.url_inserted              | success | inserted URL https://www.example.com/faq                | document:2010 https://www.example.com/faq -> /w/39/documents/2010
40 | Zoë Plattner       | document.url_inserted              | success | inserted URL https://www.example.com/orari              | document:2012 https://www.example.com/orari -> /w/40/documents/2012
40 | Zoë Plattner       | document.url_inserted              | success | inserted URL https://example.com/b                      | document:2011 https://example.com/b -> /w/40/documents/2011
39 | Giosuè Brambilla   | document.tag_added                 | success | added tag listinov2 to Condizioni generali.pdf          | document:902 Condizioni generali.pdf -> /w/39/documents/902
40 | Niccolò D'Amico    | document.tag_added                 | success | added tag estate to Catalogo estate.pdf                 | document:901 Catalogo estate.pdf -> /w/40/documents/901
40 | Niccolò D'Amico    | document.tag_added                 | success | added tag mare to Catalogo estate.pdf                   | document:901 Catalogo estate.pdf -> /w/40/documents/901
39 | Zoë Plattner       | chat.takeover_started              | success | started human takeover for chat Blue Panda              | conversation:1734638990 Blue Panda -> /w/39/conversations/1734638990
39 | Cosimo Scarfò      | conversation_logs.exported         | success | Exported Conversation Logs data                         | workspace:39 Acme Assistant
40 | Zoë Plattner       | conversation_logs.exported         | success | Exported Conversation Logs data                         | workspace:40 Beta Viaggi
39 | Giosuè Brambilla   | evaluator.added                    | success | Added evaluator Chat Success                            | evaluator:2013 Chat Success -> /w/39/evaluators/2013
39 | Giosuè Brambilla   | evaluator.edited                   | success | Edited evaluator Chat Success                           | evaluator:2013 Chat Success -> /w/39/evaluators/2013
39 | Giosuè Brambilla   | evaluator.activated                | success | Activated evaluator Chat Success                        | evaluator:2013 Chat Success -> /w/39/evaluators/2013
39 | Desirée Dell'Acqua | evaluators.exported                | success | Exported Evaluators data                                | workspace:39 Acme Assistant
39 | Zoë Plattner       | issue.created                      | success | Created issue AZI-21                                    | issue:2014 AZI-21
39 | Giosuè Brambilla   | issue.edited                       | success | Edited issue AZI-21                                     | issue:2014 AZI-21
39 | Giosuè Brambilla   | variable.added                     | success | Added variable order_id                                 | variable:2016 order_id
39 | Cosimo Scarfò      | secret.added                       | success | Added secret ZENDESK_TOKEN                              | secret:2017 ZENDESK_TOKEN
40 | Niccolò D'Amico    | variable.added                     | success | Added variable trip_id                                  | variable:2018 trip_id
40 | Niccolò D'Amico    | variable.added                     | failure | Failed: Added variable 1st                              | variable:- 1st
40 | Valentina Cantù    | secret.added                       | success | Added secret CRM_KEY                                    | secret:2019 CRM_KEY
40 | Niccolò D'Amico    | variable.edited                    | success | Edited variable booking_code                            | variable:76 booking_code
39 | Zoë Plattner       | agent.created                      | success | Created agent Orders                                    | agent:2020 Orders
39 | Zoë Plattner       | agent.edited                       | success | Edited agent Orders                                     | agent:2020 Orders
39 | Giosuè Brambilla   | workflow.created                   | success | Created workflow Untitled Workflow                      | workflow:2021 Untitled Workflow
39 | Giosuè Brambilla   | workflow.edited                    | success | Edited workflow Returns                                 | workflow:2021 Returns
39 | Giosuè Brambilla   | workflow.edited                    | success | Edited workflow Returns                                 | workflow:2021 Returns
39 | Cosimo Scarfò      | team.role_changed                  | success | Changed role of anna@acme.it with viewer                | member:2003 anna@acme.it
39 | Valentina Cantù    | team.member_deleted                | success | Deleted user anna@acme.it                               | member:2003 anna@acme.it
39 | Giosuè Brambilla   | document.replaced                  | success | replaced document Listino.pdf with Listino 2026.pdf     | document:901 Listino 2026.pdf -> /w/39/documents/901
39 | Giosuè Brambilla   | document.tag_deleted               | success | deleted tag listinov2 to Condizioni generali.pdf        | document:902 Condizioni generali.pdf -> /w/39/documents/902
39 | Zoë Plattner       | issue.deleted                      | success | Deleted issue AZI-21                                    | issue:2014 AZI-21
39 | Giosuè Brambilla   | variable.edited                    | success | Edited variable order_id                                | variable:2016 order_id
39 | Giosuè Brambilla   | variable.deleted                   | success | Deleted variable order_id                               | variable:2016 order_id
39 | Cosimo Scarfò      | secret.deleted                     | success | Deleted secret ZENDESK_TOKEN                            | secret:2017 ZENDESK_TOKEN
39 | Cosimo Scarfò      | secret.deleted                     | success | Deleted secret SMTP_PASSWORD                            | secret:8 SMTP_PASSWORD
39 | Zoë Plattner       | agent.deleted                      | success | Deleted agent Orders                                    | agent:2020 Orders
39 | Giosuè Brambilla   | workflow.deleted                   | success | Delete workflow Returns                                 | workflow:2021 Returns
40 | Niccolò D'Amico    | agent.deleted                      | success | Deleted agent Prenotazioni                              | agent:609 Prenotazioni
39 | Ilaria Calò        | document.tag_deleted               | denied  | Failed: deleted tag pricing to Condizioni generali.pdf  | document:902 Condizioni generali.pdf -> /w/39/documents/902
39 | Desirée Dell'Acqua | publish.production                 | denied  | Failed: Workspace published on production               | workspace:39 Acme Assistant
39 | Giosuè Brambilla   | secret.added                       | denied  | Failed: Added secret OPENAI_KEY                         | secret:- OPENAI_KEY
40 | Ilaria Calò        | agent.deleted                      | failure | Failed: Deleted agent Prenotazioni                      | agent:609 Prenotazioni
39 | Zoë Plattner       | chat.takeover_started              | failure | Failed: started human takeover for chat Blue Panda      | conversation:1734638990 Blue Panda -> /w/39/conversations/1734638990
40 | Ilaria Calò        | workspace.url_edited               | failure | Failed: Edited Workspace URL                            | workspace:40 Beta Viaggi
39 | Cosimo Scarfò      | issue.created                      | failure | Failed: Created issue (unknown identifier)              | -
39 | Giosuè Brambilla   | document.uploaded                  | failure | Failed: uploaded document corrupt.pdf                   | document:- corrupt.pdf
39 | anonymous          | document.tag_deleted               | denied  | Failed: deleted tag x to Condizioni generali.pdf        | document:902 Condizioni generali.pdf -> /w/39/documents/902
";

#[test]
fn the_day_leaves_exactly_this_log() {
    let squeeze = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join(" | ");
    let expected: Vec<String> = LOG.trim().lines().map(squeeze).collect();
    let recorded: Vec<String> = DAY.events.iter().map(line).collect();
    assert_eq!(differences(&expected, &recorded), "");
}

#[test]
fn each_of_the_41_actions_is_in_the_log() {
    let of = |events: &mut dyn Iterator<Item = &str>| events.map(str::to_owned).collect::<BTreeSet<_>>();
    let expected = of(&mut LOG.lines().filter_map(|line| line.split('|').nth(2)).map(str::trim));
    let recorded = of(&mut DAY.events.iter().map(|event| event.action.as_ref()));
    assert_eq!(recorded, expected);
    assert_eq!(expected.len(), 41 + 1, "the 41 and signing in");
}

#[test]
fn every_event_says_who_by_id_and_name() {
    for event in &DAY.events {
        match platform::PEOPLE.iter().find(|person| Some(person.name) == event.actor.name.as_deref()) {
            Some(person) => assert_eq!(event.actor.id.as_deref(), Some(person.id), "{}", line(event)),
            None => assert_eq!(event.actor.id, None, "{}", line(event)),
        }
    }
}

#[test]
fn secrets_and_credentials_are_kept_nowhere() {
    let mut forbidden: Vec<&str> = story::SECRET_VALUES.to_vec();
    forbidden.extend(platform::PEOPLE.iter().map(|person| person.password));
    forbidden.push("Bolina-000");
    forbidden.extend(DAY.credentials.iter().map(String::as_str));
    for (file, bytes) in &DAY.left {
        for secret in &forbidden {
            assert!(memchr::memmem::find(bytes, secret.as_bytes()).is_none(), "{secret} is in {file}");
        }
    }
    // The search can find something: a name is kept.
    assert!(DAY.left.iter().any(|(_, bytes)| memchr::memmem::find(bytes, b"ZENDESK_TOKEN").is_some()));
}

/// What one day of work left behind.
struct Day {
    /// The log, oldest first.
    events: Vec<Event>,
    /// Every file of sidetrail's folder after each act, and what it said of itself.
    left: Vec<(String, Vec<u8>)>,
    /// The tokens and cookies that were sent.
    credentials: Vec<String>,
}

static DAY: LazyLock<Day> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let platform = runtime.block_on(platform::start(([127, 0, 0, 1], 0).into())).unwrap();
    let mut left = Vec::new();

    let sidetrail = Sidetrail::start(folder.path(), platform.addr, &rules_path());
    let mut cast = runtime.block_on(story::Cast::sign_in(&sidetrail.proxied)).unwrap();
    let made = runtime.block_on(story::first_act(&cast)).unwrap();
    gather(folder.path(), &mut left);
    left.push(("the log of the first act".to_owned(), sidetrail.stop()));

    let sidetrail = Sidetrail::start(folder.path(), platform.addr, &rules_path());
    cast.move_to(&sidetrail.proxied);
    runtime.block_on(story::second_act(&cast, &made)).unwrap();
    gather(folder.path(), &mut left);
    left.push(("the log of the second act".to_owned(), sidetrail.stop()));
    gather(folder.path(), &mut left);

    Day { events: recorded(folder.path()), left, credentials: cast.credentials() }
});

/// The whole log of a folder, oldest first.
fn recorded(folder: &Path) -> Vec<Event> {
    let store = Store::open_existing(&Settings { url: url(folder), ..Settings::default() }).unwrap();
    let page = store.page(&Filter::all(Scope::All), Order::Ascending, 1000, None).unwrap();
    page.events.into_iter().map(|stored| stored.event).collect()
}

/// The shipped rules.
fn rules_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")
}

/// What the sample platform signs its tokens with.
pub(crate) fn signing_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo/signing.key")
}

fn gather(folder: &Path, left: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            left.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

pub(crate) fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("log.db").display())
}

/// `39 | Cosimo Scarfò | agent.created | success | Created agent Orders | agent:2020 Orders`
fn line(event: &Event) -> String {
    let who = event.actor.name.as_deref().unwrap_or(event.actor.kind.word());
    let target = event.targets.first().map_or("-".to_owned(), |target| {
        let mut text = format!("{}:{}", target.kind, target.id.as_deref().unwrap_or("-"));
        let parts = [("", &target.name), ("-> ", &target.link)];
        for (before, part) in parts.into_iter().filter_map(|(before, part)| Some((before, part.as_ref()?))) {
            write!(text, " {before}{part}").unwrap();
        }
        text
    });
    let workspace = event.workspace.as_deref().unwrap_or("-");
    let outcome = event.outcome.word();
    format!("{workspace} | {who} | {} | {outcome} | {} | {target}", event.action, event.message.text)
}

/// The lines that differ, those of each side below each other.
fn differences(expected: &[String], recorded: &[String]) -> String {
    let mut text = String::new();
    for row in 0..expected.len().max(recorded.len()) {
        let (expected, recorded) = (expected.get(row), recorded.get(row));
        if expected != recorded {
            writeln!(text, "row {row}\n  expected {expected:?}\n  recorded {recorded:?}").unwrap();
        }
    }
    text
}

/// A running `sidetrail serve`.
pub(crate) struct Sidetrail {
    pub(crate) child: Child,
    log: Option<JoinHandle<Vec<u8>>>,
    /// `http://address` for the platform's clients.
    pub(crate) proxied: String,
    /// `http://address` of page and API.
    pub(crate) page: String,
}

impl Sidetrail {
    /// Starts it in front of the platform with these rules, and waits until it serves.
    pub(crate) fn start(folder: &Path, platform: SocketAddr, rules: &Path) -> Sidetrail {
        Sidetrail::start_with(folder, platform, rules, &[])
    }

    /// The same, with variables of the environment.
    pub(crate) fn start_with(
        folder: &Path,
        platform: SocketAddr,
        rules: &Path,
        variables: &[(&str, &str)],
    ) -> Sidetrail {
        let config = folder.join("config.toml");
        std::fs::write(&config, include_str!("../../examples/demo/config.toml")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sidetrail"))
            .args(["serve", "--listen", "127.0.0.1:0", "--read-listen", "127.0.0.1:0"])
            .args(["--upstream", &format!("http://{platform}"), "--store", &url(folder)])
            .arg("--config")
            .arg(&config)
            .env("SIDETRAIL_RULES__PATHS", format!("['{}']", rules.display()))
            .env("SIDETRAIL_IDENTITY__JWT__KEY_FILE", signing_key())
            .env("SIDETRAIL_LOG__JSON", "true")
            .env("SIDETRAIL_LOG__LEVEL", "trace")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut log = Vec::new();
        let (proxied, page) = loop {
            let begin = log.len();
            assert_ne!(lines.read_until(b'\n', &mut log).unwrap(), 0, "{}", String::from_utf8_lossy(&log));
            let line: serde_json::Value = serde_json::from_slice(&log[begin..]).unwrap_or_default();
            let said = |name: &str| line.pointer(name).and_then(serde_json::Value::as_str);
            if let (Some(proxy), Some(page)) = (said("/fields/proxy"), said("/fields/page")) {
                break (format!("http://{proxy}"), page.trim_end_matches('/').to_owned());
            }
        };
        let log = std::thread::spawn(move || {
            std::io::Read::read_to_end(&mut lines, &mut log).unwrap();
            log
        });
        Sidetrail { child, log: Some(log), proxied, page }
    }

    /// Ends it as a service manager does; gives everything that it said.
    pub(crate) fn stop(mut self) -> Vec<u8> {
        let ended = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(ended.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "SIGTERM is a good end");
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Sidetrail {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
