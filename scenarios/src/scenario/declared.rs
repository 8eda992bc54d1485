//! Scenarios without Rust: a list of requests, as a test file declares them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method};

use crate::client::{Client, Headers, RequestBody, check_path, is_absolute};
use crate::scenario::Scenario;
use crate::task::{TaskFn, TaskResult, WaitTime};
use crate::user::FastHttpUser;

/// Most requests a scenario may declare.
const MOST_REQUESTS: usize = 1_000;

/// A scenario as a list of requests. Each user picks one at random by weight, sends it, waits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeclaredScenario {
    /// What users send; at least one with a weight above 0.
    pub requests: Vec<DeclaredRequest>,
    /// How long a user waits after each request; without it users go as fast as they can.
    pub wait_time: Option<WaitTime>,
}

/// One declared request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredRequest {
    /// HTTP method, in any case.
    pub method: String,
    /// Path that is appended to the host (begins with `/`), or a whole http(s) URL.
    pub path: String,
    /// What the request is grouped under; path and query if not given.
    pub name: Option<String>,
    /// How often it is picked in proportion to the others.
    pub weight: u32,
    /// Headers to send.
    pub headers: Vec<(String, String)>,
    /// Body to send. Without a content type among the headers it goes out as `text/plain; charset=utf-8`.
    pub body: Option<String>,
    /// The status that makes it a success, in place of the fast client's rule (100–599). With one of 300 to 399
    /// redirects are not followed.
    pub expect_status: Option<u16>,
    /// Text that the body must contain.
    pub expect_body: Option<String>,
}

impl Default for DeclaredRequest {
    /// `GET /`, weight 1.
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            name: None,
            weight: 1,
            headers: Vec::new(),
            body: None,
            expect_status: None,
            expect_body: None,
        }
    }
}

/// What is wrong with a declared scenario, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeclaredError(String);

impl Scenario {
    /// A scenario whose users send the declared requests.
    ///
    /// # Errors
    ///
    /// When there is nothing to send, or a request has a method, path, header or expected status that
    /// is not valid; the sentence says which request (counted from 1).
    pub fn declared(name: &str, declared: DeclaredScenario) -> Result<Scenario, DeclaredError> {
        let count = declared.requests.len();
        if count == 0 {
            return Err(DeclaredError(
                "the scenario declares no request: add at least one".to_owned(),
            ));
        }
        if count > MOST_REQUESTS {
            return Err(DeclaredError(format!(
                "the scenario declares {count} requests, and {MOST_REQUESTS} are allowed"
            )));
        }
        if declared.requests.iter().all(|request| request.weight == 0) {
            return Err(DeclaredError(
                "every declared request has weight 0: give at least one a weight above 0"
                    .to_owned(),
            ));
        }
        let mut users =
            FastHttpUser::<()>::new(name).wait_time(declared.wait_time.unwrap_or_default());
        for (index, request) in declared.requests.into_iter().enumerate() {
            let label = format!(
                "request {} ({} {:?})",
                index + 1,
                request.method,
                request.path
            );
            let weight = request.weight;
            let task = DeclaredTask::new(request)
                .map_err(|reason| DeclaredError(format!("{label}: {reason}")))?;
            let task_name = format!(
                "{} {}",
                task.0.method,
                task.0.name.as_ref().unwrap_or(&task.0.path)
            );
            users = users.named_task(task_name, weight, task);
        }
        Ok(Scenario::new(name)
            .description("Requests declared in the test file")
            .user(users))
    }
}

/// A declared request, checked.
struct Checked {
    method: Method,
    path: String,
    name: Option<String>,
    headers: Headers,
    body: Option<RequestBody>,
    expect_status: Option<u16>,
    expect_body: Option<String>,
}

/// A declared request as a task.
struct DeclaredTask(Arc<Checked>);

impl DeclaredTask {
    fn new(request: DeclaredRequest) -> Result<Self, String> {
        let method = request.method.trim().to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| {
                format!(
                    "{:?} is no HTTP method that can be sent: use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS",
                    request.method
                )
            })?;
        if request.path.is_empty() {
            return Err("the path is empty: write at least \"/\"".to_owned());
        }
        if !request.path.starts_with('/') && !is_absolute(&request.path) {
            return Err(
                "the path has to begin with \"/\", or be a whole http:// or https:// URL"
                    .to_owned(),
            );
        }
        check_path(&request.path).map_err(|error| error.to_string())?;
        let mut headers = Headers::default();
        for (name, value) in &request.headers {
            HeaderName::try_from(name)
                .map_err(|_| format!("{name:?} is not a valid name of a header"))?;
            let value = HeaderValue::try_from(value).map_err(|_| {
                format!("the value of header {name:?} has characters that cannot be sent")
            })?;
            headers.append(name, value);
        }
        if let Some(status) = request
            .expect_status
            .filter(|status| !(100..600).contains(status))
        {
            return Err(format!(
                "expect_status {status} is no HTTP status: use 100 to 599"
            ));
        }
        Ok(Self(Arc::new(Checked {
            method,
            path: request.path,
            name: request.name.filter(|name| !name.is_empty()),
            headers,
            body: request.body.map(RequestBody::from),
            expect_status: request.expect_status,
            expect_body: request.expect_body,
        })))
    }
}

impl<'a> TaskFn<'a, ()> for DeclaredTask {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, (): &'a mut (), client: &'a mut Client) -> Self::Run {
        let checked = Arc::clone(&self.0);
        Box::pin(async move { checked.send(client).await })
    }
}

impl Checked {
    async fn send(&self, client: &mut Client) -> TaskResult {
        let mut request = client.request(self.method.clone(), self.path.as_str());
        // A redirect that is expected would never be seen if it were followed.
        let expects_redirect = self.expect_status.is_some_and(|status| status / 100 == 3);
        if self.method == Method::HEAD || expects_redirect {
            request = request.allow_redirects(false);
        }
        if let Some(name) = &self.name {
            request = request.name(name.as_str());
        }
        if !self.headers.is_empty() {
            request = request.headers(self.headers.clone());
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        if self.expect_status.is_none() && self.expect_body.is_none() {
            request.send().await?;
            return Ok(());
        }
        let response = request.catch().send().await?;
        let status = response.status().as_u16();
        match self.expect_status {
            Some(expected) if expected != status => {
                return response.failure(format_args!("Expected status {expected}, got {status}"));
            }
            // Without an expected status the normal rule comes first: dropping the response applies it.
            None if !response.is_ok() => return Ok(()),
            _ => {}
        }
        match &self.expect_body {
            Some(text) if !contains(response.bytes(), text.as_bytes()) => {
                response.failure(format_args!("Expected text {text:?} is not in the body"))
            }
            _ => response.success(),
        }
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientKind;
    use crate::testing::{Reply, Seen, Server, client, respond};

    fn request(path: &str) -> DeclaredRequest {
        DeclaredRequest {
            path: path.to_owned(),
            ..DeclaredRequest::default()
        }
    }

    fn refused(requests: Vec<DeclaredRequest>) -> String {
        let declared = DeclaredScenario {
            requests,
            wait_time: None,
        };
        Scenario::declared("bad", declared).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_one_sentence() {
        let with = |change: fn(&mut DeclaredRequest)| {
            let mut bad = request("/x");
            change(&mut bad);
            refused(vec![request("/good"), bad])
        };
        assert!(refused(vec![]).contains("no request"));
        let unweighted = DeclaredRequest {
            weight: 0,
            ..request("/")
        };
        assert!(refused(vec![unweighted]).contains("weight 0"));
        let cases = [
            (with(|r| r.method = "GE T".into()), "no HTTP method"),
            (with(|r| r.method.clear()), "no HTTP method"),
            (with(|r| r.path.clear()), "path is empty"),
            (with(|r| r.path = "x".into()), "begin with \"/\""),
            (with(|r| r.path = "ftp://x/".into()), "begin with \"/\""),
            (
                with(|r| r.headers = vec![("a b".into(), "x".into())]),
                "valid name of a header",
            ),
            (
                with(|r| r.headers = vec![("a".into(), "x\ny".into())]),
                "cannot be sent",
            ),
            (with(|r| r.expect_status = Some(99)), "no HTTP status"),
            (with(|r| r.expect_status = Some(600)), "no HTTP status"),
        ];
        for (sentence, part) in cases {
            assert!(sentence.starts_with("request 2 ("), "{sentence}");
            assert!(sentence.contains(part), "{sentence}");
        }
        assert!(refused(vec![request("/"); MOST_REQUESTS + 1]).contains("1000 are allowed"));
    }

    #[test]
    fn a_declared_scenario_has_its_requests_as_tasks() {
        let post = DeclaredRequest {
            method: "post".into(),
            name: Some("buy".into()),
            weight: 3,
            ..request("/cart")
        };
        let declared = DeclaredScenario {
            requests: vec![request("/"), post],
            wait_time: None,
        };
        let scenario = Scenario::declared("mine", declared).unwrap();
        let tasks = scenario.user_types[0].tasks().iter();
        let tasks: Vec<_> = tasks.map(|task| (task.name(), task.weight())).collect();
        assert_eq!(tasks, [("GET /", 1), ("POST buy", 3)]);
    }

    #[tokio::test]
    async fn expectations_decide() {
        let server = Server::start(|seen: &Seen| {
            let status = match seen.target.as_str() {
                "/missing" => "404 Not Found",
                "/moved" => "302 Found",
                _ => "200 OK",
            };
            Reply::Write(respond(status, &[("location", "/")], b"hello goose"))
        })
        .await;
        // path, expected status, expected text, failure
        let cases = [
            ("/", None, None, None),
            (
                "/missing",
                None,
                None,
                Some("404 Client Error: Not Found for url: /missing"),
            ),
            ("/missing", Some(404), None, None),
            ("/moved", Some(302), None, None),
            ("/moved", Some(200), None, None),
            ("/", Some(201), None, Some("Expected status 201, got 200")),
            ("/", None, Some("goose"), None),
            (
                "/",
                None,
                Some("duck"),
                Some("Expected text \"duck\" is not in the body"),
            ),
            (
                "/missing",
                None,
                Some("goose"),
                Some("404 Client Error: Not Found for url: /missing"),
            ),
            (
                "/missing",
                Some(404),
                Some("duck"),
                Some("Expected text \"duck\" is not in the body"),
            ),
        ];
        for (path, status, text, failure) in cases {
            let task = DeclaredTask::new(DeclaredRequest {
                expect_status: status,
                expect_body: text.map(str::to_owned),
                ..request(path)
            });
            let (mut client, memory) = client(ClientKind::Fast, &server.url);
            task.unwrap().run(&mut (), &mut client).await.unwrap();
            assert_eq!(
                memory.only().error.as_deref(),
                failure,
                "{path} {status:?} {text:?}"
            );
        }
    }

    #[tokio::test]
    async fn everything_declared_is_sent() {
        let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b""))).await;
        let task = DeclaredTask::new(DeclaredRequest {
            method: "put".into(),
            name: Some("grouped".into()),
            headers: vec![("X-One".into(), "1".into())],
            body: Some("text".into()),
            ..request("/x?y=1")
        });
        let (mut client, memory) = client(ClientKind::Fast, &server.url);
        task.unwrap().run(&mut (), &mut client).await.unwrap();
        let seen = &server.seen()[0];
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("PUT", "/x?y=1")
        );
        assert_eq!(
            (seen.header("x-one"), seen.body.as_str()),
            (Some("1"), "text")
        );
        assert_eq!(memory.lines(), ["PUT grouped"]);
    }
}
