//! What is counted about reading, and `/metrics`, which shows what every part counts.

use axum::extract::{MatchedPath, Request, State as From};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::access::identify;
use super::error::{ProblemObject, ReadError};
use super::state::State;
use crate::record::query::Scope;

/// What is counted about reading.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    answers: Family<Answer, Counter>,
    /// Events that left in exports.
    pub(crate) exported: Counter,
    /// Exports that were broken off.
    pub(crate) broken_exports: Counter,
    /// Sign-ins that were refused.
    pub(crate) refused_sign_ins: Counter,
}

/// An answer's route (never the path: it holds ids) and status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    status: u16,
}

impl Metrics {
    pub(crate) fn registered(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        let read = registry.sub_registry_with_prefix("read");
        read.register("answers", "Answers of the read listener", metrics.answers.clone());
        read.register("exported_events", "Events that left in exports", metrics.exported.clone());
        read.register("broken_exports", "Exports that were broken off", metrics.broken_exports.clone());
        read.register("refused_sign_ins", "Sign-ins that were refused", metrics.refused_sign_ins.clone());
        metrics
    }
}

/// Counts every answer.
pub(crate) async fn count(From(state): From<State>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    state.metrics().answers.get_or_create(&Answer { route, status: response.status().as_u16() }).inc();
    response
}

/// Everything that is counted, in the OpenMetrics text format. Where tokens exist it needs one that may read all
/// workspaces: the figures are those of all. Unless `read.metrics_open` says other.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "OpenMetrics text"),
    (status = 401, description = "A token is needed"),
    (status = 403, description = "The token may not read all workspaces", body = inline(ProblemObject)),
))]
pub(crate) async fn exposition(From(state): From<State>, headers: HeaderMap) -> Result<Response, ReadError> {
    if !state.settings().metrics_open {
        let principal = identify(&state, &headers).await?;
        if !principal.may_read || principal.scope != Scope::All {
            return Err(ReadError::Forbidden("read for all workspaces"));
        }
    }
    let mut text = String::new();
    encode(&mut text, state.registry()).map_err(|_| ReadError::Broken)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
