//! The copy of a body that is made aside while it streams by.
//!
//! A [`Copier`] is fed the body's bytes as they pass and gives a [`Body`] at
//! the end. It undoes `Content-Encoding`, takes `multipart/form-data` apart
//! and hashes files on the way. It promises bounded memory whatever is sent:
//! the copy ends at the cap, files are never held, a body that unpacks beyond
//! reason is given up. It never fails and never touches what is forwarded;
//! what it cannot read is [`Seen::Unreadable`] with the reason.

mod coding;
mod gzip;
mod multipart;
mod parameters;

use bytes::Bytes;

use crate::exchange::{Body, Headers, Seen};
use coding::Chain;
use multipart::Multipart;

/// Reserved at once where `Content-Length` announces that much; beyond it the copy grows as bytes come.
const RESERVE: usize = 16 * 1024;

/// Copies one body aside.
pub(crate) struct Copier {
    size: u64,
    path: Path,
    copy: Copy,
}

/// What happens to the next bytes.
enum Path {
    /// They are the content.
    Plain,
    /// They are unpacked first.
    Coded(Box<Chain>),
    /// They are counted only: the copy is full.
    Full,
    /// They are counted only: the body cannot be read, and why.
    Broken(String),
}

/// What is kept of the content.
enum Copy {
    /// Its beginning.
    Content { bytes: Vec<u8>, cap: usize },
    /// Its parts.
    Parts(Box<Multipart>),
}

/// Whether more content is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    More,
    Full,
}

impl Copier {
    /// A copier for the body that belongs to this head; `cap` is the most
    /// bytes of content (and of a form's text) that it keeps.
    pub(crate) fn new(headers: &Headers, cap: usize) -> Copier {
        let content_type = headers.first("content-type").unwrap_or_default();
        let (copy, trouble) = match Multipart::for_type(content_type, cap) {
            None => {
                let announced = headers.first("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
                (Copy::Content { bytes: Vec::with_capacity(cap.min(announced).min(RESERVE)), cap }, None)
            }
            Some(Ok(parts)) => (Copy::Parts(Box::new(parts)), None),
            Some(Err(reason)) => (Copy::Content { bytes: Vec::new(), cap: 0 }, Some(reason)),
        };
        let path = match (trouble, Chain::for_headers(headers)) {
            (Some(reason), _) | (None, Err(reason)) => Path::Broken(reason),
            (None, Ok(None)) => Path::Plain,
            (None, Ok(Some(chain))) => Path::Coded(Box::new(chain)),
        };
        Copier { size: 0, path, copy }
    }

    /// Takes the next bytes of the body (transfer coding undone).
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        let flow = match &mut self.path {
            Path::Plain => self.copy.take(bytes),
            Path::Coded(chain) => chain.push(bytes, &mut |content| self.copy.take(content)),
            Path::Full | Path::Broken(_) => return,
        };
        match flow {
            Ok(Flow::More) => {}
            Ok(Flow::Full) => self.path = Path::Full,
            Err(reason) => self.path = Path::Broken(reason),
        }
    }

    /// The copy. `whole` says whether the body came to its proper end.
    pub(crate) fn finish(self, whole: bool) -> Body {
        let mut body = Body { size: self.size, ..Body::default() };
        // The answer to a HEAD names a coding and has no byte of it.
        let nothing_came = self.size == 0 && matches!(self.copy, Copy::Content { .. });
        let ended = match self.path {
            Path::Broken(reason) if !nothing_came => Err(reason),
            Path::Full => Ok(false),
            Path::Coded(chain) if whole && !nothing_came => chain.finish().map(|()| true),
            _ => Ok(whole),
        };
        let seen = ended.and_then(|whole| match self.copy {
            Copy::Content { bytes, .. } => {
                body.content = Bytes::from(bytes);
                Ok(whole)
            }
            Copy::Parts(multipart) => {
                let (parts, all) = multipart.finish(whole)?;
                body.parts = parts;
                Ok(all)
            }
        });
        body.seen = match seen {
            Ok(true) => Seen::Whole,
            Ok(false) => Seen::Cut,
            Err(reason) => Seen::Unreadable(reason),
        };
        body
    }
}

impl Copy {
    fn take(&mut self, content: &[u8]) -> Result<Flow, String> {
        match self {
            Copy::Content { bytes, cap } => {
                let room = cap.saturating_sub(bytes.len());
                bytes.extend_from_slice(content.get(..room).unwrap_or(content));
                Ok(if content.len() > room { Flow::Full } else { Flow::More })
            }
            Copy::Parts(multipart) => multipart.push(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const CODINGS: [&str; 6] = ["gzip", "deflate", "raw", "br", "zstd", "identity"];

    fn head(coding: &str, content_type: &str) -> Headers {
        let mut headers = Headers::default();
        headers.push("Content-Type", content_type.to_owned());
        headers.push("content-encoding", if coding == "raw" { "deflate".to_owned() } else { coding.to_owned() });
        headers
    }

    fn encode(coding: &str, content: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::default();
        match coding {
            "gzip" => {
                let header = flate2::GzBuilder::new().filename("a").comment("b").extra(vec![1, 2, 3]);
                let mut writer = header.write(Vec::new(), level);
                writer.write_all(content).unwrap();
                writer.finish().unwrap()
            }
            "deflate" => {
                let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
                writer.write_all(content).unwrap();
                writer.finish().unwrap()
            }
            "raw" => {
                let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), level);
                writer.write_all(content).unwrap();
                writer.finish().unwrap()
            }
            "br" => {
                let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
                writer.write_all(content).unwrap();
                writer.into_inner()
            }
            "zstd" => zstd::encode_all(content, 3).unwrap(),
            _ => content.to_vec(),
        }
    }

    fn copy(headers: &Headers, cap: usize, pieces: &[&[u8]], whole: bool) -> Body {
        let mut copier = Copier::new(headers, cap);
        pieces.iter().for_each(|piece| copier.push(piece));
        copier.finish(whole)
    }

    fn same(one: &Body, other: &Body) -> bool {
        (&one.content, one.size, &one.seen, &one.parts) == (&other.content, other.size, &other.seen, &other.parts)
    }

    #[test]
    fn each_coding_is_undone() {
        for coding in CODINGS {
            let wire = encode(coding, br#"{"name":"Price list.pdf"}"#);
            let body = copy(&head(coding, "application/json"), 1000, &[&wire], true);
            assert_eq!(body.seen, Seen::Whole, "{coding}");
            assert_eq!(body.content, &br#"{"name":"Price list.pdf"}"#[..], "{coding}");
            assert_eq!(body.size, wire.len() as u64, "{coding}");
        }
    }

    #[test]
    fn codings_are_undone_in_the_reverse_order() {
        let wire = encode("br", &encode("gzip", b"twice"));
        let body = copy(&head("gzip, identity, br", "text/plain"), 1000, &[&wire], true);
        assert_eq!((body.content.as_ref(), body.seen), (b"twice".as_slice(), Seen::Whole));
    }

    #[test]
    fn several_members_of_gzip_and_frames_of_zstd_are_one_content() {
        for coding in ["gzip", "zstd"] {
            let wire = [encode(coding, b"one "), encode(coding, b"two")].concat();
            assert_eq!(copy(&head(coding, ""), 1000, &[&wire], true).content, &b"one two"[..], "{coding}");
        }
    }

    #[test]
    fn a_copy_ends_at_its_cap_and_goes_on_counting() {
        for coding in CODINGS {
            let wire = encode(coding, &[b'x'; 5000]);
            let body = copy(&head(coding, "text/plain"), 100, &[&wire, b"", b"more"], true);
            assert_eq!((body.seen, body.content.len()), (Seen::Cut, 100), "{coding}");
            assert_eq!(body.size, wire.len() as u64 + 4, "{coding}");
        }
        let exact = copy(&Headers::default(), 5, &[b"12", b"345"], true);
        assert_eq!(exact.seen, Seen::Whole);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let gzip = encode("gzip", b"some content that is long enough");
        let mut flipped = gzip.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        let table: [(&str, &[u8], &str); 8] = [
            ("gzip", b"plain text", "gzip: not a gzip stream"),
            ("gzip", &gzip[..gzip.len() - 3], "gzip: ends too early"),
            ("gzip", &flipped, "gzip: wrong checksum"),
            ("br", b"\xff\xff\xff\xff", "br: corrupt stream"),
            ("zstd", b"plain text", "zstd: corrupt or too wide a stream"),
            ("compress", b"x", "content coding `compress` is not known"),
            ("gzip, gzip, gzip, gzip, gzip", b"x", "5 content codings, at most 4 are undone"),
            ("sdch;q=<1>", b"x", "a content coding that is not known"),
        ];
        for (coding, wire, reason) in table {
            let body = copy(&head(coding, "text/plain"), 1000, &[wire], true);
            assert_eq!(body.seen, Seen::Unreadable(reason.to_owned()));
            assert!(body.content.is_empty());
            assert_eq!(body.size, wire.len() as u64);
        }
    }

    #[test]
    fn a_head_without_a_body_is_whole_whatever_it_names() {
        for coding in ["gzip", "br", "what"] {
            assert_eq!(copy(&head(coding, "text/plain"), 10, &[], true).seen, Seen::Whole, "{coding}");
        }
    }

    #[test]
    fn a_body_that_broke_off_is_cut() {
        let gzip = encode("gzip", &[b'y'; 300]);
        assert_eq!(copy(&head("gzip", "text/plain"), 1000, &[&gzip[..20]], false).seen, Seen::Cut);
        assert_eq!(copy(&Headers::default(), 1000, &[b"{\"a\":"], false).seen, Seen::Cut);
    }

    #[test]
    fn a_bomb_is_given_up() {
        let zeros = vec![0; 40 << 20];
        for coding in ["gzip", "br", "zstd"] {
            let bomb = encode(coding, &zeros);
            // Of a plain body only the cap is ever unpacked; a form would have to be unpacked to its end.
            assert_eq!(copy(&head(coding, "text/plain"), 100, &[&bomb], true).seen, Seen::Cut);
            let form = copy(&head(coding, "multipart/form-data; boundary=b"), 100, &[&bomb], true);
            let reason = format!("{coding}: unpacks to more than 200 times its size");
            assert_eq!(form.seen, Seen::Unreadable(reason));
            let twice = encode("gzip", &bomb);
            let nested = copy(&head(&format!("{coding}, gzip"), "text/plain"), 100, &[&twice], true);
            assert_eq!(nested.seen, Seen::Cut);
        }
    }

    fn form(values: &[(String, Vec<u8>, bool)]) -> Vec<u8> {
        let mut form = b"a preamble".to_vec();
        for (name, content, is_file) in values {
            form.extend_from_slice(b"\r\n--\r-b \t\r\nContent-Disposition: form-data; name=\"");
            form.extend_from_slice(name.as_bytes());
            form.extend_from_slice(if *is_file { b"\"; filename=\"f\"\r\n\r\n" } else { b"\"\r\n\r\n" });
            form.extend_from_slice(content);
        }
        form.extend_from_slice(b"\r\n--\r-b--an epilogue");
        form
    }

    proptest! {
        #[test]
        fn cut_anywhere_gives_the_same_copy(
            content in proptest::collection::vec(0_u8..4, 0..3000),
            cuts in proptest::collection::vec(0_usize..3000, 0..6),
            cap in 0_usize..3000,
            coding in proptest::sample::select(CODINGS.to_vec()),
        ) {
            let wire = encode(coding, &content);
            let headers = head(coding, "application/json");
            let uncut = copy(&headers, cap, &[&wire], true);
            prop_assert!(same(&uncut, &copy(&headers, cap, &pieces(&wire, &cuts), true)));
            prop_assert_eq!(&uncut.content[..], &content[..cap.min(content.len())]);
            let single: Vec<&[u8]> = wire.chunks(1).collect();
            prop_assert!(same(&uncut, &copy(&headers, cap, &single, true)));
        }

        #[test]
        fn a_form_cut_anywhere_gives_the_same_parts(
            values in proptest::collection::vec(
                ("[a-z]{1,5}", "[\r\n-b]{0,40}".prop_map(String::into_bytes), any::<bool>()), 0..5),
            cuts in proptest::collection::vec(0_usize..600, 0..8),
            coding in proptest::sample::select(CODINGS.to_vec()),
        ) {
            let plain = form(&values);
            prop_assume!(memchr::memmem::find_iter(&plain, b"\r\n--\r-b").count() == values.len() + 1);
            let wire = encode(coding, &plain);
            let headers = head(coding, "multipart/form-data; boundary=\"\r-b\"");
            let uncut = copy(&headers, 10_000, &[&wire], true);
            prop_assert_eq!(&uncut.seen, &Seen::Whole);
            prop_assert_eq!(uncut.parts.len(), values.len());
            for (part, (name, content, is_file)) in uncut.parts.iter().zip(&values) {
                prop_assert_eq!(&part.field, name);
                prop_assert_eq!(part.size, content.len() as u64);
                prop_assert_eq!(part.sha256.is_some(), *is_file);
                prop_assert_eq!(part.text.as_deref().map(str::as_bytes), (!is_file).then_some(content.as_slice()));
            }
            prop_assert!(same(&uncut, &copy(&headers, 10_000, &pieces(&wire, &cuts), true)));
            let single: Vec<&[u8]> = wire.chunks(1).collect();
            prop_assert!(same(&uncut, &copy(&headers, 10_000, &single, true)));
        }

        #[test]
        fn nothing_that_is_sent_makes_it_panic(
            noise in proptest::collection::vec(any::<u8>(), 0..400),
            beginning in proptest::sample::select(vec![
                &b""[..], b"--b\r\n", b"--b\r\n\r\n", b"\x1f\x8b\x08\xff", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b"--b--"]),
            cuts in proptest::collection::vec(0_usize..400, 0..4),
            coding in proptest::sample::select(vec!["gzip", "deflate", "br", "zstd", "identity", "gzip, br", "x"]),
            kind in proptest::sample::select(vec!["multipart/form-data; boundary=b", "multipart/form-data", "a/b"]),
            whole in any::<bool>(),
        ) {
            let wire = [beginning, &noise].concat();
            let headers = head(coding, kind);
            let uncut = copy(&headers, 64, &[&wire], whole);
            prop_assert!(uncut.content.len() <= 64);
            prop_assert_eq!(uncut.size, wire.len() as u64);
            prop_assert!(same(&uncut, &copy(&headers, 64, &pieces(&wire, &cuts), whole)));
        }
    }

    fn pieces<'a>(wire: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(wire.len());
        let mut start = 0;
        cuts.into_iter().map(|cut| &wire[std::mem::replace(&mut start, cut)..cut]).collect()
    }
}
