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
