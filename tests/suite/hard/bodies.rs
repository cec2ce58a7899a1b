//! Bodies with more than one reading, or none.

use super::case;

fn utf16(text: &str, mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mut bytes = mark.to_vec();
    bytes.extend(text.encode_utf16().flat_map(unit));
    bytes
}

/// `levels` objects inside each other, beside the name.
fn deep(levels: usize) -> Vec<u8> {
    format!(r#"{{"name":"deep","in":{}1{}}}"#, r#"{"in":"#.repeat(levels - 1), "}".repeat(levels - 1)).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_a_single_meaning_is_unknown_and_every_other_is_read() {
    let events = case(
        15,
        &[|client| {
            Box::pin(async move {
                let bodies: [(&str, Vec<u8>); 11] = [
                    ("application/json", br#"{"name":"a","name":"b"}"#.to_vec()),
                    ("application/json", br#"{"name":9007199254740993}"#.to_vec()),
                    ("application/json", br#"{"name":18446744073709551615}"#.to_vec()),
                    ("application/json", br#"{"name":0.1000}"#.to_vec()),
                    ("application/json", deep(64)),
                    ("application/json", deep(5000)),
                    ("application/json", utf16(r#"{"name":"Città"}"#, b"\xFF\xFE", u16::to_le_bytes)),
                    ("application/json; charset=utf-16be", utf16(r#"{"name":"Però"}"#, b"", u16::to_be_bytes)),
                    ("application/json", b"\xEF\xBB\xBF{\"name\":\"marked\"}".to_vec()),
                    ("application/json", b"{\"name\":\"caf\xE9\"}".to_vec()),
                    ("application/json; charset=iso-8859-1", b"{\"name\":\"caf\xE9\"}".to_vec()),
                ];
                for (kind, body) in bodies {
                    let fields = format!("Content-Type: {kind}\r\n");
                    assert_eq!(client.send("POST /v1/w1/notes", &fields, body).await.0, 201);
                }
            })
        }],
        &[
            "success: Pinned (unknown name)",
            "success: Pinned 9007199254740993",
            "success: Pinned 18446744073709551615",
            "success: Pinned 0.1",
            "success: Pinned deep",
            "success: Pinned (unknown name)",
            "success: Pinned Città",
            "success: Pinned Però",
            "success: Pinned marked",
            "success: Pinned (unknown name)",
            "success: Pinned café",
        ],
    )
    .await;
    for (at, why) in [(0, ""), (5, "not JSON"), (9, "not JSON")] {
        let [missing] = &events[at].missing[..] else { panic!("{:?}", events[at].missing) };
        assert!(missing.name == "name" && missing.reason.contains(why), "{missing:?}");
    }
}
