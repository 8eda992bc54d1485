//! What people say of a run: its note, labels, whether it is pinned, and notes at moments of it.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use greylag_infra::{FailureReason, LoadTest, RunPhase, RunRecord};
use serde_json::{Value, json};

use crate::compare::finished;
use crate::site::{Answer, Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";
const NOTES: &str = "/api/v1/runs/abcdefabcdef/notes";
const MARKS: &str = "/api/v1/runs/abcdefabcdef/marks";

async fn site() -> Site {
    let site = Site::start(None).await;
    let test = LoadTest {
        labels: vec!["commit=abc".into(), "smoke".into()],
        ..load_test("checkout")
    };
    site.finished_run(RUN, test, "/", "500").await;
    site.finished_run("fedcbafedcba", load_test("search"), "/", "500")
        .await;
    site
}

async fn patch(site: &Site, body: &Value) -> Answer {
    let request = Request::patch(NOTES)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    site.send(request.expect("a request")).await
}

async fn found(site: &Site, words: &str) -> Vec<String> {
    let words = words
        .replace(':', "%3A")
        .replace('=', "%3D")
        .replace(' ', "+");
    let list = site.get(&format!("/api/v1/runs?q={words}")).await.json();
    let runs = list["runs"].as_array().expect("a list").iter();
    runs.map(|run| run["test"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn what_is_said_of_a_run_is_kept_and_shown_and_found() {
    let site = site().await;
    let said = site.get(NOTES).await.json();
    let at_first =
        json!({"pinned": false, "labels": ["commit=abc", "smoke"], "note": "", "marks": []});
    assert_eq!(said, at_first);

    let note = "Slower than **before**: see [the ticket](https://tickets.example/7)";
    let said = patch(&site, &json!({"note": note, "pinned": true})).await;
    assert_eq!(said.status, StatusCode::OK);
    assert_eq!(said.json()["labels"], at_first["labels"], "they stay");
    let said = patch(&site, &json!({"labels": ["commit=def"]}))
        .await
        .json();
    assert_eq!(
        said,
        json!({"pinned": true, "labels": ["commit=def"], "note": note, "marks": []})
    );
    assert_eq!(
        site.get("/api/v1/runs/abcdefabcdef").await.json()["notes"],
        said
    );
    assert_eq!(site.get(NOTES).await.json(), said);

    let page = site.get("/runs/abcdefabcdef").await.body;
    for shown in [
        "Slower than <strong>before</strong>: see <a href=\"https://tickets.example/7\">the ticket</a>",
        "q=label%3Acommit%3Ddef",
        "data-role=\"pinned-pill\"",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    let front = site.get("/").await.body;
    assert!(front.contains(">commit=def</a>") && front.contains(">Pinned</span>"));
    let row = &site.get("/api/v1/runs?q=checkout").await.json()["runs"][0];
    assert_eq!(row["pinned"], true);
    assert_eq!(row["can_delete"], false);
    assert_eq!(
        (&row["labels"], &row["has_note"]),
        (&json!(["commit=def"]), &json!(true))
    );

    for (words, is_found) in [
        ("label:commit=def", true),
        ("LABEL:Commit=DEF", true),
        ("label:commit", true),
        ("label:comm", false),
        ("label:commit=d", false),
        ("label:commit=abc", false),
        ("is:pinned", true),
        ("slower checkout", true),
        ("def", true),
        ("label:commit=def nothing", false),
    ] {
        assert_eq!(
            found(&site, words).await == ["checkout"],
            is_found,
            "{words}"
        );
    }
    assert_eq!(found(&site, "").await.len(), 2);
}

#[tokio::test]
async fn moments_are_marked_on_the_charts() {
    let site = site().await;
    for (at, text) in [
        (json!(3), "cache <b>emptied</b>"),
        (json!("1s"), "deployed"),
    ] {
        let added = site
            .post(MARKS, json!({"at": at, "text": text}).to_string())
            .await;
        assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
    }
    let view = site.get("/api/v1/runs/abcdefabcdef").await.json();
    let marks =
        json!([{"second": 1, "label": "deployed"}, {"second": 3, "label": "cache <b>emptied</b>"}]);
    assert_eq!(view["marks"], marks);
    assert_eq!(view["notes"]["marks"][0]["text"], "deployed", "by second");
    let page = site.get("/runs/abcdefabcdef").await.body;
    assert!(page.contains("deployed") && !page.contains("<b>emptied"));
    let window = site
        .get("/api/v1/runs/abcdefabcdef?from=2&to=5")
        .await
        .json();
    assert_eq!(window["marks"], json!([marks[1]]));
    assert_eq!(found(&site, "emptied").await, ["checkout"]);

    let number = view["notes"]["marks"][0]["number"].to_string();
    let path = format!("{MARKS}/{number}");
    assert_eq!(site.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.delete(&path).await.status, StatusCode::NOT_FOUND);
    site.post_form("/runs/abcdefabcdef/notes", "note=one%0D%0Atwo")
        .await;
    let typed = site.get(NOTES).await.json();
    assert_eq!(
        typed["note"], "one\ntwo",
        "browsers end lines with two characters"
    );
    let form = site
        .post_form("/runs/abcdefabcdef/marks", "at=1m30s&text=the+end")
        .await;
    assert_eq!(form.status, StatusCode::SEE_OTHER);
    let said = site.get(NOTES).await.json();
    assert_eq!(said["marks"].as_array().expect("a list").len(), 2);
    assert_eq!(said["marks"][1]["second"], 90);
    for _ in 2..greylag_reporting::MAX_RUN_MARKS {
        site.post(MARKS, "{\"at\": 2, \"text\": \"x\"}").await;
    }
    let more = site.post(MARKS, "{\"at\": 2, \"text\": \"x\"}").await;
    assert_eq!(more.status, StatusCode::CONFLICT);
    assert!(more.error_message().contains("50 notes"), "{more:?}");
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_and_changes_nothing() {
    let site = site().await;
    let before = site.get(NOTES).await.json();
    for (body, status) in [
        (
            json!({"note": "x".repeat(10_001)}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"note": "a\u{1b}[31m"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({"labels": ["a b"]}), StatusCode::UNPROCESSABLE_ENTITY),
        (
            json!({"labels": ["a=1", "a=2"]}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({"pinned": "yes"}), StatusCode::BAD_REQUEST),
        (json!({"tags": []}), StatusCode::BAD_REQUEST),
        (json!([]), StatusCode::BAD_REQUEST),
    ] {
        let answer = patch(&site, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.error_message().is_empty());
    }
    for body in [
        json!({"text": "x"}),
        json!({"at": -1, "text": "x"}),
        json!({"at": "31d", "text": "x"}),
        json!({"at": "721h", "text": "x"}),
        json!({"at": 1}),
        json!({"at": 1, "text": "two\nlines"}),
        json!({"at": 1, "text": "x".repeat(201)}),
    ] {
        let answer = site.post(MARKS, body.to_string()).await;
        let is_refused = answer.status.is_client_error();
        assert!(is_refused, "{body}: {answer:?}");
    }
    let unknown = "/api/v1/runs/nosuchrun/notes";
    assert_eq!(site.get(unknown).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(NOTES).await.json(), before);
}

#[tokio::test]
async fn a_pinned_run_is_deleted_when_it_is_unpinned() {
    let site = site().await;
    let pinned = site
        .post_form("/runs/abcdefabcdef/notes", "pinned=true")
        .await;
    assert_eq!(pinned.status, StatusCode::SEE_OTHER);
    let run = "/api/v1/runs/abcdefabcdef";
    let refused = site.delete(run).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.error_message().contains("unpin it"), "{refused:?}");
    let page = site.get("/runs/abcdefabcdef").await.body;
    assert!(!page.contains("data-role=\"delete\""));
    site.post_form("/runs/abcdefabcdef/notes", "pinned=false")
        .await;
    assert_eq!(site.delete(run).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get(NOTES).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_test_shows_how_its_numbers_go_from_run_to_run() {
    let site = site().await;
    let has_trends = async |path| site.get(path).await.body.contains("data-role=\"trends\"");
    assert!(!has_trends("/?test=search").await, "one run");
    for id in ["a11111111111", "a22222222222"] {
        site.finished_run(id, load_test("search"), "/", "500").await;
    }
    let page = site.get("/?test=search").await.body;
    for shown in [
        "aria-label=\"95th percentile over 3 runs: from ",
        "aria-label=\"Requests per second over 3 runs",
        "aria-label=\"Error rate over 3 runs",
        "<title>#3: ",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("NaN"));
    assert!(!has_trends("/").await, "of one test only");

    // The oldest comes first and the greatest is at the top; what failed is marked, what goes on is left out.
    for (id, factor) in [
        ("b11111111111", 1.0),
        ("b22222222222", 3.0),
        ("b33333333333", 2.0),
    ] {
        finished(&site, id, "trend", factor).await;
    }
    let store = site.coordinator.store();
    let newest = store.run(&"b33333333333".into()).await;
    let newest = newest.expect("it is read").expect("it is kept");
    let failed = RunRecord {
        phase: RunPhase::Failed(FailureReason::StoppedByUser),
        ..newest
    };
    store.update_run(&failed).await.expect("it is kept");
    let goes_on = snapshot("b44444444444", "/", "500");
    site.running_run("b44444444444", load_test("trend"), goes_on)
        .await;
    let page = site.get("/?test=trend").await.body;
    let (_, chart) = page
        .split_once("<svg viewBox=\"0 0 300 56\"")
        .expect("a chart");
    let chart = chart.split("</svg>").next().expect("it ends");
    let dots: Vec<&str> = chart.split("<circle ").skip(1).collect();
    let number = |dot: &str| {
        dot.split_once("<title>#")
            .map(|(_, rest)| rest[..1].to_owned())
    };
    let numbers: Vec<String> = dots.iter().filter_map(|dot| number(dot)).collect();
    assert_eq!(numbers, ["1", "2", "3"]);
    let marked: Vec<bool> = dots
        .iter()
        .map(|dot| dot.contains("class=\"failed\""))
        .collect();
    assert_eq!(marked, [false, false, true]);
    let height = |dot: &str| {
        let (_, rest) = dot.split_once("cy=\"").expect("a place");
        rest.split('"')
            .next()
            .and_then(|text| text.parse::<f64>().ok())
            .expect("a number")
    };
    assert_eq!(height(dots[1]), 5.0, "the top but for the margin");
    assert!(height(dots[1]) < height(dots[2]) && height(dots[2]) < height(dots[0]));
}

/// Whatever a note says, its page runs and fetches nothing of it.
#[tokio::test]
async fn a_hostile_note_is_text() {
    let site = site().await;
    let note = "<script>alert(1)</script> <img src=x onerror=alert(2)> [x](javascript:alert(3)) ![y](https://evil.example/p.png) </div></section>";
    patch(
        &site,
        &json!({"note": note, "labels": ["\"><script>alert(4)</script>"]}),
    )
    .await;
    for path in ["/runs/abcdefabcdef", "/"] {
        let page = site.get(path).await.body;
        for harm in [
            "<script>alert",
            "<img src=x",
            "href=\"javascript:",
            "src=\"https://evil",
        ] {
            assert!(!page.contains(harm), "{path}: {harm}");
        }
        assert!(page.contains("alert(4)"), "the label is shown");
    }
}
