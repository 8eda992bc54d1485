//! HTTP/2, against a small server of its own.

use http::header::HeaderValue;
use tokio::net::TcpListener;

use crate::client::{ClientKind, HttpVersion};
use crate::testing::client_with;

/// More than the 16 KiB that HTTP/2 libraries take unless they are asked for more.
const NOTES: u16 = 600;

#[tokio::test]
async fn heads_may_be_as_long_as_on_http_1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut answer = http::Response::new(());
            for note in 0..NOTES {
                answer
                    .headers_mut()
                    .append("x-note", HeaderValue::from(note));
            }
            respond.send_response(answer, true).unwrap();
        }
    });
    let host = format!("http://{address}").parse().unwrap();
    let (mut client, memory) = client_with(ClientKind::Full, &host, |options| {
        options.http_version = HttpVersion::Http2;
    });
    let response = client.get("/").send().await.unwrap();
    let notes = response.headers().get_all("x-note").iter().count();
    assert_eq!(notes, usize::from(NOTES));
    assert_eq!(memory.lines(), ["GET /"]);
    server.abort();
}
