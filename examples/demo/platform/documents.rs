//! The knowledge base: uploads, addresses, replacing a file, tags.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, post, put};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, done, json, shown};
use super::auth::{Caller, Role};
use super::collection::{one_or_many, readable};
use super::world::{Platform, Thing};

pub(crate) fn routes() -> Router<Platform> {
    readable("documents", "document")
        .route("/documents", post(upload))
        .route("/documents/urls", post(insert_urls))
        .route("/documents/{id}/file", put(replace))
        .route("/documents/{id}/tags", post(add_tags))
        .route("/documents/{id}/tags/{tag}", delete(delete_tag))
}

async fn upload(caller: Caller, State(platform): State<Platform>, headers: HeaderMap, body: Body) -> Answer {
    caller.needs(Role::Editor)?;
    let names = file_names(&headers, body).await?;
    let mut world = platform.world();
    let mut documents = Vec::new();
    for name in names {
        let id = world.next_id();
        let new = json!({"kind": "file", "name": name, "status": "processing", "tags": []});
        documents.push(world.workspace(&caller.workspace)?.add("documents", id, new));
    }
    Ok(json(StatusCode::CREATED, &json!({"documents": documents})))
}

async fn insert_urls(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    caller.needs(Role::Editor)?;
    let urls = one_or_many(&sent, "url", "urls")?;
    if let Some(bad) = urls.iter().find(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        return Err(Refusal::bad(format!("`{bad}` is not an address")));
    }
    let mut world = platform.world();
    let mut documents: Vec<Thing> = Vec::new();
    // The answer's order is not the request's: crawls are queued newest first.
    for url in urls.into_iter().rev() {
        let id = world.next_id();
        let name = url.rsplit("://").next().unwrap_or(&url).to_owned();
        let new = json!({"kind": "url", "url": url, "name": name, "status": "crawling", "tags": []});
        documents.push(world.workspace(&caller.workspace)?.add("documents", id, new));
    }
    Ok(json(StatusCode::CREATED, &json!({"documents": documents})))
}

async fn replace(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    caller.needs(Role::Editor)?;
    let names = file_names(&headers, body).await?;
    let [name] = names.as_slice() else { return Err(Refusal::bad("one file replaces one file")) };
    let mut world = platform.world();
    let document = world.workspace(&caller.workspace)?.one("documents", &id)?;
    document.insert("name".to_owned(), json!(name));
    document.insert("status".to_owned(), json!("processing"));
    shown("document", document)
}

async fn add_tags(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    Input(sent): Input,
) -> Answer {
    caller.needs(Role::Editor)?;
    let tags = one_or_many(&sent, "tag", "tags")?;
    if let Some(bad) = tags.iter().find(|tag| !tag.chars().all(char::is_alphanumeric)) {
        return Err(Refusal::bad(format!("`{bad}`: a tag is letters and digits")));
    }
    let mut world = platform.world();
    let document = world.workspace(&caller.workspace)?.one("documents", &id)?;
    let all = document.entry("tags").or_insert_with(|| json!([]));
    if let Value::Array(all) = all {
        all.extend(tags.into_iter().map(Value::String));
    }
    shown("document", document)
}

async fn delete_tag(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id, tag)): Path<(String, String, String)>,
) -> Answer {
    caller.needs(Role::Editor)?;
    let mut world = platform.world();
    let document = world.workspace(&caller.workspace)?.one("documents", &id)?;
    let Some(Value::Array(tags)) = document.get_mut("tags") else { return Err(Refusal::not_found("tag", &tag)) };
    let before = tags.len();
    tags.retain(|other| other.as_str() != Some(tag.as_str()));
    if tags.len() == before { Err(Refusal::not_found("tag", &tag)) } else { done() }
}

/// Reads a multipart body to its end and gives the names of its files.
pub(crate) async fn file_names(headers: &HeaderMap, body: Body) -> Result<Vec<String>, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| Refusal::bad("multipart/form-data with a boundary is needed"))?;
    let mut parts = multer::Multipart::new(body.into_data_stream(), boundary);
    let mut names = Vec::new();
    let broken = |error: multer::Error| Refusal::bad(format!("the multipart body is broken: {error}"));
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        let name = part.file_name().map(str::to_owned);
        while part.chunk().await.map_err(broken)?.is_some() {}
        match name {
            Some(name) if name.ends_with(".exe") => {
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{name} is not a document")));
            }
            Some(name) if name.starts_with("corrupt") => {
                return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the converter crashed"));
            }
            Some(name) => names.push(name),
            None => {}
        }
    }
    if names.is_empty() { Err(Refusal::bad("no file was sent")) } else { Ok(names) }
}
