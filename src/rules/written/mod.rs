//! A rule file in the shape in which it is written: every value with its place.
//!
//! Headings are free words, so a file is walked as a spanned TOML table, key by
//! key. Nothing is skipped: an unknown key is a problem with a suggestion, and
//! what this version does not have is refused by name.

use std::ops::Range;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value as Json;

use crate::problem::SourceFile;

mod action;
mod file;
pub(crate) mod keys;
mod kind;
mod log;
mod test;
mod walker;

pub(crate) use file::read;

/// A text and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) value: String,
    pub(crate) at: Range<usize>,
}

/// Written as one text or a list of texts.
pub(crate) type List = Vec<Said>;

/// A text for people: in one language, or in several, the main one first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sentence(pub(crate) Vec<(Option<Said>, Said)>);

impl Sentence {
    /// In one language.
    pub(crate) fn plain(said: Said) -> Sentence {
        Sentence(vec![(None, said)])
    }

    /// In the language that was written first.
    pub(crate) fn first(&self) -> Option<&Said> {
        self.0.first().map(|(_, said)| said)
    }

    /// The languages, where it has a table of them.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &Said> {
        self.0.iter().filter_map(|(language, _)| language.as_ref())
    }

    /// In a language.
    pub(crate) fn in_language(&self, wanted: &str) -> Option<&Said> {
        let is_wanted = |language: &Option<Said>| language.as_ref().is_some_and(|known| known.value == wanted);
        self.0.iter().find(|(language, _)| is_wanted(language)).map(|(_, said)| said)
    }

    /// Every text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Said> {
        self.0.iter().map(|(_, said)| said)
    }
}

#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) source: Option<Arc<SourceFile>>,
    pub(crate) category: Option<Said>,
    pub(crate) prefix: List,
    pub(crate) graphql: Option<Said>,
    pub(crate) rpc: Option<Said>,
    pub(crate) in_workspace: List,
    pub(crate) method_override: List,
    pub(crate) failures: Option<bool>,
    pub(crate) ignore: Vec<Ignore>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) actions: Vec<Action>,
    pub(crate) identity: Option<Identity>,
}

#[derive(Debug, Default)]
pub(crate) struct Ignore {
    pub(crate) when: List,
    pub(crate) why: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Kind {
    pub(crate) name: Said,
    pub(crate) at: List,
    pub(crate) id: Option<Said>,
    pub(crate) names: List,
    pub(crate) type_: List,
    pub(crate) one: List,
    pub(crate) many: List,
    pub(crate) sent: List,
    pub(crate) link: Option<Said>,
    pub(crate) learn: Vec<Learn>,
    pub(crate) fetch: Fetch,
    /// The actions that it writes itself.
    pub(crate) log: List,
    pub(crate) bulk: List,
}

impl Kind {
    /// Where a response holds one thing.
    pub(crate) fn one_or_usual(&self) -> Vec<String> {
        self.or_usual(&self.one, "")
    }

    /// Where a response holds several.
    pub(crate) fn many_or_usual(&self) -> Vec<String> {
        self.or_usual(&self.many, "s")
    }

    fn or_usual(&self, written: &List, end: &str) -> Vec<String> {
        if written.is_empty() {
            return vec![format!("{}{end}", self.name.value), ".".to_owned()];
        }
        written.iter().map(|said| said.value.clone()).collect()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Fetch {
    #[default]
    Never,
    Address,
    Routes(List),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Learn {
    pub(crate) when: List,
    pub(crate) each: List,
    pub(crate) id: Option<Said>,
    pub(crate) names: List,
    pub(crate) in_workspace: List,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Action {
    pub(crate) resource: Said,
    pub(crate) verb: Said,
    pub(crate) when: List,
    pub(crate) message: Option<Sentence>,
    pub(crate) message_failed: Option<Sentence>,
    pub(crate) title: Option<Sentence>,
    pub(crate) category: Option<Said>,
    pub(crate) in_workspace: List,
    pub(crate) condition: Option<Said>,
    pub(crate) changed: List,
    pub(crate) changes: List,
    pub(crate) otherwise: bool,
    pub(crate) each: List,
    pub(crate) join: List,
    pub(crate) by: Option<By>,
    pub(crate) target: Target,
    pub(crate) with: Vec<(Said, With)>,
    pub(crate) lets: Vec<(Said, List)>,
    pub(crate) success: Option<Said>,
    pub(crate) failures: Option<bool>,
    pub(crate) max_events: Option<usize>,
    pub(crate) job: Option<Job>,
    pub(crate) coalesce: Option<SignedDuration>,
    pub(crate) tests: Vec<Test>,
    /// Nobody wrote its heading: `log` did.
    pub(crate) generated: bool,
    /// The same action for many things at once.
    pub(crate) also: Option<Box<Action>>,
}

/// Something that ends later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    pub(crate) id: List,
    pub(crate) watch: List,
    pub(crate) done: Option<Said>,
    pub(crate) success: Option<Said>,
    pub(crate) give_up: Option<SignedDuration>,
}

#[derive(Clone, Debug)]
pub(crate) enum By {
    Index,
    Fields(Vec<(Said, Said)>),
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Target {
    #[default]
    OnRoute,
    Nothing,
    Kind(Said),
    /// The element itself is a thing of the kind, or the id of one.
    Element(Said),
    Table {
        kind: Option<Said>,
        type_: List,
        id: List,
        name: List,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum With {
    Id(List),
    Table { kind: Option<Said>, type_: List, id: List },
}

#[derive(Debug, Default)]
pub(crate) struct Identity {
    pub(crate) credential: List,
    pub(crate) actor: List,
    pub(crate) kind: Option<Said>,
    pub(crate) seen: Vec<Seen>,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) when: List,
    pub(crate) tokens: List,
    pub(crate) actor: List,
}

/// A test below its action, as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Test {
    pub(crate) at: Range<usize>,
    pub(crate) step: Step,
    pub(crate) given: Vec<(String, String, Json)>,
    pub(crate) workspace: Option<String>,
    pub(crate) first: Vec<Step>,
    pub(crate) fetched: Option<Fetched>,
    pub(crate) expect: Vec<Json>,
}

/// One exchange of a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) actor: Option<String>,
    /// How long after the step before it.
    pub(crate) after: Option<SignedDuration>,
    pub(crate) header: Vec<(String, String)>,
    pub(crate) sent: SentBody,
    pub(crate) files: Vec<FilePart>,
    pub(crate) status: u16,
    pub(crate) response: Option<Json>,
    /// Fields of the answer's head.
    pub(crate) reply: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum SentBody {
    #[default]
    Nothing,
    Json(Json),
    Form(Vec<(String, String)>),
    Fields(Vec<(String, String)>),
    Raw(String),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FilePart {
    pub(crate) field: String,
    pub(crate) filename: String,
    pub(crate) content_type: Option<String>,
    pub(crate) size: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) response: Option<Json>,
    pub(crate) after_ms: u64,
}
