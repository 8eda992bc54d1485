//! How many bytes a page costs: compressed, its assets once for ever.

use std::collections::BTreeSet;
use std::io::Read;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use flate2::read::GzDecoder;
use tower::ServiceExt;

use crate::site::{Site, load_test};

const RUN: &str = "abcdefabcdef";
/// Most bytes of a page that a browser sees for the first time, and of one that it loads again.
const FIRST_LOAD_BYTES: usize = 600_000;
const RELOAD_BYTES: usize = 60_000;

/// An answer as it is on the wire.
struct Transfer {
    headers: HeaderMap,
    bytes: usize,
    text: String,
}

async fn get(site: &Site, path: &str) -> Transfer {
    let request = Request::get(path)
        .header(header::HOST, "localhost:8089")
        .header(header::ACCEPT_ENCODING, "gzip, deflate, br, zstd")
        .body(Body::empty())
        .expect("a request");
    let answer = site
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("the router never fails");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let headers = answer.headers().clone();
    let body = to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("the answer can be read");
    let mut text = String::new();
    if headers.contains_key(header::CONTENT_ENCODING) {
        GzDecoder::new(&*body)
            .read_to_string(&mut text)
            .expect("gzip of a text");
    } else {
        text = String::from_utf8(body.to_vec()).expect("a text");
    }
    Transfer {
        headers,
        bytes: body.len(),
        text,
    }
}

/// The addresses that a page or a script names: assets of a page, modules that a module imports.
fn named(path: &str, text: &str) -> Vec<String> {
    let below = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    text.split('"')
        .filter_map(|part| {
            if part.starts_with("/assets/") {
                return Some(part.to_owned());
            }
            let relative = part
                .strip_prefix("./")
                .map(|rest| format!("{below}/{rest}"));
            let outer = || {
                let rest = part.strip_prefix("../")?;
                Some(format!("{}/{rest}", below.rsplit_once('/')?.0))
            };
            relative.or_else(outer).filter(|path| path.ends_with(".js"))
        })
        .collect()
}

#[tokio::test]
async fn a_page_is_loaded_once_for_ever_but_for_its_text() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    for path in ["/".to_owned(), format!("/runs/{RUN}")] {
        let page = get(&site, &path).await;
        assert_eq!(page.headers[header::CONTENT_ENCODING], "gzip", "{path}");
        assert!(page.bytes < RELOAD_BYTES, "{path}: {} bytes", page.bytes);
        let mut wanted = named(&path, &page.text);
        let mut seen = BTreeSet::new();
        let mut bytes = page.bytes;
        while let Some(asset) = wanted.pop() {
            if !seen.insert(asset.clone()) {
                continue;
            }
            let transfer = get(&site, &asset).await;
            assert_eq!(
                transfer.headers[header::CACHE_CONTROL],
                "public, max-age=31536000, immutable",
                "{asset}"
            );
            bytes += transfer.bytes;
            if asset.ends_with(".js") && !asset.contains("/vendor/") {
                wanted.extend(named(&asset, &transfer.text));
            }
        }
        assert!(seen.len() > 10, "the page's assets were found: {seen:?}");
        assert!(bytes < FIRST_LOAD_BYTES, "{path}: {bytes} bytes");
    }
}
