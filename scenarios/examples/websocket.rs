//! Users of a WebSocket: each keeps a connection open, sends a message now and then, and waits for its
//! echo. Anything that is not HTTP is timed like this, by `client.measure(…)`.
//!
//! `cargo run --release --example websocket -- run --host http://localhost:8080`
//!
//! A crate of your own needs a WebSocket library for this: `cargo add tokio-tungstenite futures-util`, and
//! `cargo add tokio --features net`.

use futures_util::{SinkExt as _, StreamExt as _};
use greylag::prelude::*;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Default)]
struct EchoUser {
    socket: Option<Socket>,
    sent: u64,
}

#[fast_http_user(wait_time = between(0.5, 1.5))]
impl EchoUser {
    #[task]
    async fn echo(&mut self, client: &mut Client) -> TaskResult {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => self.socket.insert(connect(client).await?),
        };
        self.sent += 1;
        let text = format!("message {}", self.sent);
        let echo = client.measure("WS", "echo").context("message", self.sent);
        match exchange(socket, &text).await {
            Ok(reply) if reply == text => echo.success(reply.len() as u64),
            Ok(_) => echo.failure("the echo is another text"),
            Err(error) => {
                echo.failure(error);
                // The next task connects again.
                self.socket = None;
            }
        }
        Ok(())
    }

    async fn on_stop(&mut self, _: &mut Client) -> TaskResult {
        if let Some(mut socket) = self.socket.take() {
            socket.close(None).await?;
        }
        Ok(())
    }
}

/// A connection to the host's `/echo`. That it failed is counted here, and not as an error of the task, too.
async fn connect(client: &Client) -> Result<Socket, TaskError> {
    let host = client
        .run()
        .host()
        .ok_or_else(|| TaskError::new("there is no host: give one with --host"))?;
    // http becomes ws, https becomes wss.
    let url = host.join("/echo")?.as_str().replacen("http", "ws", 1);
    let connecting = client.measure("WS", "connect").run(connect_async(url));
    let (socket, _) = connecting.await?;
    Ok(socket)
}

/// Sends a text and waits for the next one.
async fn exchange(socket: &mut Socket, text: &str) -> Result<String, Error> {
    socket.send(Message::text(text)).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(reply) = message? {
            return Ok(reply.as_str().to_owned());
        }
    }
    Err(Error::ConnectionClosed)
}

fn main() -> ExitCode {
    greylag::main!(EchoUser)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::{Arc, Mutex};

    use greylag::{ClientKind, Recorder, RequestSample};
    use tokio::net::TcpListener;

    use super::*;

    /// Collects what it receives, as lines.
    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Recorder for Lines {
        fn request(&self, sample: &RequestSample<'_>) {
            let (kind, name, length) = (sample.method, sample.name, sample.response_length);
            let line = match sample.error {
                None => format!("{kind} {name} {length}"),
                Some(error) => format!("{kind} {name}: {error}"),
            };
            self.0.lock().unwrap().push(line);
        }
        fn user_started(&self) {}
        fn user_stopped(&self) {}
        fn task_error(&self, _: &str, _: &str) {}
    }

    /// Serves one connection after the other: it returns three messages, the third one changed, and
    /// goes away at the fourth.
    async fn serve(listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            for number in 1..=4 {
                let Some(Ok(Message::Text(text))) = socket.next().await else {
                    break;
                };
                match number {
                    3 => socket.send(Message::text("something else")).await.unwrap(),
                    4 => break,
                    _ => socket.send(Message::Text(text)).await.unwrap(),
                }
            }
        }
    }

    #[tokio::test]
    async fn messages_are_measured() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener));
        let lines = Arc::new(Lines::default());
        let host = host.parse().unwrap();
        let client = Client::outside_a_run(ClientKind::Fast, &host, lines.clone());
        let (mut client, mut user) = (client.unwrap(), EchoUser::default());
        for _ in 0..5 {
            user.echo(&mut client).await.unwrap();
        }
        user.on_stop(&mut client).await.unwrap();
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        let refused = user.echo(&mut client).await;
        assert!(refused.is_err());

        let lines = lines.0.lock().unwrap();
        assert_eq!(
            lines[..4],
            [
                "WS connect 0",
                "WS echo 9",
                "WS echo 9",
                "WS echo: the echo is another text"
            ]
        );
        assert!(
            lines[4].starts_with("WS echo: WebSocket protocol error"),
            "{lines:?}"
        );
        assert_eq!(lines[5..7], ["WS connect 0", "WS echo 9"]);
        assert!(lines[7].starts_with("WS connect: "), "{lines:?}");
        assert_eq!(lines.len(), 8);
    }
}
