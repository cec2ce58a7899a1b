//! For those who write rules: what is covered, and what is not yet.
//!
//! Beside the path of the data, not on it: nothing here runs while a request
//! passes.

pub mod coverage;
pub mod draft;
pub mod openapi;
