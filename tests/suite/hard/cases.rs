//! The cases whose requests are small.

use std::time::Instant;

use serde_json::{Value, json};

use super::client::Client;
use super::fronts::LOOKUP;
use super::{KNOWN_QUERY, case};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_list_named_has_its_name_also_after_a_restart() {
    let events = case(
        1,
        &[
            |client| {
                Box::pin(async move {
                    client.ask("GET /v1/w1/people").await;
                    client.json("PATCH /v1/w1/people/204", json!({"role": "admin"})).await;
                })
            },
            |client| {
                Box::pin(async move {
                    client.json("PATCH /v1/w1/people/204", json!({"role": "owner"})).await;
                    client.ask("DELETE /v1/w1/people/205").await;
                    client.ask("DELETE /v1/w1/people/204").await;
                })
            },
        ],
        &[
            "success: Changed role of ann@house.it to admin",
            "success: Changed role of ann@house.it to owner",
            "success: Deleted ben@house.it",
            "success: Deleted ann@house.it",
        ],
    )
    .await;
    let from: Vec<_> = events.iter().flat_map(|event| &event.changes).map(|change| change.from.clone()).collect();
    assert_eq!(from, [Some(json!("editor")), Some(json!("admin"))], "the second one is remembered over the restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_ever_saw_is_looked_up_before_it_is_deleted() {
    case(
        2,
        &[|client| {
            Box::pin(async move {
                client.ask("DELETE /v1/w1/books/7").await;
                let began = Instant::now();
                assert_eq!(client.ask("DELETE /v1/w1/books/8").await, 204);
                assert!(began.elapsed() < 3 * LOOKUP, "the client waited {:?}", began.elapsed());
                client.ask("DELETE /v1/w1/books/9").await;
                assert_eq!(client.ask("DELETE /v1/w1/books/10").await, 409);
            })
        }],
        &[
            "success: Deleted book Emma",
            "success: Deleted book 8",
            "success: Deleted book 9",
            "failure: Failed: Deleted book Inferno",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_patch_gives_an_event_for_each_field_that_changed() {
    case(
        3,
        &[|client| {
            Box::pin(async move {
                client.ask("GET /v1/w1/houses/1").await;
                let sent = json!({"name": "Acme Press", "url": "acme.it", "timezone": "UTC"});
                client.json("PATCH /v1/w1/houses/1", sent).await;
            })
        }],
        &["success: Renamed Acme to Acme Press", "success: Changed the time zone to UTC"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_list_gives_what_came_and_what_went() {
    case(
        4,
        &[|client| {
            Box::pin(async move {
                client.ask("GET /v1/w1/books/7").await;
                client.ask("GET /v1/w1/tags").await;
                client.json("PUT /v1/w1/books/7/tags", json!({"tags": [2, 3, 4]})).await;
            })
        }],
        &["success: Added tag new to Emma", "success: Added tag fresh to Emma", "success: Removed tag old from Emma"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_inside_an_answer_belong_to_their_own_elements() {
    let lent = |to: usize| format!("success: Lent volume {to} to p{to}");
    let refused = |to: usize| format!("failure: Failed: Lent volume {to} to p{to}");
    let each = [lent(1), refused(2), lent(3), refused(4), lent(5)];
    let says: Vec<&str> = each.iter().chain(&each).map(String::as_str).collect();
    case(
        7,
        &[|client| {
            Box::pin(async move {
                let loans: Vec<Value> = (1..=5).map(|n| json!({"book": n, "to": format!("p{n}")})).collect();
                assert_eq!(client.json("POST /v1/w1/loans", json!({"loans": loans})).await, 207);
                assert_eq!(client.json("POST /v1/w1/loans?all=ok", json!({"loans": loans})).await, 200);
            })
        }],
        &says,
    )
    .await;
}

/// A GraphQL request.
async fn graph(client: Client, body: Value) {
    let fields = "Content-Type: application/json\r\nX-House: w1\r\n";
    assert_eq!(client.send("POST /graphql", fields, body.to_string()).await.0, 200);
}

fn hash(text: &str) -> Value {
    use sha2::Digest;
    let hash: String = sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_of_a_graphql_request_is_an_action_of_its_own() {
    const ONE: &str = "mutation One($id: ID!) { deleteNote(id: $id) }";
    let events = case(
        8,
        &[|client| {
            Box::pin(async move {
                graph(client, json!({"query": "{ notes { id title } }"})).await;
                let aliases = "mutation M($x: ID!) { one: deleteNote(id: $x) two: deleteNote(id: \"locked\") }";
                graph(client, json!({"query": aliases, "variables": {"x": "a"}})).await;
                let one = |id: &str| json!({"query": ONE, "variables": {"id": id}});
                graph(client, json!([one("b"), one("locked"), one("c")])).await;
                // The text passes by with its hash, then the hash alone; another hash stands in a file.
                graph(client, json!({"query": ONE, "variables": {"id": "a"}, "extensions": hash(ONE)})).await;
                graph(client, json!({"variables": {"id": "b"}, "extensions": hash(ONE)})).await;
                graph(client, json!({"extensions": hash(KNOWN_QUERY)})).await;
            })
        }],
        &[
            "success: Deleted note Alpha",
            "failure: Failed: Deleted note Secret",
            "success: Deleted note Beta",
            "failure: Failed: Deleted note Secret",
            "success: Deleted note Gamma",
            "success: Deleted note Alpha",
            "success: Deleted note Beta",
            "success: Deleted note Gamma",
        ],
    )
    .await;
    assert!(events.iter().all(|event| event.workspace.as_deref() == Some("w1")), "the workspace is in a field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_has_its_outcome_when_a_poll_shows_it() {
    case(
        9,
        &[|client| {
            Box::pin(async move {
                assert_eq!(client.json("POST /v1/w1/exports", json!({"what": "sales"})).await, 202);
                for _ in 0..3 {
                    client.ask("GET /v1/w1/jobs/j-1").await;
                }
            })
        }],
        &["pending: Exported sales", "success: Exported sales"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signed_in_is_known_from_the_answer_and_a_failed_login_names_no_actor() {
    let events = case(
        10,
        &[|client| {
            Box::pin(async move {
                let login = |password: &str| json!({"email": "anna@house.it", "password": password});
                assert_eq!(client.json("POST /login", login("wrong")).await, 401);
                assert_eq!(client.json("POST /login", login("right")).await, 200);
                client.send("PUT /posters/3", "Cookie: theme=dark; sid=anna-1\r\n", "").await;
            })
        }],
        &["denied: failed to sign in as anna@house.it", "success: signed in", "success: Hung up poster 3"],
    )
    .await;
    let actors: Vec<_> = events.iter().map(|event| event.actor.label()).collect();
    assert_eq!(actors, [None, Some("anna@house.it"), Some("anna@house.it")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_an_action_is_not_a_question_of_the_method() {
    case(
        11,
        &[|client| {
            Box::pin(async move {
                client.ask("GET /v1/w1/sales?export=csv").await;
                client.ask("GET /v1/w1/sales").await;
                client.json("POST /v1/w1/search", json!({"q": "emma"})).await;
                client.json("POST /v1/w1/hash", json!({"text": "emma"})).await;
            })
        }],
        &["success: Downloaded the sales as csv"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_says_what_it_deletes_in_its_body_or_in_its_address() {
    case(
        12,
        &[|client| {
            Box::pin(async move {
                client.ask("GET /v1/w1/shelves").await;
                client.json("DELETE /v1/w1/shelves", json!({"ids": [8, 7]})).await;
                client.ask("DELETE /v1/w1/shelves?state=empty").await;
            })
        }],
        &["success: Deleted shelf South", "success: Deleted shelf North", "success: Deleted every shelf that is empty"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upsert_is_what_its_status_says() {
    case(
        13,
        &[|client| {
            Box::pin(async move {
                assert_eq!(client.ask("PUT /v1/w1/keys/front%20door").await, 201);
                assert_eq!(client.ask("PUT /v1/w1/keys/front%20door").await, 204);
            })
        }],
        &["success: Added key front door", "success: Edited key front door"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_in_a_field_counts_where_the_platform_honours_it() {
    let events = case(
        14,
        &[|client| {
            Box::pin(async move {
                client.ask("GET /v1/w1/books/7").await;
                client.send("POST /v1/w1/books/7", "X-HTTP-Method-Override: DELETE\r\n", "").await;
                client.send("POST /v1/w1/books/7", "X-HTTP-Method-Override: GET\r\n", "").await;
            })
        }],
        &["success: Deleted book Emma"],
    )
    .await;
    assert_eq!(events[0].request.as_ref().unwrap().method, "POST (DELETE)", "both are kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_that_only_the_platform_understands_is_asked_for_there() {
    let events = case(
        17,
        &[|client| {
            Box::pin(async move {
                client.send("PUT /posters/4", "Cookie: sid=bo-1\r\n", "").await;
                client.send("PUT /posters/5", "Cookie: sid=stale\r\n", "").await;
            })
        }],
        &["success: Hung up poster 4", "success: Hung up poster 5"],
    )
    .await;
    let actors: Vec<_> = events.iter().map(|event| event.actor.label()).collect();
    assert_eq!(actors, [Some("Bo"), None]);
}
