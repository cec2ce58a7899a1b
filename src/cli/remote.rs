//! A running server instead of the store's file: `--url` and a token, through the API.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Actor, ActorKind, Event, Message, Outcome};
use crate::exchange::Headers;
use crate::outgoing::{Get, Outgoing, Streamed};

/// The token, where no file names it.
const VARIABLE: &str = "SIDETRAIL_TOKEN";
/// For the head of an answer. A server counts an export before it begins.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The most events that the API gives at once.
const PAGE: usize = 1000;
/// The largest page that is read: 1000 events of 64 KiB.
const LARGEST: usize = 64 << 20;
/// The largest refusal that is read.
const LARGEST_PROBLEM: usize = 64 << 10;

/// Which running server.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Server {
    /// Ask a running server instead of the store's file: http://127.0.0.1:8081
    #[arg(long, value_name = "URL", conflicts_with_all = ["store", "config"])]
    url: Option<String>,
    /// The file that holds the token for it [default: the variable SIDETRAIL_TOKEN]
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
}

impl Server {
    /// Makes it ready to be asked; `None` where the store's file is meant.
    pub(crate) fn connect(&self) -> anyhow::Result<Option<Remote>> {
        let Some(url) = &self.url else { return Ok(None) };
        let token = match &self.token_file {
            Some(path) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?)
            }
            None => std::env::var(VARIABLE).ok(),
        };
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Some(Remote { url: url.trim_end_matches('/').to_owned(), token, outgoing: Outgoing::start()?, runtime }))
    }
}

/// A running server.
pub(crate) struct Remote {
    url: String,
    token: Option<String>,
    outgoing: Outgoing,
    runtime: tokio::runtime::Runtime,
}

/// An event as the API gave it.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) id: String,
    /// Its text, as the API wrote it.
    pub(crate) json: Box<RawValue>,
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// What is shown of an event.
#[derive(Deserialize)]
struct Facts {
    id: String,
    time: Timestamp,
    message: String,
    outcome: String,
    actor: Named,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

/// problem+json (RFC 9457).
#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl Remote {
    /// At most `limit` events in the order of `query`, and whether there are more.
    pub(crate) fn list(&self, query: &str, limit: usize) -> anyhow::Result<(Vec<Line>, bool)> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let wanted = PAGE.min(limit - all.len());
            let (lines, next) = self.page(query, wanted, cursor.as_deref())?;
            let got = lines.len();
            all.extend(lines);
            if next.is_none() || all.len() >= limit || got == 0 {
                return Ok((all, next.is_some()));
            }
            cursor = next;
        }
    }

    /// The matching events that are newer than `known`, oldest first. Without `known` the newest are, at most `most`.
    pub(crate) fn newer(&self, query: &str, known: Option<&str>, most: usize) -> anyhow::Result<Vec<Line>> {
        let mut all: Vec<Line> = Vec::new();
        let mut cursor = None;
        loop {
            let (lines, next) = self.page(query, most.clamp(1, PAGE), cursor.as_deref())?;
            let count = lines.len();
            let new: Vec<Line> = lines.into_iter().take_while(|line| Some(line.id.as_str()) != known).collect();
            let met = new.len() < count;
            all.extend(new);
            if met || next.is_none() || known.is_none() {
                all.reverse();
                return Ok(all);
            }
            cursor = next;
        }
    }

    fn page(&self, query: &str, limit: usize, cursor: Option<&str>) -> anyhow::Result<(Vec<Line>, Option<String>)> {
        let mut more = url::form_urlencoded::Serializer::new(String::new());
        more.append_pair("limit", &limit.to_string()).append_pair("count", "none");
        cursor.map(|cursor| more.append_pair("cursor", cursor));
        let path = format!("/api/v1/events?{query}&{}", more.finish());
        let bytes = self.runtime.block_on(async { anyhow::Ok(self.ask(&path).await?.whole(LARGEST).await?) })?;
        let listed: Listed =
            serde_json::from_slice(&bytes).with_context(|| format!("`{}` is no sidetrail", self.url))?;
        let line = |json: Box<RawValue>| anyhow::Ok(Line { id: serde_json::from_str::<Facts>(json.get())?.id, json });
        Ok((listed.data.into_iter().map(line).collect::<Result<_, _>>()?, listed.next_cursor))
    }

    /// Gives the bytes of an export as they come; how many events the server said it holds.
    pub(crate) fn export(
        &self,
        query: &str,
        mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> anyhow::Result<u64> {
        self.runtime.block_on(async {
            let mut answer = self.ask(&format!("/api/v1/events/export?{query}")).await?;
            let count = answer.headers.first("sidetrail-count").and_then(|count| count.parse().ok());
            let count = count.with_context(|| format!("`{}` is no sidetrail", self.url))?;
            while let Some(bytes) = answer.next().await.context("the export is not whole")? {
                each(&bytes)?;
            }
            Ok(count)
        })
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Streamed> {
        let mut headers = Headers::default();
        if let Some(token) = &self.token {
            headers.push("Authorization", format!("Bearer {token}"));
        }
        let get = Get { url: format!("{}{path}", self.url), headers, timeout: TIMEOUT, cap: 0 };
        let mut answer = self.outgoing.stream(get).await.with_context(|| format!("cannot ask `{}`", self.url))?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let problem = answer.whole(LARGEST_PROBLEM).await.unwrap_or_default();
        let problem = serde_json::from_slice::<Refusal>(&problem).ok();
        let detail = problem.map(|problem| format!(": {}", problem.detail)).unwrap_or_default();
        anyhow::bail!("`{}` answered {}{detail}", self.url, answer.status)
    }
}

impl Line {
    /// What a person is shown of it.
    pub(crate) fn event(&self) -> anyhow::Result<Event> {
        let facts: Facts = serde_json::from_str(self.json.get())?;
        let Named { kind, id, name, email } = facts.actor;
        Ok(Event {
            id: facts.id.parse()?,
            time: facts.time,
            workspace: None,
            category: "".into(),
            action: "".into(),
            title: "".into(),
            message: Message::plain(facts.message),
            translations: Vec::new(),
            outcome: Outcome::from_word(&facts.outcome).unwrap_or(Outcome::Unknown),
            actor: Actor {
                kind: ActorKind::from_word(&kind).unwrap_or_default(),
                id,
                name,
                email,
                unknown_because: None,
            },
            targets: Vec::new(),
            changes: Vec::new(),
            details: serde_json::Map::new(),
            missing: Vec::new(),
            source: crate::event::Source::default(),
            request: None,
            rule: None,
        })
    }
}
