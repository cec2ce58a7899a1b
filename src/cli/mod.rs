//! The command line: one file per command. Data goes to stdout, everything else to stderr.
//!
//! Exit codes: 0 good; 1 a negative answer (problems found, tests failed);
//! 2 usage; 4 cannot reach or not allowed; 78 `serve` refuses its configuration.

/// Writes a line on stderr. That nobody reads it any more is no reason to end differently.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

mod check;
mod coverage;
mod draft;
mod explain;
mod export;
mod filters;
mod fmt;
pub mod print;
mod query;
mod remote;
mod replay;
mod rulebook;
pub mod serve;
mod sources;
mod test;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A good answer.
pub(crate) const GOOD: u8 = 0;
/// A negative answer: problems were found, tests failed.
pub(crate) const NEGATIVE: u8 = 1;
/// The arguments say nothing that can be done.
pub(crate) const USAGE: u8 = 2;
/// Cannot reach, cannot read, or not allowed.
pub(crate) const UNREACHABLE: u8 = 4;
/// `serve` refuses its configuration (`EX_CONFIG` of sysexits.h).
pub(crate) const CONFIGURATION: u8 = 78;

/// Writes the audit log of an HTTP API that has none.
#[derive(Parser)]
#[command(name = "sidetrail", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stand in front of a platform: proxy, page and API.
    Serve(serve::Arguments),
    /// Check the configuration and the rules; print every problem with its place.
    Check(check::Arguments),
    /// Lay rule files out in one way; comments are kept.
    Fmt(fmt::Arguments),
    /// Run the tests inside the rule files.
    Test(test::Arguments),
    /// Which routes that change something have a rule, are left out, or are unmapped.
    Coverage(coverage::Arguments),
    /// Begin rule files for what is unmapped, from a recording (HAR) or a description (OpenAPI).
    Draft(draft::Arguments),
    /// Why a request gives this event and no other; what the code of a problem means.
    Explain(explain::Arguments),
    /// Print the events that a recording (HAR) gives.
    Replay(replay::Arguments),
    /// Print events of the store.
    Query(query::Arguments),
    /// Print events as they are recorded.
    Tail(query::TailArguments),
    /// Write all matching events as CSV or NDJSON.
    Export(export::Arguments),
    /// Who may read: create, list and revoke bearer tokens.
    Token(token::Arguments),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let answer = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Coverage(arguments) => coverage::run(&arguments),
        Command::Draft(arguments) => draft::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Query(arguments) => query::run(&arguments),
        Command::Tail(arguments) => query::tail(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
    };
    match answer {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say!("sidetrail: {error:#}");
            ExitCode::from(UNREACHABLE)
        }
    }
}

/// Whether somebody closed our stdout, as `| head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
