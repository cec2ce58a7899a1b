//! The whole path as code, on one screen.
