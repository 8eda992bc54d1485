//! The page that compares runs, and the ways to it.

use axum::http::{StatusCode, header};
use greylag_infra::{RunPhase, RunRecord};
use serde_json::Value;

use crate::compare::{SECONDS, finished, site, with_requests};
use crate::site::{Answer, Site, load_test, snapshot};

/// The text of an attribute, as a browser reads it.
fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let start = format!(" {name}=\"");
    let (_, rest) = element
        .split_once(&start)
        .unwrap_or_else(|| panic!("{name} in {element}"));
    rest.split('"').next().expect("it ends")
}

/// The element that begins with this, up to its closing bracket.
fn element<'a>(html: &'a str, start: &str) -> &'a str {
    let (_, rest) = html
        .split_once(start)
        .unwrap_or_else(|| panic!("{start} in {html}"));
    rest.split('>').next().expect("it ends")
}

/// The address of the first link with this mark.
fn link(html: &str, mark: &str) -> String {
    let found = html.split("<a ").find(|link| link.contains(mark));
    let found = found.unwrap_or_else(|| panic!("{mark} in {html}"));
    let (_, rest) = found.split_once("href=\"").expect("a link has an address");
    rest.split('"')
        .next()
        .expect("it ends")
        .replace("&#38;", "&")
}

async fn page(site: &Site, query: &str) -> Answer {
    let answer = site.get(&format!("/compare?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    answer
}

/// Whether a number on the page is that of an answer, whose JSON is read to the last digit but one.
fn is_same(shown: &str, answered: &Value) -> bool {
    match (shown.parse::<f64>(), answered.as_f64()) {
        (Ok(shown), Some(answered)) => (shown - answered).abs() <= 1e-12 * answered.abs(),
        (shown, answered) => shown.is_err() && answered.is_none(),
    }
}

#[tokio::test]
async fn the_page_has_the_numbers_of_the_api() {
    let site = site().await;
    let query = "runs=aaaaaaaaaaaa,bbbbbbbbbbbb,cccccccccccc&to=50";
    let html = page(&site, query).await.body;
    let api = site.get(&format!("/api/v1/compare?{query}")).await.json();
    for run in api["runs"].as_array().expect("runs") {
        let id = run["run"]["id"].as_str().expect("an id");
        let verdict = html
            .split("<article ")
            .skip(1)
            .find(|article| article.contains(id))
            .expect("a verdict");
        assert_eq!(attribute(verdict, "data-verdict"), run["verdict"]);
        for difference in run["aggregated"].as_array().expect("differences") {
            let key = difference["statistic"].as_str().expect("a text");
            let (_, card) = html
                .split_once(&format!("class=\"card metric\" data-statistic=\"{key}\""))
                .expect("a card");
            let line = card
                .split("<li ")
                .skip(1)
                .find(|line| line.contains(id))
                .expect("a line");
            for name in ["value", "change", "low", "high"] {
                let shown = attribute(line, &format!("data-{name}"));
                let answered = &difference[name];
                assert!(
                    is_same(shown, answered),
                    "{name} of {key} of {id}: {shown}, {answered}"
                );
            }
        }
        // In words, not only in colour.
        let words = match run["verdict"].as_str() {
            Some("slower") => "Slower",
            _ => "No evidence of a difference",
        };
        assert!(verdict.contains(words), "{verdict}");
    }
    // Each endpoint of each run, what got worse first.
    let rows: Vec<&str> = html.split("<tr class=\"run-").skip(1).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(attribute(rows[0], "data-place"), "3");
    let p95 = &api["runs"][1]["endpoints"][0]["differences"][4];
    let cell = element(rows[0], "data-statistic=\"p95_ms\"");
    assert!(
        is_same(attribute(cell, "data-value"), &p95["change"]),
        "{cell}"
    );
    assert!(html.contains("<b>0s</b> to <b>50s</b>"), "which seconds");
    assert!(html.contains("greylag compare aaaaaaaaaaaa bbbbbbbbbbbb cccccccccccc --window 0..50"));
}

#[tokio::test]
async fn another_reference_is_one_click_and_runs_keep_their_places() {
    let site = site().await;
    let html = page(&site, "runs=checkout%231,cccccccccccc&endpoint=GET+/cart")
        .await
        .body;
    let swapped = link(&html, "data-role=\"swap\"");
    assert_eq!(
        swapped,
        "/compare?runs=aaaaaaaaaaaa%2Ccccccccccccc&reference=cccccccccccc&endpoint=GET%20/cart"
    );
    let back = site.get(&swapped).await.body;
    assert!(back.contains("data-verdict=\"faster\""), "{back}");
    let reference = |html: &str, id: &str| {
        let run = element(html, &format!("data-run=\"{id}\" data-reference=")).to_owned();
        let at = html.find(&format!("data-run=\"{id}\" data-reference="));
        (run, at)
    };
    for (page, first) in [(&html, true), (&back, false)] {
        let (is_reference, a) = reference(page, "aaaaaaaaaaaa");
        let (_, c) = reference(page, "cccccccccccc");
        assert_eq!(is_reference, format!("\"{first}\""));
        assert!(a < c, "the runs stay where they were");
    }
    let apart = page(&site, "runs=cccccccccccc&reference=aaaaaaaaaaaa")
        .await
        .body;
    let at = |id| reference(&apart, id).1;
    assert!(
        at("aaaaaaaaaaaa") < at("cccccccccccc"),
        "a reference that is named apart comes first"
    );
    assert_eq!(
        link(&back, "data-role=\"make-reference\""),
        "/compare?runs=aaaaaaaaaaaa%2Ccccccccccccc&endpoint=GET%20/cart"
    );
}

#[tokio::test]
async fn what_cannot_be_compared_has_one_message_and_a_form() {
    let site = site().await;
    for (query, status, message) in [
        ("runs=checkout%231", 422, "needs 2 to 5 runs"),
        ("runs=a,b,c,d,e,f", 422, "got 6"),
        (
            "runs=checkout%231,%3Cb%3E",
            404,
            "Run <code>&#60;b&#62;</code> was not found",
        ),
        (
            "runs=checkout,other&from=9&to=5",
            422,
            "From must be less than to",
        ),
        ("runs=checkout,other&from=55", 422, "has 5 s of results"),
        (
            "runs=checkout,other&endpoint=GET+/none",
            404,
            "has no endpoint",
        ),
        ("run=checkout%231", 422, "needs 2 to 5 runs"),
        ("run=checkout%231&run=nothing", 404, "was not found"),
    ] {
        let answer = site.get(&format!("/compare?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        let html = &answer.body;
        let (_, problem) = html
            .split_once("data-role=\"compare-problem\">")
            .expect(query);
        let problem = problem.split("</p>").next().expect("it ends");
        assert!(problem.contains(message), "{query}: {problem}");
        assert_eq!(html.matches("name=\"run\" value=").count(), 4, "{query}");
    }
    // What was named is ticked, what was typed stays.
    let html = site
        .get("/compare?runs=checkout%231,other&from=9&to=5")
        .await
        .body;
    assert_eq!(html.matches(" checked").count(), 2);
    assert!(html.contains("name=\"from\" value=\"9\""), "{html}");
    let nothing = page(&site, "").await.body;
    assert!(!nothing.contains("compare-problem"), "nothing is wrong yet");
    let none = Site::start(None).await;
    assert!(page(&none, "").await.body.contains("No run has begun yet"));
}

#[tokio::test]
async fn ticked_runs_are_compared_with_the_oldest_of_them() {
    let site = site().await;
    let answer = site
        .get("/compare?run=cccccccccccc&from=5&run=aaaaaaaaaaaa")
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        answer.header(header::LOCATION),
        "/compare?runs=aaaaaaaaaaaa%2Ccccccccccccc&from=5"
    );
    let front = site.get("/?test=checkout").await.body;
    assert_eq!(front.matches("name=\"run\" value=").count(), 3);
    assert!(front.contains("<form method=\"get\" action=\"/compare\" id=\"compare-form\""));
    assert_eq!(
        link(&front, "the run before"),
        "/compare?runs=bbbbbbbbbbbb%2Ccccccccccccc"
    );
}

#[tokio::test]
async fn a_run_offers_the_one_before_it_then_pinned_ones_then_others() {
    let site = site().await;
    finished(&site, "eeeeeeeeeeee", "checkout", 1.0).await;
    let pinned = site
        .post_form("/runs/aaaaaaaaaaaa/notes", "pinned=true")
        .await;
    assert_eq!(pinned.status, StatusCode::SEE_OTHER);
    let html = site.get("/runs/eeeeeeeeeeee").await.body;
    assert_eq!(
        link(&html, "data-role=\"compare-previous\""),
        "/compare?runs=cccccccccccc%2Ceeeeeeeeeeee"
    );
    let (_, menu) = html
        .split_once("data-role=\"compare-with\"")
        .expect("a menu");
    let menu = menu.split("</ul>").next().expect("it ends");
    let at = |text: &str| {
        menu.find(text)
            .unwrap_or_else(|| panic!("{text} in {menu}"))
    };
    assert!(
        at("previous run") < at("pinned, ") && at("pinned, ") < at("#2 <span"),
        "{menu}"
    );
    assert_eq!(menu.matches("<li>").count(), 4, "each once: {menu}");
    let front = site.get("/?test=checkout").await.body;
    assert_eq!(
        link(&front, "with pinned"),
        "/compare?runs=aaaaaaaaaaaa%2Ceeeeeeeeeeee"
    );
    let choose = page(&site, "runs=eeeeeeeeeeee&choose=").await.body;
    assert!(
        !choose.contains("compare-problem") && choose.contains("value=\"eeeeeeeeeeee\" checked")
    );
    let older = page(&site, "runs=aaaaaaaaaaaa&choose=").await.body;
    let (_, first) = older.split_once("name=\"run\" ").expect("a choice");
    assert!(first.starts_with("value=\"aaaaaaaaaaaa\" checked"));
    // The first run of its test has no other.
    let alone = site.get("/runs/dddddddddddd").await.body;
    assert!(
        !alone.contains("compare-previous") && alone.contains("choose="),
        "{alone}"
    );
}

#[tokio::test]
async fn a_run_that_goes_on_is_compared_as_far_as_it_has_come() {
    let site = site().await;
    let mut results = snapshot("ffffffffffff", "/cart", "500");
    results.end = None;
    let mut test = load_test("checkout");
    test.ramp_up_s = 0;
    let profile = test.profile();
    let running = site.running_run("ffffffffffff", test, results).await;
    let running = RunRecord {
        profile,
        phase: RunPhase::Running,
        ..running
    };
    let store = site.coordinator.store();
    store
        .update_run(&running)
        .await
        .expect("the run is updated");
    let html = page(&site, "runs=aaaaaaaaaaaa,ffffffffffff&from=0")
        .await
        .body;
    assert!(html.contains("checkout #4 is still running: this compares the results so far"));
    let front = site.get("/?test=checkout").await.body;
    assert_eq!(
        link(&front, "the run before"),
        "/compare?runs=bbbbbbbbbbbb%2Ccccccccccccc",
        "of the newest that is over"
    );
}

#[tokio::test]
async fn the_page_says_how_the_command_line_compares_the_same() {
    let site = site().await;
    let query = "runs=aaaaaaaaaaaa,cccccccccccc&baseline=bbbbbbbbbbbb,dddddddddddd&from=0";
    let html = page(&site, query).await.body;
    let command =
        "greylag compare aaaaaaaaaaaa cccccccccccc --baseline bbbbbbbbbbbb,dddddddddddd --whole";
    assert!(html.contains(command), "{html}");
    assert_eq!(
        link(&html, "Steady state"),
        "/compare?runs=aaaaaaaaaaaa%2Ccccccccccccc&baseline=bbbbbbbbbbbb%2Cdddddddddddd"
    );
    // Runs of several tests have whole names, and what got worse is said without colour.
    assert!(html.contains("<title>Compare checkout #1 checkout #3"));
    let arrow = |html: &str, arrow: &str| {
        html.contains(&format!("<span aria-hidden=\"true\">{arrow}</span> "))
    };
    assert!(arrow(&html, "▲") && !arrow(&html, "▼"));
    let faster = page(&site, "runs=cccccccccccc,aaaaaaaaaaaa").await.body;
    assert!(faster.contains("<title>Compare #3 #1 "), "{faster}");
    assert!(arrow(&faster, "▼") && !arrow(&faster, "▲"));

    let name = "/it's";
    for id in ["quote-a", "quote-b"] {
        with_requests(&site, id, load_test("quote"), 1.0, name, 0..SECONDS).await;
    }
    let html = page(&site, "runs=quote-a,quote-b&endpoint=GET+/it%27s")
        .await
        .body;
    assert!(
        html.replace("&#39;", "'")
            .contains(r"quote-b --endpoint 'GET /it'\''s'"),
        "{html}"
    );
}

#[tokio::test]
async fn a_run_is_left_out_while_two_remain() {
    let site = site().await;
    let left_out = |html: &str| html.matches(">Remove<").count();
    let html = page(&site, "runs=aaaaaaaaaaaa,bbbbbbbbbbbb,cccccccccccc")
        .await
        .body;
    assert_eq!(left_out(&html), 2, "all but the reference");
    let html = page(&site, "runs=aaaaaaaaaaaa,cccccccccccc").await.body;
    assert_eq!(left_out(&html), 0);
}

#[tokio::test]
async fn a_run_that_is_named_can_be_chosen_however_old_it_is() {
    let site = site().await;
    let store = site.coordinator.store();
    let run = store.run(&"aaaaaaaaaaaa".into()).await;
    let run = run.expect("it is read").expect("it is kept");
    for number in 0..40 {
        let newer = RunRecord {
            id: format!("newer-{number}").as_str().into(),
            ..run.clone()
        };
        store.create_run(newer).await.expect("it is kept");
    }
    let html = page(&site, "runs=aaaaaaaaaaaa&choose=").await.body;
    assert!(html.contains("value=\"aaaaaaaaaaaa\" checked"), "{html}");
    assert!(html.matches("name=\"run\" value=").count() < 40);
}
