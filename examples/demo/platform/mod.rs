//! The sample platform: a small conversational-AI service with a real HTTP API
//! and state in memory, for the demo and for the tests.
//!
//! It knows nothing of sidetrail. Everything is as such platforms do it: a
//! sign-in that gives a token and a cookie, two workspaces, people with roles,
//! uploads, bulk calls with an outcome per item, jobs that are polled, one
//! GraphQL endpoint, gzip'd and chunked answers, and errors of every sort.

mod answer;
mod auth;
mod builder;
mod collection;
mod documents;
mod evaluators;
mod graphql;
mod graphql_text;
mod issues;
mod jobs;
mod people;
mod publish;
mod seed;
mod settings;
mod team;
mod variables;
mod world;

use std::net::SocketAddr;

use axum::Router;
use axum::middleware::from_fn;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use people::PEOPLE;
pub(crate) use world::Platform;

/// The platform while it serves. Stops when dropped.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a fresh platform at `listen` (port 0: any free one).
pub(crate) async fn start(listen: SocketAddr) -> std::io::Result<Running> {
    let listener = TcpListener::bind(listen).await?;
    let addr = listener.local_addr()?;
    let app = router(Platform::seeded());
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            eprintln!("the sample platform stopped: {error}");
        }
    });
    Ok(Running { addr, task })
}

/// Every route of the platform.
pub(crate) fn router(platform: Platform) -> Router {
    let workspace = Router::new()
        .merge(builder::routes())
        .merge(documents::routes())
        .merge(evaluators::routes())
        .merge(issues::routes())
        .merge(jobs::routes())
        .merge(publish::routes())
        .merge(settings::routes())
        .merge(team::routes())
        .merge(variables::routes());
    Router::new()
        .nest("/api/v1/workspaces/{workspace}", workspace)
        .merge(auth::routes())
        .merge(graphql::routes())
        .fallback(answer::no_such_route)
        .layer(from_fn(answer::compress))
        .with_state(platform)
}
