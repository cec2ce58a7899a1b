//! Takes `multipart/form-data` (RFC 7578, RFC 2046 §5.1) apart while it streams by.
//!
//! Of a plain field the text is kept, all fields together at most the cap; of
//! a file its name, type, size and SHA-256, never its content. Strict where
//! two readers could see different parts: only CRLF ends a line, and what
//! follows a boundary on its line is white space or nothing.

use memchr::memmem;
use sha2::{Digest, Sha256};

use super::budget::Share;
use super::parameters::Parameters;
use super::{Flow, Full, charset};
use crate::exchange::Part;

/// RFC 2046 §5.1.1.
const LONGEST_BOUNDARY: usize = 70;
/// More than any form has; beyond it parts are counted into the size only.
const MOST_PARTS: usize = 1_000;
/// The head of one part; also what white space behind a boundary may take.
const LONGEST_HEAD: usize = 8 * 1024;
/// What the names of a form's parts take in any case, in bytes: those of any usual form.
const NAMES: usize = 4 * 1024;
/// Fields in the head of one part.
const MOST_FIELDS: usize = 32;

/// A form being taken apart.
pub(super) struct Multipart {
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    /// Bytes that could not be told apart yet: less than a delimiter, or a part's unfinished head.
    pending: Vec<u8>,
    at: At,
    parts: Vec<Part>,
    /// Bytes of text that may still be kept.
    room: usize,
    /// Bytes of names that are still taken in any case.
    names: usize,
    /// Why some text or part was left out, where it was.
    cut: Option<Full>,
}

/// Where in the form the next byte stands.
enum At {
    /// Before the first boundary; nothing of it counts.
    Preamble,
    /// Behind a boundary, on its line.
    Line,
    /// In a part's head.
    Head,
    /// In a part's content.
    Content(Box<Open>),
    /// Behind the last boundary; nothing of it counts.
    Epilogue,
}

/// The part whose content is passing.
struct Open {
    part: Part,
    text: Vec<u8>,
    hash: Option<Sha256>,
    /// Whether there is memory for its name.
    kept: bool,
}

impl Multipart {
    /// A reader for a body of that `Content-Type`; `None` where it is no form.
    pub(super) fn for_type(content_type: &str, cap: usize) -> Option<Result<Multipart, String>> {
        let value = Parameters::of(content_type.as_bytes());
        if !value.essence.eq_ignore_ascii_case(b"multipart/form-data") {
            return None;
        }
        Some(match value.get("boundary") {
            Some(boundary) if (1..=LONGEST_BOUNDARY).contains(&boundary.len()) => {
                let delimiter = [b"\r\n--", boundary.as_slice()].concat();
                // The first boundary may open the body: as if a line had just ended.
                let pending = b"\r\n".to_vec();
                let (parts, at) = (Vec::new(), At::Preamble);
                Ok(Multipart { delimiter, pending, at, parts, room: cap, names: NAMES, cut: None })
            }
            Some(_) => Err("multipart: a boundary of more than 70 bytes".to_owned()),
            None => Err("multipart: no boundary".to_owned()),
        })
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8], share: &mut Share) -> Result<Flow, String> {
        if self.pending.is_empty() {
            let left = self.walk(bytes, share)?;
            self.pending.extend_from_slice(left);
        } else {
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(bytes);
            let left = self.walk(&pending, share)?.len();
            let done = pending.len().saturating_sub(left);
            pending.drain(..done);
            // What one large push grew is not kept.
            pending.shrink_to(LONGEST_HEAD);
            self.pending = pending;
        }
        Ok(Flow::More)
    }

    /// The parts, and why something was left out of them, where it was.
    pub(super) fn finish(mut self, whole: bool) -> Result<(Vec<Part>, Option<Full>), String> {
        if let At::Epilogue = self.at {
            return Ok((self.parts, self.cut));
        }
        if whole {
            return Err("multipart: ends before its last boundary".to_owned());
        }
        if let At::Content(open) = std::mem::replace(&mut self.at, At::Epilogue) {
            self.keep(Open { hash: None, ..*open });
        }
        Ok((self.parts, self.cut))
    }

    /// Goes as far as the bytes can be told apart; what comes back is to be shown again with more behind it.
    fn walk<'a>(&mut self, mut bytes: &'a [u8], share: &mut Share) -> Result<&'a [u8], String> {
        loop {
            bytes = match &mut self.at {
                At::Epilogue => return Ok(&[]),
                At::Preamble => match memmem::find(bytes, &self.delimiter) {
                    Some(start) => {
                        self.at = At::Line;
                        bytes.get(start + self.delimiter.len()..).unwrap_or_default()
                    }
                    None => return Ok(tail(bytes, self.delimiter.len() - 1)),
                },
                At::Line => match behind_boundary(bytes)? {
                    Behind::Unclear => return Ok(bytes),
                    Behind::Last => {
                        self.at = At::Epilogue;
                        return Ok(&[]);
                    }
                    Behind::Part(rest) => {
                        self.at = At::Head;
                        rest
                    }
                },
                At::Head => match head_end(bytes) {
                    Some(end) => {
                        let (head, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
                        let mut open = Open::from_head(head)?;
                        open.kept = draw_name(head.len() + size_of::<Part>(), &mut self.names, share);
                        self.at = At::Content(Box::new(open));
                        rest
                    }
                    None if bytes.len() > LONGEST_HEAD => {
                        return Err(format!("multipart: the head of a part of more than {LONGEST_HEAD} bytes"));
                    }
                    None => return Ok(bytes),
                },
                At::Content(open) => match memmem::find(bytes, &self.delimiter) {
                    Some(start) => {
                        let content = bytes.get(..start).unwrap_or_default();
                        self.cut = self.cut.or(open.take(content, &mut self.room, share));
                        if let At::Content(open) = std::mem::replace(&mut self.at, At::Line) {
                            self.keep(*open);
                        }
                        bytes.get(start + self.delimiter.len()..).unwrap_or_default()
                    }
                    None => {
                        let left = unclear_tail(bytes, &self.delimiter);
                        let sure = bytes.len().saturating_sub(left.len());
                        let content = bytes.get(..sure).unwrap_or_default();
                        self.cut = self.cut.or(open.take(content, &mut self.room, share));
                        return Ok(left);
                    }
                },
            };
        }
    }

    fn keep(&mut self, open: Open) {
        // A file input that nobody filled is sent as an empty file without a name.
        if open.part.filename.as_deref() == Some("") && open.part.size == 0 {
            return;
        }
        if self.parts.len() == MOST_PARTS || !open.kept {
            self.cut = self.cut.or(Some(if open.kept { Full::Cap } else { Full::Memory }));
            return;
        }
        self.parts.push(open.close());
    }
}

impl Open {
    /// The part whose head (with the empty line behind it) this is.
    fn from_head(head: &[u8]) -> Result<Open, String> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let fields = match httparse::parse_headers(head, &mut fields) {
            Ok(httparse::Status::Complete((_, fields))) => fields,
            _ => return Err("multipart: a malformed head of a part".to_owned()),
        };
        let value = |name: &str| fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|f| f.value);
        let disposition = Parameters::of(value("content-disposition").unwrap_or_default());
        let filename = disposition.text("filename");
        let part = Part {
            field: disposition.text("name").unwrap_or_default(),
            content_type: value("content-type").map(|value| String::from_utf8_lossy(value).into_owned()),
            filename,
            ..Part::default()
        };
        let hash = part.filename.is_some().then(Sha256::new);
        Ok(Open { part, text: Vec::new(), hash, kept: true })
    }

    /// Takes content; answers why some of it was left out, where it was.
    fn take(&mut self, content: &[u8], room: &mut usize, share: &mut Share) -> Option<Full> {
        self.part.size = self.part.size.saturating_add(content.len() as u64);
        if let Some(hash) = &mut self.hash {
            hash.update(content);
            return None;
        }
        let wanted = content.get(..*room).unwrap_or(content);
        let most = self.text.len().saturating_add(*room);
        let kept = share.append(&mut self.text, wanted, most);
        *room -= kept;
        if kept < wanted.len() {
            // No later piece of the text may follow where one is missing.
            *room = 0;
            return Some(Full::Memory);
        }
        (kept < content.len()).then_some(Full::Cap)
    }

    fn close(self) -> Part {
        let Open { mut part, text, hash, .. } = self;
        part.sha256 = hash.map(|hash| hex::encode(hash.finalize()));
        if part.filename.is_none() {
            let kind = part.content_type.as_deref().unwrap_or_default();
            part.text = Some(match charset::named(kind) {
                Some(charset) => charset::as_utf8(&text, charset),
                None => lossy(text, part.size),
            });
        }
        part
    }
}

/// Draws memory for a part's names: the first few in any case.
fn draw_name(bytes: usize, free: &mut usize, share: &mut Share) -> bool {
    match free.checked_sub(bytes) {
        Some(left) => {
            *free = left;
            share.draw_always(bytes);
            true
        }
        None => share.draw(bytes),
    }
}

/// What stands behind a boundary.
enum Behind<'a> {
    /// More bytes are needed.
    Unclear,
    /// `--`: it was the last.
    Last,
    /// The end of the line: a part's head follows.
    Part(&'a [u8]),
}

fn behind_boundary(bytes: &[u8]) -> Result<Behind<'_>, String> {
    let padding = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match bytes.get(padding..).unwrap_or_default() {
        [b'-', b'-', ..] if padding == 0 => Ok(Behind::Last),
        [b'\r', b'\n', rest @ ..] => Ok(Behind::Part(rest)),
        [] | [b'\r'] if padding <= LONGEST_HEAD => Ok(Behind::Unclear),
        [b'-'] if padding == 0 => Ok(Behind::Unclear),
        _ => Err("multipart: something other than the end of the line behind a boundary".to_owned()),
    }
}

/// Where the content begins: behind the empty line. A part may have no head at all.
fn head_end(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    memmem::find(bytes, b"\r\n\r\n").map(|start| start + 4)
}

/// The last bytes that may be the beginning of a delimiter.
fn unclear_tail<'a>(bytes: &'a [u8], delimiter: &[u8]) -> &'a [u8] {
    let mut left = tail(bytes, delimiter.len() - 1);
    loop {
        // Only a CR can begin a delimiter.
        match memchr::memchr(b'\r', left) {
            None => return &[],
            Some(start) => left = left.get(start..).unwrap_or_default(),
        }
        if delimiter.starts_with(left) {
            return left;
        }
        left = left.get(1..).unwrap_or_default();
    }
}

fn tail(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(length)..).unwrap_or_default()
}

/// Text of bytes; where they were cut, a character that was split is left out.
fn lossy(bytes: Vec<u8>, size: u64) -> String {
    let cut = (bytes.len() as u64) < size;
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if cut && error.utf8_error().error_len().is_none() => {
            let whole = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(whole);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::*;

    const TYPE: &str = "Multipart/Form-Data; charset=utf-8; boundary=XX";

    fn read(cap: usize, wire: &[u8], whole: bool) -> Result<(Vec<Part>, bool), String> {
        let mut form = Multipart::for_type(TYPE, cap).unwrap().unwrap();
        form.push(wire, &mut Budget::unlimited().share())?;
        form.finish(whole).map(|(parts, cut)| (parts, whole && cut.is_none()))
    }

    fn part(head: &str, content: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let wire = part("name=note", "Grüße")
            + &part("name=\"doc\"; filename=\"Price list.pdf\"\r\nContent-Type: application/pdf", "abc")
            + &part("name=empty; filename=\"\"\r\ncontent-type: application/octet-stream", "")
            + "--XX--\r\n";
        let (parts, all) = read(1000, wire.as_bytes(), true).unwrap();
        assert!(all);
        assert_eq!(
            parts,
            [
                Part { field: "note".into(), size: 7, text: Some("Grüße".into()), ..Part::default() },
                Part {
                    field: "doc".into(),
                    filename: Some("Price list.pdf".into()),
                    content_type: Some("application/pdf".into()),
                    size: 3,
                    sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()),
                    text: None,
                },
            ]
        );
    }

    #[test]
    fn text_is_kept_up_to_the_cap_of_the_whole_form_and_never_splits_a_character() {
        let wire = part("name=a", "1234") + &part("name=b", "ééé") + &part("name=c", "z") + "--XX--";
        let (parts, all) = read(7, wire.as_bytes(), true).unwrap();
        assert!(!all);
        let texts: Vec<_> = parts.iter().map(|part| (part.text.as_deref().unwrap(), part.size)).collect();
        assert_eq!(texts, [("1234", 4), ("é", 6), ("", 1)]);
    }

    #[test]
    fn three_files_of_20_megabytes_are_hashed_and_never_held() {
        let mut form = Multipart::for_type(TYPE, 1000).unwrap().unwrap();
        let block = [b'\r'; 64 * 1024];
        let (mut most, mut expected) = (0, Sha256::new());
        let share = &mut Budget::unlimited().share();
        for file in 0..3 {
            let head = format!("--XX\r\nContent-Disposition: form-data; name=f; filename={file}\r\n\r\n");
            form.push(head.as_bytes(), share).unwrap();
            for _ in 0..320 {
                form.push(&block, share).unwrap();
                most = most.max(form.pending.capacity());
                if file == 0 {
                    expected.update(block);
                }
            }
            form.push(b"\r\n", share).unwrap();
        }
        form.push(b"--XX--", share).unwrap();
        let (parts, cut) = form.finish(true).unwrap();
        assert_eq!(cut, None);
        assert_eq!(parts.iter().map(|part| part.size).collect::<Vec<_>>(), [20 << 20; 3]);
        let expected = hex::encode(expected.finalize());
        assert!(parts.iter().all(|part| part.sha256.as_deref() == Some(expected.as_str())));
        assert!(most <= 2 * LONGEST_HEAD, "held {most} bytes");
    }

    #[test]
    fn a_form_that_two_readers_could_read_differently_is_refused() {
        let closed = part("name=a", "1") + "--XX--";
        let table = [
            (closed.replace("--XX--", "--XXY\r\n"), "something other than the end of the line behind a boundary"),
            (closed.replace("--XX--", ""), "ends before its last boundary"),
            (closed.replace("\r\n", "\n"), "something other than the end of the line behind a boundary"),
            (closed.replace("Content-Disposition:", "no colon"), "a malformed head of a part"),
            (format!("--XX\r\nA: {}", "x".repeat(9000)), "the head of a part of more than 8192 bytes"),
        ];
        for (wire, reason) in table {
            assert_eq!(read(100, wire.as_bytes(), true), Err(format!("multipart: {reason}")), "{wire}");
        }
        assert_eq!(Multipart::for_type("multipart/form-data", 1).unwrap().err().unwrap(), "multipart: no boundary");
        assert!(Multipart::for_type("multipart/mixed; boundary=XX", 1).is_none());
    }

    #[test]
    fn an_upload_that_broke_off_keeps_what_was_seen_and_gives_no_hash_of_a_piece() {
        let wire = part("name=a", "1") + "--XX\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\nabc";
        let (parts, all) = read(100, wire.as_bytes(), false).unwrap();
        assert!(!all);
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[1].filename.as_deref(), parts[1].sha256.as_deref()), (Some("g"), None));
    }

    #[test]
    fn parts_beyond_the_bound_are_left_out() {
        let wire = part("name=a", "").repeat(MOST_PARTS + 5) + "--XX--";
        let (parts, all) = read(100, wire.as_bytes(), true).unwrap();
        assert_eq!((parts.len(), all), (MOST_PARTS, false));
    }
}
