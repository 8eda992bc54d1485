//! The API's own description, made of what stands at the handlers and their types.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use greylag_infra::{FIELDS, FieldKind};
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, OneOfBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder, Schema, Server,
};
use utoipa::{Modify, OpenApi};

use crate::api_types::ErrorBody;
use crate::web::live::events;
use crate::web::state::WebState;

/// Every endpoint for programs. A test compares with the router.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Greylag",
        description = "The coordinator's API: start and stop runs, follow them, read their results."
    ),
    paths(
        openapi_document,
        super::health::alive,
        super::health::ready,
        super::runs::list_runs,
        super::runs::start_run,
        super::runs::run,
        super::view::view,
        super::metrics::metrics,
        super::runs::delete_run,
        super::runs::stop_run,
        super::runs::change_users,
        super::runs::completeness,
        super::runs::progress,
        super::runs::tables,
        super::runs::log,
        super::report::report,
        super::samples::samples,
        super::error_samples::error_samples,
        super::summary::summary,
        super::ci_report::junit_file,
        super::ci_report::markdown_summary,
        super::compare::compare,
        super::csv::csv_file,
        super::hlog::hlog,
        super::bundle::bundle,
        super::bundle::import_run,
        super::charts::chart,
        super::charts::distribution,
        super::workers::workers,
        super::log_lines::log_lines,
        super::notes::notes,
        super::notes::change_notes,
        super::notes::add_mark,
        super::notes::delete_mark,
        super::builds::list_builds,
        super::builds::announce_build,
        super::builds::upload_piece,
        super::builds::download_build,
        super::builds::delete_build,
        super::infrastructures::list_infrastructures,
        super::infrastructures::create_infrastructure,
        super::tokens::list_tokens,
        super::tokens::create_token,
        super::tokens::revoke_token,
        events::run_events,
        events::events,
    ),
    components(schemas(ErrorBody)),
    modifiers(&EveryAnswer, &LoadTests, &AlwaysThere),
    security(("token" = [])),
)]
struct Api;

/// What every endpoint may answer, and who may ask. Those that need no token answer no one that it is wrong.
struct EveryAnswer;

impl EveryAnswer {
    const ERRORS: [(&str, &str, &str); 8] = [
        ("400", "Malformed", "The request is malformed"),
        (
            "401",
            "Unauthorized",
            "The coordinator needs its token, or the token is wrong",
        ),
        (
            "403",
            "Forbidden",
            "The token's role does not allow it, or the request comes from another site's page",
        ),
        (
            "408",
            "Timeout",
            "The request did not arrive or could not be answered in time",
        ),
        (
            "429",
            "TooManyWrongTokens",
            "Too many wrong tokens are being tried",
        ),
        (
            "500",
            "Internal",
            "The coordinator failed; its log says why",
        ),
        ("503", "ShuttingDown", "The coordinator is shutting down"),
        ("507", "DiskFull", "The results disk is full"),
    ];
    /// Of those the ones about who asks.
    const OF_ACCESS: [&str; 3] = ["401", "403", "429"];
}

impl Modify for EveryAnswer {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for (_, name, description) in Self::ERRORS {
            let error = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("ErrorBody")))
                .build();
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/json", error)
                .build();
            components
                .responses
                .insert(name.to_owned(), response.into());
        }
        components.add_security_scheme(
            "token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        let operations = document.paths.paths.values_mut().flat_map(|item| {
            [
                &mut item.get,
                &mut item.post,
                &mut item.put,
                &mut item.delete,
            ]
        });
        for operation in operations.flatten() {
            let is_for_all = needs_no_token(operation);
            let answers = &mut operation.responses.responses;
            for (status, name, _) in Self::ERRORS {
                if is_for_all && Self::OF_ACCESS.contains(&status) {
                    continue;
                }
                answers
                    .entry(status.to_owned())
                    .or_insert_with(|| Ref::from_response_name(name).into());
            }
        }
    }
}

/// Whether whoever asks is answered.
fn needs_no_token(operation: &Operation) -> bool {
    let security = operation.security.as_deref();
    security.is_some_and(|needed| *needed == [SecurityRequirement::default()])
}

/// What the reader of load tests knows and its types do not say.
struct LoadTests;

impl LoadTests {
    /// Where unknown keys are refused, as in the test itself.
    const CLOSED: [&str; 5] = [
        "Stage",
        "ClientSettings",
        "DeclaredScenario",
        "DeclaredRequest",
        "ThresholdParts",
    ];
}

impl Modify for LoadTests {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for name in Self::CLOSED {
            if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) {
                object.additional_properties =
                    Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
        let Some(RefOr::T(Schema::Object(test))) = components.schemas.get_mut("TestDraft") else {
            return;
        };
        for field in FIELDS
            .iter()
            .filter(|field| field.kind == FieldKind::Seconds)
        {
            let Some(RefOr::T(Schema::Object(property))) = test.properties.get(field.key) else {
                continue;
            };
            let description = property.description.clone();
            let duration = OneOfBuilder::new()
                .item(Ref::from_schema_name("DurationValue"))
                .item(ObjectBuilder::new().schema_type(Type::Null))
                .description(description);
            test.properties
                .insert(field.key.to_owned(), Schema::OneOf(duration.build()).into());
        }
    }
}

/// Answers have all their properties, which clients that default to empty values leave unsaid.
struct AlwaysThere;

impl AlwaysThere {
    /// What is left out where there is nothing to say, by its schema.
    const LEFT_OUT: [(&str, &str); 19] = [
        ("LoadProfile", "finished_early"),
        ("BuildAnnounced", "missing_data"),
        ("ChartData", "left_out"),
        ("ChartMark", "to"),
        ("RunView", "remark"),
        ("SamplesAnswer", "drawn_share"),
        ("SamplesAnswer", "failed_share"),
        ("SeriesPoint", "left_out"),
        ("SummaryScope", "saturated"),
        ("SummaryShipped", "data"),
        ("RunView", "console_tables"),
        ("LogLines", "remark"),
        ("ThresholdResult", "explanation"),
        ("LogLines", "after"),
        ("LogLines", "more"),
        ("LogRow", "level"),
        ("LogRow", "matches"),
        ("Summary", "scope"),
        ("SummaryBuild", "shipped"),
    ];

    fn require(name: &str, schema: &mut Schema) {
        match schema {
            Schema::Object(object) => {
                let keys = object.properties.keys();
                let always = keys.filter(|key| !Self::LEFT_OUT.contains(&(name, key.as_str())));
                object.required = always.cloned().collect();
            }
            Schema::AllOf(parts) => {
                for part in &mut parts.items {
                    if let RefOr::T(part) = part {
                        Self::require(name, part);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Modify for AlwaysThere {
    fn modify(&self, document: &mut Document) {
        let described = serde_json::to_value(&*document).expect("a description is JSON");
        let mut of_answers = BTreeSet::new();
        answers(&described["paths"], &described, &mut of_answers);
        let components = document.components.get_or_insert_default();
        for name in of_answers {
            if let Some(RefOr::T(schema)) = components.schemas.get_mut(&name) {
                Self::require(&name, schema);
            }
        }
    }
}

/// The names of the schemas that answers have somewhere below `value`.
fn answers(value: &Value, described: &Value, found: &mut BTreeSet<String>) {
    let inner: Vec<&Value> = match value {
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, _)| !["requestBody", "parameters"].contains(&key.as_str()))
            .map(|(_, inner)| inner)
            .collect(),
        Value::Array(list) => list.iter().collect(),
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("#/components/schemas/")
                && found.insert(name.to_owned())
            {
                answers(&described["components"]["schemas"][name], described, found);
            }
            return;
        }
        _ => return,
    };
    for value in inner {
        answers(value, described, found);
    }
}

/// This description
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "description",
    responses((status = 200, description = "An OpenAPI document", body = Object))
)]
pub(in crate::web) async fn openapi_document(State(state): State<WebState>) -> Json<Document> {
    Json(document(&state.base()))
}

/// The description of a coordinator below this path.
fn document(base: &str) -> Document {
    let mut document = Api::openapi();
    document.servers = (!base.is_empty()).then(|| vec![Server::new(base)]);
    document
}

#[cfg(test)]
mod tests {
    use greylag_infra::check_infrastructure_name;

    use super::*;

    #[test]
    fn every_endpoint_of_the_router_is_described() {
        let routes = include_str!("../router.rs");
        let mut of_router = BTreeSet::new();
        for route in routes.split(".route(").skip(1) {
            let path = route.split('"').nth(1).expect("the path comes first");
            if !path.starts_with("/api/") && !["/healthz", "/readyz", "/metrics"].contains(&path) {
                continue;
            }
            let handlers = &route[..route.find(';').unwrap_or(route.len())];
            for method in ["get", "post", "delete", "put", "patch"] {
                if handlers.contains(&format!("{method}(")) {
                    of_router.insert((path.to_owned(), method));
                }
            }
        }
        let described: BTreeSet<(String, &str)> = document("")
            .paths
            .paths
            .into_iter()
            .flat_map(|(path, item)| {
                let methods = [
                    ("get", item.get.is_some()),
                    ("post", item.post.is_some()),
                    ("delete", item.delete.is_some()),
                    ("put", item.put.is_some()),
                    ("patch", item.patch.is_some()),
                ];
                methods
                    .into_iter()
                    .filter(|(_, is_there)| *is_there)
                    .map(move |(method, _)| (path.clone(), method))
            })
            .collect();
        assert_eq!(described, of_router);
        assert!(of_router.len() >= 20, "{of_router:?}");
    }

    #[test]
    fn the_longest_name_of_an_infrastructure_is_the_one_that_is_checked() {
        let document = serde_json::to_value(document("")).expect("JSON");
        let name = &document["components"]["schemas"]["CreateRequest"]["properties"]["name"];
        let most = name["maxLength"].as_u64().expect("it has a limit") as usize;
        assert_eq!(check_infrastructure_name(&"a".repeat(most)), Ok(()));
        assert!(check_infrastructure_name(&"a".repeat(most + 1)).is_err());
    }

    #[test]
    fn the_description_changes_only_on_purpose() {
        let mut document = document("");
        "VERSION".clone_into(&mut document.info.version);
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!("openapi", document);
        });
    }
}
