//! Whether it runs, and whether it can answer.

use axum::extract::State as From;

use super::error::ReadError;
use super::state::State;
use crate::record::Store;

/// Whether the process runs.
#[utoipa::path(get, path = "/livez", tag = "operations", responses((status = 200, description = "It runs")))]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// Whether the log can be written and read now.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "It answers"),
    (status = 503, description = "The log cannot be written or read, or the process is stopping"),
))]
pub(crate) async fn readyz(From(state): From<State>) -> Result<String, ReadError> {
    if state.is_stopping() {
        return Err(ReadError::Stopping);
    }
    if state.recorder().health().trouble.is_some() {
        return Err(ReadError::Unwritable);
    }
    state.ask(Store::newest).await?;
    // Old rules write a log too: whoever takes traffic away over it makes it worse.
    Ok(match &state.rules().refused {
        None => "ok\n".to_owned(),
        Some(refused) => format!("ok, but the rules on disk are refused ({} problems)\n", refused.problems),
    })
}
