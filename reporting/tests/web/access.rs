//! Who is let in: Host, Origin and token, through the real router.

use crate::site::{Answer, Site, load_test};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use greylag_reporting::web::PublicAddress;

const TOKEN: &str = "correct-horse";

/// Paths that need the token: pages, API and the agents' socket.
const PROTECTED: [&str; 9] = [
    "/",
    "/runs/x",
    "/api/v1/runs",
    "/api/v1/runs/x/summary",
    "/api/v1/runs/x/csv/stats",
    "/api/v1/runs/x/events",
    "/api/v1/events",
    "/api/v1/infrastructures",
    "/api/v1/agents/socket",
];

async fn with_header(
    site: &Site,
    method: &str,
    path: &str,
    name: header::HeaderName,
    value: &str,
) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(name, value)
        .body(Body::empty())
        .expect("a request");
    site.send(request).await
}

#[tokio::test]
async fn with_a_token_nothing_is_shown_without_it() {
    let site = Site::start(Some(TOKEN)).await;
    site.finished_run("abcdefabcdef", load_test("secret-test"), "/", "500")
        .await;
    for path in PROTECTED {
        let answer = site.get(path).await;
        if path.starts_with("/api/") {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(
                answer
                    .header(header::WWW_AUTHENTICATE)
                    .starts_with("Bearer"),
                "{path}"
            );
            assert!(
                answer.error_message().contains("Authorization: Bearer"),
                "{path}: {answer:?}"
            );
        } else {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
            assert!(
                answer.header(header::LOCATION).starts_with("/login?next="),
                "{path}"
            );
        }
        assert!(!answer.body.contains("secret-test"), "{path}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let path = "/api/v1/infrastructures";
    let counted = with_header(&site, "GET", path, header::AUTHORIZATION, &bearer).await;
    assert_eq!(
        counted.json()["closed_connections"]["unauthenticated"],
        1,
        "the agents' socket was asked for once: {counted:?}"
    );
    for (path, body) in [
        ("/api/v1/runs", "{}"),
        ("/api/v1/infrastructures", "{\"name\":\"x\"}"),
        ("/api/v1/runs/abcdefabcdef/stop", ""),
        ("/api/v1/runs/abcdefabcdef/users", "{\"users\":1}"),
    ] {
        assert_eq!(
            site.post(path, body).await.status,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    for path in [
        "/runs",
        "/runs/abcdefabcdef/again",
        "/runs/abcdefabcdef/stop",
        "/runs/abcdefabcdef/users",
        "/infrastructures",
    ] {
        let answer = site.post_form(path, "name=x").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.header(header::LOCATION), "/login?next=%2F", "{path}");
    }
    assert!(site.coordinator.infrastructures().is_empty());
    assert_eq!(
        site.get("/assets/img/favicon.svg").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_bearer_token_opens_the_api() {
    let site = Site::start(Some(TOKEN)).await;
    let with = |value: &'static str| {
        with_header(&site, "GET", "/api/v1/runs", header::AUTHORIZATION, value)
    };
    assert_eq!(with("Bearer correct-horse").await.status, StatusCode::OK);
    let wrong = with("Bearer wrong-horse").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.error_message().contains("wrong token"), "{wrong:?}");
}

#[tokio::test]
async fn the_page_asks_for_the_token_once() {
    let site = Site::start(Some(TOKEN)).await;
    let page = site.get("/login?next=%2Fruns%2Fabc").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("name=\"token\"") && page.body.contains("value=\"/runs/abc\""),
        "{page:?}"
    );

    let wrong = site
        .post_form("/login", "token=nonsense&next=%2Fruns%2Fabc")
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.body.contains("Wrong token"), "{wrong:?}");
    assert!(!wrong.headers.contains_key(header::SET_COOKIE));

    let right = site
        .post_form("/login", "token=correct-horse&next=%2Fruns%2Fabc")
        .await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    assert_eq!(right.header(header::LOCATION), "/runs/abc");
    let set = right.header(header::SET_COOKIE).to_owned();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict") && !set.contains(TOKEN),
        "{set}"
    );
    let cookie = set.split(';').next().expect("name and value");

    for (path, status) in [
        ("/", 200),
        ("/api/v1/runs", 200),
        ("/login", 303),
        ("/api/v1/agents/socket", 401),
    ] {
        let answer = with_header(&site, "GET", path, header::COOKIE, cookie).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
    let forged = format!("{cookie}x");
    assert_eq!(
        with_header(&site, "GET", "/", header::COOKIE, &forged)
            .await
            .status,
        StatusCode::SEE_OTHER
    );

    // With the session alone nothing is changed from elsewhere.
    let stop = |origin: Option<&'static str>| {
        let mut request = Request::post("/api/v1/infrastructures").header(header::COOKIE, cookie);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        site.send(
            request
                .body(Body::from("{\"name\":\"eu\"}"))
                .expect("a request"),
        )
    };
    assert_eq!(stop(None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        stop(Some("http://evil.example")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        stop(Some("http://localhost:3000")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        stop(Some("http://localhost:8089")).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_login_leads_to_no_other_site() {
    let site = Site::start(Some(TOKEN)).await;
    let answer = site
        .post_form("/login", "token=correct-horse&next=%2F%2Fevil.example")
        .await;
    assert_eq!(answer.header(header::LOCATION), "/");
}

#[tokio::test]
async fn without_a_token_only_our_own_pages_and_programs_may_ask() {
    let site = Site::start(None).await;
    for path in [
        "/",
        "/api/v1/runs",
        "/assets/img/favicon.svg",
        "/login",
        "/nothing",
    ] {
        let rebound = with_header(&site, "GET", path, header::HOST, "evil.example").await;
        assert_eq!(rebound.status, StatusCode::FORBIDDEN, "{path}");
        let foreign = with_header(&site, "GET", path, header::ORIGIN, "http://evil.example").await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{path}");
    }
    let socket = with_header(
        &site,
        "GET",
        "/api/v1/agents/socket",
        header::ORIGIN,
        "http://evil.example",
    )
    .await;
    assert_eq!(socket.status, StatusCode::FORBIDDEN);
    assert!(socket.error_message().contains("evil.example"));

    let create = |name: &str, origin: Option<&'static str>| {
        let mut request = Request::post("/api/v1/infrastructures");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let body = Body::from(format!("{{\"name\":\"{name}\"}}"));
        site.send(request.body(body).expect("a request"))
    };
    assert_eq!(
        create("a", Some("http://evil.example")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        create("b", Some("null")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        create("c", Some("http://localhost:8089")).await.status,
        StatusCode::CREATED
    );
    assert_eq!(create("d", None).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn every_answer_forbids_what_pages_do_not_need() {
    let site = Site::start(None).await;
    site.finished_run("abcdefabcdef", load_test("checkout"), "/", "500")
        .await;
    for path in [
        "/",
        "/runs/abcdefabcdef",
        "/api/v1/runs",
        "/nothing",
        "/api/nothing",
        "/assets/css/base.css",
    ] {
        let answer = site.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(
            answer.header(header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{path}"
        );
        assert_eq!(
            answer.header(header::REFERRER_POLICY),
            "same-origin",
            "{path}"
        );
        let kept = if path.starts_with("/assets/") {
            "no-cache"
        } else {
            "no-store"
        };
        assert_eq!(answer.header(header::CACHE_CONTROL), kept, "{path}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_page_for_people_and_json_for_programs() {
    let site = Site::start(None).await;
    let page = site.get("/nothing/%3Cscript%3E").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(
        page.header(header::CONTENT_TYPE).starts_with("text/html"),
        "{page:?}"
    );
    assert!(page.body.contains("There is no page at this address"));
    assert!(
        site.get("/api/v1/nothing")
            .await
            .error_message()
            .contains("no page at this address")
    );

    let again = site.get("/runs").await;
    assert_eq!(again.header(header::LOCATION), "/", "{again:?}");
    let method = with_header(&site, "DELETE", "/api/v1/runs", header::ACCEPT, "*/*").await;
    assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(method.header(header::ALLOW).contains("POST"));
    assert!(method.error_message().contains("Allow header"));
}

/// What a page links to: each address in an `href`, `src` or `action`.
fn links(html: &str) -> Vec<String> {
    ["href=\"", "src=\"", "action=\""]
        .iter()
        .flat_map(|mark| html.split(mark).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn below_a_base_path_everything_is_below_it() {
    let public = PublicAddress::new(Some("https://load.example/greylag".parse().unwrap()), None);
    let site = Site::start_at(Some(TOKEN), public.unwrap()).await;
    let run = "abcdefabcdef";
    site.finished_run(run, load_test("checkout"), "/cart", "500 Server Error")
        .await;
    let get = async |path: &str, cookie: &str| {
        let request = Request::get(path).header(header::COOKIE, cookie);
        site.send(request.body(Body::empty()).unwrap()).await
    };

    let asked = get("/greylag/runs/abcdefabcdef", "").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    assert_eq!(
        asked.header(header::LOCATION),
        "/greylag/login?next=%2Fruns%2Fabcdefabcdef"
    );
    let login = Request::post("/greylag/login")
        .header(header::HOST, "127.0.0.1:8089")
        .header(header::ORIGIN, "https://load.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!(
            "token={TOKEN}&next=%2Fruns%2Fabcdefabcdef"
        )))
        .unwrap();
    let answer = site.send(login).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert_eq!(
        answer.header(header::LOCATION),
        "/greylag/runs/abcdefabcdef"
    );
    let cookie = answer.header(header::SET_COOKIE).to_owned();
    assert!(
        cookie.contains("; Path=/greylag;") && cookie.contains("; Secure"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();

    // With the path and, as a proxy may take it away, without.
    for base in ["/greylag", ""] {
        for page in ["/", "/runs/abcdefabcdef", "/login", "/nothing/here"] {
            let answer = get(
                &format!("{base}{page}"),
                if page == "/login" { "" } else { cookie },
            )
            .await;
            assert_ne!(answer.status, StatusCode::SEE_OTHER, "{base}{page}");
            let links = links(&answer.body);
            assert!(links.len() > 4, "{page}: {links:?}");
            for link in links {
                assert!(
                    link.starts_with("/greylag/") || link == "#main",
                    "{page}: {link}"
                );
            }
        }
        for path in [
            "/assets/js/run.js",
            "/api/v1/runs",
            "/api/v1/runs/abcdefabcdef/summary",
        ] {
            let answer = get(&format!("{base}{path}"), cookie).await;
            assert_eq!(answer.status, StatusCode::OK, "{base}{path}");
        }
    }
    let nothing = get("/greylag/nothing/here", cookie).await;
    let says = "the front page is at /greylag/";
    assert!(nothing.body.contains(says), "{nothing:?}");
    for path in ["/greylags/", "/greylagapi/v1/runs", "/other/api/v1/runs"] {
        assert_eq!(
            get(path, cookie).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    // The agents' socket is there, too: it asks for the token, and an unknown address does not.
    let socket = get("/greylag/api/v1/agents/socket", "").await;
    assert_eq!(socket.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_proxy_that_hides_the_host_is_named_with_its_cure() {
    let site = Site::start(Some(TOKEN)).await;
    let sign_in = |host: &str, origin: &str| {
        Request::post("/login")
            .header(header::HOST, host)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={TOKEN}")))
            .unwrap()
    };
    for (host, origin) in [
        ("127.0.0.1:8089", "https://load.example"),
        ("load.example", "http://load.example:18091"),
    ] {
        let answer = site.send(sign_in(host, origin)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        for words in [
            "Host header",
            "proxy_set_header Host $http_host",
            "--public-url",
        ] {
            assert!(answer.body.contains(words), "{words}: {}", answer.body);
        }
    }
    let answer = site
        .send(sign_in("load.example:18091", "http://load.example:18091"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}
