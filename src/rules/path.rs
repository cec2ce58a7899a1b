//! Path templates: what rules say of an address.
//!
//! A template is a list of segments: fixed text, a part of a segment
//! (`pre_{name}`), a constrained one (`{name:regex}`), a free one (`{name}`),
//! or the tail (`{*rest}`). Paths are compared segment by segment, with
//! percent-escapes undone once; one trailing slash of a path is not looked at.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use regex::Regex;

use super::route::{Wrong, is_name};

/// A path with parameters.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// As it was written.
    pub(crate) text: Arc<str>,
    pub(crate) segments: Vec<Segment>,
    /// The parameters' names, in order.
    pub(crate) names: Arc<[Arc<str>]>,
}

/// One segment of a template.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// The same text.
    Fixed(Box<str>),
    /// Text that fits; a higher rank is more specific. `shape` is its text without names.
    Fitting { pattern: Regex, rank: Rank, shape: Box<str> },
    /// Any one segment.
    Free,
    /// All that is left, at least one segment.
    Tail,
}

/// How specific a fitting segment is: a part of a segment before a constrained one, more fixed text first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Part { fixed: usize },
    Constrained,
}

impl Rank {
    /// A number that sorts the most specific first.
    pub(crate) fn order(self) -> usize {
        match self {
            Rank::Part { fixed } => usize::MAX - 1 - fixed,
            Rank::Constrained => usize::MAX,
        }
    }
}

impl Template {
    /// Reads a path that begins with `/`.
    pub(crate) fn parse(text: &str) -> Result<Template, Wrong> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(Wrong { what: "a path begins with `/`".to_owned(), at: 0..text.len() });
        };
        let mut segments = Vec::new();
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut at = 1;
        for part in split_segments(rest) {
            let here = at..at + part.len();
            at = here.end + 1;
            if part.is_empty() && rest.is_empty() {
                break;
            }
            if matches!(segments.last(), Some(Segment::Tail)) {
                return Err(Wrong { what: "nothing can follow the tail `{*…}`".to_owned(), at: here });
            }
            let segment = parse_segment(part, &mut names)
                .map_err(|wrong| Wrong { at: here.start + wrong.at.start..here.start + wrong.at.end, ..wrong })?;
            segments.push(segment);
        }
        for (index, name) in names.iter().enumerate() {
            if names.iter().skip(index + 1).any(|other| other == name) {
                return Err(Wrong { what: format!("`{{{name}}}` stands twice in one path"), at: 0..text.len() });
            }
        }
        Ok(Template { text: text.into(), segments, names: names.into() })
    }

    /// Its text without the parameters' names: two templates of one shape match the same paths.
    pub(crate) fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            match segment {
                Segment::Fixed(text) => shape.push_str(text),
                Segment::Fitting { shape: text, .. } => shape.push_str(text),
                Segment::Free => shape.push_str("{}"),
                Segment::Tail => shape.push_str("{*}"),
            }
        }
        shape
    }

    /// The values of the parameters, in order, with percent-escapes undone; `None` if the path does not fit.
    pub(crate) fn captures<'p>(&self, path: &'p str) -> Option<Vec<Cow<'p, str>>> {
        let mut values = Vec::with_capacity(self.names.len());
        let mut rest = Segments::of(path);
        for segment in &self.segments {
            if matches!(segment, Segment::Tail) {
                let tail = rest.0?;
                values.push(decode(tail));
                return Some(values);
            }
            let text = decode(rest.next()?);
            match segment {
                Segment::Fixed(fixed) if **fixed != *text => return None,
                Segment::Fixed(_) | Segment::Tail => {}
                Segment::Free => values.push(text),
                Segment::Fitting { pattern, .. } => {
                    let found = pattern.captures(&text)?;
                    let named = pattern.capture_names().flatten().filter(|name| name.starts_with("p__"));
                    values.extend(
                        named.map(|name| found.name(name).map_or("", |value| value.as_str()).to_owned().into()),
                    );
                }
            }
        }
        rest.next().is_none().then_some(values)
    }
}

/// The segments of a path, without the slash at its end.
pub(crate) struct Segments<'a>(pub(crate) Option<&'a str>);

impl<'a> Segments<'a> {
    pub(crate) fn of(path: &'a str) -> Segments<'a> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        Segments((!path.is_empty()).then_some(path))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0?;
        match rest.split_once('/') {
            Some((segment, rest)) => {
                self.0 = Some(rest);
                Some(segment)
            }
            None => {
                self.0 = None;
                Some(rest)
            }
        }
    }
}

/// Undoes percent-escapes once. Allocates only where there are any.
pub(crate) fn decode(segment: &str) -> Cow<'_, str> {
    if segment.contains('%') { percent_decode_str(segment).decode_utf8_lossy() } else { Cow::Borrowed(segment) }
}

/// Splits at slashes that are not inside braces.
pub(crate) fn split_segments(text: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                segments.push(text.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(text.get(start..).unwrap_or(""));
    segments
}

pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Parameter { name: &'a str, regex: Option<&'a str> },
}

pub(crate) fn split_braces(text: &str) -> Result<Vec<Piece<'_>>, Wrong> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => {
                if depth == 0 {
                    if at > start {
                        pieces.push(Piece::Literal(text.get(start..at).unwrap_or("")));
                    }
                    start = at + 1;
                }
                depth += 1;
            }
            b'}' if depth == 0 => return Err(Wrong { what: "`}` without a `{`".to_owned(), at: at..at + 1 }),
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    let inside = text.get(start..at).unwrap_or("");
                    let (name, regex) = match inside.split_once(':') {
                        Some((name, regex)) => (name, Some(regex)),
                        None => (inside, None),
                    };
                    pieces.push(Piece::Parameter { name, regex });
                    start = at + 1;
                }
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(Wrong { what: "`{` without a `}`".to_owned(), at: start.saturating_sub(1)..text.len() });
    }
    if start < text.len() {
        pieces.push(Piece::Literal(text.get(start..).unwrap_or("")));
    }
    Ok(pieces)
}

fn parse_segment(text: &str, names: &mut Vec<Arc<str>>) -> Result<Segment, Wrong> {
    let whole = || 0..text.len();
    let pieces = split_braces(text)?;
    if pieces.is_empty() {
        return Err(Wrong { what: "an empty segment (`//`) inside a path".to_owned(), at: whole() });
    }
    if let [Piece::Literal(literal)] = pieces.as_slice() {
        return Ok(Segment::Fixed((*literal).into()));
    }
    if let [Piece::Parameter { name, regex: None }] = pieces.as_slice() {
        let (name, segment) = match name.strip_prefix('*') {
            Some(name) => (name, Segment::Tail),
            None => (*name, Segment::Free),
        };
        names.push(checked_name(name, whole())?);
        return Ok(segment);
    }
    let (mut pattern, mut shape, mut fixed, mut parameters) = (String::from("^"), String::new(), 0, 0);
    for piece in &pieces {
        match piece {
            Piece::Literal(literal) => {
                fixed += literal.len();
                pattern.push_str(&regex::escape(literal));
                shape.push_str(literal);
            }
            Piece::Parameter { name, regex } => {
                names.push(checked_name(name, whole())?);
                let inner = regex.unwrap_or(".+?");
                pattern.push_str(&format!("(?P<p__{parameters}>(?:{inner}))"));
                parameters += 1;
                shape.push_str(&regex.map_or_else(|| "{}".to_owned(), |regex| format!("{{:{regex}}}")));
            }
        }
    }
    pattern.push('$');
    let pattern = Regex::new(&pattern)
        .map_err(|_| Wrong { what: "the constraint is not a regular expression".to_owned(), at: whole() })?;
    let rank = if fixed > 0 { Rank::Part { fixed } } else { Rank::Constrained };
    Ok(Segment::Fitting { pattern, rank, shape: shape.into() })
}

fn checked_name(name: &str, at: Range<usize>) -> Result<Arc<str>, Wrong> {
    if is_name(name) {
        Ok(Arc::from(name))
    } else {
        Err(Wrong { what: format!("`{name}` is not a parameter's name (letters, digits, `_`)"), at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(template: &str, path: &str) -> Option<Vec<String>> {
        let values = Template::parse(template).unwrap().captures(path)?;
        Some(values.into_iter().map(Cow::into_owned).collect())
    }

    #[test]
    fn a_path_fits_or_does_not() {
        let table: &[(&str, &str, Option<&[&str]>)] = &[
            ("/", "/", Some(&[])),
            ("/a", "/a/", Some(&[])),
            ("/a", "/a//", None),
            ("/a/{id}", "/a/7", Some(&["7"])),
            ("/a/{id}", "/a", None),
            ("/a/{id}", "/a/my%20tag", Some(&["my tag"])),
            ("/a/{id}", "/a/x%2Fy", Some(&["x/y"])),
            ("/a/{id}", "/a/%2541", Some(&["%41"])),
            ("/%41/{id}", "/A/1", None),
            ("/A/{id}", "/%41/1", Some(&["1"])),
            ("/a/{id:[0-9]{2}}/b", "/a/42/b", Some(&["42"])),
            ("/a/{id:[0-9]{2}}/b", "/a/421/b", None),
            ("/f/{name}.{ext}", "/f/x.tar.gz", Some(&["x", "tar.gz"])),
            ("/f/{id:(a|b)+}:cancel", "/f/ab:cancel", Some(&["ab"])),
            ("/s/{*rest}", "/s/a/b%20c", Some(&["a/b c"])),
            ("/s/{*rest}", "/s", None),
        ];
        for (template, path, expected) in table {
            let expected = expected.map(|values| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
            assert_eq!(captures(template, path), expected, "{template} against {path}");
        }
    }

    #[test]
    fn a_broken_template_says_where() {
        for (template, at) in [("/a/{id", 3..6), ("/a/id}", 5..6), ("/a//b", 3..3), ("/{*x}/b", 6..7), ("/{a-b}", 1..6)]
        {
            assert_eq!(Template::parse(template).unwrap_err().at, at, "{template}");
        }
        assert!(Template::parse("/{a}/{a}").is_err());
    }
}
