//! What goes wrong is said, and never presented as whole.

use super::*;

#[tokio::test]
async fn a_platform_that_is_away_is_a_502_and_nothing_was_sent() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut proxy = start(nobody, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/n")).await;
    let reply = client.rest().await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{reply}");
    assert!(reply.contains("application/problem+json") && reply.contains("platform-unreachable"), "{reply}");
    assert_eq!(next_seen(&mut proxy).await.end, End::NeverSent);
}

#[tokio::test]
async fn a_platform_that_is_silent_is_a_504() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.reply_timeout_ms = 150);
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/s")).await;
    let reply = client.rest().await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{reply}");
    assert_eq!(next_seen(&mut proxy).await.end, End::Unanswered);
}

#[tokio::test]
async fn a_reply_without_a_record_is_never_presented_as_whole() {
    for reply in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n"] {
        let address = platform(move |_, mut peer| async move {
            peer.until("\r\n\r\n").await;
            peer.send(reply).await;
        })
        .await;
        let proxy = start(address, With { loses: true, ..WATCHED }, |_| ());
        let mut client = Peer::connect(&proxy).await;
        client.send("POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
        let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(Ok(count @ 1..)) = timeout(SOON, client.stream.read(&mut chunk)).await {
            got.extend_from_slice(&chunk[..count]);
        }
        assert!(got.len() < reply.len() && !got.ends_with(b"ok"), "{}", String::from_utf8_lossy(&got));
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_never_presented_as_whole() {
    let address = platform(|number, mut peer| async move {
        peer.until("\r\n\r\n").await;
        match number {
            0 => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").await,
            _ => peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nZZ\r\n").await,
        }
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    for _ in 0..2 {
        let mut client = Peer::connect(&proxy).await;
        client.send(get("/b")).await;
        let reply = client.rest().await.unwrap_or_default();
        assert!(!reply.ends_with("0\r\n\r\n"), "{reply}");
        let exchange = next_seen(&mut proxy).await;
        assert_eq!(exchange.end, End::Unanswered);
        assert_eq!(exchange.response.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_request_that_left_is_never_sent_again() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let address = platform(move |number, mut peer| {
        let log = Arc::clone(&log);
        async move {
            for _ in 0..2 {
                let head = peer.until("\r\n\r\n").await;
                log.lock().unwrap().push((number, head.split(' ').nth(1).unwrap().to_owned()));
                if head.contains("/stale") {
                    return;
                }
                peer.send(ok("fine")).await;
            }
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/first")).await;
    client.until("fine").await;
    client.send(get("/stale")).await;
    assert!(client.rest().await.unwrap().starts_with("HTTP/1.1 502"));
    let expected = vec![(0, "/first".to_owned()), (0, "/stale".to_owned())];
    assert_eq!(*requests.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_kept_connection_on_which_something_arrived_unasked_is_not_reused() {
    let address = platform(|number, mut peer| async move {
        peer.until("\r\n\r\n").await;
        peer.send(ok(&format!("from {number}"))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        peer.send(ok("EVIL")).await;
        tokio::time::sleep(SOON).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/1")).await;
    client.until("from 0").await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    client.send(get("/2")).await;
    client.until("from 1").await;
}

#[tokio::test]
async fn a_request_without_a_single_meaning_reaches_nobody_and_is_not_observed() {
    let mut proxy = start(echo_start_lines().await, WATCHED, |_| ());
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Peer::connect(&proxy).await;
        client.send(request).await;
        let reply = client.rest().await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 Bad Request\r\n") && reply.contains("problem+json"), "{reply}");
    }
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/good")).await;
    client.until("0 GET /good HTTP/1.1").await;
    assert_eq!(next_seen(&mut proxy).await.request.target, "/good");
    assert!(client.is_silent().await);
}
