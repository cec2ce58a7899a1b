//! The demo: a sample platform, sidetrail in front of it, and a day of work.
//!
//! `cargo run --release --example demo` performs all 41 actions of the
//! specification through the proxy, as several people in two workspaces,
//! prints the log, and serves page and API until Ctrl-C. `-- --once` ends after
//! the printing, with 0 only if every sentence is in the log.

mod client;
mod log;
mod platform;
mod story;
mod texts;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use sidetrail::cli::serve::{self, StartError};
use sidetrail::clock::Clock;
use sidetrail::config::{Config, Override};
use sidetrail::problem::SourceFile;
use tokio::runtime::Runtime;

/// A sample platform with sidetrail in front of it, and all 41 actions in its log.
#[derive(Parser)]
struct Arguments {
    /// End after printing the log: exit code 0 only if all 41 sentences are in it
    #[arg(long)]
    once: bool,
    /// Where sidetrail listens for the platform's clients; port 0: any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the page and the API of the log are
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    read_listen: SocketAddr,
    /// Where the sample platform itself listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    platform_listen: SocketAddr,
    /// The SQLite file of the log [default: a new one in the folder for temporary files]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let runtime = Runtime::new()?;
    let platform = runtime
        .block_on(platform::start(arguments.platform_listen))
        .with_context(|| format!("cannot listen on {} (see --platform-listen)", arguments.platform_listen))?;
    let store = arguments.store.clone().unwrap_or_else(fresh_store);
    let clock = Clock::system();
    let began = clock.now();
    let sidetrail = serve::start(configuration(&arguments, platform.addr, &store)?, clock).map_err(explained)?;

    let (proxied, read) = (format!("http://{}", sidetrail.proxy), format!("http://{}", sidetrail.read));
    println!("41 actions through {proxied}, in front of the sample platform at http://{}\n", platform.addr);
    runtime.block_on(work(&proxied))?;
    let events = log::read(&sidetrail.store, began)?;
    log::print(&mut std::io::stdout(), &events)?;

    let lacking = log::lacking(&events);
    for (action, text) in &lacking {
        println!("\nNot in the log: {text} ({action})");
    }
    println!("\n{} events; {} of 41 sentences are in the log.", events.len(), texts::TEXTS.len() - lacking.len());
    if !arguments.once {
        println!("\nPage:          {read}/");
        println!("Proxied API:   {proxied}/api/v1/workspaces (sign in as in examples/demo/platform/people.rs)");
        println!("Store:         {}", store.display());
        println!("Ctrl-C ends.");
        runtime.block_on(tokio::signal::ctrl_c())?;
    }
    sidetrail.stop();
    Ok(if lacking.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn work(proxied: &str) -> Result<()> {
    let cast = story::Cast::sign_in(proxied).await?;
    let made = story::first_act(&cast).await?;
    story::second_act(&cast, &made).await
}

fn fresh_store() -> PathBuf {
    std::env::temp_dir().join(format!("sidetrail-demo-{}.db", std::process::id()))
}

/// `config.toml` beside this file, with the addresses and files of this run.
fn configuration(arguments: &Arguments, platform: SocketAddr, store: &Path) -> Result<Config> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = toml::Value::Array(vec![toml::Value::String(repository.join("rules").display().to_string())]);
    let key = repository.join("examples/demo/signing.key");
    let overrides = [
        Override::flag("--listen", "proxy", "listen", arguments.listen.to_string()),
        Override::flag("--platform-listen", "proxy", "upstream", format!("http://{platform}")),
        Override::flag("--read-listen", "read", "listen", arguments.read_listen.to_string()),
        Override::flag("--store", "store", "url", format!("sqlite:{}", store.display())),
        Override::flag("the demo", "rules", "paths", rules.to_string()),
        Override {
            origin: "the demo".to_owned(),
            path: ["identity", "jwt", "key_file"].map(str::to_owned).to_vec(),
            value: key.display().to_string(),
        },
    ];
    let source =
        SourceFile { name: "examples/demo/config.toml".to_owned(), text: include_str!("config.toml").to_owned() };
    Config::from_source(source, &overrides).map_err(|problems| explained(StartError::Problems(problems)))
}

/// The first problem in words, where files are wrong; else the error.
fn explained(error: StartError) -> anyhow::Error {
    match error {
        StartError::Problems(problems) => {
            let titles: Vec<&str> = problems.iter().map(|problem| problem.title.as_str()).collect();
            anyhow!("the configuration or the rules are wrong: {}", titles.join("; "))
        }
        other => anyhow::Error::new(other).context("sidetrail did not start (see --listen and --read-listen)"),
    }
}
