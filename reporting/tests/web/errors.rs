//! What is said of each error: how much it is, and where it occurred.

use serde_json::json;

use crate::site::{AGENT, Site, load_test};

const RUN: &str = "abcdefabcdef";

#[tokio::test]
async fn an_error_says_how_much_it_is_and_on_which_agents() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "<b>500")
        .await;
    for path in ["", "/summary", "?from=2&to=5"] {
        let answer = site.get(&format!("/api/v1/runs/{RUN}{path}")).await.json();
        let error = &answer["errors"][0];
        let said = json!([
            error["request_share"],
            error["error_share"],
            error["agent_count"],
            error["agents"]
        ]);
        assert_eq!(said, json!([0.2, 1.0, 1, [AGENT]]), "{path}: {error}");
    }
    let page = site.get(&format!("/runs/{RUN}")).await.body;
    assert!(
        page.contains("title=\"100% of all errors\">20.00%</td>"),
        "{page}"
    );
    assert!(
        page.contains("data-scope=\"endpoint=GET%20/cart\""),
        "{page}"
    );
}
