//! Where a body ends: by its length, by its last chunk, or when the connection closes.

use super::chunked::Chunked;
use super::refusal::Refusal;

/// How a body is delimited, and how much of it has been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes are still to come; 0 is a body that is there in full, or none.
    Length(u64),
    Chunked(Chunked),
    /// Until the sender closes (replies and tunnels only).
    UntilClose,
}

impl Framing {
    pub(crate) const NONE: Framing = Framing::Length(0);

    /// Whether the whole body has been seen.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunked) => chunked.is_done(),
            Framing::UntilClose => false,
        }
    }

    /// Takes what has arrived: how many of `bytes` belong to this body. What is
    /// content (transfer coding undone) is shown to `content`. Bytes after the
    /// body's end are not touched.
    pub(crate) fn advance(&mut self, bytes: &[u8], content: &mut impl FnMut(&[u8])) -> Result<usize, Refusal> {
        match self {
            Framing::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if taken > 0 {
                    content(bytes.get(..taken).unwrap_or_default());
                }
                Ok(taken)
            }
            Framing::Chunked(chunked) => chunked.advance(bytes, content),
            Framing::UntilClose => {
                content(bytes);
                Ok(bytes.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All of `bytes` through the framing, cut at the given places.
    fn fed(mut framing: Framing, bytes: &[u8], cuts: &[usize]) -> (Result<usize, Refusal>, Vec<u8>, bool) {
        let mut content = Vec::new();
        let mut taken = 0;
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        for end in ends {
            if framing.is_done() {
                break;
            }
            match framing.advance(&bytes[taken..end.max(taken)], &mut |part| content.extend_from_slice(part)) {
                Ok(more) => taken += more,
                Err(reason) => return (Err(reason), content, false),
            }
        }
        (Ok(taken), content, framing.is_done())
    }

    fn chunked() -> Framing {
        Framing::Chunked(Chunked::default())
    }

    proptest! {
        #[test]
        fn a_chunked_body_cut_anywhere_is_the_body_uncut(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            trailers in proptest::collection::vec("X[A-Za-z]{1,8}: [ -~]{0,12}\r\n", 0..3),
            rest in proptest::collection::vec(any::<u8>(), 0..20),
            cuts in proptest::collection::vec(any::<usize>(), 0..12),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend(format!("{:x};a=\"b\"\r\n", chunk.len()).into_bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n");
            trailers.iter().for_each(|line| wire.extend(line.bytes()));
            wire.extend(b"\r\n");
            let length = wire.len();
            wire.extend(&rest);
            let (taken, content, done) = fed(chunked(), &wire, &cuts);
            prop_assert_eq!(taken, Ok(length));
            prop_assert!(done);
            prop_assert_eq!(content, chunks.concat());
        }

        #[test]
        fn arbitrary_bytes_end_alike_however_they_are_cut(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'1'), Just(b';'), Just(b':'), Just(b'a'), any::<u8>()], 0..60),
            cuts in proptest::collection::vec(any::<usize>(), 0..12),
        ) {
            let (whole, _, whole_done) = fed(chunked(), &bytes, &[]);
            let (cut, _, cut_done) = fed(chunked(), &bytes, &cuts);
            prop_assert_eq!(whole, cut);
            prop_assert_eq!(whole_done, cut_done);
        }

        #[test]
        fn a_length_takes_exactly_its_bytes(length in 0u64..80, bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let (taken, content, done) = fed(Framing::Length(length), &bytes, &[7, 13]);
            let expected = bytes.len().min(usize::try_from(length).unwrap());
            prop_assert_eq!(taken, Ok(expected));
            prop_assert_eq!(&content[..], &bytes[..expected]);
            prop_assert_eq!(done, length <= bytes.len() as u64);
        }
    }
}
