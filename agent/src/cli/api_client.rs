//! The coordinator's HTTP API, as `run` and `demo` use it.

use std::path::Path;
use std::time::Duration;

use greylag_infra::{BuildInfo, FileHash, RunId, TestDraft};
use greylag_reporting::{
    BuildAnnounced, BuildAnnouncement, BuildList, Comparison, ErrorBody, LogLines, NewToken,
    Progress, RunImported, RunStarted, Summary, Token, TokenCreated, TokenList,
};
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::agent::{AgentConfigError, has_credentials};
pub(crate) use crate::cli::api_error::ApiError;
use crate::cli::compare_asked::CompareAsked;
use crate::cli::download::Download;
use crate::cli::failure::Failure;
use crate::cli::options::trusting;
use crate::cli::run_list::RunListPart;
use crate::http_client::client_of;
use crate::innermost::innermost;
use crate::untrusted::untrusted;

/// How long the coordinator may be silent before and during its answer: a long answer may take longer in all.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// The same while it checks and keeps a bundle.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which runs are listed; all unless something is given.
#[derive(Debug, Default)]
pub(crate) struct RunsAsked {
    /// Those of this test.
    pub(crate) test: Option<String>,
    /// Those that these words describe: test, number, host, status, notes and labels.
    pub(crate) search: Option<String>,
}

impl RunsAsked {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let given = [("test", &self.test), ("q", &self.search)];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }
}

/// Which lines of a run's log are asked for.
#[derive(Debug, Serialize)]
pub(crate) struct LogAsked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) q: Option<String>,
    pub(crate) regex: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
}

/// What people say of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct RunNotes {
    pub(crate) pinned: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) note: String,
    pub(crate) marks: Vec<RunMark>,
}

/// A note at a moment of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct RunMark {
    pub(crate) second: u32,
    pub(crate) text: String,
}

/// What a coordinator says of its infrastructures, as far as it is needed.
#[derive(Debug, Deserialize)]
struct KnownInfrastructures {
    infrastructures: Vec<KnownInfrastructure>,
}

/// One of them. What is made for runs is not said by coordinators of earlier versions.
#[derive(Debug, Deserialize)]
pub(crate) struct KnownInfrastructure {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default = "made_by_people")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) activity: Option<String>,
    #[serde(default)]
    pub(crate) last_error: Option<String>,
    #[serde(default)]
    agents: Vec<KnownAgent>,
}

fn made_by_people() -> String {
    "machines".to_owned()
}

impl KnownInfrastructure {
    /// How many agents are connected.
    pub(crate) fn connected_agents(&self) -> usize {
        let agents = self.agents.iter();
        agents.filter(|agent| agent.is_connected()).count()
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct KnownAgent {
    status: String,
    #[serde(default)]
    pub(crate) build: BuildInfo,
    /// Whether it runs uploaded builds, and gives them their data files.
    #[serde(default)]
    pub(crate) takes_data: bool,
}

impl KnownAgent {
    fn is_connected(&self) -> bool {
        self.status != "Disconnected"
    }
}

/// A client of one coordinator.
pub(crate) struct ApiClient {
    client: Client,
    base: Url,
    token: Option<Token>,
}

impl ApiClient {
    /// A client of the coordinator at this address, which trusts the certificates in the file `ca`, too.
    ///
    /// # Errors
    /// The address holds a password, the file cannot be used, or no client can be made.
    pub(crate) fn new(base: Url, token: Option<Token>, ca: Option<&Path>) -> Result<Self, Failure> {
        Self::waiting(base, token, ca, SILENCE_TIMEOUT)
    }

    /// The same that waits long for an answer.
    pub(crate) fn patient(
        base: Url,
        token: Option<Token>,
        ca: Option<&Path>,
    ) -> Result<Self, Failure> {
        Self::waiting(base, token, ca, PATIENCE)
    }

    fn waiting(
        base: Url,
        token: Option<Token>,
        ca: Option<&Path>,
        silence: Duration,
    ) -> Result<Self, Failure> {
        if has_credentials(&base) {
            return Err(Failure::bad_input(AgentConfigError::Credentials));
        }
        let tls = ca.map(|file| trusting("--ca", file)).transpose()?;
        let built = client_of(&base, tls.as_ref(), |builder| {
            let builder = builder
                .read_timeout(silence)
                .connect_timeout(CONNECT_TIMEOUT);
            if is_loopback(&base) {
                builder.no_proxy()
            } else {
                builder
            }
        });
        let client = built.map_err(|error| {
            Failure::bad_input(ApiError::Unreachable {
                url: base.to_string(),
                cause: innermost(&error),
            })
        })?;
        Ok(Self {
            client,
            base,
            token,
        })
    }

    /// The address of a run's page, as browsers find it.
    pub(crate) fn page_of(&self, run: &RunStarted) -> String {
        run.page.clone().unwrap_or_else(|| self.page(&run.url))
    }

    /// The address of a path of the coordinator.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// Starts a run. What the draft does not say takes the coordinator's default.
    pub(super) async fn start_run(&self, draft: &TestDraft) -> Result<RunStarted, ApiError> {
        let request = self.request(Method::POST, "/api/v1/runs").json(draft);
        self.json(request).await
    }

    /// Asks a run to stop.
    pub(crate) async fn stop_run(&self, id: &RunId) -> Result<(), ApiError> {
        let request = self.request(Method::POST, &format!("/api/v1/runs/{id}/stop"));
        self.send(request).await.map(drop)
    }

    /// Deletes a run that is over.
    pub(crate) async fn delete_run(&self, id: &RunId) -> Result<(), ApiError> {
        let request = self.request(Method::DELETE, &format!("/api/v1/runs/{id}"));
        self.send(request).await.map(drop)
    }

    /// What people say of a run.
    pub(crate) async fn notes(&self, id: &RunId) -> Result<RunNotes, ApiError> {
        let request = self.request(Method::GET, &format!("/api/v1/runs/{id}/notes"));
        self.json(request).await
    }

    /// Changes what people say of a run; what is left out stays.
    pub(crate) async fn change_notes(
        &self,
        id: &RunId,
        change: &serde_json::Value,
    ) -> Result<RunNotes, ApiError> {
        let request = self.request(Method::PATCH, &format!("/api/v1/runs/{id}/notes"));
        self.json(request.json(change)).await
    }

    /// Adds a note at a moment of a run.
    pub(crate) async fn add_mark(
        &self,
        id: &RunId,
        at_s: u64,
        text: &str,
    ) -> Result<RunNotes, ApiError> {
        let request = self.request(Method::POST, &format!("/api/v1/runs/{id}/marks"));
        self.json(request.json(&json!({ "at": at_s, "text": text })))
            .await
    }

    /// Uploads a bundle, whose run is there when this returns. With `may_exist`, a run that already exists is not an error.
    pub(crate) async fn import(
        &self,
        bundle: tokio::fs::File,
        may_exist: bool,
    ) -> Result<RunImported, ApiError> {
        let request = self.request(Method::POST, "/api/v1/runs/import");
        let request = request.query(&[("may_exist", may_exist)]);
        self.json(request.body(bundle)).await
    }

    /// The connected agents of an infrastructure.
    pub(crate) async fn agents_of(&self, name: &str) -> Result<Vec<KnownAgent>, ApiError> {
        let infrastructures = self.infrastructures().await?;
        let asked = infrastructures.into_iter().find(|known| known.name == name);
        let agents = asked.map(|known| known.agents).unwrap_or_default();
        let connected = agents.into_iter().filter(KnownAgent::is_connected);
        Ok(connected.collect())
    }

    /// All infrastructures by name.
    pub(crate) async fn infrastructures(&self) -> Result<Vec<KnownInfrastructure>, ApiError> {
        let request = self.request(Method::GET, "/api/v1/infrastructures");
        let known: KnownInfrastructures = self.json(request).await?;
        Ok(known.infrastructures)
    }

    /// The builds that were uploaded; none of a coordinator that knows no builds.
    pub(crate) async fn builds(&self) -> Result<Option<BuildList>, ApiError> {
        let request = self.request(Method::GET, "/api/v1/builds");
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.unanswered(&error))?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = self.successful(answer).await?;
        self.json_of(answer).await.map(Some)
    }

    /// Announces a build that is to be uploaded.
    pub(crate) async fn announce_build(
        &self,
        announcement: &BuildAnnouncement,
    ) -> Result<BuildAnnounced, ApiError> {
        let request = self.request(Method::POST, "/api/v1/builds");
        self.json(request.json(announcement)).await
    }

    /// Uploads a piece of a build or a data file, packed by gzip.
    pub(crate) async fn upload_piece(
        &self,
        hash: &FileHash,
        offset: u64,
        piece: bytes::Bytes,
    ) -> Result<BuildAnnounced, ApiError> {
        let request = self
            .request(Method::PUT, &format!("/api/v1/builds/{hash}"))
            .query(&[("offset", offset)])
            .header(CONTENT_ENCODING, "gzip")
            .body(piece);
        self.json(request).await
    }

    /// Deletes a build.
    pub(crate) async fn delete_build(&self, hash: &FileHash) -> Result<(), ApiError> {
        let request = self.request(Method::DELETE, &format!("/api/v1/builds/{hash}"));
        self.send(request).await.map(drop)
    }

    /// Creates a token.
    pub(crate) async fn create_token(&self, asked: &NewToken) -> Result<TokenCreated, ApiError> {
        let request = self.request(Method::POST, "/api/v1/tokens");
        self.json(request.json(asked)).await
    }

    /// The tokens that were created.
    pub(crate) async fn tokens(&self) -> Result<TokenList, ApiError> {
        self.json(self.request(Method::GET, "/api/v1/tokens")).await
    }

    /// Revokes a token, whose id has letters and digits only.
    pub(crate) async fn revoke_token(&self, id: &str) -> Result<(), ApiError> {
        let request = self.request(Method::DELETE, &format!("/api/v1/tokens/{id}"));
        self.send(request).await.map(drop)
    }

    /// Runs after the newest `offset`, at most `limit`.
    pub(super) async fn runs(
        &self,
        asked: &RunsAsked,
        offset: usize,
        limit: usize,
    ) -> Result<RunListPart, ApiError> {
        let request = self
            .request(Method::GET, "/api/v1/runs")
            .query(&[("offset", offset), ("limit", limit)])
            .query(&asked.query());
        self.json(request).await
    }

    /// Compares runs.
    pub(crate) async fn compare(&self, asked: &CompareAsked) -> Result<Comparison, ApiError> {
        let request = self.request(Method::GET, "/api/v1/compare");
        self.json(request.query(&asked.query())).await
    }

    /// The address of the page of a comparison.
    pub(crate) fn compare_page(&self, asked: &CompareAsked) -> String {
        let page = self.page("/compare");
        match Url::parse_with_params(&page, asked.query()) {
            Ok(url) => url.into(),
            // The base is a URL, so this one is.
            Err(_) => page,
        }
    }

    /// Asks for another number of users, to be reached within this many seconds.
    pub(crate) async fn change_users(
        &self,
        id: &RunId,
        users: u64,
        within_s: u64,
    ) -> Result<(), ApiError> {
        let request = self
            .request(Method::POST, &format!("/api/v1/runs/{id}/users"))
            .json(&json!({ "users": users, "ramp_up": within_s }));
        self.send(request).await.map(drop)
    }

    /// How a run stands.
    pub(crate) async fn progress(&self, id: &RunId) -> Result<Progress, ApiError> {
        self.json(self.request(Method::GET, &format!("/api/v1/runs/{id}/progress")))
            .await
    }

    /// The last `limit` lines of a run's log after this position.
    pub(crate) async fn log_lines(
        &self,
        id: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<LogLines, ApiError> {
        let path = format!("/api/v1/runs/{id}/log/lines?after={after}&limit={limit}");
        self.json(self.request(Method::GET, &path)).await
    }

    /// The first lines of a run's log after this position that are asked for.
    pub(crate) async fn log_page(
        &self,
        id: &RunId,
        asked: &LogAsked,
        after: u64,
    ) -> Result<LogLines, ApiError> {
        let path = format!("/api/v1/runs/{id}/log/lines?after={after}&order=first");
        self.json(self.request(Method::GET, &path).query(asked))
            .await
    }

    /// The three console tables.
    pub(crate) async fn tables(&self, id: &RunId) -> Result<String, ApiError> {
        self.text(&format!("/api/v1/runs/{id}/tables")).await
    }

    /// One of the small files of a run: `csv/stats`, `csv/failures`, `csv/exceptions` or `completeness`.
    pub(crate) async fn file(&self, id: &RunId, path: &str) -> Result<String, ApiError> {
        self.text(&format!("/api/v1/runs/{id}/{path}")).await
    }

    /// The CSV history: the whole, or from a second on as far as it will not change any more.
    pub(crate) async fn history(
        &self,
        id: &RunId,
        full: bool,
        from: Option<u32>,
    ) -> Result<Download, ApiError> {
        let full = if full { "full=1" } else { "" };
        let from = from.map_or_else(String::new, |from| format!("&from={from}"));
        let path = format!("/api/v1/runs/{id}/csv/stats_history?{full}{from}");
        self.read(&path, &[]).await
    }

    /// An answer below the address of a run, as it comes.
    pub(crate) async fn download(
        &self,
        id: &RunId,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Download, ApiError> {
        self.read(&format!("/api/v1/runs/{id}/{path}"), query).await
    }

    async fn read(&self, path: &str, query: &[(&str, &str)]) -> Result<Download, ApiError> {
        let request = self.request(Method::GET, path).query(query);
        let response = self.send(request).await?;
        Ok(Download::new(self.base.to_string(), response))
    }

    async fn text(&self, path: &str) -> Result<String, ApiError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        response
            .text()
            .await
            .map_err(|error| self.unanswered(&error))
    }

    /// The summary.
    pub(crate) async fn summary(&self, id: &RunId) -> Result<Summary, ApiError> {
        self.json(self.request(Method::GET, &format!("/api/v1/runs/{id}/summary")))
            .await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, self.page(path));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn json<T: serde::de::DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ApiError> {
        let response = self.send(request).await?;
        self.json_of(response).await
    }

    async fn json_of<T: serde::de::DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, ApiError> {
        let status = response.status();
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unanswered(&error))?;
        serde_json::from_slice(&body).map_err(|error| self.strange(status, error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unanswered(&error))?;
        self.successful(response).await
    }

    /// The answer, unless it is an error.
    async fn successful(&self, response: Response) -> Result<Response, ApiError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unanswered(&error))?;
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => Err(ApiError::Refused {
                reason: body.error,
                status,
            }),
            Err(_) => Err(self.strange(status, format!("status {status}"))),
        }
    }

    fn unanswered(&self, error: &reqwest::Error) -> ApiError {
        let url = self.base.to_string();
        if let Some(cause) = untrusted(error) {
            return ApiError::Untrusted { url, cause };
        }
        let cause = innermost(error);
        match error.is_connect() || error.is_builder() {
            true => ApiError::Unreachable { url, cause },
            false => ApiError::BrokenOff { url, cause },
        }
    }

    fn strange(&self, status: StatusCode, cause: impl std::fmt::Display) -> ApiError {
        ApiError::Strange {
            url: self.base.to_string(),
            cause: cause.to_string(),
            status,
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
