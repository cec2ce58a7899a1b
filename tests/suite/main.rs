//! The one test binary: stories through real sockets, snapshots, the import table.
