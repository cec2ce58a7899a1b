//! The processes that are measured: started on free ports, their CPU and memory read from the kernel.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Running servers by name. Dropping ends those that were started here, and no other.
pub(crate) struct Procs {
    folder: PathBuf,
    /// A program that runs the servers: valgrind and its arguments.
    under: Vec<String>,
    running: BTreeMap<String, (Child, u16)>,
}

impl Procs {
    pub(crate) fn new(folder: &Path) -> Procs {
        Procs::under(folder, &[])
    }

    /// Servers that run under another program, in one process each.
    pub(crate) fn under(folder: &Path, program: &[&str]) -> Procs {
        let under = program.iter().map(|word| (*word).to_owned()).collect();
        Procs { folder: folder.to_owned(), under, running: BTreeMap::new() }
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        self.running[name].1
    }

    /// An nginx of one worker with what `http` says for a port.
    pub(crate) fn nginx(&mut self, name: &str, http: impl Fn(u16) -> String) -> u16 {
        let (port, path) = (free_port(), self.folder.join(name));
        let text = format!(
            "worker_processes 1; daemon off; master_process {2}; pid {0}.pid; error_log {0}.err crit; worker_rlimit_nofile 8192;
             events {{ worker_connections 4096; }}
             http {{ access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600;
             client_body_buffer_size 64k; client_body_temp_path {0}.b; proxy_temp_path {0}.p; fastcgi_temp_path {0}.f;
             uwsgi_temp_path {0}.u; scgi_temp_path {0}.s; {1} }}",
            path.display(),
            http(port),
            if self.under.is_empty() { "on" } else { "off" }
        );
        let conf = path.with_extension("conf");
        std::fs::write(&conf, text).expect("nginx's configuration");
        let mut command = self.command("nginx");
        self.start(name, port, command.arg("-c").arg(conf));
        port
    }

    /// This build's sidetrail with a store of its own.
    pub(crate) fn sidetrail(&mut self, name: &str, platform: u16, rules: &Path) {
        let port = free_port();
        let text = format!(
            "[proxy]\nlisten = \"127.0.0.1:{port}\"\nupstream = \"http://127.0.0.1:{platform}\"\n[read]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nurl = \"sqlite:{}\"\n[rules]\npaths = [\"{}\"]\n[log]\nlevel = \"warn\"\n",
            self.folder.join(format!("{name}.db")).display(),
            rules.display()
        );
        let conf = self.folder.join(format!("{name}.toml"));
        std::fs::write(&conf, text).expect("sidetrail's configuration");
        let program = env!("CARGO_BIN_EXE_sidetrail");
        let mut command = self.command(program);
        self.start(name, port, command.arg("serve").arg("--config").arg(conf));
    }

    fn command(&self, program: &str) -> Command {
        let Some((runner, arguments)) = self.under.split_first() else { return Command::new(program) };
        let mut command = Command::new(runner);
        command.args(arguments).arg(program);
        command
    }

    fn start(&mut self, name: &str, port: u16, command: &mut Command) {
        let child = command.stdout(Stdio::null()).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{name} does not start: {error} (Debian: apt-get install nginx)"));
        self.running.insert(name.to_owned(), (child, port));
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{name} does not listen on {port}");
    }

    /// CPU seconds of all threads of a server and of its children.
    pub(crate) fn cpu(&self, name: &str) -> f64 {
        let nanos = |pid: u32| -> f64 {
            tasks(pid)
                .iter()
                .filter_map(|task| {
                    std::fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse::<f64>().ok()
                })
                .sum()
        };
        self.pids(name).into_iter().map(nanos).sum::<f64>() / 1e9
    }

    /// The most memory that a server ever had resident, in MB.
    pub(crate) fn peak_mb(&self, name: &str) -> f64 {
        let peak = |pid: u32| -> Option<f64> {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find(|line| line.starts_with("VmHWM"))?.split_whitespace().nth(1)?.parse().ok()
        };
        self.pids(name).into_iter().filter_map(peak).sum::<f64>() / 1024.0
    }

    fn pids(&self, name: &str) -> Vec<u32> {
        let mut pids = vec![self.running[name].0.id()];
        let mut at = 0;
        while let Some(pid) = pids.get(at).copied() {
            for task in tasks(pid) {
                let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
                pids.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
            at += 1;
        }
        pids
    }

    /// Ends everything; how many events the store holds.
    pub(crate) fn stop_and_count(&mut self, store: &Path) -> usize {
        self.stop();
        let settings = sidetrail::record::Settings { url: format!("sqlite:{}", store.display()), ..Default::default() };
        let store = sidetrail::record::Store::open_existing(&settings).expect("the store that was just written");
        let all = sidetrail::record::query::Filter::all(sidetrail::record::query::Scope::All);
        usize::try_from(store.count(&all, 1 << 40).expect("a count").value).expect("not that many")
    }

    fn stop(&mut self) {
        for (child, _) in self.running.values() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
        }
        for (_, (mut child, _)) in std::mem::take(&mut self.running) {
            let _ = child.wait();
        }
    }
}

impl Drop for Procs {
    fn drop(&mut self) {
        self.stop();
    }
}

fn tasks(pid: u32) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/task"));
    folder.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}
