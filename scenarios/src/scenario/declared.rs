//! Scenarios without Rust: a list of requests, as a test file declares them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};

use crate::client::{Client, Headers, RequestBody};
use crate::scenario::Scenario;
use crate::task::{TaskFn, TaskResult, WaitTime};
use crate::user::FastHttpUser;

/// A scenario as a list of requests. Each user picks one at random by weight, sends it, waits. What people wrote is
/// validated before it becomes one of these.
#[derive(Debug, Clone, Default)]
pub struct DeclaredScenario {
    /// What users send; at least one with a weight above 0.
    pub requests: Vec<DeclaredRequest>,
    /// How long a user waits after each request; without it users go as fast as they can.
    pub wait_time: Option<WaitTime>,
}

/// One declared request.
#[derive(Debug, Clone)]
pub struct DeclaredRequest {
    /// HTTP method.
    pub method: Method,
    /// Path that is appended to the host (begins with `/`), or a whole http(s) URL.
    pub path: String,
    /// What the request is grouped under; path and query if not given.
    pub name: Option<String>,
    /// How often it is picked in proportion to the others.
    pub weight: u32,
    /// Headers to send.
    pub headers: Headers,
    /// Body to send. Without a content type among the headers it goes out as `text/plain; charset=utf-8`.
    pub body: Option<String>,
    /// The status that makes it a success, in place of the fast client's rule (100–599). With one of 300 to 399
    /// redirects are not followed.
    pub expect_status: Option<StatusCode>,
    /// Text that the body must contain.
    pub expect_body: Option<String>,
}

impl Default for DeclaredRequest {
    /// `GET /`, weight 1.
    fn default() -> Self {
        Self {
            method: Method::GET,
            path: "/".to_owned(),
            name: None,
            weight: 1,
            headers: Headers::default(),
            body: None,
            expect_status: None,
            expect_body: None,
        }
    }
}

impl Scenario {
    /// A scenario whose users send the declared requests.
    pub fn declared(name: &str, declared: DeclaredScenario) -> Scenario {
        let mut users =
            FastHttpUser::<()>::new(name).wait_time(declared.wait_time.unwrap_or_default());
        for request in declared.requests {
            let weight = request.weight;
            let task = DeclaredTask::new(request);
            let task_name = format!(
                "{} {}",
                task.0.method,
                task.0.name.as_ref().unwrap_or(&task.0.path)
            );
            users = users.named_task(task_name, weight, task);
        }
        Scenario::new(name)
            .description("Requests declared in the test file")
            .user(users)
    }
}

/// A declared request, ready to be sent many times.
struct ReadyRequest {
    method: Method,
    path: String,
    name: Option<String>,
    headers: Headers,
    body: Option<RequestBody>,
    expect_status: Option<StatusCode>,
    expect_body: Option<String>,
}

/// A declared request as a task.
struct DeclaredTask(Arc<ReadyRequest>);

impl DeclaredTask {
    fn new(request: DeclaredRequest) -> Self {
        Self(Arc::new(ReadyRequest {
            method: request.method,
            path: request.path,
            name: request.name.filter(|name| !name.is_empty()),
            headers: request.headers,
            body: request.body.map(RequestBody::from),
            expect_status: request.expect_status,
            expect_body: request.expect_body,
        }))
    }
}

impl<'a> TaskFn<'a, ()> for DeclaredTask {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, (): &'a mut (), client: &'a mut Client) -> Self::Run {
        let request = Arc::clone(&self.0);
        Box::pin(async move { request.send(client).await })
    }
}

impl ReadyRequest {
    async fn send(&self, client: &mut Client) -> TaskResult {
        let mut request = client.request(self.method.clone(), self.path.as_str());
        // A redirect that is expected would never be seen if it were followed.
        let expects_redirect = self
            .expect_status
            .is_some_and(|status| status.is_redirection());
        if self.method == Method::HEAD || expects_redirect {
            request = request.allow_redirects(false);
        }
        if let Some(name) = &self.name {
            request = request.name(name.as_str());
        }
        if !self.headers.is_empty() {
            request = request.lent_headers(&self.headers);
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        if self.expect_status.is_none() && self.expect_body.is_none() {
            request.send().await?;
            return Ok(());
        }
        let response = request.catch().send().await?;
        let status = response.status();
        match self.expect_status {
            Some(expected) if status != expected => {
                let expected = expected.as_u16();
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
    use crate::client::{ClientKind, IntoHeaders as _};
    use crate::testing::{Reply, Seen, Server, client, respond};

    fn request(path: &str) -> DeclaredRequest {
        DeclaredRequest {
            path: path.to_owned(),
            ..DeclaredRequest::default()
        }
    }

    #[test]
    fn a_declared_scenario_has_its_requests_as_tasks() {
        let post = DeclaredRequest {
            method: Method::POST,
            name: Some("buy".into()),
            weight: 3,
            ..request("/cart")
        };
        let declared = DeclaredScenario {
            requests: vec![request("/"), post],
            wait_time: None,
        };
        let scenario = Scenario::declared("mine", declared);
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
                expect_status: status.map(|status| StatusCode::from_u16(status).unwrap()),
                expect_body: text.map(str::to_owned),
                ..request(path)
            });
            let (mut client, memory) = client(ClientKind::Fast, &server.url);
            task.run(&mut (), &mut client).await.unwrap();
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
            method: Method::PUT,
            name: Some("grouped".into()),
            headers: [("X-One", "1")].into_headers().unwrap(),
            body: Some("text".into()),
            ..request("/x?y=1")
        });
        let (mut client, memory) = client(ClientKind::Fast, &server.url);
        task.run(&mut (), &mut client).await.unwrap();
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
