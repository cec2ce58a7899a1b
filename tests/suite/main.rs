//! The one test binary: stories through real sockets, snapshots, the import table.

mod demo;
mod fixture;
mod identity;
mod import_table;
#[cfg(feature = "layer")]
mod layer;
mod record;
