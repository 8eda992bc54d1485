//! Ways of looking at a page: its fields, its size, its console.

use std::fs;
use std::path::Path;
use std::time::Duration;

use greylag_tests::{Browser, Theme};
use serde_json::{Value, json};
use url::Url;

/// How long the page may take to show something by itself on a busy machine.
pub(crate) const LIVE: Duration = Duration::from_secs(60);

/// Script functions of these tests.
const HELPERS: &str = r#"
    const clean = (text) => text.replace(/\s+/g, " ").trim();
    const isVisible = (element) => element.checkVisibility() && element.getClientRects().length > 0;
    const named = (text, root = document) => [...root.querySelectorAll("*")]
        .filter((element) => clean(element.textContent) === text && isVisible(element)).at(-1) ?? null;
"#;

/// Runs a function body that may use [`HELPERS`].
pub(super) async fn eval(browser: &Browser, script: &str, arguments: Vec<Value>) -> Value {
    browser
        .eval_with(&format!("{HELPERS}\n{script}"), arguments)
        .await
}

/// `data-value` of a field, and the text that is shown.
pub(super) async fn field(browser: &Browser, name: &str) -> (String, String) {
    let script = "const element = document.querySelector(`[data-field=\"${arguments[0]}\"]`);
        return element && isVisible(element) ? [element.dataset.value ?? '', clean(element.textContent)] : null;";
    let found = eval(browser, script, vec![json!(name)]).await;
    let text = |index: usize| found[index].as_str().map(str::to_owned);
    text(0)
        .zip(text(1))
        .unwrap_or_else(|| panic!("the page shows no field {name}: {found}"))
}

/// The value of a field that is shown beside this label, in one group (a term and its description, or a card).
pub(super) async fn labelled(browser: &Browser, label: &str, name: &str) -> (String, String) {
    let script = "const value = `[data-field=\"${arguments[1]}\"]`;
        const labels = [...document.querySelectorAll('dt, h2, h3, label')]
            .filter((label) => clean(label.textContent) === arguments[0] && isVisible(label));
        if (labels.length === 0) return 'missing';
        return labels.some((label) => label.parentElement.querySelector(value)) || 'without its value';";
    let found = eval(browser, script, vec![json!(label), json!(name)]).await;
    assert_eq!(found, json!(true), "the label {label:?} of {name}");
    field(browser, name).await
}

pub(super) async fn number(browser: &Browser, name: &str) -> f64 {
    let (value, _) = field(browser, name).await;
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {value:?}"))
}

/// No request left the machine, and the console has no error but those that hold `expected`.
pub(crate) async fn assert_quiet(browser: &Browser, origin: &str, expected: Option<&str>) {
    let origin = Url::parse(origin).expect("an origin");
    for url in browser.requested_urls().await {
        let parsed = Url::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
        // Chromium's own pages are part of it.
        let inside = matches!(parsed.scheme(), "data" | "blob" | "about" | "chrome");
        assert!(
            inside || parsed.origin() == origin.origin(),
            "a request left the coordinator: {url}"
        );
    }
    let errors: Vec<_> = browser
        .console()
        .await
        .into_iter()
        .filter(|(level, message)| level == "SEVERE" || message.contains("Content Security Policy"))
        .filter(|(_, message)| !expected.is_some_and(|expected| message.contains(expected)))
        .collect();
    assert!(errors.is_empty(), "errors in the console: {errors:?}");
}

pub(super) async fn assert_no_overflow(browser: &Browser, what: &str) {
    let script = "const root = document.documentElement;
        const wide = [...document.body.querySelectorAll('*')]
            .filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1)
            .slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
        return root.scrollWidth > root.clientWidth ? [root.scrollWidth, root.clientWidth, wide] : null;";
    let overflow = browser.eval(script).await;
    assert!(
        overflow.is_null(),
        "{what} is wider than the window: {overflow}"
    );
}

async fn screenshot(browser: &Browser, name: &str) {
    browser.eval("scrollTo(0, 0);").await;
    let picture = browser.client().screenshot().await.expect("a screenshot");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&directory).expect("the target directory is ours");
    fs::write(directory.join(format!("{name}.png")), picture)
        .expect("the target directory is ours");
}

/// axe-core, which finds what keeps people from reading a page.
const AXE: &str = include_str!("../../../axe/axe.min.js");

/// axe-core finds nothing serious or critical in what is shown now.
pub(crate) async fn assert_accessible(browser: &Browser, what: &str) {
    if browser.eval("return window.axe === undefined;").await == json!(true) {
        browser.eval(AXE).await;
    }
    let script = "const done = arguments[arguments.length - 1];
        const rules = { resultTypes: ['violations'] };
        // Of thousands of rows that are alike the first ones.
        const context = { exclude: ['.data-table tr:nth-child(n+6)', '.line:nth-child(n+30)'] };
        // Colours on their way from one theme to the other are neither's.
        for (const animation of document.getAnimations()) if (animation instanceof CSSTransition) animation.finish();
        axe.run(context, rules).then(({ violations }) => done(violations
            .filter(({ impact }) => ['serious', 'critical'].includes(impact))
            .map(({ id, nodes }) => [id, nodes.slice(0, 5).map((node) => [node.target.join(' '), node.any[0]?.message ?? node.failureSummary])])),
            (error) => done(String(error)));";
    let found = browser
        .client()
        .execute_async(script, vec![])
        .await
        .expect("axe runs");
    assert_eq!(found, json!([]), "what axe finds in {what}");
}

/// Looks at a page in every size and theme.
pub(crate) async fn look_from_all_sides(browser: &Browser, what: &str) {
    use Theme::{Dark, Light};
    // Between a desktop and a phone other things scroll, but no other colours are used.
    for (width, height, themes) in [
        (1440, 900, &[Light, Dark][..]),
        (820, 1180, &[Dark][..]),
        (390, 844, &[Light, Dark][..]),
    ] {
        for theme in themes.iter().copied() {
            browser.view(width, height, theme).await;
            // One frame, so that charts have been laid out anew.
            browser
                .client()
                .execute_async("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));", vec![])
                .await
                .expect("frames are drawn");
            let name = format!("{what}-{width}-{theme:?}").to_lowercase();
            assert_no_overflow(browser, &name).await;
            assert_accessible(browser, &name).await;
            screenshot(browser, &name).await;
            let dark = browser
                .eval("return matchMedia('(prefers-color-scheme: dark)').matches;")
                .await;
            assert_eq!(dark, json!(theme == Theme::Dark));
        }
    }
    let script = "return getComputedStyle(document.body).backgroundColor;";
    browser.view(1440, 900, Theme::Dark).await;
    let dark = browser.eval(script).await;
    browser.view(1440, 900, Theme::Light).await;
    assert_ne!(
        browser.eval(script).await,
        dark,
        "{what} looks the same in light and dark"
    );
}
