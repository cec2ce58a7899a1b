//! JSON-RPC 2.0 over HTTP: the calls of a request, one or a batch, and how each ended.
//!
//! The answers of a batch come in any order and are found by their ids. A call
//! without an id asks for no answer and gets none.

use minijinja::Value;
use minijinja::value::ValueKind;

use super::call::{Call, Calls, Ended, MOST_CALLS, Reply, Sort};
use super::expression::{dig, is_there};
use crate::event::Outcome;

/// Whether a body is JSON-RPC rather than GraphQL.
pub(crate) fn looks_so(body: &Value) -> bool {
    let first =
        if body.kind() == ValueKind::Seq { body.get_item_by_index(0).unwrap_or_default() } else { body.clone() };
    is_there(&dig(&first, "method")) && !is_there(&dig(&first, "query"))
}

/// The calls of a request's body.
pub(crate) fn calls(body: &Value) -> Calls {
    let batch = body.kind() == ValueKind::Seq;
    let requests: Vec<Value> =
        if batch { body.try_iter().map(Iterator::collect).unwrap_or_default() } else { vec![body.clone()] };
    let mut calls = Calls::default();
    for request in requests.iter().take(MOST_CALLS) {
        let method = dig(request, "method");
        let Some(name) = method.as_str() else {
            let why = "the request names no JSON-RPC method".to_owned();
            if !calls.unread.contains(&why) {
                calls.unread.push(why);
            }
            continue;
        };
        let id = Some(dig(request, "id")).filter(is_there);
        calls.calls.push(Call {
            sort: Sort::Rpc,
            name: name.to_owned(),
            input: dig(request, "params"),
            uploads: Value::UNDEFINED,
            reply: Reply::Id { id, batch },
        });
    }
    if requests.len() > MOST_CALLS {
        calls.unread.push(format!("the JSON-RPC batch has more than {MOST_CALLS} calls"));
    }
    calls
}

/// How the call of an id ended.
pub(crate) fn ended(answer: &Value, id: &Value, batch: bool) -> Ended {
    let found = match answer.kind() {
        ValueKind::Seq => {
            let mut answers = answer.try_iter().into_iter().flatten();
            answers.find(|answer| dig(answer, "id") == *id).unwrap_or_default()
        }
        // The whole batch can be refused by one answer, never granted.
        _ if batch && !is_there(&dig(answer, "error")) => Value::UNDEFINED,
        _ => answer.clone(),
    };
    let (result, error) = (dig(&found, "result"), dig(&found, "error"));
    if is_there(&error) {
        let denied = matches!(dig(&error, "code").as_i64(), Some(401 | 403));
        let outcome = if denied { Outcome::Denied } else { Outcome::Failure };
        return Ended { outcome, output: Value::UNDEFINED, error };
    }
    let outcome = if result.is_undefined() { Outcome::Unknown } else { Outcome::Success };
    Ended { outcome, output: result, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::body;

    fn json(text: &str) -> Value {
        body::json(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_batch_is_answered_in_any_order_and_by_id() {
        let calls = calls(&json(
            r#"[{"method": "a", "id": 1, "params": {"x": 1}}, {"method": "b", "id": "1"}, {"method": "c"}, {}, 7]"#,
        ));
        assert_eq!(calls.calls.iter().map(|call| &*call.name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(calls.unread.len(), 1);
        assert!(matches!(calls.calls[2].reply, Reply::Id { id: None, .. }));
        let answer = json(r#"[{"id": "1", "error": {"code": -32000}}, {"id": 1, "result": {"y": 2}}]"#);
        let outcome = |id: Value| ended(&answer, &id, true).outcome;
        assert_eq!(
            (outcome(1.into()), outcome("1".into()), outcome(2.into())),
            (Outcome::Success, Outcome::Failure, Outcome::Unknown)
        );
    }

    #[test]
    fn a_whole_batch_can_be_refused_at_once_and_a_null_result_is_one() {
        assert_eq!(ended(&json(r#"{"id": null, "error": {"code": 403}}"#), &1.into(), true).outcome, Outcome::Denied);
        assert_eq!(ended(&json(r#"{"id": 1, "result": 4}"#), &1.into(), true).outcome, Outcome::Unknown);
        assert_eq!(ended(&json(r#"{"id": 1, "result": null}"#), &1.into(), false).outcome, Outcome::Success);
    }
}
