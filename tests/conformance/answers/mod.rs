//! Several hundred answers, byte for byte, each read by both of Locust's clients and by both of Greylag's: what becomes of
//! it must be the same, or `exceptions.rs` says why not.

mod answer;
mod compare;
mod connections;
mod encodings;
mod exceptions;
mod framing;
mod heads;
mod outcome;
mod redirects;
mod server;
mod texts;

use self::answer::Answer;
use self::exceptions::Client;
use self::server::AnswersApp;
use crate::conformance::pair::Pair;

/// Enough that users who wait for an answer that never ends do not hold up others.
const USERS: u64 = 40;
/// When all users have begun. Each walks on until there is nothing left, which the stop timeout allows for.
const SECONDS: u64 = 3;
const STOP_TIMEOUT: &str = "110";

fn answers() -> Vec<Answer> {
    [
        // Those that are waited for come first.
        connections::cut(),
        heads::status_lines(),
        heads::beginnings(),
        heads::interim(),
        heads::header_lines(),
        heads::large_heads(),
        heads::line_ends(),
        framing::lengths(),
        framing::transfer_encodings(),
        framing::chunks(),
        framing::bodiless(),
        connections::kept(),
        connections::extra(),
        connections::pieces(),
        encodings::names(),
        encodings::bodies(),
        texts::texts(),
        texts::json(),
        redirects::locations(),
        redirects::redirects(),
        redirects::cookies(),
    ]
    .concat()
}

async fn compare(client: Client, name: &'static str) {
    let answers = answers();
    let mut pair = Pair::here(&[name], name, USERS, SECONDS);
    pair.stop_timeout = STOP_TIMEOUT;
    let both = pair.run(|| AnswersApp::new(answers.clone())).await;
    let locust = outcome::all(&answers, &both.locust);
    let greylag = outcome::all(&answers, &both.greylag);
    let wrong = compare::unexpected(client, &answers, &locust, &greylag);
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn answers_are_read_as_by_http_user() {
    compare(Client::Http, "answers_http").await;
}

#[tokio::test]
async fn answers_are_read_as_by_fast_http_user() {
    compare(Client::Fast, "answers_fast").await;
}
