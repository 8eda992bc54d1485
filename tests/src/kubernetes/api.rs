//! The API server: create, get, list, watch and delete.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State as Extracted};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::objects::{Changed, text};
use super::selectors::Selectors;
use super::{CLIENT_TOKEN, NAMESPACE, Permission, Shared};

/// Objects in one page of a list, however many are asked for.
const PAGE: usize = 2;
/// How long a watch lasts at most: each test sees several.
const WATCH: Duration = Duration::from_secs(2);
/// How often a watch is told of the newest version when nothing changes for it.
const BOOKMARK_EVERY: Duration = Duration::from_millis(300);
/// What exists: group, version, resource, kind.
const RESOURCES: [(&str, &str, &str, &str); 4] = [
    ("batch", "batch/v1", "jobs", "Job"),
    ("", "v1", "pods", "Pod"),
    ("", "v1", "secrets", "Secret"),
    ("", "v1", "events", "Event"),
];

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let core = "/api/v1/namespaces/{namespace}/{resource}";
    let batch = "/apis/batch/v1/namespaces/{namespace}/{resource}";
    Router::new()
        .route(core, any(collection))
        .route(&format!("{core}/{{name}}"), any(one))
        .route(batch, any(collection))
        .route(&format!("{batch}/{{name}}"), any(one))
        .with_state(shared)
}

/// A refusal as API servers write it.
struct Refused(Box<(StatusCode, &'static str, String)>);

impl Refused {
    fn new(status: StatusCode, reason: &'static str, message: String) -> Self {
        Self(Box::new((status, reason, message)))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, reason, message) = *self.0;
        (status, Json(status_object(status, reason, &message))).into_response()
    }
}

fn status_object(status: StatusCode, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status.as_u16(),
    })
}

/// Who asks for what.
struct Asked {
    shared: Arc<Shared>,
    resource: String,
    /// `jobs.batch`, as messages name it.
    full_name: String,
    api_version: &'static str,
    kind: &'static str,
    query: BTreeMap<String, String>,
}

impl Asked {
    fn new(
        shared: Arc<Shared>,
        resource: String,
        namespace: &str,
        headers: &HeaderMap,
        query: BTreeMap<String, String>,
        method: &Method,
        has_name: bool,
    ) -> Result<Self, Refused> {
        let shown = headers.get(header::AUTHORIZATION);
        let token = shared.state().token.clone();
        let token = token.unwrap_or_else(|| CLIENT_TOKEN.to_owned());
        if shown.is_none_or(|value| value != &format!("Bearer {token}")) {
            let message = "Unauthorized".to_owned();
            return Err(Refused::new(
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
                message,
            ));
        }
        let known = RESOURCES.iter().find(|known| known.2 == resource);
        let (group, api_version, _, kind) = *known.ok_or_else(|| {
            let message = "the server could not find the requested resource".to_owned();
            Refused::new(StatusCode::NOT_FOUND, "NotFound", message)
        })?;
        let watches = query.get("watch").is_some_and(|watch| watch == "true");
        let verb = match (method, has_name) {
            (&Method::POST, false) => "create",
            (&Method::GET, true) => "get",
            (&Method::GET, false) if watches => "watch",
            (&Method::GET, false) => "list",
            (&Method::DELETE, true) => "delete",
            (&Method::DELETE, false) => "deletecollection",
            (&Method::PATCH, _) => "patch",
            _ => "update",
        };
        let full_name = match group {
            "" => resource.clone(),
            group => format!("{resource}.{group}"),
        };
        let mut state = shared.state();
        if namespace != NAMESPACE
            || state
                .forbidden
                .contains(&(verb.to_owned(), resource.clone()))
        {
            let message = format!(
                "{full_name} is forbidden: User \"system:serviceaccount:greylag:greylag-coordinator\" cannot {verb} resource \"{resource}\" in API group \"{group}\" in the namespace \"{namespace}\""
            );
            return Err(Refused::new(StatusCode::FORBIDDEN, "Forbidden", message));
        }
        state.used.insert(Permission {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.clone(),
        });
        drop(state);
        Ok(Self {
            shared,
            resource,
            full_name,
            api_version,
            kind,
            query,
        })
    }

    fn selectors(&self) -> Selectors {
        Selectors::new(
            self.query.get("labelSelector"),
            self.query.get("fieldSelector"),
        )
    }

    fn not_found(&self, name: &str) -> Refused {
        let message = format!("{} \"{name}\" not found", self.full_name);
        Refused::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    async fn be_held_up(&self) {
        if self.resource != "jobs" {
            return;
        }
        let held_up = &self.shared.held_up;
        held_up.send_modify(|held_up| held_up.1 += usize::from(held_up.0));
        let mut is_held_up = held_up.subscribe();
        let let_in = is_held_up.wait_for(|(is_held_up, _)| !is_held_up);
        let_in.await.expect("the sender is ours");
    }

    fn create(self, body: &[u8]) -> Result<Response, Refused> {
        let mut object: Value = serde_json::from_slice(body).map_err(|error| {
            Refused::new(StatusCode::BAD_REQUEST, "BadRequest", error.to_string())
        })?;
        self.check(&object)?;
        let name = text(&object["metadata"]["name"]);
        object["metadata"]["namespace"] = json!(NAMESPACE);
        object["apiVersion"] = json!(self.api_version);
        object["kind"] = json!(self.kind);
        let mut killed = None;
        let created = self.shared.change(|state| {
            if self.resource == "jobs" {
                killed = state.dead_after_job.take();
            }
            state.objects.create(&self.resource, object)
        });
        if let Some(pid) = killed {
            let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("not 0");
            kill_process(pid, Signal::KILL).expect("it is a process of the test");
        }
        let mut created = created.map_err(|_| {
            let message = format!("{} \"{name}\" already exists", self.full_name);
            Refused::new(StatusCode::CONFLICT, "AlreadyExists", message)
        })?;
        if let Some(fields) = created.as_object_mut() {
            // Real servers answer with `data`.
            fields.remove("stringData");
        }
        Ok((StatusCode::CREATED, Json(created)).into_response())
    }

    /// The little that these tests get wrong.
    fn check(&self, object: &Value) -> Result<(), Refused> {
        if self.resource != "jobs" {
            return Ok(());
        }
        let name = text(&object["metadata"]["name"]);
        let spec = &object["spec"]["template"]["spec"];
        for container in spec["containers"].as_array().into_iter().flatten() {
            let requests = container["resources"]["requests"].as_object();
            for amount in requests
                .into_iter()
                .flatten()
                .map(|(_, amount)| text(amount))
            {
                if !amount.starts_with(|first: char| first.is_ascii_digit()) {
                    let message = format!(
                        "Job in version \"v1\" cannot be handled as a Job: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' (\"{amount}\")"
                    );
                    return Err(Refused::new(StatusCode::BAD_REQUEST, "BadRequest", message));
                }
            }
            let image = text(&container["image"]);
            if image != image.trim() || image.is_empty() {
                let message = format!(
                    "Job.batch \"{name}\" is invalid: spec.template.spec.containers[0].image: Invalid value: \"{image}\": must not have leading or trailing whitespace"
                );
                return Err(Refused::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "Invalid",
                    message,
                ));
            }
        }
        Ok(())
    }

    /// A page. The token of the next one is the version that all pages are as of, and where it begins.
    fn list(&self) -> Response {
        let selectors = self.selectors();
        let mut state = self.shared.state();
        let token = self.query.get("continue").map(|token| {
            let (version, begin) = token.split_once('-').expect("a token of ours");
            let number = |text: &str| text.parse::<u64>().expect("a token of ours");
            (number(version), number(begin) as usize)
        });
        let (version, begin) = token.unwrap_or((state.objects.version(), 0));
        if begin == 0 {
            let mut all = state.objects.all(&self.resource);
            all.retain(|object| selectors.take(object));
            state.lists.insert((version, self.resource.clone()), all);
        }
        let key = (version, self.resource.clone());
        let all = state.lists.get(&key).expect("its first page was asked for");
        let limit = self
            .query
            .get("limit")
            .map(|limit| limit.parse().expect("a number"));
        let page = limit.map_or(all.len(), |limit: usize| limit.min(PAGE));
        let end = all.len().min(begin + page);
        let next = match end < all.len() {
            true => format!("{version}-{end}"),
            false => String::new(),
        };
        Json(json!({
            "apiVersion": self.api_version,
            "kind": format!("{}List", self.kind),
            "metadata": { "resourceVersion": version.to_string(), "continue": next },
            "items": all.get(begin..end).unwrap_or_default(),
        }))
        .into_response()
    }

    fn watch(self) -> Response {
        let from: u64 = self
            .query
            .get("resourceVersion")
            .and_then(|version| version.parse().ok())
            .expect("clients watch from a version");
        let asked = self.query.get("timeoutSeconds");
        let lasts = asked.map_or(WATCH, |seconds| {
            Duration::from_secs(seconds.parse().expect("seconds")).min(WATCH)
        });
        let stream = futures_util::stream::unfold(
            Some((self, from, Instant::now() + lasts)),
            |watch| async {
                let (asked, from, ends) = watch?;
                asked
                    .next_lines(from, ends)
                    .await
                    .map(|(lines, from, goes_on)| {
                        let next = goes_on.then_some((asked, from, ends));
                        (Ok::<_, std::io::Error>(Bytes::from(lines)), next)
                    })
            },
        );
        let json = [(header::CONTENT_TYPE, "application/json")];
        (json, Body::from_stream(stream)).into_response()
    }

    /// The next lines of a watch, the version it is at then, and whether more can follow; nothing at its end.
    async fn next_lines(&self, from: u64, ends: Instant) -> Option<(String, u64, bool)> {
        let selectors = self.selectors();
        let bookmarks = self
            .query
            .get("allowWatchBookmarks")
            .is_some_and(|value| value == "true");
        let mut version = self.shared.version.subscribe();
        let mut at = from;
        loop {
            version.mark_unchanged();
            let (changes, now) = {
                let state = self.shared.state();
                (state.objects.changes_after(at), state.objects.version())
            };
            let Some(changes) = changes else {
                let message = format!("too old resource version: {at} ({now})");
                let gone = status_object(StatusCode::GONE, "Expired", &message);
                return Some((line("ERROR", &gone), at, false));
            };
            let is_asked_for =
                |one: &&Changed| one.resource == self.resource && selectors.take(&one.object);
            let lines: String = changes
                .iter()
                .filter(is_asked_for)
                .map(|one| line(one.kind, &one.object))
                .collect();
            if !lines.is_empty() {
                return Some((lines, now, true));
            }
            at = now;
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let wait = left.min(BOOKMARK_EVERY);
            let _ = timeout(wait, version.changed()).await;
            if bookmarks && at > from && wait == BOOKMARK_EVERY {
                let bookmark = json!({
                    "apiVersion": self.api_version, "kind": self.kind,
                    "metadata": { "resourceVersion": at.to_string(), "creationTimestamp": null },
                });
                return Some((line("BOOKMARK", &bookmark), at, true));
            }
        }
    }

    fn delete(self, name: &str, body: &[u8]) -> Result<Response, Refused> {
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.shared.state();
        let object = state.objects.get(&self.resource, name).cloned();
        let object = object.ok_or_else(|| self.not_found(name))?;
        let wanted = &options["preconditions"]["uid"];
        if !wanted.is_null() && *wanted != object["metadata"]["uid"] {
            let message = format!(
                "Operation cannot be fulfilled on {} \"{name}\": the UID in the precondition does not match",
                self.full_name
            );
            return Err(Refused::new(StatusCode::CONFLICT, "Conflict", message));
        }
        if self.resource == "jobs" && options["propagationPolicy"] != "Background" {
            let message = "these tests delete in the background".to_owned();
            return Err(Refused::new(StatusCode::BAD_REQUEST, "BadRequest", message));
        }
        state.objects.delete(&self.resource, name);
        drop(state);
        self.shared.change(|_| ());
        let deleted = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": { "name": name, "kind": self.resource, "uid": object["metadata"]["uid"] },
        });
        Ok(Json(deleted).into_response())
    }
}

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": kind, "object": object }))
}

async fn collection(
    Extracted(shared): Extracted<Arc<Shared>>,
    Path((namespace, resource)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<Response, Refused> {
    let method = request.method().clone();
    let headers = request.headers();
    let asked = Asked::new(shared, resource, &namespace, headers, query, &method, false)?;
    if method == Method::POST {
        let body = body_of(request).await;
        // As on a server that has begun: it goes on without its client.
        let created = tokio::spawn(async move {
            asked.be_held_up().await;
            asked.create(&body)
        });
        return created.await.expect("creating does not panic");
    }
    if asked.query.contains_key("watch") {
        return Ok(asked.watch());
    }
    Ok(asked.list())
}

async fn one(
    Extracted(shared): Extracted<Arc<Shared>>,
    Path((namespace, resource, name)): Path<(String, String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<Response, Refused> {
    let method = request.method().clone();
    let headers = request.headers();
    let asked = Asked::new(shared, resource, &namespace, headers, query, &method, true)?;
    if method == Method::DELETE {
        return asked.delete(&name, &body_of(request).await);
    }
    let object = asked
        .shared
        .state()
        .objects
        .get(&asked.resource, &name)
        .cloned();
    let object = object.ok_or_else(|| asked.not_found(&name))?;
    Ok(Json(object).into_response())
}

async fn body_of(request: Request) -> Bytes {
    const MAX_BYTES: usize = 1024 * 1024;
    axum::body::to_bytes(request.into_body(), MAX_BYTES)
        .await
        .expect("a client that sends its whole request")
}
