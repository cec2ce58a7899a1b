//! GraphQL over HTTP: which fields a request asks for, and how each ended.
//!
//! Reads JSON bodies, batches, `application/graphql`, forms, a `query` in the
//! address, multipart uploads, and queries that are sent by their hash where
//! their text is known. What cannot be read is said, never taken for nothing.

mod document;
mod multipart;
pub(crate) mod persisted;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::body::{self, Content, table};
use super::call::{Call, Calls, Ended, MOST_CALLS, Reply, Sort};
use super::expression::{attribute, dig, is_there};
use crate::event::Outcome;
use crate::memory::Recall;
use persisted::{Documents, Passed};

/// The fields of a request. `query` are the pairs of its address, for a GET and for `application/graphql`.
pub(crate) fn calls(request: &Content, query: &Value, documents: &Documents, memory: &dyn Recall) -> Calls {
    let mut calls = Calls::default();
    let operations = match multipart::operations(request) {
        Ok(Some(operations)) => operations,
        Ok(None) => in_body(&request.value, query),
        Err(why) => {
            calls.unread.push(why);
            return calls;
        }
    };
    for (number, operation) in operations.iter().take(MOST_CALLS).enumerate() {
        if let Err(why) = read(number, operation, request, documents, memory, &mut calls)
            && !calls.unread.contains(&why)
        {
            calls.unread.push(why);
        }
    }
    if operations.len() > MOST_CALLS {
        calls.unread.push(format!("the GraphQL request has more than {MOST_CALLS} operations"));
    }
    calls
}

/// The operations of a body that is not multipart, one or a batch.
fn in_body(body: &Value, query: &Value) -> Vec<Value> {
    match body.kind() {
        ValueKind::Seq => body.try_iter().map(Iterator::collect).unwrap_or_default(),
        // `application/graphql`: the text alone; the rest stands in the address.
        ValueKind::String => {
            let other = ["operationName", "variables", "extensions"].map(|name| (name, dig(query, name)));
            vec![table(other.into_iter().chain([("query", body.clone())]).collect())]
        }
        ValueKind::Undefined => vec![query.clone()],
        _ => vec![body.clone()],
    }
}

fn read(
    number: usize,
    operation: &Value,
    request: &Content,
    documents: &Documents,
    memory: &dyn Recall,
    calls: &mut Calls,
) -> Result<(), String> {
    let (query, hash) = (dig(operation, "query"), persisted::hash(operation));
    let known;
    let text = match (query.as_str().filter(|text| !text.is_empty()), &hash) {
        (Some(text), hash) => {
            calls.passed.extend(hash.as_deref().and_then(|hash| Passed::of(hash, text)));
            text
        }
        (None, Some(hash)) => {
            known = documents
                .text(hash, memory)
                .ok_or("the GraphQL query was sent by its hash, and its text never passed by")?;
            &known
        }
        (None, None) => return Err("the request holds no GraphQL query".to_owned()),
    };
    let name = dig(operation, "operationName");
    let uploads = multipart::uploads_of(operation, request);
    let before = calls.calls.len();
    let variables = from_text(dig(operation, "variables"));
    let found = document::fields(text, name.as_str(), &variables)?;
    for field in found {
        if calls.calls.len() >= MOST_CALLS {
            calls.calls.truncate(before.max(MOST_CALLS));
            return Err(format!("the GraphQL request has more than {MOST_CALLS} fields"));
        }
        calls.calls.push(Call {
            sort: if field.mutation { Sort::Mutation } else { Sort::Query },
            name: field.name,
            input: field.input,
            uploads: uploads.clone(),
            reply: Reply::Field { operation: number, key: field.key },
        });
    }
    Ok(())
}

/// What a form and an address hold as text is JSON.
fn from_text(value: Value) -> Value {
    match value.as_str() {
        Some(text) => body::json(text.as_bytes()).unwrap_or_default(),
        None => value,
    }
}

/// How a field ended: it fails when an error's path names it, or when its result is null beside errors.
pub(crate) fn ended(answer: &Value, operation: usize, key: &str) -> Ended {
    let answer = match answer.kind() {
        ValueKind::Seq => answer.get_item_by_index(operation).unwrap_or_default(),
        _ => answer.clone(),
    };
    let result = attribute(&dig(&answer, "data"), key);
    let errors = dig(&answer, "errors");
    let list: Vec<Value> = errors.try_iter().map(Iterator::collect).unwrap_or_default();
    let names = |error: &&Value| dig(error, "path").get_item_by_index(0).is_ok_and(|first| first.as_str() == Some(key));
    let own = list.iter().find(names);
    let Some(error) = own.or_else(|| list.first().filter(|_| !is_there(&result))) else {
        // No error and no data: whatever this is, it is no GraphQL answer.
        let told = !answer.is_undefined() && !dig(&answer, "data").is_undefined();
        let outcome = if told { Outcome::Success } else { Outcome::Unknown };
        return Ended { outcome, output: result, error: Value::UNDEFINED };
    };
    let outcome = match dig(error, "extensions.code").as_str() {
        Some("UNAUTHENTICATED" | "FORBIDDEN" | "UNAUTHORIZED") => Outcome::Denied,
        _ => Outcome::Failure,
    };
    Ended { outcome, output: Value::UNDEFINED, error: errors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    fn told(request: &Content, query: &Value) -> (Vec<(String, String)>, Vec<String>) {
        let calls = calls(request, query, &Documents::default(), &Memory::new(9));
        (calls.calls.into_iter().map(|call| (call.name, call.input.to_string())).collect(), calls.unread)
    }

    fn json(text: &str) -> Value {
        body::json(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_query_may_stand_in_the_address_in_a_form_or_alone() {
        let expected = vec![("bed".to_owned(), "{'id': 7}".to_owned())];
        let query = r#"{"query": "query B($id: ID) { bed(id: $id) { name } }", "variables": "{\"id\": 7}"}"#;
        assert_eq!(told(&Content::default(), &json(query)).0, expected);
        let form = Content { value: json(query), is_form: true, ..Content::default() };
        assert_eq!(told(&form, &Value::UNDEFINED).0, expected);
        let alone = Content { value: Value::from("query B($id: ID) { bed(id: $id) { name } }"), ..Content::default() };
        assert_eq!(told(&alone, &json(r#"{"variables": "{\"id\": 7}"}"#)).0, expected);
    }

    #[test]
    fn what_cannot_be_read_of_a_batch_hides_nothing_else() {
        let batch = r#"[{"query": "mutation {"}, {"query": "mutation { dig }"}, {"extensions": {"persistedQuery": {"sha256Hash": "x"}}}, {}]"#;
        let (calls, unread) = told(&Content { value: json(batch), ..Content::default() }, &Value::UNDEFINED);
        assert_eq!((calls.len(), unread.len()), (1, 3), "{unread:?}");
    }

    #[test]
    fn a_field_ends_as_the_errors_that_name_it_say() {
        let answer = json(
            r#"{"data": {"a": {"id": 1}, "b": null, "c": null}, "errors": [{"path": ["b"], "extensions": {"code": "FORBIDDEN"}}]}"#,
        );
        let outcome = |key: &str| ended(&answer, 0, key).outcome;
        assert_eq!(outcome("a"), Outcome::Success);
        assert_eq!(outcome("b"), Outcome::Denied);
        assert_eq!(outcome("c"), Outcome::Denied, "null beside errors");
        assert_eq!(ended(&json(r#"{"data": {"a": null}}"#), 0, "a").outcome, Outcome::Success);
        assert_eq!(ended(&json("[]"), 0, "a").outcome, Outcome::Unknown);
        assert_eq!(ended(&json(r#"[{"data": {"a": 1}}, {"errors": [{}]}]"#), 1, "a").outcome, Outcome::Failure);
    }
}
