//! The compiled-in scenarios; their sources are in `scenarios/examples/`, each a whole program as a user would write it.

use crate::scenario::Scenario;

/// Stands for `greylag::main!` where an example is a module of this library and not a program.
macro_rules! main {
    ($($scenarios:tt)*) => {
        ::std::process::ExitCode::SUCCESS
    };
}
pub(crate) use main;

#[path = "../examples/checkout.rs"]
#[expect(dead_code, reason = "its main is that of a program of its own")]
mod checkout;
#[path = "../examples/classic.rs"]
#[expect(dead_code, reason = "its main is that of a program of its own")]
mod classic;
#[path = "../examples/login_journey.rs"]
#[expect(dead_code, reason = "its main is that of a program of its own")]
mod login_journey;
#[path = "../examples/rest_crud.rs"]
#[expect(dead_code, reason = "its main is that of a program of its own")]
mod rest_crud;
#[path = "../examples/shop.rs"]
#[expect(dead_code, reason = "its main is that of a program of its own")]
mod shop;

/// All compiled-in scenarios: `shop` (the demo's users) and the ported locustfiles.
pub fn all() -> Vec<Scenario> {
    vec![
        shop::scenario(),
        classic::scenario(),
        login_journey::scenario(),
        rest_crud::scenario(),
        checkout::scenario(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::client::{Client, ClientShared};
    use crate::task::TaskResult;
    use crate::testing::{Memory, Reply, Seen, Server, user_context};
    use crate::user::UserType;

    /// Made by the real Locust from the original: see classic_golden.py.
    const GOLDEN: &str = include_str!("../examples/classic_golden.txt");
    const ROUTES: &str = include_str!("../examples/classic_routes.txt");

    async fn recording_server() -> Server {
        let mut routes = HashMap::new();
        for line in ROUTES.lines().filter(|line| !line.starts_with('#')) {
            let mut parts = line.splitn(3, '|').map(str::trim);
            let mut head = parts.next().unwrap().splitn(3, ' ');
            let request = (head.next().unwrap(), head.next().unwrap());
            let status = head.next().unwrap();
            let (headers, body) = (parts.next().unwrap(), parts.next().unwrap());
            let mut answer = format!("HTTP/1.1 {status}\r\n");
            if !status.starts_with("204") {
                write!(answer, "content-length: {}\r\n", body.len()).unwrap();
            }
            if !headers.is_empty() {
                write!(answer, "{headers}\r\n").unwrap();
            }
            write!(answer, "\r\n{body}").unwrap();
            routes.insert(request, answer);
        }
        Server::start(move |seen: &Seen| {
            let request = (seen.method.as_str(), seen.target.as_str());
            Reply::Write(routes[&request].clone().into_bytes())
        })
        .await
    }

    /// Every task of a user type once, in the golden file's words.
    async fn protocol(user_type: &UserType, server: &Server) -> String {
        let memory = Arc::new(Memory::default());
        let options = user_type.client_options().clone();
        let shared = ClientShared::new(&server.url, options).unwrap();
        let mut client = Client::new(Arc::new(shared), user_context(memory.clone()));
        let mut user = user_type.new_user();
        let mut text = String::new();
        let (mut seen, mut recorded) = (server.seen().len(), 0);
        let mut note = |name: &str, result: TaskResult| {
            writeln!(text, "{name}").unwrap();
            for seen in &server.seen()[seen..] {
                let cookie = seen.header("cookie").unwrap_or("-");
                let body = if seen.body.is_empty() {
                    "-"
                } else {
                    &seen.body
                };
                writeln!(
                    text,
                    "  < {} {} cookie {cookie} body {body}",
                    seen.method, seen.target
                )
                .unwrap();
            }
            seen = server.seen().len();
            for line in &memory.lines()[recorded..] {
                writeln!(text, "  > {line}").unwrap();
            }
            recorded = memory.lines().len();
            if result.is_err_and(|error| !error.is_recorded()) {
                writeln!(text, "  !").unwrap();
            }
        };
        if let Some((name, run)) = user.on_start(&mut client) {
            note(&name, run.await);
        }
        for (index, task) in user_type.tasks().iter().enumerate() {
            note(task.name(), user.task(index, &mut client).await);
        }
        if let Some((name, run)) = user.on_stop(&mut client) {
            note(&name, run.await);
        }
        text
    }

    /// The golden file's lines, `<` before `>` within each task: Locust's recording of a chain
    /// comes after its last hop, ours too, but between two requests the order is the same anyway.
    fn in_order(text: &str) -> String {
        let mut ordered = String::new();
        let mut held = Vec::new();
        for line in text.lines() {
            if line.starts_with("  >") {
                held.push(line);
                continue;
            }
            if !line.starts_with("  <") {
                held.drain(..)
                    .for_each(|line| ordered += &format!("{line}\n"));
            }
            ordered += &format!("{line}\n");
        }
        held.drain(..)
            .for_each(|line| ordered += &format!("{line}\n"));
        ordered
    }

    #[tokio::test]
    async fn the_port_does_what_locust_does_with_the_original() {
        let server = recording_server().await;
        let mut text = String::new();
        for user_type in &classic::scenario().user_types {
            text += &protocol(user_type, &server).await;
        }
        assert_eq!(text, in_order(GOLDEN));
    }

    #[test]
    fn the_port_has_the_originals_tasks_and_weights() {
        let weights = |user_type: &UserType| {
            let tasks = user_type.tasks().iter();
            let tasks = tasks.map(|task| format!("{} {}", task.name(), task.weight()));
            tasks.collect::<Vec<_>>()
        };
        let types = classic::scenario().user_types;
        assert_eq!((types[0].weight(), types[1].weight()), (3.0, 1.0));
        let visitor = [
            "index 3",
            "article 2",
            "search 1",
            "profile 1",
            "old_page 1",
            "cart 1",
        ];
        assert_eq!(
            weights(&types[0]),
            visitor.map(|task| format!("Visitor::{task}"))
        );
        let editor = ["save 1", "remove 1", "broken 1", "statistics 1"];
        assert_eq!(
            weights(&types[1]),
            editor.map(|task| format!("Editor::{task}"))
        );
    }

    /// The target of the demo, in a few lines: every task of the shop against it.
    #[tokio::test]
    async fn the_shop_asks_for_what_the_demo_serves() {
        let server = Server::start(|seen: &Seen| {
            let (status, body) = match (seen.method.as_str(), seen.target.as_str()) {
                ("GET", "/") => ("200 OK", "shop"),
                ("GET", "/api/products") => {
                    ("200 OK", r#"[{"id":4,"name":"down coat","price":9}]"#)
                }
                ("GET", "/api/products/4") => {
                    ("200 OK", r#"{"id":4,"name":"down coat","price":9}"#)
                }
                ("GET", "/api/search?q=down+coat") => ("200 OK", "[]"),
                ("POST", "/api/checkout") => ("405 Method Not Allowed", ""),
                _ => ("404 Not Found", ""),
            };
            Reply::Write(crate::testing::respond(status, &[], body.as_bytes()))
        })
        .await;
        let shop = shop::scenario();
        let text = protocol(&shop.user_types[0], &server).await;
        let recorded: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("  > "))
            .collect();
        let failure =
            "POST /api/checkout -> 405 Client Error: Method Not Allowed for url: /api/checkout";
        let expected = [
            "GET /",
            "GET /",
            "GET /api/products",
            "GET /api/products/[id]",
            "GET /api/search?q=",
            failure,
        ];
        assert_eq!(recorded, expected.map(|line| format!("  > {line}")));
        assert!(all().iter().map(|scenario| &*scenario.name).eq([
            "shop",
            "classic",
            "login_journey",
            "rest_crud",
            "checkout"
        ]));
    }
}
