//! Something to load in the demo: a little shop on a free port of this machine.
//!
//! It has what a results page should show: healthy GETs, one endpoint that is slow, and a POST that is not
//! allowed. It has a thread of its own, so that it does not wait for the coordinator or make it wait.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use rand::Rng;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// What the shop sells.
const PRODUCTS: [(&str, f64); 12] = [
    ("Kettle", 24.9),
    ("Teapot", 31.5),
    ("Cup", 6.2),
    ("Saucer", 4.1),
    ("Spoon", 2.8),
    ("Strainer", 7.4),
    ("Tray", 18.0),
    ("Napkin", 1.9),
    ("Sugar bowl", 9.6),
    ("Milk jug", 11.3),
    ("Tea cosy", 15.7),
    ("Tin", 8.5),
];
/// Least and greatest time of a search, in milliseconds.
const SEARCH_MS: std::ops::RangeInclusive<u64> = 80..=250;

static PRODUCT_LIST: LazyLock<Bytes> = LazyLock::new(|| {
    let products: Vec<_> = (1..=PRODUCTS.len()).filter_map(product).collect();
    json!(products).to_string().into()
});

/// A running target. It ends when this is dropped.
#[derive(Debug)]
pub struct DemoTarget {
    address: SocketAddr,
    ending: CancellationToken,
}

impl DemoTarget {
    /// Starts the target on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the system gives no port or thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let ending = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let ended = ending.clone();
        thread::Builder::new()
            .name("demo-target".to_owned())
            .spawn(move || {
                let served = runtime.block_on(ended.run_until_cancelled(serve(listener)));
                if let Some(Err(error)) = served {
                    tracing::error!("the demo's target failed: {error}");
                }
            })?;
        Ok(Self { address, ending })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for DemoTarget {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, shop()).await
}

fn shop() -> Router {
    Router::new()
        .route("/", get(front))
        .route("/api/products", get(products))
        .route("/api/products/{id}", get(one_product))
        .route("/api/search", get(search))
        // Only GET: the POST of the demo's users gets 405 with the header Allow.
        .route("/api/checkout", get(checkout))
}

async fn front() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=\"en\"><title>Tea shop</title><h1>Tea shop</h1><p>All you need for tea.</p></html>\n",
    )
}

async fn products() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        PRODUCT_LIST.clone(),
    )
        .into_response()
}

async fn one_product(Path(id): Path<usize>) -> Response {
    match product(id) {
        Some(product) => axum::Json(product).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Slow, and not always equally so.
async fn search() -> Response {
    let pause = Duration::from_millis(rand::rng().random_range(SEARCH_MS));
    tokio::time::sleep(pause).await;
    products().await
}

async fn checkout() -> &'static str {
    "The checkout is closed.\n"
}

/// Product number `id`, from 1.
fn product(id: usize) -> Option<serde_json::Value> {
    let (name, price) = PRODUCTS.get(id.checked_sub(1)?)?;
    Some(json!({ "id": id, "name": name, "price": price }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_as_the_demo_needs_it() {
        let target = DemoTarget::start().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let get = async |path: &str| client.get(target.url() + path).send().await.unwrap();

        assert!(get("/").await.text().await.unwrap().contains("Tea shop"));
        let products: serde_json::Value = get("/api/products").await.json().await.unwrap();
        assert_eq!(products[0]["id"], 1);
        let one: serde_json::Value = get("/api/products/12").await.json().await.unwrap();
        assert_eq!(one["name"], "Tin");
        assert_eq!(
            get("/api/products/13").await.status(),
            StatusCode::NOT_FOUND
        );
        assert!(get("/api/search?q=tea").await.status().is_success());
        let checkout = client
            .post(target.url() + "/api/checkout")
            .send()
            .await
            .unwrap();
        assert_eq!(checkout.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(checkout.headers().contains_key(header::ALLOW));
    }
}
