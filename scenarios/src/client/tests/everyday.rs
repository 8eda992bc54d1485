//! Lines of everyday locustfiles, as a porter writes them by the guide.

use std::time::Duration;

use tokio::sync::Barrier;

use crate::prelude::*;
use crate::testing::{BOTH, Memory, Reply, Seen, Server, client, respond};

/// A server of a small shop.
async fn shop() -> Server {
    Server::start(|seen: &Seen| {
        let json = |text: &str| {
            Reply::Write(respond(
                "200 OK",
                &[("content-type", "application/json")],
                text.as_bytes(),
            ))
        };
        match (seen.method.as_str(), seen.target.as_str()) {
            ("POST", "/login") => json(r#"{"token": "t-1", "user": {"id": 7}}"#),
            ("GET", "/items") => json(r#"{"items": [{"id": 3}, {"id": 4}]}"#),
            ("GET", "/form") => Reply::Write(respond(
                "200 OK",
                &[],
                br#"<form><input name="csrf" value="c-1"></form>"#,
            )),
            ("GET", "/latin") => Reply::Write(respond("200 OK", &[], b"caf\xe9")),
            ("GET", "/missing") => Reply::Write(respond("404 Not Found", &[], b"none")),
            ("GET", "/cookie") => {
                Reply::Write(respond("200 OK", &[("set-cookie", "seen=1; Path=/")], b""))
            }
            ("GET", path) if path.starts_with("/jobs/") => json(r#"{"state": "done"}"#),
            _ => Reply::Write(respond("200 OK", &[], seen.target.as_bytes())),
        }
    })
    .await
}

/// Runs a task against the shop with both clients.
async fn tried(
    task: impl AsyncFn(&mut Client) -> TaskResult,
) -> Vec<(TaskResult, std::sync::Arc<Memory>, Vec<Seen>)> {
    let mut tried = Vec::new();
    for kind in BOTH {
        let server = shop().await;
        let (mut client, memory) = client(kind, &server.url);
        let outcome = task(&mut client).await;
        tried.push((outcome, memory, server.seen()));
    }
    tried
}

/// Tasks move between threads: what they await has to.
fn moves<T: Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn a_failure_names_the_page_that_it_is_about() {
    let tried = tried(async |client| {
        let page = client.get("/missing").catch().send().await?;
        if page.status() != 200 || page.text() != "welcome" {
            return page.failure(format!(
                "{} at {}: {}",
                page.status(),
                page.url().path(),
                page.text()
            ));
        }
        page.success()
    });
    for (outcome, memory, _) in tried.await {
        outcome.unwrap();
        assert_eq!(memory.lines(), ["GET /missing -> 404 at /missing: none"]);
    }
}

#[tokio::test]
async fn a_verdict_is_changed_without_mut_and_the_last_one_counts() {
    let tried = tried(async |client| {
        let page = client.get("/missing").catch().send().await?;
        page.failure("first")?;
        page.success()?;
        let rest = client.rest(Method::GET, "/missing").send().await?;
        rest.failure(format!("not {}", rest.js()))
    });
    for (outcome, memory, _) in tried.await {
        outcome.unwrap();
        assert_eq!(memory.lines(), ["GET /missing -> not null", "GET /missing"]);
    }
}

#[tokio::test]
async fn text_is_a_str() {
    let tried = tried(async |client| {
        let page = client.get("/latin").send().await?;
        assert_eq!(page.text(), "caf\u{fffd}");
        assert!(std::ptr::eq(page.text(), page.text()));
        let page = client.get("/plain").send().await?;
        let kind = match page.text() {
            "/plain" => "as it is",
            _ => "something else",
        };
        assert_eq!(kind, "as it is");
        Ok(())
    });
    for (outcome, ..) in tried.await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_login_keeps_its_token() {
    let tried = tried(async |client| {
        let login = client.post("/login").json(&json!({"user": "ada"})).await?;
        let token: String = login.pick("/token")?;
        let id = login.pick::<u64>("/user/id")?;
        let bearer = format!("Bearer {token}").parse()?;
        client.headers_mut().insert("authorization", bearer);
        client
            .get(format!("/users/{id}"))
            .name("/users/[id]")
            .await?;
        Ok(())
    });
    for (outcome, memory, seen) in tried.await {
        outcome.unwrap();
        assert_eq!(memory.lines(), ["POST /login", "GET /users/[id]"]);
        assert_eq!(seen[1].header("authorization"), Some("Bearer t-1"));
    }
}

#[tokio::test]
async fn an_item_is_picked_from_a_list() {
    let tried = tried(async |client| {
        let list = client.get("/items").await?;
        let items: Vec<Value> = list.pick("/items")?;
        let item = items.last().ok_or("no items")?;
        client
            .get(format!("/items/{}", item["id"]))
            .name("/items/[id]")
            .await?;
        let first: u64 = list.pick("/items/0/id")?;
        assert_eq!(first, 3);
        let missing: u64 = list.pick("/items/2/id")?;
        unreachable!("there is no item {missing}");
    });
    for (outcome, memory, seen) in tried.await {
        let error = outcome.unwrap_err();
        assert_eq!(
            error.to_string(),
            "GET /items: nothing at \"/items/2/id\" in the response's JSON: \"/items\" is an array without an item 2"
        );
        assert!(error.location().file().ends_with("everyday.rs"));
        assert!(!error.is_recorded());
        assert_eq!(memory.lines(), ["GET /items", "GET /items/[id]"]);
        assert_eq!(seen[1].target, "/items/4");
    }
}

#[tokio::test]
async fn a_value_that_is_missing_can_be_the_requests_failure() {
    let tried = tried(async |client| {
        let list = client.get("/items").name("list").catch().await?;
        let _: u64 = list.require(list.pick("/total"))?;
        Ok(())
    });
    for (outcome, memory, _) in tried.await {
        assert!(outcome.unwrap_err().is_recorded());
        assert_eq!(
            memory.lines(),
            [
                "GET list -> GET list: nothing at \"/total\" in the response's JSON: it is an object without a key \"total\""
            ]
        );
    }
}

#[tokio::test]
async fn a_form_is_sent_with_the_token_of_its_page() {
    let tried = tried(async |client| {
        let page = client.get("/form").await?;
        let (_, rest) = page
            .text()
            .split_once("name=\"csrf\" value=\"")
            .ok_or("no token in the form")?;
        let (token, _) = rest.split_once('"').ok_or("the token does not end")?;
        client
            .post("/form")
            .form(&[("csrf", token), ("name", "ada")])
            .await?;
        Ok(())
    });
    for (outcome, _, seen) in tried.await {
        outcome.unwrap();
        assert_eq!(seen[1].body, "csrf=c-1&name=ada");
    }
}

#[tokio::test]
async fn a_file_is_uploaded_and_a_job_polled() {
    let tried = tried(async |client| {
        let form =
            Multipart::new()
                .text("title", "cat")
                .file("image", "cat.png", "image/png", "PNG");
        client.post("/upload").multipart(form).await?;
        loop {
            let job = client
                .get(format!("/jobs/{}", 7))
                .name("/jobs/[id]")
                .await?;
            if job.pick::<String>("/state")? == "done" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for (outcome, memory, seen) in tried.await {
        outcome.unwrap();
        assert_eq!(memory.lines(), ["POST /upload", "GET /jobs/[id]"]);
        assert!(seen[0].body.contains("filename=\"cat.png\""));
    }
}

#[tokio::test]
async fn paths_are_texts_of_any_kind() {
    let tried = tried(async |client| {
        let owned = String::from("/owned");
        for path in ["/a", "/b"].iter() {
            client.get(path).await?;
        }
        client.get(&owned).await?;
        client.get(owned).await?;
        let page = client.get("/c").await?;
        client.get(page.url()).name("again").await?;
        Ok(())
    });
    for (outcome, memory, seen) in tried.await {
        outcome.unwrap();
        assert_eq!(
            memory.lines(),
            [
                "GET /a",
                "GET /b",
                "GET /owned",
                "GET /owned",
                "GET /c",
                "GET again"
            ]
        );
        assert_eq!(seen[5].target, "/c");
    }
}

#[tokio::test]
async fn headers_are_pairs() {
    let tried = tried(async |client| {
        let pairs = [("X-Tenant", "7"), ("Accept", "text/csv")];
        client.get("/").headers(&pairs[..]).await?;
        client
            .get("/")
            .headers([("X-Tenant", String::from("7"))])
            .await?;
        let error = client
            .get("/")
            .headers([("X Tenant", "7")])
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "GET /: a header's name is not valid");
        let error = client.get("/").headers([("X", "7\n")]).await.unwrap_err();
        assert_eq!(error.to_string(), "GET /: a header's value is not valid");
        Ok(())
    });
    for (outcome, _, seen) in tried.await {
        outcome.unwrap();
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|seen| seen.header("x-tenant") == Some("7")));
        assert_eq!(seen[0].header("accept"), Some("text/csv"));
    }
}

#[tokio::test]
async fn all_kinds_of_requests_are_awaited() {
    let tried = tried(async |client| {
        assert_eq!(client.get("/missing").await?.status(), 404);
        moves(client.get("/missing").into_future()).await?;
        client.get("/missing").catch().await?.success()?;
        assert_eq!(client.get("/x").stream().await?.text().await?, "/x");
        assert_eq!(client.get("/y").stream().catch().await?.text().await?, "/y");
        assert_eq!(
            client.rest(Method::GET, "/items").await?.js()["items"][0]["id"],
            3
        );
        Ok(())
    });
    for (outcome, memory, _) in tried.await {
        outcome.unwrap();
        assert_eq!(memory.samples().len(), 6);
        assert!(memory.samples()[2].error.is_none());
    }
}

#[tokio::test]
async fn requests_at_the_same_time_keep_their_order_and_their_cookies() {
    let tried = tried(async |client| {
        let ids: Vec<u64> = (0..20).collect();
        let pages = moves(client.all(&ids, |client, id| {
            client.get(format!("/pages/{id}")).name("/pages/[id]")
        }))
        .await;
        let texts: Vec<String> = pages
            .into_iter()
            .map(|page| page.map(|page| page.text().to_owned()))
            .collect::<Result<_, _>>()?;
        let expected: Vec<String> = ids.iter().map(|id| format!("/pages/{id}")).collect();
        assert_eq!(texts, expected);

        let paths = vec![
            "/missing".to_owned(),
            "http://[".to_owned(),
            "/cookie".to_owned(),
        ];
        let caught = client
            .all_at_most(0, paths, |client, path| client.get(path).catch())
            .await;
        assert_eq!(caught[0].as_ref().unwrap().status(), 404);
        assert!(!caught[1].as_ref().unwrap_err().is_recorded());
        assert_eq!(client.cookie("seen"), Some("1"));
        assert!(
            client
                .all(Vec::<String>::new(), |client, path| client.get(path))
                .await
                .is_empty()
        );
        Ok(())
    });
    for (outcome, memory, _) in tried.await {
        outcome.unwrap();
        assert_eq!(memory.samples().len(), 22);
    }
}

#[tokio::test]
async fn as_many_requests_are_under_way_as_are_allowed() {
    // No request is answered before three have arrived; a fourth would be one too many.
    let three = std::sync::Arc::new(Barrier::new(3));
    let under_way = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for kind in BOTH {
        let (three, under_way) = (three.clone(), under_way.clone());
        let server = counting(three, under_way.clone()).await;
        let (mut client, memory) = client(kind, &server);
        let answers = client.all_at_most(3, 0..6, |client, n| client.get(format!("/{n}")));
        assert!(answers.await.iter().all(Result::is_ok));
        assert_eq!(memory.samples().len(), 6);
        assert_eq!(under_way.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}

/// A server that answers three requests when all of them are there.
async fn counting(
    three: std::sync::Arc<Barrier>,
    under_way: std::sync::Arc<std::sync::atomic::AtomicUsize>,
) -> url::Url {
    use std::sync::atomic::Ordering::SeqCst;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (three, under_way) = (three.clone(), under_way.clone());
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    assert!(under_way.fetch_add(1, SeqCst) < 3, "one too many");
                    three.wait().await;
                    under_way.fetch_sub(1, SeqCst);
                    three.wait().await;
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url::Url::parse(&format!("http://{address}")).unwrap()
}
