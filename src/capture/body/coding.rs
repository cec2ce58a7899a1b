//! Undoes `Content-Encoding` (RFC 9110 §8.4) step by step: bytes in, bytes out.
//!
//! gzip, x-gzip, deflate (zlib as the RFC says, raw as some send), br and
//! zstd, several in a row. Windows are those of the coding's own RFC (16 MiB
//! for br, 8 MiB for zstd by RFC 9659) and no more, and are drawn from the
//! memory of all copies; a stage that gives back more than [`RATIO`] times what
//! it was fed is refused, and all stages of a body give back at most [`WORK`]:
//! unpacking happens on the thread that forwards.

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::budget::Share;
use super::gzip::Gzip;
use super::{Flow, Full};
use crate::exchange::Headers;

/// Codings that one body may carry; nobody sends more than two.
const MOST_STAGES: usize = 4;
/// Times its input that a stage may give back, beyond [`FREE`].
const RATIO: u64 = 200;
/// Bytes that a stage may give back whatever it was fed. Costs about a millisecond.
const FREE: u64 = 1024 * 1024;
/// Bytes that all stages of one body may give back together. Costs about 20 ms.
const WORK: u64 = 8 * 1024 * 1024;
/// What an inflater holds: its window and its tables, in bytes.
pub(super) const INFLATER: usize = 48 * 1024;
/// What a brotli decoder holds beside its window: tables, about so many bytes.
const BROTLI: usize = 64 * 1024;
/// Bytes unpacked at a time; on the stack, once for each stage.
const STEP: usize = 8 * 1024;
/// RFC 9659 §3: a zstd content coding needs no window beyond 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// The stages that turn the bytes on the wire into the content, outermost first.
pub(super) struct Chain {
    stages: Vec<Stage>,
    /// Bytes that all stages gave back.
    work: u64,
}

/// Takes content, and draws the memory for it.
type Take<'a> = &'a mut dyn FnMut(&[u8], &mut Share) -> Result<Flow, String>;

/// One coding being undone.
struct Stage {
    name: &'static str,
    decode: Box<dyn Decode + Send>,
    fed: u64,
    given: u64,
    /// Memory that was drawn for the decoder.
    drawn: usize,
}

/// What one step of a decoder did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// Bytes of the input that are used up.
    pub(super) read: usize,
    /// Bytes of the output that are filled.
    pub(super) written: usize,
}

/// A decoder that works in steps.
pub(super) trait Decode {
    /// Uses up some of the input and fills some of the output. No progress means: more input, or the end.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String>;

    /// Whether the coding ended where the input did.
    fn ended(&self) -> bool;

    /// The memory that it holds now, in bytes.
    fn holds(&self) -> usize;
}

impl Chain {
    /// The chain for a head, `None` where nothing was encoded, or why it cannot be undone.
    pub(super) fn for_headers(headers: &Headers) -> Result<Option<Chain>, String> {
        let mut stages = Vec::new();
        for (_, value) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-encoding")) {
            let value = std::str::from_utf8(value).map_err(|_| "a content coding that is not text".to_owned())?;
            for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                if !name.eq_ignore_ascii_case("identity") {
                    stages.push(Stage::named(name)?);
                }
            }
        }
        if stages.len() > MOST_STAGES {
            return Err(format!("{} content codings, at most {MOST_STAGES} are undone", stages.len()));
        }
        // Listed in the order in which they were applied, so the last one is undone first.
        stages.reverse();
        Ok((!stages.is_empty()).then_some(Chain { stages, work: 0 }))
    }

    /// Undoes the next bytes and hands the content on, until `take` is full.
    pub(super) fn push(&mut self, bytes: &[u8], share: &mut Share, take: Take<'_>) -> Result<Flow, String> {
        drive(&mut self.stages, &mut self.work, share, bytes, take)
    }

    /// Memory that was drawn for all decoders.
    pub(super) fn drawn(&self) -> usize {
        self.stages.iter().map(|stage| stage.drawn).sum()
    }

    /// Checks that every stage came to its end.
    pub(super) fn finish(&self) -> Result<(), String> {
        match self.stages.iter().find(|stage| !stage.decode.ended()) {
            Some(stage) => Err(format!("{}: ends too early", stage.name)),
            None => Ok(()),
        }
    }
}

fn drive(
    stages: &mut [Stage],
    work: &mut u64,
    share: &mut Share,
    mut input: &[u8],
    take: Take<'_>,
) -> Result<Flow, String> {
    let Some((stage, rest)) = stages.split_first_mut() else { return take(input, share) };
    let mut output = [0; STEP];
    stage.fed = stage.fed.saturating_add(input.len() as u64);
    loop {
        let step = stage.decode.step(input, &mut output).map_err(|why| format!("{}: {why}", stage.name))?;
        input = input.get(step.read..).unwrap_or_default();
        if !stage.draw(share) {
            return Ok(Flow::Full(Full::Memory));
        }
        if step.written > 0 {
            stage.given = stage.given.saturating_add(step.written as u64);
            *work = work.saturating_add(step.written as u64);
            if stage.given > FREE.saturating_add(stage.fed.saturating_mul(RATIO)) {
                return Err(format!("{}: unpacks to more than {RATIO} times its size", stage.name));
            }
            if *work > WORK {
                return Ok(Flow::Full(Full::Work));
            }
            let content = output.get(..step.written).unwrap_or_default();
            if let full @ Flow::Full(_) = drive(rest, work, share, content, take)? {
                return Ok(full);
            }
        } else if step.read == 0 {
            if input.is_empty() {
                return Ok(Flow::More);
            }
            return Err(format!("{}: bytes behind its end", stage.name));
        }
    }
}

impl Stage {
    fn named(name: &str) -> Result<Stage, String> {
        let (name, decode): (&'static str, Box<dyn Decode + Send>) = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => ("gzip", Box::new(Gzip::new())),
            "deflate" => ("deflate", Box::new(Deflate { inflate: None, ended: false })),
            "br" => ("br", Box::new(Brotli::new())),
            "zstd" => ("zstd", Box::new(Zstd::new()?)),
            other if other.len() <= 16 && other.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
                return Err(format!("content coding `{other}` is not known"));
            }
            _ => return Err("a content coding that is not known".to_owned()),
        };
        Ok(Stage { name, decode, fed: 0, given: 0, drawn: 0 })
    }

    /// Draws what the decoder has come to hold; one that may not is dropped at once.
    fn draw(&mut self, share: &mut Share) -> bool {
        let more = self.decode.holds().saturating_sub(self.drawn);
        if more > 0 {
            if !share.draw(more) {
                return false;
            }
            self.drawn += more;
        }
        true
    }
}

/// zlib (RFC 1950), or raw deflate (RFC 1951) from those who read "deflate" literally.
struct Deflate {
    inflate: Option<Decompress>,
    ended: bool,
}

impl Decode for Deflate {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        let Some(first) = input.first() else {
            return match &mut self.inflate {
                Some(inflate) if !self.ended => inflate_step(inflate, &mut self.ended, input, output),
                _ => Ok(Step::default()),
            };
        };
        if self.ended {
            return Ok(Step::default());
        }
        // A zlib stream begins with the method 8 and a window of at most 32 KiB. Of raw streams only one that
        // begins with a stored block whose padding is not zero could look like it, and no encoder writes that.
        let zlib = first & 0x0f == 8 && first >> 4 <= 7;
        let inflate = self.inflate.get_or_insert_with(|| Decompress::new(zlib));
        inflate_step(inflate, &mut self.ended, input, output)
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn holds(&self) -> usize {
        if self.inflate.is_some() { INFLATER } else { 0 }
    }
}

/// One step of an inflater, shared by deflate and gzip.
pub(super) fn inflate_step(
    inflate: &mut Decompress,
    ended: &mut bool,
    input: &[u8],
    output: &mut [u8],
) -> Result<Step, String> {
    let (read, written) = (inflate.total_in(), inflate.total_out());
    let status =
        inflate.decompress(input, output, FlushDecompress::None).map_err(|_| "corrupt deflate stream".to_owned())?;
    *ended = status == Status::StreamEnd;
    // Differences of what fits in two slices.
    Ok(Step {
        read: usize::try_from(inflate.total_in() - read).unwrap_or(usize::MAX),
        written: usize::try_from(inflate.total_out() - written).unwrap_or(usize::MAX),
    })
}

/// Brotli (RFC 7932), without the large-window extension.
struct Brotli {
    state: Box<BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>>,
    ended: bool,
}

impl Brotli {
    fn new() -> Brotli {
        let huffman = HeapAlloc::new(HuffmanCode::default());
        let state = BrotliState::new_strict(HeapAlloc::new(0), HeapAlloc::new(0), huffman);
        Brotli { state: Box::new(state), ended: false }
    }
}

impl Decode for Brotli {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        if self.ended {
            return Ok(Step::default());
        }
        let (mut left, mut room) = (input.len(), output.len());
        let (mut step, mut total) = (Step::default(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut step.read,
            input,
            &mut room,
            &mut step.written,
            output,
            &mut total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultFailure => return Err("corrupt stream".to_owned()),
            BrotliResult::ResultSuccess => self.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        Ok(step)
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn holds(&self) -> usize {
        // The window is there once its size is known.
        BROTLI.saturating_add(usize::try_from(self.state.ringbuffer_size).unwrap_or_default())
    }
}

/// Zstandard (RFC 8878), one frame or several.
struct Zstd {
    context: DCtx<'static>,
    ended: bool,
}

impl Zstd {
    fn new() -> Result<Zstd, String> {
        let mut context = DCtx::try_create().ok_or_else(|| "zstd: no memory for a decoder".to_owned())?;
        context
            .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
            .map_err(|_| "zstd: the window cannot be bounded".to_owned())?;
        Ok(Zstd { context, ended: false })
    }
}

impl Decode for Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        // At the end of a frame a call without input would begin the next one.
        if self.ended && input.is_empty() {
            return Ok(Step::default());
        }
        let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
        let left = self
            .context
            .decompress_stream(&mut to, &mut from)
            .map_err(|_| "corrupt or too wide a stream".to_owned())?;
        let step = Step { read: from.pos(), written: to.pos() };
        if step.read > 0 || step.written > 0 {
            self.ended = left == 0;
        }
        Ok(step)
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn holds(&self) -> usize {
        self.context.sizeof()
    }
}
