//! The one test binary: stories through real sockets, snapshots, the import table.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test may stop at what it did not expect"
)]

mod import_table;
mod record;
