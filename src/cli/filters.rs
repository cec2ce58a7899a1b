//! The filters of `query`, `tail` and `export`: the same names, values and mistakes as in the API's URL.

use super::sources::{self, ConfigFile};
use super::{CONFIGURATION, UNREACHABLE, USAGE};
use crate::clock::Clock;
use crate::read::Zone;
use crate::read::query::Params;
use crate::record::query::{Filter, Scope};
use crate::record::{OpenError, Store};

/// Which events.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Filters {
    /// From this time on: RFC 3339, a date, or a span back from now such as -24h or -7d
    #[arg(long, allow_hyphen_values = true)]
    since: Option<String>,
    /// Before this time
    #[arg(long, allow_hyphen_values = true)]
    until: Option<String>,
    /// Category, exactly; may be repeated
    #[arg(long)]
    category: Vec<String>,
    /// Action, or a beginning such as document.*; may be repeated
    #[arg(long)]
    action: Vec<String>,
    /// User's id, name or e-mail; may be repeated
    #[arg(long)]
    user: Vec<String>,
    /// Target's id or name, or kind:id; may be repeated
    #[arg(long)]
    target: Vec<String>,
    /// success, failure, denied, pending or unknown; may be repeated
    #[arg(long)]
    outcome: Vec<String>,
    /// Client address; may be repeated
    #[arg(long)]
    ip: Vec<String>,
    /// Workspace; may be repeated
    #[arg(long)]
    workspace: Vec<String>,
    /// Words, as in the page's search box
    #[arg(short, long, value_name = "WORDS")]
    q: Option<String>,
    /// Time zone in which times are read and shown, e.g. Europe/Rome
    #[arg(long, default_value = "UTC")]
    tz: String,
}

impl Filters {
    /// The filters as the API's query string.
    pub(crate) fn to_query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let single = [("since", &self.since), ("until", &self.until), ("q", &self.q)];
        for (name, value) in single.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            query.append_pair(name, value);
        }
        let lists = [
            ("category", &self.category),
            ("action", &self.action),
            ("user", &self.user),
            ("target", &self.target),
            ("outcome", &self.outcome),
            ("ip", &self.ip),
            ("workspace", &self.workspace),
        ];
        for (name, values) in lists {
            for value in values {
                query.append_pair(name, value);
            }
        }
        query.append_pair("tz", &self.tz);
        query.finish()
    }

    /// Opens the store and reads the filters; what is wrong is printed, and the exit code comes back.
    pub(crate) fn open(&self, store: &StoreFile) -> Result<(Store, Filter), u8> {
        let filter = self.filter()?;
        Ok((store.open()?, filter))
    }

    /// Reads the filters; what is wrong is printed, and the exit code comes back.
    pub(crate) fn filter(&self) -> Result<Filter, u8> {
        let zone = self.zone();
        Params::parse(&self.to_query(), &[])
            .and_then(|params| params.filter(Scope::All, Clock::system().now(), &zone))
            .map_err(|mistakes| {
                for mistake in mistakes {
                    say!("sidetrail: --{}: {} (column {})", mistake.parameter, mistake.detail, mistake.column);
                }
                USAGE
            })
    }

    /// The zone in which times are shown. A name that is none was refused with the filters.
    pub(crate) fn zone(&self) -> Zone {
        Zone::named(&self.tz).unwrap_or_else(Zone::utc)
    }
}

/// Which store.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct StoreFile {
    #[command(flatten)]
    file: ConfigFile,
    /// The store [default: that of the configuration]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

impl StoreFile {
    /// The `[store]` section that is meant; problems are printed.
    pub(crate) fn settings(&self) -> Result<crate::record::Settings, u8> {
        let flags: Vec<_> =
            self.store.iter().map(|url| crate::config::Override::flag("--store", "store", "url", url)).collect();
        match self.file.load(&flags) {
            Ok(config) => Ok(config.store),
            Err(problems) => {
                sources::print_problems(&problems);
                Err(CONFIGURATION)
            }
        }
    }

    /// Opens the store, making it where there is none.
    pub(crate) fn open_or_create(&self) -> Result<Store, u8> {
        let settings = self.settings()?;
        if let Err(OpenError::Missing { .. }) = Store::open_existing(&settings) {
            create(&settings).map_err(|error| {
                say!("sidetrail: {error:#}");
                UNREACHABLE
            })?;
        }
        self.open()
    }

    /// Opens the store for reading.
    pub(crate) fn open(&self) -> Result<Store, u8> {
        Store::open_existing(&self.settings()?).map_err(|error| {
            say!("sidetrail: {error}");
            UNREACHABLE
        })
    }
}

/// Makes an empty store.
fn create(settings: &crate::record::Settings) -> anyhow::Result<()> {
    let (recorder, _) = crate::record::open(settings, Clock::system())?;
    tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(recorder.close());
    Ok(())
}
