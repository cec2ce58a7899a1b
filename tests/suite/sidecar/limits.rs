//! Limits: of connections and of patience.

use super::*;

#[tokio::test]
async fn connections_beyond_a_limit_are_turned_away_with_a_503() {
    let proxy = start(echo_start_lines().await, With::default(), |settings| settings.connections_per_address = 1);
    let mut first = Peer::connect(&proxy).await;
    first.send(get("/1")).await;
    first.until("GET /1 HTTP/1.1").await;
    let second = Peer::connect(&proxy).await;
    assert!(second.rest().await.unwrap().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
}

#[tokio::test]
async fn a_client_that_is_too_slow_gets_a_408_and_an_idle_one_is_closed() {
    let proxy = start(echo_start_lines().await, With::default(), |settings| {
        settings.head_timeout_ms = 150;
        settings.idle_timeout_ms = 150;
        settings.body_timeout_ms = 150;
    });
    let mut slow_head = Peer::connect(&proxy).await;
    slow_head.send("GET / HT").await;
    let mut slow_body = Peer::connect(&proxy).await;
    slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe").await;
    let idle = Peer::connect(&proxy).await;
    let began = Instant::now();
    assert!(slow_head.rest().await.unwrap().starts_with("HTTP/1.1 408"));
    assert_eq!(idle.rest().await.unwrap(), "");
    // Its head went through, and was answered before the body.
    assert!(slow_body.rest().await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_client_that_takes_no_byte_of_a_reply_is_given_up_and_observed() {
    const SIZE: usize = 64 << 20;
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
        let block = vec![7; 1 << 16];
        // Ends when the other side has had enough.
        while peer.stream.write_all(&block).await.is_ok() {}
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.send_timeout_ms = 300);
    let mut client = Peer::connect(&proxy).await;
    let began = Instant::now();
    client.send(get("/large")).await;
    let exchange = next_seen(&mut proxy).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((exchange.end, exchange.response.unwrap().status), (End::Unanswered, 200));
    // What was sent before may still be read; the whole is not there, and nobody can take it for that.
    let (mut got, mut block) = (0, vec![0; 1 << 16]);
    while let Ok(count @ 1..) = timeout(SOON, client.stream.read(&mut block)).await.expect("it never ended") {
        got += count;
    }
    assert!(got < SIZE, "{got}");
}
