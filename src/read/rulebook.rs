//! The rules as readers see them: read anew on demand, and what they cover.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State as From};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::access::{Admin, Principal};
use super::error::{ProblemObject, ReadError};
use super::own;
use super::state::State;
use crate::event::{Actor, Source};
use crate::record::query::Scope;

/// Those who hold the rules.
pub trait Rulebook: Send + Sync + 'static {
    /// Reads the rules again, and puts them in the place of the old ones if they are good. May take seconds.
    fn reload(&self, actor: Actor, source: Source) -> Reloaded;

    /// How well the rules cover what passes by.
    fn coverage(&self) -> Coverage;

    /// What a second set of rules would tell otherwise; `None` where there is no second set.
    fn shadow(&self) -> Option<Value>;
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Reloaded {
    /// The files say what they said.
    Unchanged {
        /// Hash of the whole set.
        version: String,
    },
    /// The new rules write the log.
    Changed {
        /// Hash of the old set.
        from: String,
        /// Hash of the new one.
        to: String,
        /// How many actions it has.
        actions: usize,
    },
    /// They have mistakes, or their own tests are not met: the old ones stay.
    Refused {
        /// Hash of the set that stays.
        version: String,
        /// Each problem with its place, as `sidetrail check --format json` prints it.
        problems: Vec<Value>,
    },
}

/// Rules on disk that were refused; those before them are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRules {
    /// When.
    pub at: Timestamp,
    /// How many problems they have.
    pub problems: usize,
    /// The first of them, in one line.
    pub first: String,
}

/// Which routes that change something have a rule, the busiest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Coverage {
    /// Routes that no rule matches.
    pub unmapped: Vec<CoverageRow>,
    /// Routes that are left out, with the reason.
    pub ignored: Vec<CoverageRow>,
    /// Routes with actions.
    pub mapped: Vec<CoverageRow>,
    /// Requests of routes that were too many to keep.
    pub left_out: u64,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CoverageRow {
    /// `DELETE`
    pub method: String,
    /// The rule's template, or the path with its ids folded.
    pub route: String,
    /// The actions that stand there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Why it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How often it was used.
    pub requests: u64,
    /// How often it answered 2xx or 3xx.
    pub succeeded: u64,
}

/// Only who may see all workspaces and change the rules.
fn allowed(principal: &Principal) -> Result<(), ReadError> {
    if principal.may_admin && principal.scope == Scope::All {
        return Ok(());
    }
    Err(ReadError::Forbidden("admin for all workspaces"))
}

/// Reads the rules from disk again. They are checked and tested first; bad ones change nothing.
#[utoipa::path(post, path = "/api/v1/reload", tag = "rules", responses(
    (status = 200, description = "They are in use, or were already", body = Reloaded),
    (status = 422, description = "They have problems; the old ones stay", body = Reloaded),
    (status = 403, description = "The token may not", body = inline(ProblemObject)),
))]
pub(crate) async fn reload(
    From(state): From<State>,
    Admin(principal): Admin,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, ReadError> {
    let rulebook = Arc::clone(state.rulebook().ok_or(ReadError::NotFound)?);
    let (actor, source) = (principal.actor(), own::source(peer, &headers));
    let reloaded = tokio::task::spawn_blocking(move || rulebook.reload(actor, source)).await;
    let reloaded = reloaded.map_err(|_| ReadError::Broken)?;
    let status = match reloaded {
        Reloaded::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Reloaded::Unchanged { .. } | Reloaded::Changed { .. } => StatusCode::OK,
    };
    Ok((status, Json(reloaded)).into_response())
}

/// Which routes of the platform that change something have a rule, are left out, or are unmapped.
#[utoipa::path(get, path = "/api/v1/coverage", tag = "rules", responses(
    (status = 200, description = "The routes, the busiest first", body = Coverage),
    (status = 403, description = "The token may not", body = inline(ProblemObject)),
))]
pub(crate) async fn coverage(From(state): From<State>, Admin(principal): Admin) -> Result<Json<Coverage>, ReadError> {
    ask(&state, &principal).await.map(Json)
}

/// The coverage, for those who may see it.
///
/// # Errors
/// When they may not, or nobody here holds the rules.
pub(crate) async fn ask(state: &State, principal: &Principal) -> Result<Coverage, ReadError> {
    allowed(principal)?;
    let rulebook = Arc::clone(state.rulebook().ok_or(ReadError::NotFound)?);
    tokio::task::spawn_blocking(move || rulebook.coverage()).await.map_err(|_| ReadError::Broken)
}

/// Whether there are rules to see, and this reader may.
pub(crate) fn is_for(state: &State, principal: &Principal) -> bool {
    state.rulebook().is_some() && allowed(principal).is_ok()
}

/// What the second set of rules (`rules.shadow`) would tell otherwise: `version`, `compared`, `diverging`, and the
/// `latest` exchanges with what differs.
#[utoipa::path(get, path = "/api/v1/shadow", tag = "rules", responses(
    (status = 200, description = "How the second set did so far", body = Object),
    (status = 403, description = "The token may not", body = inline(ProblemObject)),
    (status = 404, description = "No second set is configured", body = inline(ProblemObject)),
))]
pub(crate) async fn shadow(From(state): From<State>, principal: Principal) -> Result<Json<Value>, ReadError> {
    allowed(&principal)?;
    let report = state.rulebook().and_then(|rulebook| rulebook.shadow());
    report.map(Json).ok_or(ReadError::NotFound)
}
