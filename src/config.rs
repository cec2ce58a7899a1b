//! The configuration: composes each step's settings.
