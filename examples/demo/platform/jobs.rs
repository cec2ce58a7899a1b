//! What takes longer than a request: the export of everything, translations.
//! A 202 with a job, polled until it is done.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::json;

use super::answer::{Answer, Refusal, download, json};
use super::auth::{Caller, Role};
use super::world::Platform;

pub(crate) fn routes() -> Router<Platform> {
    Router::new()
        .route("/export", post(export))
        .route("/export.zip", get(download_now))
        .route("/exports/{id}/download", get(download_later))
        .route("/translations/reset", post(reset_translations))
        .route("/jobs/{id}", get(poll))
}

async fn export(caller: Caller, State(platform): State<Platform>) -> Answer {
    begin(&caller, &platform, "export")
}

async fn reset_translations(caller: Caller, State(platform): State<Platform>) -> Answer {
    begin(&caller, &platform, "translations")
}

fn begin(caller: &Caller, platform: &Platform, what: &'static str) -> Answer {
    caller.needs(Role::Admin)?;
    let mut world = platform.world();
    let id = format!("job{}", world.next_id());
    world.jobs.insert(id.clone(), (0, what));
    Ok(json(StatusCode::ACCEPTED, &json!({"job": {"id": id, "status": "pending"}})))
}

async fn poll(_caller: Caller, State(platform): State<Platform>, Path((_, id)): Path<(String, String)>) -> Answer {
    let mut world = platform.world();
    let (asked, what) = world.jobs.get_mut(&id).ok_or_else(|| Refusal::not_found("job", &id))?;
    *asked += 1;
    let status = if *asked > 1 { "done" } else { "pending" };
    Ok(json(StatusCode::OK, &json!({"job": {"id": id, "kind": what, "status": status}})))
}

async fn download_now(caller: Caller) -> Answer {
    caller.needs(Role::Admin)?;
    archive()
}

async fn download_later(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    caller.needs(Role::Admin)?;
    match platform.world().jobs.get(&id) {
        Some((asked, "export")) if *asked > 1 => archive(),
        Some(_) => Err(Refusal::conflict("the export is not done")),
        None => Err(Refusal::not_found("export", &id)),
    }
}

/// An empty archive: the end-of-directory record alone (PKWARE APPNOTE 4.3.16).
fn archive() -> Answer {
    download("application/zip", "export.zip", vec![Bytes::from_static(b"PK\x05\x06"), Bytes::from_static(&[0; 18])])
}
