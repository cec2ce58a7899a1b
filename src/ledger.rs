//! Which routes of the platform are used, how often, and how that ended: what
//! `coverage` tells those who write rules.
//!
//! Only requests that change something are counted, and those that a rule
//! matched. Ids are folded into templates, so that one route is one line; what
//! a scanner tries does not push out what people use. Bounded in lines; what
//! found no room is counted. No query, no header, no body comes here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Lines that are kept at most: a platform of a thousand routes, and room for what scanners try.
const LINES: usize = 4_096;
/// Different words at one place of a path; then the rarest become `{name}`.
const WORDS: usize = 128;
/// Segments of a path; what is deeper is its tail.
const DEPTH: usize = 16;
/// A longer segment is nobody's word.
const LONGEST: usize = 48;

/// One route and its traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The method, as sent.
    pub method: String,
    /// The rule's own template, or the path with its ids folded: `{number}` `{uuid}` `{id}` `{email}` `{name}` `{*rest}`.
    pub route: String,
    /// How its requests ended.
    pub traffic: Traffic,
}

/// Requests of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// All of them.
    pub requests: u64,
    /// Those answered 2xx or 3xx.
    pub succeeded: u64,
    /// When the first one came.
    pub first: Timestamp,
    /// When the last one came.
    pub last: Timestamp,
}

impl Traffic {
    /// Adds other requests of the same route.
    pub fn add(&mut self, other: Traffic) {
        self.requests += other.requests;
        self.succeeded += other.succeeded;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Where a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// A rule's template matched it.
    Ruled(&'a str),
    /// No rule: the path as sent, without the query.
    Path(&'a str),
    /// A call of a GraphQL or JSON-RPC endpoint, with or without a rule; the method is `mutation` or `rpc`.
    Call(&'a str),
}

/// The running ledger. One for a whole process; shared by reference.
#[derive(Default)]
pub struct Ledger(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    ruled: BTreeMap<Box<str>, Methods>,
    calls: BTreeMap<Box<str>, Methods>,
    root: Node,
    lines: usize,
    left_out: u64,
}

/// Traffic by method. A path knows few of them.
type Methods = Vec<(Box<str>, Traffic)>;

/// One place in the paths that no rule matched.
#[derive(Default)]
struct Node {
    below: BTreeMap<Box<str>, Node>,
    methods: Methods,
}

impl Ledger {
    /// Whether requests of this method are counted though no rule matches them: the safe ones change nothing (RFC 9110 §9.2.1).
    pub fn counts(method: &str) -> bool {
        !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// Counts one request. Without an answer it did not succeed.
    pub fn note(&self, method: &str, route: Route<'_>, status: Option<u16>, at: Timestamp) {
        let succeeded = u64::from(status.is_some_and(|status| (200..400).contains(&status)));
        self.add(method, route, Traffic { requests: 1, succeeded, first: at, last: at });
    }

    /// Adds what an earlier run kept.
    pub fn preload(&self, lines: Vec<Line>) {
        for line in lines {
            // Folded words stay what they are; a rule's template is told from a path by nothing, and need not be.
            let route = if line.route.starts_with('/') { Route::Path(&line.route) } else { Route::Call(&line.route) };
            self.add(&line.method, route, line.traffic);
        }
    }

    fn add(&self, method: &str, route: Route<'_>, traffic: Traffic) {
        let mut inner = self.lock();
        let Inner { ruled, calls, root, lines, .. } = &mut *inner;
        let room = *lines < LINES;
        let added = match route {
            Route::Ruled(template) => count_at(ruled, template, method, traffic, room),
            Route::Call(name) => count_at(calls, cut(name), method, traffic, room),
            Route::Path(path) => root.add(path, method, traffic, room),
        };
        match added {
            Added::Known => {}
            Added::Fresh => inner.lines += 1,
            Added::NoRoom => inner.make_room(traffic.requests),
        }
    }

    /// All lines, the busiest first; of equals in the order of route and method.
    pub fn lines(&self) -> Vec<Line> {
        let inner = self.lock();
        let mut lines = Vec::with_capacity(inner.lines);
        for (route, methods) in inner.ruled.iter().chain(&inner.calls) {
            lines.extend(methods.iter().map(|(method, traffic)| line(method, route, *traffic)));
        }
        inner.root.gather(&mut String::new(), &mut lines);
        lines.sort_by(|a, b| {
            let busy = |line: &Line| (line.traffic.succeeded, line.traffic.requests);
            busy(b).cmp(&busy(a)).then_with(|| (&a.route, &a.method).cmp(&(&b.route, &b.method)))
        });
        lines
    }

    /// Requests that found no room.
    pub fn left_out(&self) -> u64 {
        self.lock().left_out
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole counts behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Lets go of what never succeeded: nobody uses it. The request that asked is left out, the next one finds room.
    fn make_room(&mut self, requests: u64) {
        self.left_out += requests;
        self.left_out += self.root.forget_failures();
        for methods in self.calls.values_mut() {
            self.left_out += forget_failures(methods);
        }
        self.calls.retain(|_, methods| !methods.is_empty());
        let of = |routes: &BTreeMap<Box<str>, Methods>| routes.values().map(Vec::len).sum::<usize>();
        self.lines = of(&self.ruled) + of(&self.calls) + self.root.lines();
    }
}

enum Added {
    Known,
    Fresh,
    NoRoom,
}

fn count_at(
    routes: &mut BTreeMap<Box<str>, Methods>,
    route: &str,
    method: &str,
    traffic: Traffic,
    room: bool,
) -> Added {
    match routes.get_mut(route) {
        Some(methods) => count(methods, method, traffic, room),
        None if room => count(routes.entry(route.into()).or_default(), method, traffic, room),
        None => Added::NoRoom,
    }
}

/// A name as it is kept: nobody's is longer.
fn cut(name: &str) -> &str {
    let end = name.char_indices().nth(LONGEST).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or(name)
}

/// Lets go of what never succeeded; how many requests that were.
fn forget_failures(methods: &mut Methods) -> u64 {
    let mut gone = 0;
    methods.retain(|(_, traffic)| {
        let stays = traffic.succeeded > 0;
        gone += if stays { 0 } else { traffic.requests };
        stays
    });
    gone
}

fn count(methods: &mut Methods, method: &str, traffic: Traffic, room: bool) -> Added {
    if let Some((_, known)) = methods.iter_mut().find(|(known, _)| **known == *method) {
        known.add(traffic);
        return Added::Known;
    }
    if !room {
        return Added::NoRoom;
    }
    methods.push((method.into(), traffic));
    Added::Fresh
}

impl Node {
    fn add(&mut self, path: &str, method: &str, traffic: Traffic, room: bool) -> Added {
        let mut node = self;
        for (depth, segment) in path.split('/').skip(1).enumerate() {
            let word = if depth == DEPTH { "{*rest}" } else { fold(segment) };
            // Known words need no memory of their own: most of what passes is known.
            node = if node.below.contains_key(word) {
                match node.below.get_mut(word) {
                    Some(known) => known,
                    None => return Added::NoRoom,
                }
            } else {
                if !room {
                    return Added::NoRoom;
                }
                if node.below.len() >= WORDS {
                    node.fold_rarest();
                }
                node.below.entry(word.into()).or_default()
            };
            if depth == DEPTH {
                break;
            }
        }
        count(&mut node.methods, method, traffic, room)
    }

    /// The less used half of the words here becomes one, `{name}`: so many words are names, or a scanner's.
    fn fold_rarest(&mut self) {
        let mut words: Vec<((u64, u64), Box<str>)> = self
            .below
            .iter()
            .filter(|(word, _)| !word.starts_with('{'))
            .map(|(word, node)| (node.use_made(), word.clone()))
            .collect();
        words.sort();
        words.truncate(WORDS / 2);
        let mut folded = self.below.remove("{name}").unwrap_or_default();
        for (_, word) in words {
            if let Some(node) = self.below.remove(&word) {
                folded.take_in(node);
            }
        }
        self.below.insert("{name}".into(), folded);
    }

    fn take_in(&mut self, other: Node) {
        for (method, traffic) in other.methods {
            count(&mut self.methods, &method, traffic, true);
        }
        for (word, node) in other.below {
            self.below.entry(word).or_default().take_in(node);
        }
    }

    /// How often it was used: with success, and at all.
    fn use_made(&self) -> (u64, u64) {
        let own = self.methods.iter().map(|(_, traffic)| (traffic.succeeded, traffic.requests));
        let add = |a: (u64, u64), b: (u64, u64)| (a.0 + b.0, a.1 + b.1);
        own.chain(self.below.values().map(Node::use_made)).fold((0, 0), add)
    }

    fn lines(&self) -> usize {
        self.methods.len() + self.below.values().map(Node::lines).sum::<usize>()
    }

    /// How many requests went with what never succeeded.
    fn forget_failures(&mut self) -> u64 {
        let mut gone = forget_failures(&mut self.methods);
        self.below.retain(|_, node| {
            gone += node.forget_failures();
            !node.methods.is_empty() || !node.below.is_empty()
        });
        gone
    }

    fn gather(&self, route: &mut String, lines: &mut Vec<Line>) {
        lines.extend(self.methods.iter().map(|(method, traffic)| line(method, route, *traffic)));
        for (word, node) in &self.below {
            let length = route.len();
            route.push('/');
            route.push_str(word);
            node.gather(route, lines);
            route.truncate(length);
        }
    }
}

fn line(method: &str, route: &str, traffic: Traffic) -> Line {
    Line { method: method.to_owned(), route: route.to_owned(), traffic }
}

/// A segment as a template has it: an id is not a word.
pub fn fold(segment: &str) -> &str {
    let bytes = segment.as_bytes();
    let (mut digits, mut is_odd) = (0, false);
    for byte in bytes {
        digits += usize::from(byte.is_ascii_digit());
        is_odd |= matches!(byte, b'@' | b'%');
    }
    let is_version = bytes.first() == Some(&b'v') && digits + 1 == bytes.len();
    if segment.starts_with('{') || bytes.is_empty() || is_version {
        segment
    } else if digits == bytes.len() {
        "{number}"
    } else if is_uuid(bytes) {
        "{uuid}"
    } else if is_odd && (segment.contains('@') || segment.contains("%40")) {
        "{email}"
    } else if bytes.len() > LONGEST || (bytes.len() >= 8 && digits >= 2 && bytes.iter().all(|byte| is_id(*byte))) {
        "{id}"
    } else if is_odd {
        "{name}"
    } else {
        segment
    }
}

/// What ids are made of: hex, base62, base64url, prefixes such as `usr_`.
fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// 8-4-4-4-12 (RFC 9562 §4).
fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(ledger: &Ledger, method: &str, path: &str, status: u16) {
        ledger.note(method, Route::Path(path), Some(status), Timestamp::UNIX_EPOCH);
    }

    fn shown(ledger: &Ledger) -> Vec<(String, u64, u64)> {
        let lines = ledger.lines().into_iter();
        lines
            .map(|line| (format!("{} {}", line.method, line.route), line.traffic.requests, line.traffic.succeeded))
            .collect()
    }

    #[test]
    fn ids_are_folded_and_words_are_not() {
        for (segment, folded) in [
            ("documents", "documents"),
            ("document-templates", "document-templates"),
            ("v2", "v2"),
            ("901", "{number}"),
            ("0190b2f0-7c1e-7000-8000-000000000001", "{uuid}"),
            ("6565f2a9c1d4e80012ab34cd", "{id}"),
            ("usr_2b9K7xq", "{id}"),
            ("anna@acme.it", "{email}"),
            ("anna%40acme.it", "{email}"),
            ("my%20file", "{name}"),
            ("{number}", "{number}"),
        ] {
            assert_eq!(fold(segment), folded);
        }
    }

    #[test]
    fn a_route_is_one_line_and_the_busiest_comes_first() {
        let ledger = Ledger::default();
        for id in 0..50 {
            note(&ledger, "DELETE", &format!("/api/v1/documents/{id}"), if id == 0 { 404 } else { 204 });
        }
        note(&ledger, "POST", "/api/v1/documents", 500);
        ledger.note("PUT", Route::Ruled("/api/v1/documents/{id}/file"), None, Timestamp::UNIX_EPOCH);
        assert_eq!(
            shown(&ledger),
            [
                ("DELETE /api/v1/documents/{number}".to_owned(), 50, 49),
                ("POST /api/v1/documents".to_owned(), 1, 0),
                ("PUT /api/v1/documents/{id}/file".to_owned(), 1, 0),
            ]
        );
        let again = Ledger::default();
        again.preload(ledger.lines());
        assert_eq!(again.lines(), ledger.lines());
    }

    #[test]
    fn a_scanner_neither_fills_memory_nor_pushes_out_what_is_used() {
        let ledger = Ledger::default();
        note(&ledger, "POST", "/api/documents", 201);
        for n in 0..30_000 {
            let words = ["wp", "admin", "cgi", "php", "old"];
            let path = format!("/{}-{}/{}{}", words[n % 5], n / 100, words[n % 3], n % 97);
            note(&ledger, "POST", &path, 404);
        }
        let lines = ledger.lines();
        assert!(lines.len() <= LINES, "{}", lines.len());
        assert_eq!(lines[0].route, "/api/documents");
        let kept: u64 = lines.iter().map(|line| line.traffic.requests).sum();
        assert_eq!(kept + ledger.left_out(), 30_001, "what is not shown is counted");
    }

    #[test]
    fn the_deepest_path_and_the_longest_segment_have_a_line() {
        let ledger = Ledger::default();
        note(&ledger, "POST", &"/a".repeat(5_000), 200);
        note(&ledger, "POST", &format!("/{}", "x".repeat(5_000)), 200);
        note(&ledger, "POST", "", 200);
        assert!(ledger.lines().iter().all(|line| line.route.len() < 60));
        assert_eq!(ledger.lines().len(), 3);
    }
}
