//! WebSockets: carried both ways, their opening and their end told.

use super::*;

#[tokio::test]
async fn a_websocket_is_carried_both_ways_and_seen_when_it_opens() {
    let address = platform(|_, mut peer| async move {
        let head = peer.until("\r\n\r\n").await;
        assert!(head.contains("Upgrade: websocket\r\n") && head.contains("Connection: Upgrade\r\n"), "{head}");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let said = peer.until("!").await;
        peer.send(format!("echo {said}")).await;
        peer.stream.shutdown().await.unwrap();
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client
        .send("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\nhel")
        .await;
    client.until("Upgrade: websocket\r\n\r\n").await;
    assert_eq!(next_seen(&mut proxy).await.response.unwrap().status, 101);
    client.send("lo!").await;
    client.until("echo hello!").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await.unwrap(), "");
}
