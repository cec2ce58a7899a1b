//! The copy of a body that is made aside while it streams by.
//!
//! A [`Copier`] is fed the body's bytes as they pass and gives a [`Body`] at
//! the end. It undoes `Content-Encoding` and the charset, takes
//! `multipart/form-data` apart and hashes files on the way. It promises bounded
//! memory and bounded work whatever is sent: the copy ends at its cap and at
//! what all copies together may hold, files are never held, a body that unpacks
//! beyond reason is given up. It never fails and never touches what is
//! forwarded; what it cannot read is [`Seen::Unreadable`] with the reason.

mod budget;
mod charset;
mod coding;
mod gzip;
mod multipart;
mod parameters;

use encoding_rs::Encoding;

use crate::exchange::{Body, Headers, Seen};
use budget::Share;
pub(crate) use budget::{Budget, COPIES_BYTES, COPY_BYTES};
use coding::Chain;
use multipart::Multipart;

/// Reserved at once where `Content-Length` announces that much; beyond it the copy grows as bytes come.
const RESERVE: usize = 16 * 1024;

/// Copies one body aside.
pub(crate) struct Copier {
    size: u64,
    path: Path,
    copy: Copy,
    share: Share,
    /// The text's charset, where it is not UTF-8.
    charset: Option<&'static Encoding>,
}

/// What happens to the next bytes.
enum Path {
    /// They are the content.
    Plain,
    /// They are unpacked first.
    Coded(Box<Chain>),
    /// They are counted only: the copy is full, and why.
    Full(Full),
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
    Full(Full),
}

/// Why a copy ends before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// It holds as much as one copy may.
    Cap,
    /// All copies together hold as much as they may.
    Memory,
    /// Unpacking it has cost as much as it may.
    Work,
}

impl Full {
    fn reason(self) -> Option<&'static str> {
        match self {
            Full::Cap => None,
            Full::Memory => Some("the copies of all bodies held as much as `body_copies_bytes` allows"),
            Full::Work => Some("it unpacks to more than 8 MiB"),
        }
    }
}

impl Copier {
    /// A copier for the body that belongs to this head; `cap` is the most
    /// bytes of content (and of a form's text) that it keeps.
    pub(crate) fn new(headers: &Headers, cap: usize, budget: &Budget) -> Copier {
        let mut share = budget.share();
        let content_type = headers.first("content-type").unwrap_or_default();
        let (copy, trouble) = match Multipart::for_type(content_type, cap) {
            None => {
                let announced = headers.first("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
                let reserve = cap.min(announced).min(RESERVE);
                let reserve = if reserve > 0 && share.draw(reserve) { reserve } else { 0 };
                (Copy::Content { bytes: Vec::with_capacity(reserve), cap }, None)
            }
            Some(Ok(parts)) => (Copy::Parts(Box::new(parts)), None),
            Some(Err(reason)) => (Copy::Content { bytes: Vec::new(), cap: 0 }, Some(reason)),
        };
        let path = match (trouble, Chain::for_headers(headers)) {
            (Some(reason), _) | (None, Err(reason)) => Path::Broken(reason),
            (None, Ok(None)) => Path::Plain,
            (None, Ok(Some(chain))) => Path::Coded(Box::new(chain)),
        };
        Copier { size: 0, path, copy, share, charset: charset::named(content_type) }
    }

    /// Takes the next bytes of the body (transfer coding undone).
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        let (copy, share) = (&mut self.copy, &mut self.share);
        let flow = match &mut self.path {
            Path::Plain => copy.take(bytes, share),
            Path::Coded(chain) => chain.push(bytes, share, &mut |content, share| copy.take(content, share)),
            Path::Full(_) | Path::Broken(_) => return,
        };
        let ended = match flow {
            Ok(Flow::More) => return,
            Ok(Flow::Full(full)) => Path::Full(full),
            Err(reason) => Path::Broken(reason),
        };
        if let Path::Coded(chain) = std::mem::replace(&mut self.path, ended) {
            self.share.give_back(chain.drawn());
        }
    }

    /// The copy. `whole` says whether the body came to its proper end.
    pub(crate) fn finish(self, whole: bool) -> Body {
        let Copier { size, path, copy, mut share, charset } = self;
        let mut body = Body { size, ..Body::default() };
        // The answer to a HEAD names a coding and has no byte of it.
        let nothing_came = size == 0 && matches!(copy, Copy::Content { .. });
        let ended = match path {
            Path::Broken(reason) if !nothing_came => Err(reason),
            Path::Full(full) => {
                body.cut_because = full.reason();
                Ok(false)
            }
            Path::Coded(chain) => {
                share.give_back(chain.drawn());
                if whole && !nothing_came { chain.finish().map(|()| true) } else { Ok(whole) }
            }
            _ => Ok(whole),
        };
        let seen = ended.and_then(|whole| match copy {
            Copy::Content { bytes, .. } => {
                body.content = match charset {
                    None => share.seal(bytes),
                    Some(charset) => share.seal(charset::as_utf8(&bytes, charset).into_bytes()),
                };
                Ok(whole)
            }
            Copy::Parts(multipart) => {
                let (parts, cut) = multipart.finish(whole)?;
                body.parts = parts;
                // The parts' memory is given back with the exchange, too.
                body.content = share.seal(Vec::new());
                body.cut_because = body.cut_because.or(cut.and_then(Full::reason));
                Ok(whole && cut.is_none())
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
    fn take(&mut self, content: &[u8], share: &mut Share) -> Result<Flow, String> {
        match self {
            Copy::Content { bytes, cap } => {
                let room = cap.saturating_sub(bytes.len());
                let wanted = content.get(..room).unwrap_or(content);
                Ok(if share.append(bytes, wanted, *cap) < wanted.len() {
                    Flow::Full(Full::Memory)
                } else if content.len() > room {
                    Flow::Full(Full::Cap)
                } else {
                    Flow::More
                })
            }
            Copy::Parts(multipart) => multipart.push(content, share),
        }
    }
}

#[cfg(test)]
mod tests;
