//! What of a path is kept: values of its matrix parameters (`;jsessionid=7F…`,
//! RFC 3986 section 3.3) may be credentials, and never are.

use std::borrow::Cow;

use crate::rules::Derived;

/// Stands where a value stood.
const LEFT_OUT: &str = "…";

/// Whether a path has a matrix parameter with a value.
pub(super) fn has_parameters(path: &str) -> bool {
    matches!(without_values(path), Cow::Owned(_))
}

/// The path without the values of matrix parameters.
pub(super) fn shown(path: &str) -> String {
    without_values(path).into_owned()
}

/// Leaves them out of everything that an exchange gave.
pub(super) fn leave_out(derived: &mut Derived, path: &str) {
    let Cow::Owned(kept) = without_values(path) else { return };
    for event in &mut derived.events {
        if let Some(request) = &mut event.request {
            request.path = shown(&request.path);
        }
        // Only an event without a rule says its path, and it has no marks.
        if event.message.marks.is_empty() && event.message.text.contains(path) {
            event.message.text = event.message.text.replace(path, &kept);
        }
    }
}

fn without_values(path: &str) -> Cow<'_, str> {
    if !path.contains([';', '%']) {
        return Cow::Borrowed(path);
    }
    let mut kept = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = next_parameter(path, at) {
        let rest = path.get(start..).unwrap_or_default();
        let end = start + rest.find(['/', ';']).unwrap_or(rest.len()).min(next_escaped(rest));
        at = end.max(start + 1);
        let parameter = path.get(start..end).unwrap_or_default();
        let Some(equals) = parameter.find('=').filter(|equals| equals + 1 < parameter.len()) else { continue };
        kept.push_str(path.get(copied..=start + equals).unwrap_or_default());
        kept.push_str(LEFT_OUT);
        copied = end;
    }
    if copied == 0 {
        return Cow::Borrowed(path);
    }
    kept.push_str(path.get(copied..).unwrap_or_default());
    Cow::Owned(kept)
}

/// Where the next parameter begins, behind its `;`.
fn next_parameter(path: &str, at: usize) -> Option<usize> {
    let rest = path.get(at..)?;
    let plain = rest.find(';').map(|semicolon| semicolon + 1);
    let escaped = Some(next_escaped(rest)).filter(|escaped| *escaped < rest.len()).map(|escaped| escaped + 3);
    plain.into_iter().chain(escaped).min().map(|behind| at + behind)
}

/// Where the next `%3B` stands; the end where there is none.
fn next_escaped(text: &str) -> usize {
    text.find("%3B").into_iter().chain(text.find("%3b")).min().unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_matrix_parameters_are_left_out_and_nothing_else() {
        for (path, kept) in [
            ("/a;jsessionid=7F/b", "/a;jsessionid=…/b"),
            ("/a;v=1;token=x=y/b;c", "/a;v=…;token=…/b;c"),
            ("/a%3Bsid=7%3bt=8/b", "/a%3Bsid=…%3bt=…/b"),
            ("/a;=7", "/a;=…"),
            ("/;a=1", "/;a=…"),
        ] {
            assert_eq!(shown(path), kept);
            assert!(has_parameters(path));
        }
        for plain in ["/a/b", "/a;b/c", "/a=b/c", "/a;v=/b", "/%20", "", ";", "%3B"] {
            assert_eq!(shown(plain), plain);
            assert!(!has_parameters(plain));
        }
    }
}
