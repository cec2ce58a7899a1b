//! Traffic through the real program: `sidetrail serve` in front of a platform of a few lines, and what its log
//! says afterwards.

mod limits;
mod people;
mod platforms;
mod recording;
mod refusals;
mod upgrades;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const RULES: &str = r#"
category = "Things"
in_workspace = "header['x-workspace']"

[kind.thing]
at    = "/things/{id}"
fetch = true

[thing.made]
when     = "POST /things"
target   = false
let.made = ["input.name", "output.name"]
message  = "made {{ made }}"

[thing.uploaded]
when     = "POST /uploads"
each     = "uploads"
target   = false
let.file = "each.filename"
message  = "uploaded {{ file }}"

[thing.deleted]
when    = "DELETE /things/{id}"
message = "deleted {{ thing }}"

[thing.watched]
when    = "GET /things/{id}/live"
title   = "watch thing"
message = "watched {{ thing }}"
"#;

const SOON: Duration = Duration::from_secs(10);

/// A running `sidetrail serve`.
struct Serve {
    child: Child,
    proxy: SocketAddr,
    page: SocketAddr,
    folder: TempDir,
}

impl Serve {
    fn start(platform: SocketAddr, proxy: &str, more: &str) -> Serve {
        Serve::with(RULES, &format!("http://{platform}"), proxy, more, |program| Command::new(program))
    }

    /// With these rules, this platform, these lines of `[proxy]`, these other sections, started so.
    fn with(rules: &str, upstream: &str, proxy: &str, more: &str, start: impl FnOnce(&str) -> Command) -> Serve {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
        let config = format!(
            "[proxy]\nlisten = '127.0.0.1:0'\nupstream = '{upstream}'\nthreads = 1\n{proxy}\n[rules]\npaths = ['rules.toml']\n\
             [read]\nlisten = '127.0.0.1:0'\n[log]\njson = true\n{more}\n"
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let mut child = start(env!("CARGO_BIN_EXE_sidetrail"))
            .arg("serve")
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let (proxy, page) = loop {
            let begin = said.len();
            assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
            let line: Value = serde_json::from_str(&said[begin..]).unwrap_or_default();
            let field = |name| line["fields"][name].as_str().map(str::to_owned);
            if let (Some(proxy), Some(page)) = (field("proxy"), field("page")) {
                let page = page.trim_start_matches("http://").trim_end_matches('/').to_owned();
                break (proxy.parse().unwrap(), page.parse().unwrap());
            }
        };
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Serve { child, proxy, page, folder }
    }

    fn connect(&self) -> TcpStream {
        connect(self.proxy)
    }

    /// One request on a connection of its own; the whole answer.
    fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect();
        socket.write_all(request.as_ref()).unwrap();
        read_message(&mut socket).map(|(head, body)| head + &String::from_utf8_lossy(&body)).unwrap_or_default()
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> u64 {
        let mut socket = connect(self.page);
        write!(socket, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.page).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("sidetrail_{name} ")));
        line.unwrap_or_else(|| panic!("no `{name}` in {text}")).parse().unwrap()
    }

    fn of_proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// Memory of the process, in bytes.
    fn resident(&self) -> usize {
        self.of_proc("statm").split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    /// Ends it as a service manager does; the log, oldest first.
    fn stop(mut self) -> Vec<Value> {
        self.terminate();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "SIGTERM is a good end");
        self.exported()
    }

    fn terminate(&self) {
        assert!(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap().success());
    }

    fn exported(&self) -> Vec<Value> {
        let mut export = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        export.args(["export", "--format", "ndjson"]).current_dir(self.folder.path());
        let output = export.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        events.sort_by_key(|event| (event["time"].as_str().unwrap().to_owned(), event["seq"].as_u64()));
        events
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

/// What a platform heard.
type Heard = Arc<Mutex<Vec<String>>>;

/// A platform that answers each request, given as head and body.
fn platform(answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> (SocketAddr, Heard) {
    platform_at("127.0.0.1:0", answer)
}

fn platform_at(address: &str, answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind(address).unwrap();
    let (address, heard, answer) = (listener.local_addr().unwrap(), Heard::default(), Arc::new(answer));
    let all = Arc::clone(&heard);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let (heard, answer) = (Arc::clone(&all), Arc::clone(&answer));
            thread::spawn(move || {
                while let Some((head, body)) = read_message(&mut socket) {
                    heard.lock().unwrap().push(head.clone());
                    if socket.write_all(&answer(&head, &body)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

/// A head, and as much of a body as it announces.
fn read_message(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    socket.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn reply(status: &str, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn created(_: &str, _: &[u8]) -> Vec<u8> {
    reply("201 Created", "application/json", "{}")
}

/// `POST /things` of that name.
fn make(name: &str) -> String {
    let body = format!("{{\"name\":\"{name}\"}}");
    format!(
        "POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn messages(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["message"].as_str().unwrap()).collect()
}

/// Waits for what is to come soon.
fn until(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < SOON, "{what}: never");
        thread::sleep(Duration::from_millis(10));
    }
}
