//! Arguments to a command, the command to an exit code.

fn main() -> std::process::ExitCode {
    sidetrail::cli::run()
}
