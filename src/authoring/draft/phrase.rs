//! The sentence of a route that is none of the usual three: from the description's summary where it says more than
//! the path, else from method and path.

use super::kinds::Kind;
use super::route::Segment;
use super::words::{self, past};

/// Longer summaries are no titles.
const LONGEST: usize = 72;
/// Verbs that have an opposite with `un`.
const UNDONE: &str = " archive assign ban block bookmark favorite flag follow freeze hide like link lock mark mount mute pin \
publish share star subscribe suspend tag watch ";
/// Verbs that take something away themselves: `DELETE /roles/delete` calls nothing off.
const TAKING: &str =
    " clear delete destroy detach disconnect dismiss erase purge remove revoke trash unassign unlink unset ";
/// What a summary ends with that no sentence needs.
const CUTS: [&str; 13] = [
    " using ",
    " via ",
    " by ",
    " based on ",
    " in order ",
    " from the ",
    " from your ",
    " in your ",
    " within your ",
    " for your ",
    " for the authenticated user",
    " for authenticated user",
    " for the current user",
];
/// What makes a summary more than a sentence with one verb.
const WINDING: [&str; 7] = [" that ", " which ", " if ", " when ", " and ", " or ", " so "];

/// What was done, as a sentence and as a title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Phrase {
    /// `published`
    pub(super) past: String,
    /// `Published document {{ document }}`
    pub(super) message: String,
    /// `publish document`
    pub(super) title: String,
}

impl Phrase {
    /// `verb` and what follows it: `add`, `labels to issue {{ issue }}`.
    pub(super) fn new(verb: &str, rest: &str) -> Phrase {
        let past = past(verb);
        let message = words::capital(format!("{past} {rest}").trim());
        let mut plain = String::new();
        let mut left = rest;
        while let Some((before, after)) = left.split_once("{{") {
            plain.push_str(before);
            left = after.split_once("}}").map_or("", |(_, after)| after);
        }
        plain.push_str(left);
        let title = format!("{verb} {plain}").split_whitespace().collect::<Vec<_>>().join(" ");
        Phrase { past, message, title }
    }
}

/// What a route is about.
pub(super) struct About<'a> {
    pub(super) method: &'a str,
    /// The thing whose address begins the route.
    pub(super) owner: Option<&'a Kind>,
    /// The words of the path behind the owner's address.
    pub(super) behind: Vec<String>,
    /// What the route ends with, and the value that stands there: `label`, `{{ label }}`.
    pub(super) value: Option<(String, String)>,
}

impl About<'_> {
    /// `issue {{ issue }}`
    fn owner(&self) -> Option<String> {
        self.owner.map(|kind| format!("{} {{{{ {} }}}}", kind.words(), kind.name))
    }

    /// `rest` and whose it is: `labels to issue {{ issue }}`.
    fn with_owner(&self, rest: &str, joint: &str) -> String {
        match self.owner() {
            Some(owner) if rest.is_empty() => owner,
            Some(owner) => format!("{rest} {joint} {owner}"),
            None => rest.to_owned(),
        }
    }

    /// The sentence that method and path give.
    pub(super) fn told_by_path(&self) -> Option<Phrase> {
        let last = match (self.behind.last(), &self.value) {
            (Some(last), _) => last.as_str(),
            (None, Some(_)) => "",
            (None, None) => return None,
        };
        let own = words::words(last);
        if is_own(last) {
            return Some(self.of_oneself());
        }
        if let Some((verb, length)) = words::verb_of(&own).filter(|(verb, _)| {
            words::is_verb(verb) && own.contains(verb) && !words::is_plural(last) && self.value.is_none()
        }) {
            return Some(self.done(&verb, own.get(length..).unwrap_or_default()));
        }
        let noun = match &self.value {
            Some((noun, value)) => format!("{noun} {value}").trim().to_owned(),
            None => own.join(" "),
        };
        let one = words::singular(&own.join("_")).replace('_', " ");
        Some(match (self.method, &self.value, &self.owner) {
            ("POST", None, None) => Phrase::new("create", &one),
            ("POST", _, _) | ("PUT", Some(_), _) => Phrase::new("add", &self.with_owner(&noun, "to")),
            ("DELETE", Some(_), Some(_)) => Phrase::new("remove", &self.with_owner(&noun, "from")),
            ("DELETE", _, _) => Phrase::new("delete", &self.with_owner(&noun, "of")),
            ("PUT", None, Some(_)) => Phrase::new("set", &self.with_owner(&noun, "of")),
            _ => Phrase::new("edit", &self.with_owner(&noun, "of")),
        })
    }

    /// What one does to what is one's own: `/users/@me`.
    fn of_oneself(&self) -> Phrase {
        let verb = match self.method {
            "POST" => "add",
            "DELETE" => "delete",
            _ => "edit",
        };
        let before = self.behind.iter().rev().nth(1).and_then(|word| words::name_of(word));
        match before {
            Some(noun) => {
                let noun = words::singular(&noun).replace('_', " ");
                Phrase::new(verb, &self.with_owner(&format!("own {noun}"), "of"))
            }
            None => Phrase::new(if self.method == "PUT" { "add" } else { verb }, &self.with_owner("own", "")),
        }
    }

    /// A verb in the path: `publish`, `reset-password`, `mark-as-read`.
    fn done(&self, verb: &str, more: &[String]) -> Phrase {
        let rest = more.join(" ");
        if self.method == "DELETE" && !TAKING.contains(&format!(" {verb} ")) {
            if UNDONE.contains(&format!(" {verb} ")) {
                return Phrase::new(&format!("un{verb}"), &self.with_owner(&rest, "of"));
            }
            return Phrase::new("cancel", &self.with_owner(format!("{verb} {rest}").trim(), "of"));
        }
        let before = self.behind.iter().rev().nth(1).map(|word| words::words(word).join(" ")).unwrap_or_default();
        if verb == "mark" && self.owner.is_some() && !rest.is_empty() {
            let state = rest.strip_prefix("as ").unwrap_or(&rest);
            return Phrase::new(verb, &format!("{} as {state}", self.owner().unwrap_or_default()));
        }
        let object = match (rest.is_empty(), before.is_empty()) {
            (true, _) => before,
            (false, true) => rest,
            (false, false) => format!("{rest} of {before}"),
        };
        Phrase::new(verb, &self.with_owner(&object, "of"))
    }

    /// The sentence that a summary gives: `Lock an issue` → `Locked issue {{ issue }}`.
    pub(super) fn told_by_summary(&self, summary: &str) -> Option<Phrase> {
        let mut text = summary.trim();
        for cut in ['(', ',', ';', '.', ':', '\n', '[', '<'] {
            text = text.split(cut).next().unwrap_or_default();
        }
        let mut text = text.replace(['`', '*', '"', '_'], " ");
        for cut in CUTS {
            if let Some(at) = text.find(cut).filter(|at| *at > 8) {
                text.truncate(at);
            }
        }
        let fits = |letter: char| letter.is_ascii_alphanumeric() || " -'/&".contains(letter);
        if text.len() > LONGEST || !text.chars().all(fits) || WINDING.iter().any(|word| text.contains(word)) {
            return None;
        }
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        // A word that the path ends with is a verb, whatever it is.
        let last = self.behind.last().map(|last| words::words(last)).unwrap_or_default();
        let same = words.first().map(|word| word.to_lowercase()).filter(|word| last.first() == Some(word));
        let (verb, length) = words::verb_of(&words).or(same.map(|verb| (verb, 1)))?;
        let rest: Vec<&str> = words
            .iter()
            .skip(length)
            .map(String::as_str)
            .filter(|word| !self.is_owners(word))
            .filter(|word| {
                !["a", "an", "the", "one", "new", "existing", "specified", "given"]
                    .contains(&word.to_lowercase().as_str())
            })
            .collect();
        let capitals = rest.iter().filter(|word| word.starts_with(|letter: char| letter.is_ascii_uppercase())).count();
        let is_title = capitals * 2 > rest.len();
        let rest: Vec<String> =
            rest.iter().map(|word| if is_title { lowered(word) } else { (*word).to_owned() }).collect();
        if rest.len() > 10 || rest.is_empty() && self.owner.is_none() {
            return None;
        }
        Some(Phrase::new(&verb, &self.placed(rest)))
    }

    /// `channel's`, where it is the channel's anyway.
    fn is_owners(&self, word: &str) -> bool {
        let bare = word.strip_suffix("'s").or_else(|| word.strip_suffix("s'"));
        bare.zip(self.owner)
            .is_some_and(|(bare, kind)| is_same(bare, kind.words().rsplit(' ').next().unwrap_or_default()))
    }

    /// Puts the owner's name and the value behind their words.
    fn placed(&self, mut rest: Vec<String>) -> String {
        let find = |rest: &[String], noun: &str| rest.iter().rposition(|word| is_same(word, noun));
        let collection = self.owner.and_then(|kind| kind.collection().last()).and_then(Segment::fixed);
        let collection = collection.and_then(words::name_of).map(|word| words::singular(&word)).unwrap_or_default();
        if let Some((noun, value)) = &self.value {
            let last = noun.rsplit(' ').next().unwrap_or(noun);
            let at = find(&rest, last).filter(|_| !value.is_empty());
            if let Some(word) = at.and_then(|at| rest.get_mut(at)) {
                *word = format!("{} {value}", words::singular(word));
            }
        }
        let Some(owner) = self.owner else { return rest.join(" ") };
        let words = owner.words();
        let last = words.rsplit(' ').next().unwrap_or(&words);
        let other = collection.rsplit('_').next().filter(|noun| !noun.is_empty());
        match find(&rest, last).or_else(|| find(&rest, other?)) {
            Some(at) => {
                let word = rest.get(at).cloned().unwrap_or_default();
                let is_last = at + 1 == rest.len() || !is_noun(rest.get(at + 1));
                // `issue comments` is about comments: the owner comes behind them.
                if is_last && !word.contains("{{") {
                    if let Some(slot) = rest.get_mut(at) {
                        // Where the rules have their own word for it, theirs is said.
                        let said = if is_same(&word, last) { words::singular(&word) } else { words.clone() };
                        *slot = format!("{said} {{{{ {} }}}}", owner.name);
                    }
                    return rest.join(" ");
                }
                format!("{} of {}", rest.join(" "), self.owner().unwrap_or_default())
            }
            None => self.with_owner(&rest.join(" "), joint(&rest)),
        }
    }
}

/// Whether a word means whoever asks.
pub(super) fn is_own(word: &str) -> bool {
    ["me", "@me", "self", "~", "current", "@self"].contains(&word)
}

/// Whether a word goes on with what stands before it: no preposition, no `as`.
fn is_noun(word: Option<&String>) -> bool {
    let small =
        ["as", "to", "of", "from", "for", "in", "on", "into", "with", "and", "at", "by", "or", "out", "up", "off"];
    word.is_some_and(|word| !small.contains(&word.as_str()))
}

fn joint(rest: &[String]) -> &'static str {
    if is_noun(rest.last()) { "of" } else { "" }
}

/// `repo` and `repository`, `label` and `labels`.
fn is_same(word: &str, noun: &str) -> bool {
    let word = words::singular(&word.to_lowercase());
    let (short, long) = if word.len() < noun.len() { (word.as_str(), noun) } else { (noun, word.as_str()) };
    word == noun
        || short.len() >= 3
            && long.starts_with(short)
            && ["repo", "org", "app", "config", "env", "doc"].contains(&short)
}

/// A word of a title in lower case; an abbreviation stays.
fn lowered(word: &str) -> String {
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    if capitals > 1 { word.to_owned() } else { word.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about<'a>(method: &'a str, owner: Option<&'a Kind>, behind: &[&str], value: Option<(&str, &str)>) -> About<'a> {
        let behind = behind.iter().map(|word| (*word).to_owned()).collect();
        About { method, owner, behind, value: value.map(|(noun, value)| (noun.to_owned(), value.to_owned())) }
    }

    #[test]
    fn a_path_gives_a_sentence() {
        let issue = Kind { name: "issue".to_owned(), ..Kind::default() };
        let told = |method: &str, behind: &[&str], value: Option<(&str, &str)>| {
            about(method, Some(&issue), behind, value).told_by_path().unwrap().message
        };
        assert_eq!(told("POST", &["publish"], None), "Published issue {{ issue }}");
        assert_eq!(told("DELETE", &["lock"], None), "Unlocked issue {{ issue }}");
        assert_eq!(told("POST", &["labels"], None), "Added labels to issue {{ issue }}");
        assert_eq!(
            told("DELETE", &["labels"], Some(("label", "{{ label }}"))),
            "Removed label {{ label }} from issue {{ issue }}"
        );
        assert_eq!(told("PUT", &["subscription"], None), "Set subscription of issue {{ issue }}");
        assert_eq!(told("POST", &["mark-as-read"], None), "Marked issue {{ issue }} as read");
        assert_eq!(told("POST", &["reset_password"], None), "Reset password of issue {{ issue }}");
        let alone = |method: &str, behind: &[&str]| about(method, None, behind, None).told_by_path().unwrap();
        assert_eq!(alone("POST", &["documents", "import"]).message, "Imported documents");
        assert_eq!(alone("DELETE", &["models", "delete"]).message, "Deleted models");
        assert_eq!(alone("DELETE", &["models", "delete-tag"]).message, "Deleted tag of models");
        assert_eq!(alone("DELETE", &["exports", "run"]).message, "Cancelled run");
        assert_eq!(alone("PATCH", &["users", "@me"]).message, "Edited own user");
        assert_eq!(alone("POST", &["messages", "bulk-delete"]).message, "Deleted messages");
        assert_eq!(alone("PUT", &["settings"]).message, "Edited settings");
        assert_eq!(alone("POST", &["uploads"]).title, "create upload");
    }

    #[test]
    fn a_summary_gives_a_better_one() {
        let issue = Kind { name: "issue".to_owned(), ..Kind::default() };
        let told = |summary: &str| {
            about("PUT", Some(&issue), &["x"], None).told_by_summary(summary).map(|phrase| phrase.message)
        };
        assert_eq!(told("Lock an issue").as_deref(), Some("Locked issue {{ issue }}"));
        assert_eq!(told("Adds labels to the issue.").as_deref(), Some("Added labels to issue {{ issue }}"));
        assert_eq!(told("Set Custom Fields For Issue").as_deref(), Some("Set custom fields for issue {{ issue }}"));
        assert_eq!(told("Remove sub-issue").as_deref(), Some("Removed sub-issue of issue {{ issue }}"));
        assert_eq!(told("Update the issue's privacy").as_deref(), Some("Updated privacy of issue {{ issue }}"));
        assert_eq!(told("{{ x }}\n\"]"), None);
        assert_eq!(told("Deine Aufgabe"), None);
    }
}
