//! Instructions of one request, counted by callgrind: the same on a busy machine as on a quiet one.
//!
//! `cargo bench --bench instructions` (needs valgrind and nginx). Each server
//! runs twice, for 300 and for 1,300 requests on one connection; the difference
//! over 1,000 is what a request costs, start and end left out.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "a bench that is wired wrongly stops; figures are for people"
)]

#[path = "cost/procs.rs"]
#[allow(dead_code, reason = "the cost bench uses the rest")]
mod procs;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use procs::Procs;

const FEW: u64 = 300;
const MANY: u64 = 1_300;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the run");
    let mut platform = Procs::new(folder.path());
    let member = r#"{"member":{"id":"204","email":"ann@example.com","role":"editor","status":"pending"}}"#;
    let upstream = platform.nginx("platform", |port| {
        format!(
            "server {{ listen 127.0.0.1:{port}; default_type application/json;
             location / {{ if ($request_method = GET) {{ return 200 '{member}'; }} return 201 '{member}'; }} }}"
        )
    });
    let body = format!(r#"{{"email":"ann@example.com","role":"editor","note":"{}"}}"#, "y".repeat(440));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n");
    let post = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    println!("| | instructions per request |\n| --- | ---: |");
    for (name, server, request) in [
        ("nginx, GET", "nginx", get("/plain/get")),
        ("nginx, POST", "nginx", post("/plain/post")),
        ("nginx with a JSON log, POST", "nginx-log", post("/plain/post")),
        ("sidetrail, GET passed through", "sidetrail", get("/plain/get")),
        ("sidetrail, POST passed through", "sidetrail", post("/plain/post")),
        ("sidetrail, POST audited", "sidetrail", post("/api/v1/workspaces/39/members")),
    ] {
        let of = |requests| count(folder.path(), server, upstream, request.as_bytes(), requests);
        println!("| {name} | {:.1} k |", (of(MANY) - of(FEW)) as f64 / (MANY - FEW) as f64 / 1e3);
    }
}

/// All instructions of a server that answers so many requests.
fn count(folder: &Path, server: &str, upstream: u16, request: &[u8], requests: u64) -> i64 {
    let out = folder.join(format!("{server}-{requests}.callgrind"));
    let mut procs = Procs::under(
        folder,
        &["valgrind", "--tool=callgrind", &format!("--callgrind-out-file={}", out.display()), "--log-file=/dev/null"],
    );
    match server {
        "sidetrail" => procs.sidetrail(server, upstream, &PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules")),
        _ => {
            let log = format!("access_log {} j;", folder.join("access.log").display());
            let format = r#"log_format j escape=json '{"time":"$time_iso8601","remote":"$remote_addr","method":"$request_method","uri":"$request_uri","status":$status,"rt":$request_time,"ua":"$http_user_agent","body":"$request_body"}';"#;
            procs.nginx(server, |port| {
                format!(
                    "{format} upstream u {{ server 127.0.0.1:{upstream}; keepalive 4; }} server {{ listen 127.0.0.1:{port}; {}
                     location / {{ proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; proxy_pass http://u; }} }}",
                    if server == "nginx-log" { log.as_str() } else { "" }
                )
            });
        }
    }
    ask(procs.port(server), request, requests);
    drop(procs);
    let written = std::fs::read_to_string(&out).expect("callgrind writes its counts at the end");
    let total =
        written.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    let _ = std::fs::remove_file(&out);
    total.and_then(|count| count.trim().parse().ok()).expect("callgrind's sum")
}

/// Sends the same request again and again on one connection.
fn ask(port: u16, request: &[u8], requests: u64) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    let mut buffer = [0; 16 * 1024];
    for _ in 0..requests {
        connection.write_all(request).expect("the server reads");
        let mut answer = Vec::new();
        loop {
            let read = connection.read(&mut buffer).expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            answer.extend_from_slice(&buffer[..read]);
            if is_whole(&answer) {
                break;
            }
        }
    }
}

/// Whether a reply with a length has arrived.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}
