//! The one test binary: stories through real sockets, snapshots, the import table.

mod import_table;
