//! What stands around every page: the bar, the banner, the files it needs.

use std::collections::BTreeMap;
use std::fmt;

use askama::filters::HtmlSafe;

use crate::read::State;
use crate::read::access::Principal;
use crate::read::rulebook;
use crate::record::Health;
use crate::record::query::{Field, Scope};

use super::assets::{ICONS, MARK, SCRIPT, STYLE};
use super::desk::Desk;

/// HTML of our own, without a word from outside.
#[derive(Debug)]
pub(crate) struct Html(String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// A symbol of the sprite.
pub(crate) fn icon(name: &'static str) -> Html {
    Html(format!("<svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-{name}\"/></svg>"))
}

/// A symbol with a class of its own.
pub(crate) fn icon_of_class(name: &'static str, class: &'static str) -> Html {
    Html(format!("<svg class=\"i {class}\" aria-hidden=\"true\"><use href=\"#i-{name}\"/></svg>"))
}

/// The sign that a button opens a menu.
pub(crate) fn chevron() -> Html {
    icon_of_class("down", "chev")
}

/// What stands around a page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) mark: String,
    pub(crate) icons: Html,
    /// Whether nobody has to sign in.
    pub(crate) is_open: bool,
    /// Why the log cannot be written, where it cannot.
    pub(crate) unwritable: Option<String>,
    /// Why the rules on disk are not in use, for those who can change them.
    pub(crate) refused: Option<String>,
    /// Whether this is the list itself.
    pub(crate) is_list: bool,
    /// Whether the reader may see how well the rules cover the platform.
    pub(crate) has_coverage: bool,
    /// Whether this is the page that says so.
    pub(crate) is_coverage: bool,
    /// The token's name.
    pub(crate) reader: Option<String>,
    /// The workspace that is shown.
    pub(crate) workspace: String,
    pub(crate) workspaces: Vec<WorkspaceChoice>,
}

/// A workspace to choose.
#[derive(Debug)]
pub(crate) struct WorkspaceChoice {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

impl Frame {
    /// The frame of a page that nobody has to sign in for.
    pub(crate) fn bare(state: &State) -> Frame {
        Frame {
            title: state.settings().title.clone(),
            style: STYLE.href(),
            script: SCRIPT.href(),
            mark: MARK.href(),
            icons: Html(ICONS.to_owned()),
            is_open: false,
            unwritable: None,
            refused: None,
            is_list: false,
            has_coverage: false,
            is_coverage: false,
            reader: None,
            workspace: String::new(),
            workspaces: Vec::new(),
        }
    }

    /// The frame of a page for somebody, with the workspaces that they may see.
    pub(crate) fn new(state: &State, principal: &Principal, desk: &Desk, workspaces: &[String]) -> Frame {
        let names = &state.settings().workspace_names;
        let chosen = desk.params.values(Field::Workspace, false);
        let all = WorkspaceChoice {
            name: "All workspaces".to_owned(),
            href: desk.href(|params| params.clauses.retain(|clause| clause.field != Field::Workspace)),
            is_current: chosen.is_empty(),
        };
        let each = workspaces.iter().map(|id| WorkspaceChoice {
            name: called(names, id),
            href: desk.only(Field::Workspace, id),
            is_current: chosen == [id.clone()],
        });
        let choices: Vec<WorkspaceChoice> = match workspaces.len() {
            0 | 1 => Vec::new(),
            _ => [all].into_iter().chain(each).collect(),
        };
        let shown = match (chosen, workspaces, &principal.scope) {
            ([one], ..) | ([], [one], Scope::Only(_)) => called(names, one),
            ([], [one], Scope::All) if names.contains_key(one) => called(names, one),
            ([], [] | [_], _) => String::new(),
            ([], ..) => "All workspaces".to_owned(),
            (some, ..) => format!("{} workspaces", some.len()),
        };
        Frame {
            unwritable: unwritable(&state.recorder().health()),
            is_open: principal.is_open(),
            refused: state
                .rules()
                .refused
                .as_ref()
                .filter(|_| principal.may_admin)
                .map(|refused| refused.first.clone()),
            is_list: true,
            has_coverage: rulebook::is_for(state, principal),
            reader: principal.name.as_deref().map(str::to_owned),
            workspace: shown,
            workspaces: choices,
            ..Frame::bare(state)
        }
    }
}

/// That events wait, and for what.
fn unwritable(health: &Health) -> Option<String> {
    let trouble = health.trouble.as_ref()?;
    let waiting = match health.spilled {
        0 => "Events wait in memory, or their replies are broken off".to_owned(),
        1 => "1 event waits in the spill file".to_owned(),
        count => format!("{count} events wait in the spill file"),
    };
    Some(format!("{waiting}. {trouble}"))
}

fn called(names: &BTreeMap<String, String>, id: &str) -> String {
    names.get(id).cloned().unwrap_or_else(|| format!("Workspace {id}"))
}
