//! What a reader asks, as it stands in a URL: one type for page, API, export and CLI.
//!
//! A repeated name means *or*, different names mean *and*; `not.user=x` means
//! that the user is none of those named; an empty value is as if it were not
//! there (an HTML form sends every field). Whatever else is unknown or
//! malformed is refused, all of it at once. What was read is written back to
//! the same URL in one canonical order.

mod params;
mod read;
mod values;
mod when;

pub use params::{Counting, LIMITS, Params};
pub(crate) use values::checked;
pub use when::When;

use crate::record::query::Field;

/// Something wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Mistake {
    /// The parameter's name.
    pub parameter: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
    /// Where in its value, in characters, counting from 1.
    pub column: usize,
}

impl Mistake {
    /// A mistake at the beginning of a value.
    pub fn new(parameter: impl Into<String>, detail: impl Into<String>) -> Mistake {
        Mistake { parameter: parameter.into(), detail: detail.into(), column: 1 }
    }
}

/// A parameter that filters by a field: its name, its field, what it means.
pub(crate) const FIELDS: [(&str, Field, &str); 8] = [
    ("category", Field::Category, "A category, exactly: `Settings: Team`."),
    ("action", Field::Action, "An action, or a beginning of one: `document.uploaded`, `document.*`."),
    ("user", Field::User, "Who acted: an id, a name or an e-mail address, in any case."),
    ("target", Field::Target, "What it was done to: an id, a name, or `kind:id`."),
    ("outcome", Field::Outcome, "`success`, `failure`, `denied`, `pending` or `unknown`."),
    ("ip", Field::Ip, "The client's address."),
    ("workspace", Field::Workspace, "A workspace's id."),
    ("request", Field::Request, "A request's id."),
];

/// The other parameters that choose events, and what they mean.
pub(crate) const OTHERS: [(&str, &str); 4] = [
    ("since", "From this time on: RFC 3339, a date or a time of day in `tz`, or back from now: `-24h`, `-7d`."),
    ("until", "Before this time, in the same forms."),
    (
        "q",
        "Words, \"phrases\", `actor:` `action:` `target:` `outcome:` `category:` `ip:`, `-not`, `created:>=2026-01-01`.",
    ),
    ("tz", "The zone in which dates are read: an IANA name. UTC unless told."),
];

/// The parameters of a list, and what they mean.
pub(crate) const PAGING: [(&str, &str); 4] = [
    ("order", "`desc` (newest first, unless told) or `asc`."),
    ("limit", "How many events: 1 to 1000, 50 unless told."),
    ("cursor", "Where to go on: `next_cursor` of the answer before, with the same filters."),
    ("count", "`none`, `capped` (no further than 10,000, unless told) or `exact`."),
];

/// Their names.
pub const PAGING_NAMES: [&str; 4] = ["order", "limit", "cursor", "count"];

/// The name a field has in a URL; those that only the search box knows have none.
pub fn name_of(field: Field) -> Option<&'static str> {
    FIELDS.iter().find(|(_, known, _)| *known == field).map(|(name, ..)| *name)
}

/// The field that a URL calls so.
pub fn field_of(name: &str) -> Option<Field> {
    FIELDS.iter().find(|(known, ..)| *known == name).map(|(_, field, _)| *field)
}

/// The platform's users know one category by a name with a slip in it; both mean the same.
pub fn category_of(name: &str) -> &str {
    if name.eq_ignore_ascii_case("agent settigns") { "Agent settings" } else { name }
}
