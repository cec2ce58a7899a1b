//! The one test binary: stories through real sockets, snapshots, the import table.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that fails")]

mod api;
mod authoring;
mod browser;
mod commands;
mod config_problems;
mod demo;
mod draft;
mod fixture;
mod foreign;
mod forty_one;
mod har;
mod hard;
mod identity;
mod import_table;
#[cfg(feature = "layer")]
mod layer;
mod lookups;
mod page;
mod parity;
mod record;
mod reload;
mod rules_problems;
mod shipped_rules;
mod sidecar;
mod traffic;
