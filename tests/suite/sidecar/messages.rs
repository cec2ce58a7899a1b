//! Messages of every form pass unchanged.

use super::*;

#[tokio::test]
async fn one_connection_carries_many_requests_up_and_down() {
    let proxy = start(echo_start_lines().await, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    for path in ["/1", "/2", "/3"] {
        client.send(get(path)).await;
        assert!(client.until(&format!("0 GET {path} HTTP/1.1")).await.starts_with("HTTP/1.1 200 OK\r\nContent-Length"));
    }
    client.send(format!("{}{}{}", get("/4"), get("/5"), get("/6"))).await;
    let replies = client.until("0 GET /6 HTTP/1.1").await;
    let (four, five) = (replies.find("GET /4"), replies.find("GET /5"));
    assert!(four.is_some() && four < five, "{replies}");
}

#[tokio::test]
async fn chunks_and_trailers_arrive_as_they_were_sent_both_ways() {
    let body = "5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    let address = platform(move |_, mut peer| async move {
        let request = peer.until("X-Sum: 1\r\n\r\n").await;
        assert!(request.ends_with(body), "{request:?}");
        peer.send(format!("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(format!("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await;
    assert!(client.until("X-Sum: 1\r\n\r\n").await.ends_with(body));
    let exchange = next_seen(&mut proxy).await;
    assert_eq!(exchange.end, End::Complete);
    assert_eq!(&exchange.request.body.content[..], b"hello");
    assert_eq!(&exchange.response.unwrap().body.content[..], b"hello");
}

#[tokio::test]
async fn interim_replies_and_the_expectation_go_end_to_end() {
    let address = platform(|_, mut peer| async move {
        assert!(peer.until("\r\n\r\n").await.contains("Expect: 100-continue"));
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n").await;
        peer.until("hello").await;
        peer.send(ok("done")).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    let interim = client.until("100 Continue\r\n\r\n").await;
    assert!(interim.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"), "{interim}");
    client.send("hello").await;
    client.until("done").await;
}

#[tokio::test]
async fn an_event_of_a_stream_arrives_before_the_stream_ends() {
    let released = Arc::new(Notify::new());
    let waits = Arc::clone(&released);
    let address = platform(move |_, mut peer| {
        let waits = Arc::clone(&waits);
        async move {
            peer.until("\r\n\r\n").await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            peer.send("9\r\ndata: 1\n\n\r\n").await;
            waits.notified().await;
            peer.send("0\r\n\r\n").await;
        }
    })
    .await;
    let proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/sse")).await;
    client.until("data: 1\n\n").await;
    released.notify_one();
    client.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_large_body_passes_both_ways_at_once_unchanged() {
    const SIZE: usize = 20 << 20;
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
        let mut echoed = std::mem::take(&mut peer.read);
        let mut total = 0;
        while total < SIZE {
            total += echoed.len();
            peer.send(&echoed).await;
            echoed.resize(65536, 0);
            let count = if total < SIZE { peer.stream.read(&mut echoed).await.unwrap() } else { 0 };
            echoed.truncate(count);
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let client = Peer::connect(&proxy).await;
    let (mut read, mut write) = client.stream.into_split();
    let writing = tokio::spawn(async move {
        write
            .write_all(format!("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let block: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
        for _ in 0..SIZE / block.len() {
            write.write_all(&block).await.unwrap();
        }
        write
    });
    let mut block = vec![0; 65536];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read.read_u8().await.unwrap());
    }
    let (mut at, mut right) = (0usize, true);
    while at < SIZE {
        let count = timeout(SOON, read.read(&mut block)).await.unwrap().unwrap();
        assert!(count > 0, "the reply ended after {at} bytes");
        right &= block[..count].iter().enumerate().all(|(place, byte)| usize::from(*byte) == (at + place) % 256);
        at += count;
    }
    assert!(right, "bytes were changed");
    drop(writing.await.unwrap());
}

#[tokio::test]
async fn a_body_that_nobody_reads_waits_at_the_client_and_not_in_memory() {
    const SIZE: usize = 256 << 20;
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(format!("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    let block = vec![0; 1 << 20];
    let mut taken = 0;
    while let Ok(count) = timeout(Duration::from_millis(300), client.stream.write(&block)).await {
        taken += count.unwrap();
        assert!(taken < SIZE / 4, "{taken} bytes were taken: more than the sockets hold");
    }
}

#[tokio::test]
async fn names_and_forwarded_addresses_are_added_only_where_asked_for() {
    let echo = platform(|_, mut peer| async move {
        let head = peer.until("\r\n\r\n").await;
        peer.send(ok(&head)).await;
    })
    .await;
    let plain = start(echo, With::default(), |_| ());
    let mut client = Peer::connect(&plain).await;
    client.send("GET / HTTP/1.1\r\nhOst: a\r\nConnection: keep-alive\r\nX-a: 1\r\n\r\n").await;
    let reply = client.until("X-a: 1\r\n\r\n").await;
    assert!(reply.ends_with("\r\n\r\nGET / HTTP/1.1\r\nhOst: a\r\nX-a: 1\r\n\r\n"), "{reply}");
    let adding = start(echo, With::default(), |settings| {
        settings.add_forwarded = true;
        settings.add_request_id = true;
    });
    let mut client = Peer::connect(&adding).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n").await;
    let reply = client.until("X-Request-Id: ").await;
    let added =
        "Host: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: http\r\nX-Request-Id: ";
    assert!(reply.ends_with(added), "{reply}");
}

#[tokio::test]
async fn a_platform_is_found_by_name_and_the_counters_tell() {
    let address = echo_start_lines().await;
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        upstream: format!("http://localhost:{}", address.port()).parse().unwrap(),
        threads: 2,
        ..Settings::default()
    };
    let sidecar = Sidecar::bind(&settings).unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    sidecar.register(&mut registry);
    let (stop, listen) = (CancellationToken::new(), sidecar.local_addr());
    let (seen, _kept) = mpsc::channel(1);
    let watcher = Watcher { watches: false, waits: false, loses: false, seen, release: Arc::default() };
    let done = tokio::spawn(sidecar.run(Arc::new(watcher), Clock::system(), stop.clone()));
    let mut client = Peer::new(TcpStream::connect(listen).await.unwrap());
    client.send(get("/name")).await;
    client.until("GET /name HTTP/1.1").await;
    client.send("nonsense\r\n\r\n").await;
    client.rest().await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("proxy_requests_total 1\n"), "{text}");
    assert!(text.contains("proxy_refused_total{reason=\"start-line\"} 1\n"), "{text}");
    stop.cancel();
    timeout(SOON, done).await.unwrap().unwrap().unwrap();
}
