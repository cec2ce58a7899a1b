//! Exports hold what the API shows, and say what they are.

use serde_json::Value;
use sidetrail::record::Right;

use super::{Client, token};
use crate::fixture::Fixture;

const COLUMNS: &str = "User,Date/Time,Action,id,seq,time,workspace,category,action_key,outcome,actor_id,actor_email,\
                       target_type,target_id,target_name,link,ip,user_agent,method,path,status,request_id,details,changes";

/// The rows of a CSV, by column.
fn rows(csv: &[u8]) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(csv).records().map(Result::unwrap).collect()
}

/// The cells of an event that stand as they are, after the three of the page.
fn cells(event: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let json = |value: &Value| {
        let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|map| map.is_empty());
        if empty { String::new() } else { value.to_string() }
    };
    let target = &event["targets"][0];
    let mut cells: Vec<String> = ["id", "seq", "time", "workspace", "category", "action", "outcome"]
        .iter()
        .map(|name| text(&event[*name]))
        .collect();
    cells.extend([&event["actor"]["id"], &event["actor"]["email"]].map(text));
    cells.extend([&target["type"], &target["id"], &target["name"], &target["link"]].map(text));
    cells.extend([&event["source"]["ip"], &event["source"]["user_agent"]].map(text));
    cells.extend(["method", "path", "status", "id"].map(|name| text(&event["request"][name])));
    cells.extend([json(&event["details"]), json(&event["changes"])]);
    cells
}

#[tokio::test]
async fn a_csv_holds_what_the_api_shows() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let events = client.all("not.outcome=success").await;
    let export = client.get("/api/v1/events/export?format=csv&escape=none&not.outcome=success").await;
    assert_eq!(export.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"audit-log-20260114T120000Z.csv\"");
    assert_eq!(export.header("sidetrail-count"), events.len().to_string());
    assert_eq!(export.header("sidetrail-as-of"), "2026-01-14T12:00:00.000Z");
    assert!(export.text().starts_with(&format!("{COLUMNS}\r\n")));
    assert!(export.text().ends_with("\r\n"));
    let rows = rows(&export.body);
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.iter().zip(&events) {
        assert_eq!(&row[2], event["message"].as_str().unwrap());
        assert_eq!(row.iter().skip(3).collect::<Vec<_>>(), cells(event));
    }
    insta::assert_snapshot!(export.text().lines().take(4).collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn ndjson_is_the_apis_objects() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let export = client.get("/api/v1/events/export?format=ndjson&order=asc&category=Documents").await;
    let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, client.all("order=asc&category=Documents").await);
    assert!(export.text().ends_with("}\n"));
}

#[tokio::test]
async fn a_spreadsheet_gets_its_mark_its_zone_and_no_formulas() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let plain = client.get("/api/v1/events/export?format=csv&q=uploaded").await;
    let marked = client.get("/api/v1/events/export?format=csv&bom=1&tz=Europe/Rome&q=uploaded").await;
    assert_eq!(&marked.body[..3], b"\xef\xbb\xbf");
    let (utc, rome) = (rows(&plain.body), rows(&marked.body[3..]));
    let time = |text: &str| jiff::civil::DateTime::strptime("%d %b %Y %H:%M:%S", text).unwrap();
    assert_eq!(time(&rome[0][1]), time(&utc[0][1]) + jiff::SignedDuration::from_hours(1));
    assert_eq!(rome[0][5], utc[0][5], "`time` is UTC in both");
    let all = client.get("/api/v1/events/export?format=csv").await;
    let names: Vec<String> = rows(&all.body).iter().map(|row| row[14].to_owned()).collect();
    for guarded in ["'=HYPERLINK(\"http://evil.example\";\"x\").pdf", "'+39 06 1234.txt", "'  @sum.xlsx"] {
        assert!(names.iter().any(|name| name == guarded), "{guarded}");
    }
    for row in rows(&all.body) {
        let formula = row.iter().find(|cell| cell.trim_start().starts_with(['=', '+', '-', '@']));
        assert_eq!(formula, None, "{row:?}");
    }
}

#[tokio::test]
async fn an_export_is_an_event_of_the_workspace_whose_events_left() {
    let fixture = Fixture::new().await;
    let (mine, admin) = (
        token(&fixture, "Acme", &[Right::Read, Right::Export], Some(&["39"])),
        token(&fixture, "Ops", &[Right::Read, Right::Export], None),
    );
    let client = Client::new(&fixture);
    client.bearer(&mine).send("HEAD", "/api/v1/events/export?format=csv", "").await;
    assert!(client.bearer(&mine).all("action=log.exported").await.is_empty(), "asking for the head exports nothing");
    let export =
        client.bearer(&mine).with("user-agent", "curl/8").get("/api/v1/events/export?format=csv&user=u_812").await;
    let recorded = client.bearer(&mine).all("action=log.exported").await;
    assert_eq!(recorded.len(), 1);
    let event = &recorded[0];
    let count = export.header("sidetrail-count");
    assert_eq!(event["message"], format!("Exported {count} events as CSV"));
    assert_eq!((event["category"].as_str(), event["workspace"].as_str()), (Some("Access"), Some("39")));
    assert_eq!((event["actor"]["type"].as_str(), event["actor"]["name"].as_str()), (Some("token"), Some("Acme")));
    assert_eq!(event["source"]["user_agent"], "curl/8");
    assert_eq!(event["details"]["filter"], "user=u_812&order=desc");
    assert!(!export.text().contains("log.exported"), "an export does not hold itself");
    client.bearer(&admin).get("/api/v1/events/export?format=ndjson").await;
    assert_eq!(client.bearer(&mine).all("action=log.exported").await.len(), 1, "that one was of all workspaces");
    let own = client.bearer(&admin).all("action=log.exported").await;
    assert_eq!((own.len(), own[0]["workspace"].is_null()), (2, true));
}

#[tokio::test]
async fn who_may_read_may_not_therefore_export() {
    let fixture = Fixture::new().await;
    let reader = Client::new(&fixture).bearer(&token(&fixture, "Reader", &[Right::Read], None));
    assert_eq!(reader.get("/api/v1/events").await.status, 200);
    assert_eq!(reader.get("/api/v1/events/export?format=csv").await.status, 403);
    assert!(reader.all("action=log.exported").await.is_empty());
}
