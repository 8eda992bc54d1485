//! Some hundreds of forms of `Set-Cookie`: what is sent back of them by Greylag, by both of Locust's clients and by
//! Chromium. `cookie_forms.jsonl` has them, and for each difference its reason.

use greylag_tests::Browser;
use serde_json::{Value, json};

use super::apps::{CookieFormsApp, Form, forms};
use super::pair::{Outcome, Pair};
use super::recording_server::{Seen, Server};

/// What is asked for after each form.
const ASKED: [&str; 4] = ["set/two", "deep/er", "with%20space/x", "%C3%A4/x"];
/// About as long as thousands of requests take.
const SECONDS: u64 = 20;
/// The users have one task, which on a busy machine goes on after the end.
const STOP_TIMEOUT: &str = "110";

/// The `Cookie` headers of what was asked for after each form; `None` where there was none.
type Sent = Vec<Vec<Option<String>>>;

fn sent(seen: &[Seen], who: &str, forms: usize) -> Sent {
    let of = |form: usize, path: &str| {
        let target = format!("/{who}/{form}/{path}");
        let found = seen.iter().find(|seen| seen.target == target);
        let found = found.unwrap_or_else(|| panic!("{target} was never asked for"));
        found
            .header("cookie")
            .map(|cookie| cookie.replace(who, "WHO"))
    };
    let row = |form| ASKED.iter().map(|path| of(form, path)).collect();
    (0..forms).map(row).collect()
}

/// What Chromium sends: one page asks for everything, and its cookies are cleared after each form.
async fn chromium(forms: Vec<Form>) -> Sent {
    let count = forms.len();
    let server = Server::start(CookieFormsApp(forms)).await;
    let browser = Browser::start().await;
    browser
        .open(&format!("http://127.0.0.1:{}/Chromium/page", server.port))
        .await;
    for form in 0..count {
        let paths: Vec<_> = ["set/one", "set/last"]
            .into_iter()
            .chain(ASKED)
            .map(|path| format!("/Chromium/{form}/{path}"))
            .collect();
        let fetch = "return (async () => { for (const path of arguments[0]) await (await fetch(path)).text(); })();";
        browser.eval_with(fetch, vec![json!(paths)]).await;
        browser
            .cdp(
                "Network.clearBrowserCookies",
                Value::Object(Default::default()),
            )
            .await;
    }
    browser.close().await;
    sent(&server.seen(), "Chromium", count)
}

fn of(outcome: &Outcome, who: &str, forms: usize) -> Sent {
    sent(&outcome.seen, who, forms)
}

#[tokio::test]
async fn cookies_of_every_form_are_sent_back_as_by_locust_and_chromium() {
    let forms = forms();
    let count = forms.len();
    assert!(count > 300);
    let mut pair = Pair::here(&["cookie_forms"], "cookie_forms", 2, SECONDS);
    pair.ends_when_idle = true;
    pair.stop_timeout = STOP_TIMEOUT;
    let both = pair.run(|| CookieFormsApp(forms.clone())).await;
    let own = of(&both.greylag, "CookieFormsHttp", count);
    assert_eq!(
        own,
        of(&both.greylag, "CookieFormsFast", count),
        "both clients have one jar"
    );
    let chromium = {
        let _turn = greylag_tests::heavy().await;
        chromium(forms.clone()).await
    };
    let http_user = of(&both.locust, "CookieFormsHttp", count);
    let fast_http_user = of(&both.locust, "CookieFormsFast", count);
    let mut wrong = Vec::new();
    for (number, form) in forms.iter().enumerate() {
        for (peer, theirs, reason) in [
            ("Chromium", &chromium, &form.chromium),
            ("HttpUser", &http_user, &form.locust),
            ("FastHttpUser", &fast_http_user, &form.locust),
        ] {
            let (own, theirs) = (&own[number], &theirs[number]);
            if (own == theirs) == reason.is_some() {
                wrong.push(format!(
                    "{number}\t{peer}\t{:?}\tGreylag {own:?}\ttheirs {theirs:?}\t{reason:?}",
                    form.set
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "differences without a reason, or reasons without a difference:\n{}",
        wrong.join("\n")
    );
}
