//! The frame of gzip (RFC 1952) around a deflate stream: header, members, checksum.

use flate2::{Crc, Decompress};

use super::coding::{Decode, INFLATER, Step, inflate_step};

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;
/// Bits that RFC 1952 §2.3.1 reserves.
const RESERVED: u8 = 0xe0;

/// A gzip stream being undone: one member after the other.
pub(super) struct Gzip {
    at: At,
    inflate: Box<Decompress>,
    crc: Crc,
}

/// Where in a member the next byte stands.
enum At {
    /// In the ten fixed bytes: how many there were, and the flags.
    Fixed { seen: usize, flags: u8 },
    /// In the optional fields: those that are left, in the order in which they stand.
    Optional { flags: u8, seen: usize, length: usize },
    /// In the deflate stream.
    Content,
    /// In the checksum and the length.
    Trailer { seen: usize, bytes: [u8; 8] },
}

impl Gzip {
    pub(super) fn new() -> Gzip {
        Gzip { at: At::Fixed { seen: 0, flags: 0 }, inflate: Box::new(Decompress::new(false)), crc: Crc::new() }
    }

    /// Takes one byte of the frame.
    fn frame(&mut self, byte: u8) -> Result<(), String> {
        match &mut self.at {
            At::Fixed { seen, flags } => {
                match (*seen, byte) {
                    (0, 0x1f) | (1, 0x8b) | (2, 8) | (4.., _) => {}
                    (3, bits) if bits & RESERVED == 0 => *flags = bits,
                    _ => return Err("not a gzip stream".to_owned()),
                }
                *seen += 1;
                if *seen == 10 {
                    let flags = *flags;
                    self.optional(flags);
                }
            }
            At::Optional { flags, seen, length } => {
                let left = *flags;
                *seen += 1;
                let (field, over) = if left & EXTRA != 0 {
                    match *seen {
                        1 => *length = usize::from(byte),
                        2 => *length |= usize::from(byte) << 8,
                        _ => {}
                    }
                    (EXTRA, *seen >= 2 && *seen - 2 == *length)
                } else if left & NAME != 0 {
                    (NAME, byte == 0)
                } else if left & COMMENT != 0 {
                    (COMMENT, byte == 0)
                } else {
                    (HEADER_CRC, *seen == 2)
                };
                if over {
                    self.optional(left & !field);
                }
            }
            At::Trailer { seen, bytes } => {
                if let Some(slot) = bytes.get_mut(*seen) {
                    *slot = byte;
                }
                *seen += 1;
                if *seen == bytes.len() {
                    let [a, b, c, d, e, f, g, h] = *bytes;
                    let right = u32::from_le_bytes([a, b, c, d]) == self.crc.sum()
                        && u32::from_le_bytes([e, f, g, h]) == self.crc.amount();
                    if !right {
                        return Err("wrong checksum".to_owned());
                    }
                    self.at = At::Fixed { seen: 0, flags: 0 };
                }
            }
            At::Content => {}
        }
        Ok(())
    }

    /// Goes on to the next optional field, or to the content behind them.
    fn optional(&mut self, flags: u8) {
        self.at = if flags & (EXTRA | NAME | COMMENT | HEADER_CRC) == 0 {
            self.inflate.reset(false);
            self.crc.reset();
            At::Content
        } else {
            At::Optional { flags, seen: 0, length: 0 }
        };
    }
}

impl Decode for Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        let mut read = 0;
        while !matches!(self.at, At::Content) {
            let Some(byte) = input.get(read) else { return Ok(Step { read, written: 0 }) };
            self.frame(*byte)?;
            read += 1;
        }
        let mut ended = false;
        let step = inflate_step(&mut self.inflate, &mut ended, input.get(read..).unwrap_or_default(), output)?;
        self.crc.update(output.get(..step.written).unwrap_or_default());
        if ended {
            self.at = At::Trailer { seen: 0, bytes: [0; 8] };
        }
        Ok(Step { read: read + step.read, written: step.written })
    }

    fn ended(&self) -> bool {
        matches!(self.at, At::Fixed { seen: 0, .. })
    }

    fn holds(&self) -> usize {
        INFLATER
    }
}
