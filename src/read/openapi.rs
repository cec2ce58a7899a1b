//! `/api/openapi.json`: what is served, said by the code that serves it.

use axum::Json;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, RefOr, Required, Schema};
use utoipa::{IntoParams, Modify, OpenApi};

use super::query::{FIELDS, OTHERS, PAGING};
use super::{error, events, export, health, histogram, metrics, object, rulebook, sign_in};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(title = "sidetrail", description = "The audit log: read, counted, exported."),
    paths(
        events::list_events,
        events::one_event,
        events::facets,
        events::histogram,
        export::export,
        rulebook::coverage,
        rulebook::reload,
        rulebook::shadow,
        document,
        sign_in::form,
        sign_in::sign_in,
        sign_in::sign_out,
        health::livez,
        health::readyz,
        metrics::exposition,
    ),
    components(schemas(object::EventObject<'static>, histogram::HistogramObject, error::ProblemObject)),
    modifiers(&Bearer),
    security(("token" = []))
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`st_…`, of `sidetrail token`"));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
pub(crate) async fn document() -> Json<Document> {
    Json(Api::openapi())
}

/// The parameters that choose events.
pub(crate) struct FilterParameters;

impl IntoParams for FilterParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let fields = FIELDS.iter().flat_map(|(name, _, meaning)| {
            let is = parameter(name, &format!("{meaning} Several: any of them."), true);
            [is, parameter(&format!("not.{name}"), &format!("None of these. {meaning}"), true)]
        });
        OTHERS.iter().map(|(name, meaning)| parameter(name, meaning, false)).chain(fields).collect()
    }
}

/// The parameters of a list.
pub(crate) struct PagingParameters;

impl IntoParams for PagingParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        PAGING.iter().map(|(name, meaning)| parameter(name, meaning, false)).collect()
    }
}

/// The parameters of facets.
pub(crate) struct FacetParameters;

impl IntoParams for FacetParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let fields = events::FACETS.map(|(name, _)| format!("`{name}`")).join(", ");
        let field = format!("Whose values are counted: {fields}. All of these unless told.");
        vec![
            parameter("field", &field, true),
            parameter("limit", "How many values: 1 to 1000, 100 unless told.", false),
        ]
    }
}

/// The parameters of a histogram.
pub(crate) struct HistogramParameters;

impl IntoParams for HistogramParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("buckets", "At most so many stretches: 1 to 1000, 48 unless told.", false)]
    }
}

/// The parameters of an export.
pub(crate) struct ExportParameters;

impl IntoParams for ExportParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        export::PARAMETERS.iter().map(|(name, meaning)| parameter(name, meaning, false)).collect()
    }
}

fn parameter(name: &str, meaning: &str, several: bool) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let schema: RefOr<Schema> = if several { ArrayBuilder::new().items(text.build()).into() } else { text.into() };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(meaning))
        .schema(Some(schema))
        .build()
}
