//! The page that asks for the token.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Theme, heavy};
use serde_json::json;

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use crate::support::greylag;

#[tokio::test]
async fn signing_in_with_the_token() {
    let _turn = heavy().await;
    let cluster = Cluster::start_with(&greylag(), &["--token", "open-sesame"]).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(cluster.api().url()).await;
    let send = async |token: &str| {
        let client = browser.client();
        let field = client.find(Locator::Css("input[name='token']")).await;
        let field = field.expect("the page asks for the token");
        field.send_keys(token).await.expect("it takes text");
        let button = client.find(Locator::Css("form.login button")).await;
        button.expect("Sign in").click().await.expect("a click");
    };
    look_from_all_sides(&browser, "login").await;
    send("open-cesame").await;
    let refused = "return document.querySelector('[role=\"alert\"]') !== null;";
    browser.wait_for("that it is wrong", LIVE, refused).await;
    look_from_all_sides(&browser, "login-refused").await;
    send("open-sesame").await;
    browser
        .wait_for(
            "the front page",
            LIVE,
            "return document.querySelector('[data-region=\"infrastructures\"]') !== null;",
        )
        .await;
    browser.open(cluster.api().url()).await;
    let asked = browser
        .eval("return document.querySelector('input[name=\"token\"]') !== null;")
        .await;
    assert_eq!(asked, json!(false), "it asks once");
    assert_quiet(&browser, cluster.api().url(), Some("401")).await;
    browser.close().await;
}
