//! `log`: the usual actions of a kind, written out as if somebody had said
//! them. A heading of the same name replaces key by key what it names.

use super::{Action, File, Kind, List, Said, Sentence, Target};
use crate::rules::path::split_segments;
use crate::rules::route::is_name;

/// The actions that `log` writes.
pub(super) const VERBS: [&str; 3] = ["created", "edited", "deleted"];

/// Adds what the file's kinds log to its actions.
pub(super) fn complete(file: &mut File) {
    for kind in &file.kinds {
        for verb in &kind.log {
            let usual = usual(kind, verb);
            let own = file
                .actions
                .iter_mut()
                .find(|action| action.resource.value == kind.name.value && action.verb.value == verb.value);
            match own {
                Some(own) => complete_with(own, usual, kind),
                None => {
                    let mut action = Action { generated: true, ..Action::default() };
                    complete_with(&mut action, usual, kind);
                    file.actions.push(action);
                }
            }
        }
    }
}

/// Takes from the usual action what a heading does not say.
fn complete_with(own: &mut Action, usual: Action, kind: &Kind) {
    if own.generated {
        (own.resource, own.verb) = (usual.resource, usual.verb);
    }
    own.title = own.title.take().or(usual.title);
    own.message = own.message.take().or(usual.message);
    if !own.when.is_empty() {
        return;
    }
    own.when = usual.when;
    if own.each.is_empty() && matches!(own.target, Target::OnRoute) {
        (own.each, own.target) = (usual.each, usual.target);
    }
    own.also = bulk(own, kind).map(Box::new);
}

fn usual(kind: &Kind, verb: &Said) -> Action {
    let at = |value: String| Said { value, at: verb.at.clone() };
    let name = &kind.name.value;
    let words = name.replace('_', " ");
    let (short, past, methods) = match verb.value.as_str() {
        "created" => ("create", "Created", "POST"),
        "edited" => ("edit", "Edited", "PUT|PATCH"),
        _ => ("delete", "Deleted", "DELETE"),
    };
    let linked = kind.link.is_some() && past != "Deleted";
    let shown = if linked { format!("{name}_link") } else { name.clone() };
    let when = kind.at.iter().filter_map(|address| {
        let path = if methods == "POST" { collection(&address.value)? } else { address.value.as_str() };
        Some(at(format!("{methods} {path}")))
    });
    let mut action = Action {
        resource: kind.name.clone(),
        verb: verb.clone(),
        when: when.collect(),
        title: Some(Sentence::plain(at(format!("{short} {words}")))),
        message: Some(Sentence::plain(at(format!("{past} {words} {{{{ {shown} }}}}")))),
        ..Action::default()
    };
    if !kind.bulk.is_empty() && methods == "POST" {
        action.each = answered(kind, verb);
        // What was not made is known by what was asked for.
        let sent = kind.sent.iter().map(|sent| field("input", &sent.value));
        action.each.extend(sent.chain(kind.sent.is_empty().then(|| "input".to_owned())).map(at));
        action.target = Target::Element(kind.name.clone());
    }
    action
}

/// The same for many things at the kind's collection.
fn bulk(own: &Action, kind: &Kind) -> Option<Action> {
    let method = match own.verb.value.as_str() {
        "edited" => "PATCH",
        "deleted" => "DELETE",
        _ => return None,
    };
    if kind.bulk.is_empty() || !own.each.is_empty() {
        return None;
    }
    let at = |value: String| Said { value, at: own.verb.at.clone() };
    let collections = kind.at.iter().filter_map(|address| collection(&address.value));
    let when = collections.map(|path| at(format!("{method} {path}"))).collect();
    let mut each = if method == "PATCH" { answered(kind, &own.verb) } else { List::new() };
    each.extend(kind.bulk.iter().cloned());
    let target = Target::Element(kind.name.clone());
    Some(Action { when, each, target, also: None, tests: Vec::new(), generated: true, ..own.clone() })
}

/// Where an answer holds things of a kind: several, else one.
fn answered(kind: &Kind, verb: &Said) -> List {
    let mut places = Vec::new();
    for path in kind.many_or_usual() {
        let list = field("output", &path);
        places.push(if path == "." { format!("{list} if {list} is sequence") } else { list });
    }
    let id = kind.id.as_ref().map_or("id", |id| &id.value);
    for path in kind.one_or_usual() {
        let one = field("output", &path);
        let id = field(&one, id);
        places.push(format!("{one} if {id} is defined"));
    }
    places.into_iter().map(|value| Said { value, at: verb.at.clone() }).collect()
}

/// A dotted path inside a value, as an expression; `.` is the value itself.
fn field(of: &str, path: &str) -> String {
    if path == "." {
        return of.to_owned();
    }
    path.split('.').fold(of.to_owned(), |before, word| {
        if is_name(word) {
            format!("{before}.{word}")
        } else {
            format!("{before}['{}']", word.replace(['\'', '\\'], ""))
        }
    })
}

/// An address without its last segment, where that is its id.
fn collection(address: &str) -> Option<&str> {
    let last = split_segments(address).last().copied()?;
    let before = address.len().checked_sub(last.len() + 1)?;
    let collection = address.get(..before).filter(|before| !before.trim_start_matches('/').is_empty())?;
    last.contains('{').then_some(collection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_the_address_without_its_id() {
        for (address, expected) in [
            ("/beds/{id}", Some("/beds")),
            ("//v2/beds/{id:[a-z/]+}", Some("//v2/beds")),
            ("/me", None),
            ("/{id}", None),
        ] {
            assert_eq!(collection(address), expected, "{address}");
        }
    }

    #[test]
    fn a_path_inside_a_value_is_an_expression() {
        assert_eq!(field("output", "."), "output");
        assert_eq!(field("output", "data.items"), "output.data.items");
        assert_eq!(field("output", "data.my-items"), "output.data['my-items']");
    }
}
