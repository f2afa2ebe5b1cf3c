//! A server that is told to stop finishes what it began.

use std::net::SocketAddr;
use std::time::Duration;

use chancery_tests::platform::{ISSUE, issue_body};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// A request whose body has not been sent yet; the server has begun to answer it.
async fn begun(address: SocketAddr, key: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST {ISSUE} HTTP/1.1\r\nhost: {address}\r\nauthorization: ApiKey {key}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("a request");
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut interim = vec![0; expected.len()];
    stream.read_exact(&mut interim).await.expect("the server asks for the body");
    assert_eq!(interim, expected);
    stream
}

on_every_backend! {
    /// The running request is answered in full, and nobody new is let in meanwhile.
    async fn a_running_request_is_finished_before_the_end(world: &World) {
        let operator = world.organisation().await;
        let definition = operator.define(&samples::staff_badge()).await;
        let body = issue_body(&definition, &samples::staff_claims()).to_string();
        let server = world.another_server().await;
        let address = server.management_address().expect("an address");
        let mut stream = begun(address, operator.key(), body.len()).await;

        let stopping = tokio::spawn(server.stop());
        // The socket is closed first; the kernel may let in some that came before.
        let refused = async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), refused).await.expect("nobody new is let in");
        assert!(!stopping.is_finished(), "the request is still running");

        stream.write_all(body.as_bytes()).await.expect("the rest");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        stopping.await.expect("the server stops");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let record: Value = serde_json::from_str(body).expect("JSON");
        operator.history(record["credentialHistory"]["id"].as_str().expect("an id")).await;
    }

    /// A client that never sends its body cannot keep the server from stopping: the grace period of this world is 5 s.
    async fn a_request_that_never_ends_does_not_keep_the_server(world: &World) {
        let operator = world.organisation().await;
        let server = world.another_server().await;
        let address = server.management_address().expect("an address");
        let mut stream = begun(address, operator.key(), 100).await;
        tokio::time::timeout(Duration::from_secs(30), server.stop()).await.expect("the server stops");
        let mut rest = Vec::new();
        // Closed, or answered that nothing came.
        drop(stream.read_to_end(&mut rest).await);
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
}
