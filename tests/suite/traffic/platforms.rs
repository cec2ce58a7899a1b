//! Platforms of several sorts: at an IPv6 address, and with packed answers.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

#[test]
fn a_platform_at_an_ipv6_address_is_reached_and_audited() {
    let (address, heard) = platform_at("[::1]:0", created);
    assert!(address.is_ipv6());
    let serve = Serve::start(address, "", "");
    assert!(serve.ask(make("over six")).starts_with("HTTP/1.1 201 "));
    assert_eq!(heard.lock().unwrap().len(), 1);
    assert_eq!(messages(&serve.stop()), ["made over six"]);
}

/// Everything written into an encoder.
fn packed<W: Write>(mut encoder: W, content: &[u8], finish: impl FnOnce(W) -> Vec<u8>) -> Vec<u8> {
    encoder.write_all(content).unwrap();
    finish(encoder)
}

fn pack(coding: &str, content: &[u8]) -> Vec<u8> {
    let level = Compression::default();
    match coding {
        "gzip" => packed(GzEncoder::new(Vec::new(), level), content, |it| it.finish().unwrap()),
        "deflate" => packed(ZlibEncoder::new(Vec::new(), level), content, |it| it.finish().unwrap()),
        // What some servers send under the same name (RFC 9110 section 8.4.1.2).
        "deflate, without its wrapping" => {
            packed(DeflateEncoder::new(Vec::new(), level), content, |it| it.finish().unwrap())
        }
        "br" => packed(brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22), content, |it| it.into_inner()),
        "zstd" => zstd::encode_all(content, 0).unwrap(),
        "gzip, br" => pack("br", &pack("gzip", content)),
        _ => content.to_vec(),
    }
}

#[test]
fn packed_answers_pass_as_they_are_and_are_read_for_the_event() {
    let codings =
        ["identity", "gzip", "deflate", "deflate, without its wrapping", "br", "zstd", "gzip, br", "compress"];
    let (address, _) = platform(move |head, _| {
        let which: usize = head.split("x-coding: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
        let coding = codings[which];
        let body = pack(coding, format!("{{\"name\":\"{coding}\"}}").as_bytes());
        let coding = if coding.starts_with("deflate") { "deflate" } else { coding };
        let head = format!(
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    });
    let serve = Serve::start(address, "", "");
    for (which, coding) in codings.iter().enumerate() {
        let mut socket = serve.connect();
        write!(socket, "POST /things HTTP/1.1\r\nHost: a\r\nx-coding: {which}\r\nContent-Length: 0\r\n\r\n").unwrap();
        let body = read_message(&mut socket).unwrap().1;
        assert_eq!(body, pack(coding, format!("{{\"name\":\"{coding}\"}}").as_bytes()), "{coding} passes unchanged");
    }
    let events = serve.stop();
    for (event, coding) in events.iter().zip(codings) {
        // Nobody knows that one any more: the event says so.
        let (said, reason) = match coding {
            "compress" => ("made (unknown made)".to_owned(), "compress"),
            known => (format!("made {known}"), ""),
        };
        assert_eq!(event["message"].as_str(), Some(&*said), "{event}");
        assert_eq!(event["missing"].to_string().contains("compress"), !reason.is_empty(), "{event}");
    }
    assert_eq!(events.len(), codings.len());
}
