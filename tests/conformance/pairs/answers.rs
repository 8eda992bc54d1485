//! Port of answers.py, answers_http.py and answers_fast.py.

use std::fmt::Write as _;

use greylag::prelude::*;
use serde::Serialize;
use serde_json::Value;

/// How much of a body and its text is compared.
const SHOWN: usize = 100;
/// The longest that an answer may keep a user waiting; some never end, and others take a busy machine seconds.
const TIMEOUT: Duration = Duration::from_secs(6);

/// What became of an answer, as `answers.py` says it.
#[derive(Debug, Default, Serialize)]
struct Observed {
    name: String,
    status: u16,
    length: usize,
    content: String,
    text: Option<String>,
    json: Option<String>,
    odd: Option<String>,
    behind: Option<String>,
    after: Option<String>,
}

async fn walk(client: &mut Client) -> TaskResult {
    let mut seen = None;
    loop {
        let following = client
            .post("/next")
            .json(&seen)
            .name("/next")
            .send()
            .await?;
        let text = following.text().to_string();
        let Some((method, name)) = text.split_once(' ') else {
            return stop_user();
        };
        let (path, after) = (format!("/answers/{name}"), format!("/after/{name}"));
        let request = match method {
            // Which of them follow redirects of HEAD is a rule of their own.
            "HEAD" => client.head(path),
            method => client.request(method.parse()?, path),
        };
        let answer = request.name(name).header("X-Answer", name).send().await;
        let after = client.get(after).name("/after").header("X-Answer", name);
        let after = after.send().await.ok();
        seen = Some(Observed {
            name: name.to_owned(),
            after: after.map(|after| format!("{} {}", after.status().as_u16(), after.text())),
            ..answer.map(observed).unwrap_or_default()
        });
    }
}

fn observed(response: Response) -> Observed {
    let (content, text) = (response.bytes(), response.text());
    let hex = content
        .iter()
        .take(SHOWN)
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    let json = response.json::<Value>().ok().map(|value| value.to_string());
    // Python reads header lines as Latin-1, and joins those of the same name.
    let header = |name: &str| {
        let values = response.headers().get_all(name).iter();
        let values: Vec<String> = values
            .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    Observed {
        status: response.status().as_u16(),
        length: content.len(),
        content: hex,
        text: Some(text.chars().take(SHOWN).collect()),
        json: json.map(|json| json.chars().take(SHOWN).collect()),
        odd: header("X-Odd"),
        behind: header("X-After"),
        ..Observed::default()
    }
}

#[derive(Default)]
pub(super) struct AnswersHttp;

#[http_user(request_timeout = TIMEOUT)]
impl AnswersHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        walk(client).await
    }
}

#[derive(Default)]
pub(super) struct AnswersFast;

#[fast_http_user(request_timeout = TIMEOUT)]
impl AnswersFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        walk(client).await
    }
}
