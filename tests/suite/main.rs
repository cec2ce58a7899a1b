//! The one test binary: stories through real sockets, snapshots, the import table.

mod fixture;
mod identity;
mod import_table;
mod record;
