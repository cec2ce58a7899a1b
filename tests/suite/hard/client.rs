//! A client that writes its requests by hand: what it sends is what it says.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);

/// Sends to one address, each request on a connection of its own.
#[derive(Clone, Copy)]
pub(super) struct Client(pub(super) SocketAddr);

impl Client {
    /// A request with these field lines (each with its CRLF) and this body; the status, and all that came.
    pub(super) async fn send(self, start: &str, fields: &str, body: impl AsRef<[u8]>) -> (u16, Vec<u8>) {
        let body = body.as_ref();
        let mut sending = self.begin(start, fields, body.len()).await;
        sending.write_all(body).await.unwrap();
        read(sending).await
    }

    /// The same without a body.
    pub(super) async fn ask(self, start: &str) -> u16 {
        self.send(start, "", "").await.0
    }

    /// The same with JSON.
    pub(super) async fn json(self, start: &str, body: Value) -> u16 {
        self.send(start, "Content-Type: application/json\r\n", body.to_string()).await.0
    }

    /// A form of files, written piece by piece: a field's name with its other parameters, a letter, how often.
    pub(super) async fn upload(self, start: &str, files: &[(&str, u8, usize)]) -> (u16, Vec<u8>) {
        const BOUNDARY: &str = "hard--cases";
        let head = |field: &str| {
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; {field}\r\nContent-Type: application/x-book\r\n\r\n"
            )
        };
        let end = format!("--{BOUNDARY}--\r\n");
        let length = files.iter().map(|(field, _, size)| head(field).len() + size + 2).sum::<usize>() + end.len();
        let fields = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
        let mut sending = self.begin(start, &fields, length).await;
        for (field, letter, size) in files {
            sending.write_all(head(field).as_bytes()).await.unwrap();
            let block = vec![*letter; 1 << 16];
            let mut left = *size;
            while left > 0 {
                let piece = &block[..left.min(block.len())];
                sending.write_all(piece).await.unwrap();
                left -= piece.len();
            }
            sending.write_all(b"\r\n").await.unwrap();
        }
        sending.write_all(end.as_bytes()).await.unwrap();
        read(sending).await
    }

    async fn begin(self, start: &str, fields: &str, length: usize) -> TcpStream {
        let mut sending = TcpStream::connect(self.0).await.unwrap();
        let length = if length == 0 && start.starts_with("GET ") {
            String::new()
        } else {
            format!("Content-Length: {length}\r\n")
        };
        let head = format!("{start} HTTP/1.1\r\nHost: house.test\r\nConnection: close\r\n{fields}{length}\r\n");
        sending.write_all(head.as_bytes()).await.unwrap();
        sending
    }
}

async fn read(mut stream: TcpStream) -> (u16, Vec<u8>) {
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.expect("no end of the answer").unwrap();
    let status = all.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    (status.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&all))), all)
}
