//! sidetrail stands in front of an HTTP API and writes its audit log.
//!
//! ```text
//!             request ──────────────▶ platform
//! client ◀──▶ capture ◀────────────── response
//!                │ Exchange (one finished request and its response)
//!              rules  ── what was learned (names) ──▶ memory
//!                │ Event(s)
//!              record ──▶ store
//!                │
//!              read   ──▶ page, JSON API, CSV/NDJSON, CLI
//! ```
//!
//! The modules stand in the order of that path; who may import whom is held
//! by a test (`tests/suite/import_table.rs`).

pub mod clock;
pub mod event;
pub mod exchange;
pub mod ledger;
pub mod memory;
pub mod outgoing;
pub mod problem;

pub mod capture;
pub mod identity;
pub mod rules;

pub mod record;

pub mod read;

pub mod pipeline;

pub mod authoring;

pub mod cli;
pub mod config;
