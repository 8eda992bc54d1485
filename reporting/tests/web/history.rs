//! The history: every run can be reached, found and deleted, by people without scripts and by programs.

use std::time::Duration;

use axum::http::{StatusCode, header};
use greylag_infra::{RunPhase, RunRecord};
use serde_json::{Value, json};

use crate::site::{Site, load_test};

/// Finished runs, the oldest first, `#1` to `#count`.
async fn runs(site: &Site, test: &str, count: u64) {
    let template = site
        .finished_run(&format!("{test}-1"), load_test(test), "/", "x")
        .await;
    for number in 2..=count {
        let record = RunRecord {
            id: format!("{test}-{number}").into(),
            created_at: template.created_at + Duration::from_micros(number),
            ..template.clone()
        };
        let store = site.coordinator.store();
        store.create_run(record).await.expect("kept");
    }
}

/// The ids of the runs on a page, in order.
fn shown(html: &str) -> Vec<String> {
    let rows = html.split("<li class=\"run\" data-run=\"").skip(1);
    rows.map(|row| row[..row.find('"').expect("an end")].to_owned())
        .collect()
}

/// The link with this attribute, as a browser follows it.
fn link(html: &str, mark: &str) -> Option<String> {
    let element = html.split("<a ").find(|element| element.contains(mark))?;
    let href = element.split_once("href=\"")?.1;
    Some(href[..href.find('"')?].replace("&#38;", "&"))
}

#[tokio::test]
async fn every_run_is_reached_by_links() {
    let site = Site::start(None).await;
    runs(&site, "shop & <co>", 120).await;
    runs(&site, "other", 1).await;
    let all: Vec<String> = (1..=120)
        .rev()
        .map(|n| format!("shop & <co>-{n}"))
        .collect();

    let mut next = Some("/?test=shop%20%26%20%3Cco%3E".to_owned());
    let mut reached = Vec::new();
    while let Some(page) = next {
        let html = site.get(&page).await.body;
        assert!(html.contains("of 120 runs"), "{page}");
        reached.extend(shown(&html));
        next = link(&html, "rel=\"next\"");
    }
    let escaped = |id: &String| {
        id.replace('&', "&#38;")
            .replace('<', "&#60;")
            .replace('>', "&#62;")
    };
    assert_eq!(reached, all.iter().map(escaped).collect::<Vec<_>>());

    // Programs see the same.
    let mut listed = Vec::new();
    for page in 1..=3 {
        let path = format!("/api/v1/runs?test=shop%20%26%20%3Cco%3E&page={page}");
        let answer = site.get(&path).await.json();
        let (total, pages) = (&answer["total"], &answer["pages"]);
        assert_eq!(
            (total, pages, &answer["page"]),
            (&json!(120), &json!(3), &json!(page))
        );
        listed.extend(answer["runs"].as_array().expect("runs").clone());
    }
    let ids: Vec<&str> = listed.iter().filter_map(|run| run["id"].as_str()).collect();
    assert_eq!(ids, all);
    let some = site.get("/api/v1/runs?limit=2&offset=3").await.json();
    assert_eq!(some["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(some["runs"][0]["id"], json!("shop & <co>-117"));
}

#[tokio::test]
async fn a_page_beyond_the_last_is_the_last_and_nonsense_is_the_first() {
    let site = Site::start(None).await;
    runs(&site, "shop", 51).await;
    for (page, first) in [
        ("2", "shop-1"),
        ("99999999999999", "shop-1"),
        ("0", "shop-51"),
        ("x", "shop-51"),
    ] {
        let html = site.get(&format!("/?page={page}")).await.body;
        assert_eq!(shown(&html)[0], first, "page {page}");
    }
    let list = site.get("/api/v1/runs?page=7").await.json();
    assert_eq!(
        (&list["page"], &list["runs"][0]["id"]),
        (&json!(2), &json!("shop-1"))
    );
}

#[tokio::test]
async fn a_search_narrows_the_list_and_stays_over_pages() {
    let site = Site::start(None).await;
    runs(&site, "shop", 60).await;
    runs(&site, "blog", 3).await;
    let html = site.get("/?q=blog").await.body;
    assert_eq!(shown(&html), ["blog-3", "blog-2", "blog-1"]);
    assert!(
        html.contains("value=\"blog\""),
        "what was searched stays in the field"
    );
    assert_eq!(shown(&site.get("/?q=shop+%2317").await.body), ["shop-17"]);
    let second = site.get("/?q=shop&page=2").await.body;
    assert_eq!(shown(&second).len(), 10);
    assert_eq!(link(&second, "rel=\"prev\"").as_deref(), Some("/?q=shop"));
    let nothing = site.get("/?q=%3Cb%3Enothing").await.body;
    assert!(
        nothing.contains("No runs found") && nothing.contains("&#60;b&#62;nothing"),
        "{nothing}"
    );
    let list = site.get("/api/v1/runs?q=finished+%231").await.json();
    assert_eq!(list["total"], json!(2), "{}", list["total"]);
}

#[tokio::test]
async fn a_run_is_deleted_from_the_page_and_by_programs() {
    let site = Site::start(None).await;
    runs(&site, "shop", 1).await;
    runs(&site, "blog", 1).await;
    let html = site.get("/").await.body;
    assert!(html.contains("action=\"/runs/shop-1/delete\""));
    let answer = site
        .post_form("/runs/shop-1/delete", "test=&q=a+b&page=2")
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), "/?q=a%20b&page=2");
    assert_eq!(site.get("/runs/shop-1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(shown(&site.get("/").await.body), ["blog-1"]);

    let answer = site.delete("/api/v1/runs/blog-1").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get("/api/v1/runs").await.json()["total"], json!(0));
    for path in ["/api/v1/runs/blog-1", "/api/v1/runs/nosuchrun"] {
        let answer = site.delete(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(site.get("/").await.body.contains("No runs yet"));
}

#[tokio::test]
async fn a_run_that_goes_on_cannot_be_deleted() {
    let site = Site::start(None).await;
    let record = site
        .finished_run("over-0", load_test("shop"), "/", "x")
        .await;
    let running = RunRecord {
        id: "running-0".into(),
        phase: RunPhase::Running,
        ended_at: None,
        ..record
    };
    let store = site.coordinator.store();
    store.create_run(running).await.expect("kept");
    let answer = site.delete("/api/v1/runs/running-0").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer
            .error_message()
            .contains("stop it before deleting it"),
        "{}",
        answer.body
    );
    let html = site.get("/").await.body;
    assert!(!html.contains("action=\"/runs/running-0/delete\""));
    let list: Value = site.get("/api/v1/runs").await.json();
    assert_eq!(list["total"], json!(2));
}
