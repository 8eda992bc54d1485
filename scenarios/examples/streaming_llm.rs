//! Users of a language model that streams its answers, by an API like OpenAI's: how long the first token takes, how many come per
//! second, and how long an answer takes as a whole.
//!
//! ```text
//! cargo run --release --example streaming_llm -- run --host http://localhost:8000 --set model=llama \
//!   --threshold 'p95 < 20s for LLM whole answer'
//! ```

use greylag::prelude::*;
use greylag::serde::Deserialize;

/// In ms and tokens/s, of all users together on the run's page, in its summary and in its files.
static TOKENS: StreamMetrics =
    StreamMetrics::new("time to first token", "tokens per second").unit("tokens/s");
static ANSWER: Histogram = Histogram::new("length of answers").unit("tokens");
static CUT_OFF: Rate = Rate::new("answers cut off");

const QUESTIONS: [&str; 3] = [
    "Explain the birthday paradox to a child.",
    "Write a haiku about load testing.",
    "Which is heavier, a kilogram of feathers or of lead?",
];

#[derive(Default)]
struct Asker;

/// What the server sends in each event.
#[derive(Deserialize)]
#[serde(crate = "greylag::serde")]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
#[serde(crate = "greylag::serde")]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(crate = "greylag::serde")]
struct Delta {
    content: Option<String>,
}

#[fast_http_user(wait_time = between(1.0, 3.0))]
impl Asker {
    #[task]
    async fn ask(&mut self, client: &mut Client) -> TaskResult {
        let options = client.run().options();
        let question = QUESTIONS[client.user().index as usize % QUESTIONS.len()];
        let body = json!({
            "model": options.text("model")?,
            "max_tokens": options.integer("max-tokens")?,
            "stream": true,
            "messages": [{ "role": "user", "content": question }],
        });
        let key = options.text("api-key")?.to_owned();
        let whole = client.measure("LLM", "whole answer");
        let request = client
            .post("/v1/chat/completions")
            .bearer_auth(&key)
            .json(&body);
        // Recorded when the head of the response is there: what follows is measured by this task.
        let mut answer = request.stream().send().await?;
        if !answer.is_ok() {
            whole.discard();
            return Ok(());
        }
        let mut tokens = TOKENS.follow(client, &answer);
        let mut finish_reason = None;
        loop {
            let event = match answer.event().await {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    whole.failure(error);
                    return Ok(());
                }
            };
            if event.data() == "[DONE]" {
                // The stream is read to its end, so that its connection serves again.
                continue;
            }
            let chunk: Chunk = greylag::serde_json::from_str(event.data())?;
            for choice in chunk.choices {
                // Servers send a token in each event; those without text say who speaks, and why they stop.
                let has_text = choice.delta.content.is_some_and(|text| !text.is_empty());
                tokens.came(&answer, u32::from(has_text));
                finish_reason = choice.finish_reason.or(finish_reason);
            }
        }
        ANSWER.add(client, tokens.count());
        CUT_OFF.add(client, finish_reason.as_deref() == Some("length"));
        match finish_reason {
            Some(_) => whole.success(tokens.count()),
            None => whole.failure("the answer broke off"),
        }
        Ok(())
    }
}

fn scenario() -> Scenario {
    Scenario::new("streaming_llm")
        .description("Users of a language model that streams its answers")
        .option(
            CustomOption::text("model")
                .default("default")
                .help("Name of the model."),
        )
        .option(
            CustomOption::integer("max-tokens")
                .default(200)
                .help("Longest answer, in tokens."),
        )
        .option(
            CustomOption::text("api-key")
                .default("none")
                .secret()
                .help("Key of the API."),
        )
        .user_type::<Asker>()
}

fn main() -> ExitCode {
    greylag::main!(scenario = scenario())
}
