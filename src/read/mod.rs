//! Step 4: from the store to people: page, API, exports.

pub(crate) mod zone;
