//! Step 4: from the store to people: page, API, exports.
//!
//! Everything here is served on a listener of its own, never on the proxied
//! one. Who asks becomes a [`Principal`] in one place, and every question
//! carries the principal's scope. What cannot be answered is refused with
//! problem+json (RFC 9457) that names the parameter; half an answer is never
//! given as a whole one.

mod access;
mod cursor;
mod error;
mod events;
pub mod export;
mod guard;
mod health;
mod histogram;
mod list;
mod metrics;
mod object;
mod openapi;
mod own;
mod page;
pub mod query;
pub mod search;
mod session;
pub mod settings;
mod sign_in;
mod state;
pub(crate) mod zone;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::{NewToken, Principal, new_token};
pub use error::ReadError;
pub use list::{Listing, list};
pub use object::{EventObject, actor_label};
pub use settings::Settings;
pub use state::{ActionFacts, Parts, Rules, State};
pub use zone::Zone;

/// How long running answers may go on after the end was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Everything that the read listener answers.
pub fn router(state: State) -> Router {
    let api = Router::new()
        .route("/api/v1/events", get(events::list_events))
        .route("/api/v1/events/facets", get(events::facets))
        .route("/api/v1/events/histogram", get(events::histogram))
        .route("/api/v1/events/export", get(export::export))
        .route("/api/v1/events/{id}", get(events::one_event))
        .route("/api/openapi.json", get(openapi::document))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::exposition));
    api.merge(page::router())
        .fallback(error::no_such_page)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .layer(from_fn_with_state(state.clone(), metrics::count))
        .with_state(state)
}

/// Serves `router` until `stop` is cancelled; then running answers have ten seconds to end.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let ended = stop.clone();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move { ended.cancelled().await });
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served,
        () = patience => Ok(()),
    }
}
