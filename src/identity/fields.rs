//! From a JSON object to an actor: where id, name and e-mail are.

use serde_json::Value;

use super::settings::Fields;
use crate::event::{Actor, ActorKind};

/// The person an object tells of; `None` if it has none of the three.
pub(super) fn person(object: &Value, fields: &Fields) -> Option<Actor> {
    let text = |path: &str| at(object, path).and_then(text_of);
    let actor = Actor {
        kind: ActorKind::User,
        id: text(&fields.id),
        name: text(&fields.name),
        email: text(&fields.email),
        unknown_because: None,
    };
    actor.label().is_some().then_some(actor)
}

/// Takes from `other` what `actor` lacks.
pub(super) fn complete(actor: &mut Actor, other: &Actor) {
    actor.id = actor.id.take().or_else(|| other.id.clone());
    actor.name = actor.name.take().or_else(|| other.name.clone());
    actor.email = actor.email.take().or_else(|| other.email.clone());
}

/// A member by its name, or by its dotted path (a claim's name may hold dots itself).
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    object.get(path).or_else(|| path.split('.').try_fold(object, |value, name| value.get(name)))
}

/// Text as it is, a number as text; nothing else names anybody.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_is_found_where_the_settings_say() {
        let fields = Fields { id: "data.user.id".into(), name: "https://acme.it/name".into(), email: String::new() };
        let object = json!({"data": {"user": {"id": 812}}, "https://acme.it/name": "Cosimo", "email": "c@acme.it"});
        let actor = person(&object, &fields).unwrap();
        assert_eq!((actor.id.as_deref(), actor.name.as_deref(), actor.email), (Some("812"), Some("Cosimo"), None));
    }

    #[test]
    fn nobody_is_found_in_what_names_nobody() {
        for object in [json!({}), json!([1]), json!({"id": null, "name": "  ", "email": {"a": 1}}), json!("me")] {
            assert_eq!(person(&object, &Fields::default()), None, "{object}");
        }
    }
}
