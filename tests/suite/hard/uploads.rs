//! Files: three large ones in one request, and one in the place of another.

use sha2::{Digest, Sha256};

use super::case;

/// Of each file.
const SIZE: usize = 20 << 20;

fn sum(letter: u8) -> String {
    let block = vec![letter; 1 << 20];
    let mut hash = Sha256::new();
    (0..SIZE >> 20).for_each(|_| hash.update(&block));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_large_files_are_three_events_with_their_sizes_and_sums() {
    let events = case(
        5,
        &[|client| {
            Box::pin(async move {
                let file = |field, letter| (field, letter, SIZE);
                let one = file("name=\"files\"; filename=\"one.pdf\"", b'1');
                let two = file("name=\"files\"; filename=\"two.pdf\"", b'2');
                let three = file("name=\"files\"; filename=\"three.pdf\"", b'3');
                let (status, answer) = client.upload("POST /v1/w1/documents", &[one, two, three]).await;
                let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
                assert_eq!(status, 201);
                assert!(
                    head.contains("transfer-encoding: chunked") && head.contains("content-encoding: gzip"),
                    "{head}"
                );
            })
        }],
        &[
            "success: Uploaded one.pdf (20971520 bytes)",
            "success: Uploaded two.pdf (20971520 bytes)",
            "success: Uploaded three.pdf (20971520 bytes)",
        ],
    )
    .await;
    for (event, (letter, id)) in events.iter().zip([(b'1', "901"), (b'2', "902"), (b'3', "903")]) {
        assert_eq!(event.details["sha256"], sum(letter));
        assert_eq!(event.targets[0].id.as_deref(), Some(id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_has_its_old_name_and_its_new_one() {
    case(
        6,
        &[|client| {
            Box::pin(async move {
                client.ask("GET /v1/w1/documents").await;
                let field =
                    "name=\"file\"; filename=\"Manuale.pdf\"; filename*=UTF-8''Manuale%20d%27uso%20%E2%82%AC.pdf";
                client.upload("PUT /v1/w1/documents/901/content", &[(field, b'x', 10)]).await;
            })
        }],
        &["success: Replaced Old manual.pdf with Manuale d'uso €.pdf"],
    )
    .await;
}
