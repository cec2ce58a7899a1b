//! Counts per slot of time.

/// A quarter of an hour in µs, and four, sixteen and sixty-four of them. Borders of hours and days are
/// borders of quarters in every time zone.
pub(crate) const LENGTHS: [i64; 4] = [900_000_000, 3_600_000_000, 14_400_000_000, 57_600_000_000];
