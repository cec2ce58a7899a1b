//! `sidetrail coverage`: which routes that change something have a rule.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use super::sources::{self, ConfigFile};
use super::{CONFIGURATION, GOOD, NEGATIVE};
use crate::authoring::coverage::{Report, Row};
use crate::authoring::openapi::Description;
use crate::capture::har;
use crate::ledger::Ledger;
use crate::record::Store;

/// `coverage [--har F | --openapi F | --store]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Of a recording (HAR)
    #[arg(long, value_name = "FILE")]
    har: Option<PathBuf>,
    /// Of an API's description (OpenAPI 3.0 or 3.1, JSON or YAML)
    #[arg(long, value_name = "FILE", conflicts_with = "har")]
    openapi: Option<PathBuf>,
    /// Of what passed through, as the store keeps it [default]
    #[arg(long, conflicts_with_all = ["har", "openapi"])]
    store: bool,
    /// Rule files and folders [default: those of the configuration]
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Exit 1 where a route is unmapped: for CI
    #[arg(long)]
    fail_unmapped: bool,
    #[command(flatten)]
    file: ConfigFile,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: sources::Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let config = match arguments.file.load(&[]) {
        Ok(config) => config,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(CONFIGURATION);
        }
    };
    let paths = if arguments.rules.is_empty() { &config.rules.paths } else { &arguments.rules };
    let rules = match sources::load_rules(paths) {
        Ok((rules, _)) => rules,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(NEGATIVE);
        }
    };
    let report = if let Some(path) = &arguments.openapi {
        let description = Description::read(path).with_context(|| format!("`{}`", path.display()))?;
        Report::of_description(&rules, &description)
    } else if let Some(path) = &arguments.har {
        Report::of_exchanges(&rules, har::read(path)?.iter())
    } else {
        let ledger = Ledger::default();
        ledger.preload(Store::open_existing(&config.store)?.routes()?);
        Report::of_traffic(&rules, ledger.lines(), ledger.left_out())
    };
    let mut out = std::io::stdout().lock();
    match arguments.format {
        sources::Format::Human => print(&mut out, &report)?,
        sources::Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    Ok(if arguments.fail_unmapped && !report.unmapped.is_empty() { NEGATIVE } else { GOOD })
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let width = |rows: &[Row]| rows.iter().map(|row| row.route.len()).max().unwrap_or(0);
    let width = [&report.unmapped, &report.ignored, &report.mapped].map(|rows| width(rows)).into_iter().max();
    for (name, rows) in [("unmapped", &report.unmapped), ("ignored", &report.ignored), ("mapped", &report.mapped)] {
        if rows.is_empty() {
            continue;
        }
        writeln!(out, "{name}")?;
        for row in rows {
            let requests = row.requests.map(|requests| format!("{requests:>9}  ")).unwrap_or_default();
            let detail = row.why.clone().unwrap_or_else(|| row.actions.join(", "));
            let width = width.filter(|_| !detail.is_empty()).unwrap_or(0).min(72);
            let line = format!("{requests}{:<7} {:width$}  {detail}", row.method, row.route);
            writeln!(out, "  {}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    let share = report.unmapped_share().map(|share| format!(", {:.1} % of the requests", share * 100.0));
    writeln!(
        out,
        "{} routes that change something: {} mapped, {} ignored, {} unmapped{}",
        report.routes(),
        report.mapped.len(),
        report.ignored.len(),
        report.unmapped.len(),
        share.unwrap_or_default()
    )?;
    if report.left_out > 0 {
        writeln!(out, "{} more requests went to routes that were too many to keep", report.left_out)?;
    }
    Ok(())
}
