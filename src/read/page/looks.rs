//! How a reader likes the list: rows on a page, columns, the chart. The URL says it, a cookie remembers it.

use crate::read::query::Params;

/// The numbers of rows to choose from.
pub(crate) const ROWS: [u16; 4] = [25, 50, 100, 200];
/// The cookie's name.
pub(crate) const COOKIE: &str = "sidetrail_looks";

/// A column that can be shown or hidden. User, Date/Time and Action are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) key: &'static str,
    pub(crate) heading: &'static str,
}

impl Column {
    /// The classes of its cells: a category gives way where there is little room.
    pub(crate) fn cell(&self) -> &'static str {
        if self.key == "category" { "opt cat" } else { "opt" }
    }
}

/// The columns that can be shown or hidden, in their order.
pub(crate) const COLUMNS: [Column; 5] = [
    Column { key: "outcome", heading: "Outcome" },
    Column { key: "target", heading: "Target" },
    Column { key: "ip", heading: "IP address" },
    Column { key: "action", heading: "Action key" },
    Column { key: "category", heading: "Category" },
];
const DEFAULT_COLUMNS: &str = "category";
/// What stands for "none of them": an empty value would mean "not said".
const NO_COLUMN: &str = "none";

/// Rows, columns, chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) rows: u16,
    pub(crate) columns: Vec<Column>,
    pub(crate) chart: bool,
}

impl Default for Looks {
    fn default() -> Looks {
        Looks { rows: 50, columns: columns(DEFAULT_COLUMNS), chart: true }
    }
}

impl Looks {
    /// What the URL says, else what the cookie remembers, else the default.
    pub(crate) fn of(params: &Params, cookie: Option<&str>) -> Looks {
        let mut looks = Looks::default();
        for part in cookie.unwrap_or_default().split('.') {
            match part.split_at_checked(1) {
                Some(("r", rows)) => {
                    looks.rows = rows.parse().ok().filter(|rows| ROWS.contains(rows)).unwrap_or(looks.rows)
                }
                Some(("s", shown)) => looks.columns = columns(&shown.replace('-', ",")),
                Some(("c", chart)) => looks.chart = chart != "0",
                _ => {}
            }
        }
        if let Some(rows) = params.limit {
            looks.rows = rows;
        }
        if let Some(shown) = params.extra("show") {
            looks.columns = columns(shown);
        }
        if let Some(chart) = params.extra("chart") {
            looks.chart = chart != "0";
        }
        looks
    }

    /// The cookie's value. It holds nothing about a person.
    pub(crate) fn cookie(&self) -> String {
        format!("r{}.s{}.c{}", self.rows, self.shown().replace(',', "-"), u8::from(self.chart))
    }

    /// The columns as the URL says them.
    pub(crate) fn shown(&self) -> String {
        match self.columns.as_slice() {
            [] => NO_COLUMN.to_owned(),
            some => some.iter().map(|column| column.key).collect::<Vec<_>>().join(","),
        }
    }

    /// Whether that column is shown.
    pub(crate) fn shows(&self, key: &str) -> bool {
        self.columns.iter().any(|column| column.key == key)
    }
}

/// The columns that a list of keys names, in their own order; what is no column is left out.
pub(crate) fn columns(keys: &str) -> Vec<Column> {
    COLUMNS.into_iter().filter(|column| keys.split(',').any(|key| key == column.key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse(query, &["limit", "show", "chart"]).unwrap()
    }

    #[test]
    fn the_url_counts_more_than_the_cookie_and_the_cookie_more_than_the_default() {
        let looks = Looks::of(&params("limit=100"), Some("r25.scategory-ip.c0"));
        assert_eq!((looks.rows, looks.shown().as_str(), looks.chart), (100, "ip,category", false));
        assert_eq!(Looks::of(&params(""), None), Looks::default());
    }

    #[test]
    fn a_cookie_reads_back_as_it_was_written() {
        for query in ["", "show=none", "show=target,outcome&limit=200&chart=0"] {
            let looks = Looks::of(&params(query), None);
            assert_eq!(Looks::of(&params(""), Some(&looks.cookie())), looks, "{query}");
        }
    }

    #[test]
    fn nonsense_in_the_cookie_is_the_default() {
        for cookie in ["", "r7", "r99999.sx.c", "é", "....", "r-1.sdrop table"] {
            assert_eq!(Looks::of(&params(""), Some(cookie)).rows, 50, "{cookie}");
        }
    }
}
