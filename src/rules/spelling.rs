//! Other spellings of a path: what many platforms, and what stands before
//! them, read as the same address (RFC 3986 section 6.2.2).
//!
//! A request is forwarded as it was spelt, and only the platform knows how it
//! reads `//documents/./901;v=1`. An action must not go unseen because of a dot:
//! where no rule fits the path as sent, the plain spelling is asked for.

/// The plain spelling of a target: no dot segments, no empty segments, no
/// `;parameters`, no escaped dots and slashes. `None` where it is plain already,
/// which costs a look at its bytes and nothing else.
pub(crate) fn plain(target: &str) -> Option<String> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    if !is_odd(path.as_bytes()) {
        return None;
    }
    let decoded = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let mut plain = String::with_capacity(target.len());
    for segment in segments {
        plain.push('/');
        plain.push_str(segment);
    }
    if plain.is_empty() {
        plain.push('/');
    }
    if plain == path {
        return None;
    }
    if let Some(query) = query {
        plain.push('?');
        plain.push_str(query);
    }
    Some(plain)
}

/// Whether anything in a path could be spelt more plainly.
fn is_odd(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().enumerate().any(|(at, byte)| {
        let odd = match byte {
            b';' => true,
            b'/' | b'.' => before == b'/',
            b'2' => before == b'%' && matches!(path.get(at + 1), Some(b'e' | b'E' | b'f' | b'F')),
            _ => false,
        };
        before = *byte;
        odd
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_address() {
        let one = "/w/39/documents/901";
        for odd in [
            "//w/39/documents/901",
            "/w/39//documents/901",
            "/w/39/./documents/901",
            "/w/39/x/../documents/901",
            "/w/39/%2e%2E/39/documents/901",
            "/w/39/documents;v=1/901;jsessionid=7",
            "/w/39%2fdocuments%2F901",
            "/../w/39/documents/901",
        ] {
            assert_eq!(plain(odd).as_deref(), Some(one), "{odd}");
        }
        assert_eq!(plain("/a/./b?q=/../x").as_deref(), Some("/a/b?q=/../x"));
    }

    #[test]
    fn a_plain_path_is_left_alone() {
        for path in ["/", "/a/b", "/a/b/", "/a.b/c..d", "/a/my%20file.pdf", "/a?x=//;/..", "*"] {
            assert_eq!(plain(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_spelling_has_no_plainer_one(path in "/[a/.;%2eEfF]{0,24}") {
            if let Some(once) = plain(&path) {
                // What was escaped twice is decoded once, never twice.
                prop_assume!(!once.contains('%'));
                prop_assert_eq!(plain(&once), None);
            }
        }
    }
}
