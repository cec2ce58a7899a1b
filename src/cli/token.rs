//! `sidetrail token`: who may read. A token is shown once; the store keeps its hash.

use std::collections::BTreeSet;
use std::io::Write;

use super::filters::StoreFile;
use super::{GOOD, NEGATIVE, USAGE};

use crate::clock::Clock;
use crate::read::new_token;
use crate::record::{RevokeError, Right, Store, Token, Which};

/// `token create|list|revoke`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a token and print it, once
    Create(Create),
    /// Print the tokens: id, name, scopes, workspaces, when made
    List {
        #[command(flatten)]
        store: StoreFile,
    },
    /// Take a token back, at once
    Revoke {
        /// Its number or its name, as `list` prints them; a name that several have means all of them
        #[arg(required_unless_present = "id")]
        token: Option<String>,
        /// Its number: where the same word is the name of another
        #[arg(long, conflicts_with = "token")]
        id: Option<i64>,
        #[command(flatten)]
        store: StoreFile,
    },
}

#[derive(clap::Args)]
struct Create {
    /// Whose it is: shown in the events of what its holder does
    #[arg(long)]
    name: String,
    /// What it may do: read, export, admin; may be repeated
    #[arg(long, value_parser = right, default_values = ["read", "export"])]
    scope: Vec<Right>,
    /// Which workspaces it may read; may be repeated [default: all]
    #[arg(long)]
    workspace: Vec<String>,
    #[command(flatten)]
    store: StoreFile,
}

fn right(word: &str) -> Result<Right, String> {
    Right::from_word(word).ok_or_else(|| "read, export and admin are the scopes there are".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    match &arguments.command {
        Command::Create(wanted) => with(&wanted.store, |store| create(store, wanted)),
        Command::List { store } => with(store, |store| {
            list(&store.tokens()?)?;
            Ok(GOOD)
        }),
        Command::Revoke { token, id, store } => with(store, |store| {
            let word = || Which::Either(token.clone().unwrap_or_default());
            revoke(store, &id.map_or_else(word, Which::Id))
        }),
    }
}

/// Opens the store (making it where there is none: the first token comes before the first event) and does it.
fn with(file: &StoreFile, deed: impl FnOnce(&Store) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    match file.open_or_create() {
        Ok(store) => deed(&store),
        Err(code) => Ok(code),
    }
}

fn create(store: &Store, wanted: &Create) -> anyhow::Result<u8> {
    let made = new_token()?;
    let rights: BTreeSet<Right> = wanted.scope.iter().copied().collect();
    let workspaces: Option<BTreeSet<String>> =
        (!wanted.workspace.is_empty()).then(|| wanted.workspace.iter().cloned().collect());
    store.create_token(&wanted.name, &made.sha256, &rights, workspaces.as_ref(), Clock::system().now())?;
    writeln!(std::io::stdout(), "{}", made.text)?;
    say!("This is the only time it is shown. Hand it over by a way that you trust.");
    Ok(GOOD)
}

fn revoke(store: &Store, which: &Which) -> anyhow::Result<u8> {
    match store.revoke_token(which, Clock::system().now()) {
        Ok(revoked) => {
            say!("revoked: {revoked}");
            Ok(if revoked == 0 { NEGATIVE } else { GOOD })
        }
        Err(error @ RevokeError::Ambiguous { .. }) => {
            say!("sidetrail: {error}");
            Ok(USAGE)
        }
        Err(RevokeError::Store(error)) => Err(error.into()),
    }
}

fn list(tokens: &[Token]) -> std::io::Result<()> {
    for token in tokens {
        let rights: Vec<&str> = token.rights.iter().map(|right| right.word()).collect();
        let workspaces = match &token.workspaces {
            Some(workspaces) => workspaces.iter().cloned().collect::<Vec<_>>().join(","),
            None => "all workspaces".to_owned(),
        };
        let state = token.revoked.map_or_else(|| "active".to_owned(), |when| format!("revoked {when:.0}"));
        writeln!(
            std::io::stdout(),
            "{}\t{}\t{}\t{workspaces}\t{:.0}\t{state}",
            token.id,
            token.name,
            rights.join(","),
            token.created
        )?;
    }
    Ok(())
}
