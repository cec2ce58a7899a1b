//! Ends: of clients, of the sidecar, of a reply that must not end too early.

use super::*;

#[tokio::test]
async fn a_client_that_only_closed_its_sending_side_gets_its_reply() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        // The platform is told the same, and answers nevertheless.
        assert_eq!(peer.stream.read(&mut [0; 8]).await.unwrap(), 0);
        peer.send(ok("late")).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/h")).await;
    client.stream.shutdown().await.unwrap();
    assert!(client.rest().await.unwrap().ends_with("late"));
}

#[tokio::test]
async fn a_client_that_leaves_while_the_platform_is_silent_is_noticed() {
    let (gone, mut platform_saw) = mpsc::channel(1);
    let address = platform(move |_, mut peer| {
        let gone = gone.clone();
        async move {
            peer.until("body").await;
            // Silent until the other side is gone.
            let _ = peer.stream.read(&mut [0; 8]).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let exchange = next_seen(&mut proxy).await;
    assert_eq!(exchange.end, End::Unanswered);
    assert_eq!(&exchange.request.body.content[..], b"body");
    assert!(exchange.response.is_none());
    timeout(SOON, platform_saw.recv()).await.expect("the platform was not told").unwrap();
}

#[tokio::test]
async fn a_half_closed_client_is_not_waited_for_forever() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.half_close_timeout_ms = 200);
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/h")).await;
    drop(client.stream);
    assert_eq!(next_seen(&mut proxy).await.end, End::Unanswered);
}

#[tokio::test]
async fn a_watched_reply_ends_only_when_its_witness_is_done() {
    let replies = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "no reply at all",
    ];
    for reply in replies {
        let address = platform(move |_, mut peer| async move {
            peer.until("\r\n\r\n").await;
            peer.send(reply).await;
        })
        .await;
        let mut proxy = start(address, With { waits: true, ..WATCHED }, |_| ());
        let mut client = Peer::connect(&proxy).await;
        client.send("GET /w HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        next_seen(&mut proxy).await;
        // Whatever is there by now is not the end.
        let mut early = vec![0; 4096];
        let count = timeout(Duration::from_millis(150), client.stream.read(&mut early)).await.map_or(0, Result::unwrap);
        early.truncate(count);
        let until_close = reply.ends_with("\r\n\r\nhello") && !reply.contains("Content-Length");
        assert!(until_close || !early.ends_with(b"hello"), "{reply:?} ended early");
        assert!(!early.ends_with(b"0\r\n\r\n") && !early.starts_with(b"HTTP/1.1 204"), "{reply:?} ended early");
        proxy.release.notify_one();
        let rest = client.rest().await.unwrap();
        assert!(until_close || !rest.is_empty(), "{reply:?} never ended");
    }
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_finish_and_closes_what_is_idle() {
    let (asked, mut was_asked) = mpsc::channel(1);
    let address = platform(move |_, mut peer| {
        let asked = asked.clone();
        async move {
            peer.until("\r\n\r\n").await;
            asked.send(()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            peer.send(ok("finished")).await;
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let idle = Peer::connect(&proxy).await;
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/d")).await;
    was_asked.recv().await.unwrap();
    proxy.stop.cancel();
    assert_eq!(idle.rest().await.unwrap(), "");
    let reply = client.rest().await.unwrap();
    assert!(reply.contains("Connection: close\r\n") && reply.ends_with("finished"), "{reply}");
    timeout(SOON, proxy.done).await.expect("the drain never ended").unwrap().unwrap();
    assert!(TcpStream::connect(proxy.address).await.is_err());
}

#[tokio::test]
async fn a_stop_gives_up_in_the_end_and_what_was_sent_is_still_observed() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.drain_ms = 200);
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/g")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.stop.cancel();
    assert_eq!(next_seen(&mut proxy).await.end, End::Unanswered);
    timeout(SOON, proxy.done).await.expect("the drain never ended").unwrap().unwrap();
}

#[tokio::test]
async fn a_platform_that_writes_head_and_body_apart_is_not_waited_for() {
    let address = platform(|_, mut peer| async move {
        // Nagle's algorithm holds the second piece until the first is acknowledged.
        peer.stream.set_nodelay(false).unwrap();
        for _ in 0..100 {
            peer.until("\r\n\r\n").await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
            peer.send("hello").await;
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    let began = std::time::Instant::now();
    for _ in 0..100 {
        client.send(get("/h")).await;
        client.until("hello").await;
    }
    // A delayed acknowledgement takes 40 ms each.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
