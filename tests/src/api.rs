//! A client of the coordinator's HTTP API and pages.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::summary::Summary;
use crate::wait;

/// Talks to one coordinator.
#[derive(Debug, Clone)]
pub struct Api {
    url: String,
    client: Client,
    token: Option<String>,
}

/// A status and a body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// It is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| {
            panic!(
                "the answer ({}) is not JSON ({error}): {}",
                self.status, self.body
            )
        })
    }

    /// The message of a JSON error.
    ///
    /// # Panics
    /// It is not an error, or not in the one envelope.
    pub fn error(&self) -> String {
        assert!(
            self.status.is_client_error() || self.status.is_server_error(),
            "an error was expected, not {}: {}",
            self.status,
            self.body
        );
        let body = self.json();
        let object = body.as_object().expect("errors are objects");
        assert_eq!(object.len(), 1, "errors hold nothing but `error`: {body}");
        body["error"]
            .as_str()
            .expect("`error` is a text")
            .to_owned()
    }
}

impl Api {
    /// For the coordinator at this base URL.
    ///
    /// # Panics
    /// No HTTP client can be made.
    pub fn new(url: impl Into<String>) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("an HTTP client");
        Self {
            url: url.into().trim_end_matches('/').to_owned(),
            client,
            token: None,
        }
    }

    /// The same with a Bearer token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request to a path of this coordinator, with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        answer(path, self.request(Method::GET, path).send().await).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(
            path,
            self.request(Method::POST, path).json(body).send().await,
        )
        .await
    }

    /// Starts a run and gives its id.
    ///
    /// # Panics
    /// It is refused.
    pub async fn start(&self, test: &Value) -> String {
        let answer = self.post("/api/v1/runs", test).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{test} was refused: {}",
            answer.body
        );
        let body = answer.json();
        assert!(
            body["number"].as_u64().is_some_and(|number| number > 0),
            "{body}"
        );
        let url = body["url"].as_str().expect("a started run has a url");
        let id = body["id"]
            .as_str()
            .expect("a started run has an id")
            .to_owned();
        assert!(url.ends_with(&format!("/runs/{id}")), "{url}");
        id
    }

    /// Asks a run to stop.
    ///
    /// # Panics
    /// It is refused.
    pub async fn stop(&self, id: &str) {
        let answer = self
            .post(&format!("/api/v1/runs/{id}/stop"), &json!({}))
            .await;
        assert!(
            answer.status.is_success(),
            "stop was refused: {} {}",
            answer.status,
            answer.body
        );
    }

    /// Where the run stands now; none when the coordinator cannot be reached.
    pub async fn try_progress(&self, id: &str) -> Option<Value> {
        let path = format!("/api/v1/runs/{id}/progress");
        let response = self.request(Method::GET, &path).send().await.ok()?;
        response.json().await.ok()
    }

    /// Waits until the run has this status.
    ///
    /// # Panics
    /// It has not within the time, or it ended in another way.
    pub async fn wait_for_status(&self, id: &str, status: &str, within: Duration) -> Value {
        self.wait_for(id, &format!("status {status}"), within, |progress| {
            let now = word(&progress["status"]);
            assert!(
                now == status.to_lowercase() || now == "running",
                "run {id} should become {status} and is {progress}"
            );
            now == status.to_lowercase()
        })
        .await
    }

    /// Waits until the run's progress is as `reached` says. A coordinator that is down meanwhile is waited for.
    ///
    /// # Panics
    /// It is not within the time.
    pub async fn wait_for(
        &self,
        id: &str,
        what: &str,
        within: Duration,
        reached: impl Fn(&Value) -> bool,
    ) -> Value {
        wait::until(&format!("{what} of run {id}"), within, async || match self
            .try_progress(id)
            .await
        {
            Some(progress) if reached(&progress) => Ok(progress),
            Some(progress) => Err(progress.to_string()),
            None => Err("the coordinator does not answer".to_owned()),
        })
        .await
    }

    /// Waits until some requests are counted.
    pub async fn wait_for_requests(&self, id: &str, least: u64, within: Duration) -> Value {
        self.wait_for(id, &format!("{least} requests"), within, |progress| {
            progress["requests"].as_u64().unwrap_or(0) >= least
        })
        .await
    }

    /// The run's summary, and the JSON it came as.
    ///
    /// # Panics
    /// There is none, or it has another form.
    pub async fn summary_and_json(&self, id: &str) -> (Summary, Value) {
        let answer = self.get(&format!("/api/v1/runs/{id}/summary")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let summary = serde_json::from_str(&answer.body)
            .unwrap_or_else(|error| panic!("no summary ({error}): {}", answer.body));
        (summary, answer.json())
    }

    /// The run's summary.
    pub async fn summary(&self, id: &str) -> Summary {
        self.summary_and_json(id).await.0
    }

    /// HTML of the run's page.
    pub async fn page(&self, id: &str) -> String {
        let answer = self.get(&format!("/runs/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// The run's console log as it is downloaded.
    pub async fn log(&self, id: &str) -> String {
        let answer = self.get(&format!("/api/v1/runs/{id}/log")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// The infrastructures and their agents.
    pub async fn infrastructures(&self) -> Value {
        self.get("/api/v1/infrastructures").await.json()["infrastructures"].clone()
    }

    /// Waits until an infrastructure has so many connected agents.
    ///
    /// # Panics
    /// It has not within the time.
    pub async fn wait_for_agents(&self, infrastructure: &str, count: usize, within: Duration) {
        let what = format!("{count} agents connected to {infrastructure}");
        wait::until(&what, within, async || {
            let Ok(response) = self
                .request(Method::GET, "/api/v1/infrastructures")
                .send()
                .await
            else {
                return Err("the coordinator does not answer".to_owned());
            };
            let body: Value = response.json().await.map_err(|error| error.to_string())?;
            let connected = body["infrastructures"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|one| one["name"] == infrastructure)
                .flat_map(|one| one["agents"].as_array().into_iter().flatten())
                .filter(|agent| agent["status"] == "Connected")
                .count();
            if connected == count {
                Ok(())
            } else {
                Err(body.to_string())
            }
        })
        .await;
    }
}

/// A status in lower case, however the answer writes it.
fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}

/// Turns a response into status and text.
///
/// # Panics
/// There is none.
pub async fn answer(path: &str, response: reqwest::Result<Response>) -> Answer {
    let response = response.unwrap_or_else(|error| panic!("no answer from {path}: {error:?}"));
    let status = response.status();
    let body = response
        .text()
        .await
        .unwrap_or_else(|error| panic!("a broken answer from {path}: {error:?}"));
    Answer { status, body }
}
