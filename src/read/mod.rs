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
mod rulebook;
pub mod search;
mod serve;
mod session;
pub mod settings;
mod sign_in;
mod state;
pub(crate) mod zone;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use access::{NewToken, Principal, new_token};
pub use error::ReadError;
pub use list::{Listing, list};
pub use object::{EventObject, actor_label};
pub use rulebook::{Coverage, CoverageRow, RefusedRules, Reloaded, Rulebook};
pub use serve::serve;
pub use settings::Settings;
pub use state::{ActionFacts, Parts, Rules, State};
pub use zone::Zone;

/// Everything that the read listener answers.
pub fn router(state: State) -> Router {
    let api = Router::new()
        .route("/api/v1/events", get(events::list_events))
        .route("/api/v1/events/facets", get(events::facets))
        .route("/api/v1/events/histogram", get(events::histogram))
        .route("/api/v1/events/export", get(export::export))
        .route("/api/v1/events/{id}", get(events::one_event))
        .route("/api/v1/coverage", get(rulebook::coverage))
        .route("/api/v1/shadow", get(rulebook::shadow))
        .route("/api/v1/reload", post(rulebook::reload))
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
