//! From a method and a path to the entry of the most specific template.
//!
//! A tree of segments: fixed text before part of a segment, before a
//! constrained one, before a free one, before the tail. Looking a path up costs
//! the path's length, whatever the number of templates, and allocates nothing
//! unless a segment holds percent-escapes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::ControlFlow;

use regex::Regex;

use super::path::{Segment, Segments, Template, decode};

/// Templates and a number for each.
#[derive(Debug)]
pub(crate) struct Matcher {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    fixed: HashMap<Box<str>, usize, BuildHasherDefault<Mix>>,
    /// The most specific first.
    fitting: Vec<Fitting>,
    free: Option<usize>,
    tail: Option<usize>,
    leaf: Option<usize>,
}

#[derive(Debug)]
struct Fitting {
    pattern: Regex,
    shape: Box<str>,
    order: usize,
    node: usize,
}

impl Matcher {
    /// A tree without templates.
    pub(crate) fn new() -> Matcher {
        Matcher { nodes: vec![Node::default()] }
    }

    /// Adds a template; `leaf` is its number unless a template of the same shape is there, whose number comes back.
    pub(crate) fn insert(&mut self, template: &Template, leaf: usize) -> usize {
        let mut at = 0;
        for segment in &template.segments {
            if matches!(segment, Segment::Tail) {
                return self.node(at).tail.get_or_insert(leaf).to_owned();
            }
            at = self.child(at, segment);
        }
        self.node(at).leaf.get_or_insert(leaf).to_owned()
    }

    fn node(&mut self, at: usize) -> &mut Node {
        self.nodes.get_mut(at).expect("node numbers come from this tree")
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let fresh = self.nodes.len();
        let node = self.node(at);
        let child = match segment {
            Segment::Fixed(text) => *node.fixed.entry(text.clone()).or_insert(fresh),
            Segment::Free | Segment::Tail => *node.free.get_or_insert(fresh),
            Segment::Fitting { pattern, rank, shape } => {
                match node.fitting.iter().find(|fitting| fitting.shape == *shape) {
                    Some(fitting) => fitting.node,
                    None => {
                        let (pattern, shape, order) = (pattern.clone(), shape.clone(), rank.order());
                        node.fitting.push(Fitting { pattern, shape, order, node: fresh });
                        node.fitting.sort_by(|a, b| (a.order, &a.shape).cmp(&(b.order, &b.shape)));
                        fresh
                    }
                }
            }
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Shows every template that fits the path, the most specific first, until `see` breaks.
    pub(crate) fn walk(&self, path: &str, see: &mut impl FnMut(usize) -> ControlFlow<()>) {
        let _ = self.walk_from(0, Segments::of(path).0, see);
    }

    fn walk_from(
        &self,
        at: usize,
        rest: Option<&str>,
        see: &mut impl FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(node) = self.nodes.get(at) else { return ControlFlow::Continue(()) };
        let Some(path) = rest else {
            return node.leaf.map_or(ControlFlow::Continue(()), see);
        };
        let mut segments = Segments(Some(path));
        let raw = segments.next().unwrap_or("");
        let rest = segments.0;
        let text = decode(raw);
        if let Some(child) = node.fixed.get(&*text) {
            self.walk_from(*child, rest, see)?;
        }
        for fitting in &node.fitting {
            if fitting.pattern.is_match(&text) {
                self.walk_from(fitting.node, rest, see)?;
            }
        }
        if let Some(child) = node.free
            && !raw.is_empty()
        {
            self.walk_from(child, rest, see)?;
        }
        node.tail.map_or(ControlFlow::Continue(()), see)
    }
}

/// Multiplies and rotates, eight bytes at a time: keys are the rules' own words, so nobody can choose collisions.
#[derive(Debug, Default)]
struct Mix(u64);

impl Mix {
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            // The length keeps `a` and `a\0` apart.
            self.add(rest.iter().fold(rest.len() as u64, |word, byte| (word << 8) | u64::from(*byte)));
        }
    }

    /// The end mark of a text: what is hashed here is one text and nothing more.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(templates: &[&str], path: &str) -> Option<usize> {
        all(templates, path).first().copied()
    }

    fn all(templates: &[&str], path: &str) -> Vec<usize> {
        let mut matcher = Matcher::new();
        for (leaf, template) in templates.iter().enumerate() {
            matcher.insert(&Template::parse(template).unwrap(), leaf);
        }
        let mut seen = Vec::new();
        matcher.walk(path, &mut |leaf| {
            seen.push(leaf);
            ControlFlow::Continue(())
        });
        seen
    }

    #[test]
    fn the_most_specific_template_comes_first_whatever_the_order() {
        let templates = ["/a/{*t}", "/a/{x}", "/a/{x:[0-9]+}", "/a/v{x}", "/a/ver{x}", "/a/ver1"];
        for (path, expected) in [
            ("/a/ver1", vec![5, 4, 3, 1, 0]),
            ("/a/ver2", vec![4, 3, 1, 0]),
            ("/a/42", vec![2, 1, 0]),
            ("/a/x/y", vec![0]),
            ("/a", vec![]),
            ("/a/ver1/", vec![5, 4, 3, 1, 0]),
        ] {
            assert_eq!(all(&templates, path), expected, "{path}");
        }
    }

    #[test]
    fn a_dead_end_in_a_specific_branch_is_left_again() {
        assert_eq!(first(&["/a/b/c", "/a/{x}/d"], "/a/b/d"), Some(1));
    }

    #[test]
    fn an_escape_is_undone_once() {
        assert_eq!(first(&["/a/b"], "/%61/b"), Some(0));
        assert_eq!(first(&["/a/b"], "/%2561/b"), None);
        assert_eq!(first(&["/a/b"], "/a%2Fb"), None);
    }

    fn segment() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["a", "b", "{}", "{:[0-9]+}", "a{}", "7"])
    }

    fn named(shape: &[&str]) -> String {
        shape.iter().enumerate().map(|(at, part)| format!("/{}", part.replace('{', &format!("{{n{at}")))).collect()
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_every_template_finds(
            shapes in prop::collection::vec(prop::collection::vec(segment(), 1..4), 1..12),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "7", "77", "x"]), 1..4),
        ) {
            let texts: Vec<String> = shapes.iter().map(|shape| named(shape)).collect();
            let templates: Vec<&str> = texts.iter().map(String::as_str).collect();
            let path = format!("/{}", path.join("/"));
            let mut found: Vec<String> = all(&templates, &path).into_iter().map(|leaf| Template::parse(templates[leaf]).unwrap().shape()).collect();
            found.sort();
            let mut naive: Vec<String> = templates.iter().map(|text| Template::parse(text).unwrap())
                .filter(|template| template.captures(&path).is_some()).map(|template| template.shape()).collect();
            naive.sort();
            naive.dedup();
            prop_assert_eq!(found, naive);
        }

        #[test]
        fn no_path_makes_it_panic(path in ".*") {
            all(&["/a/{x}", "/a/v{x}", "/{*t}"], &path);
        }
    }
}
