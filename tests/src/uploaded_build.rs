//! A build that a test uploads, and agents that fetch it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greylag_infra::FileHash;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::api::Api;

/// Bytes of a piece.
const PIECE: usize = 900 << 10;
/// How long a fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);

/// A build on a coordinator.
#[derive(Debug, Clone)]
pub struct UploadedBuild {
    hash: FileHash,
    program: Arc<Vec<u8>>,
}

impl UploadedBuild {
    /// Uploads a build whose program is this content, with the scenario `s`.
    ///
    /// # Panics
    /// The coordinator does not take it.
    pub async fn upload(api: &Api, infrastructure: &str, program: Vec<u8>) -> Self {
        let hash = FileHash::of(program.as_slice()).expect("it is in memory");
        let user_type = json!({ "name": "U", "weight": 1.0 });
        let manifest = json!({
            "sha256": hash,
            "size": program.len(),
            "version": "0",
            "platform": format!("{}-linux-gnu", std::env::consts::ARCH),
            "worker_protocol": 3,
            "scenarios": [{ "info": { "name": "s", "user_types": [user_type] } }],
        });
        let body = json!({ "manifest": manifest, "infrastructure": infrastructure });
        let announced = api.post("/api/v1/builds", &body).await;
        assert_eq!(announced.status.as_u16(), 200, "{}", announced.body);
        for (number, piece) in program.chunks(PIECE).enumerate() {
            let path = format!("/api/v1/builds/{hash}?offset={}", number * PIECE);
            let put = api.request(Method::PUT, &path).body(piece.to_vec());
            let answer = put.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), 200);
        }
        Self {
            hash,
            program: Arc::new(program),
        }
    }

    /// The same with a program of so many random bytes.
    ///
    /// # Panics
    /// As [`UploadedBuild::upload`].
    pub async fn upload_noise(api: &Api, infrastructure: &str, bytes: usize) -> Self {
        let mut program = vec![0; bytes];
        rand::fill(&mut program[..]);
        Self::upload(api, infrastructure, program).await
    }

    /// Its name.
    pub fn hash(&self) -> &FileHash {
        &self.hash
    }

    /// So many agents fetch it at the same time, of which every other one continues after a half. How long it took.
    ///
    /// # Panics
    /// One of them does not get it.
    pub async fn fetch(&self, api: &Api, agents: usize) -> Duration {
        let began = Instant::now();
        let path = format!("/api/v1/builds/{}", self.hash);
        let mut fetches = JoinSet::new();
        for agent in 0..agents {
            let from = (agent % 2) * (self.program.len() / 2);
            let get = api.request(Method::GET, &path).timeout(FETCH_TIMEOUT);
            let get = match from {
                0 => get,
                from => get.header("range", format!("bytes={from}-")),
            };
            let program = Arc::clone(&self.program);
            fetches.spawn(async move {
                let mut answer = get.send().await.expect("an answer");
                assert_eq!(answer.status().as_u16(), if from == 0 { 200 } else { 206 });
                let mut at = from;
                while let Some(bytes) = answer.chunk().await.expect("the program") {
                    assert!(program[at..].starts_with(&bytes), "the bytes at {at}");
                    at += bytes.len();
                }
                assert_eq!(at, program.len());
            });
        }
        while let Some(fetched) = fetches.join_next().await {
            fetched.expect("it is the program");
        }
        began.elapsed()
    }
}
