//! 256 events column by column: numbers packed as tightly as the block allows,
//! so that a question without an index of its own reads a few bytes an event.

use crate::record::canonical::Damaged;

/// Events of a block.
pub(crate) const SIZE: usize = 256;

/// The columns that are numbers of a dictionary, in stored order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Log,
    Category,
    Action,
    Outcome,
    Kind,
    Actor,
    Ip,
}

impl Column {
    pub(crate) const ALL: [Column; 7] =
        [Column::Log, Column::Category, Column::Action, Column::Outcome, Column::Kind, Column::Actor, Column::Ip];

    /// Where it stands among the stored columns.
    pub(crate) fn place(self) -> usize {
        Column::ALL.iter().position(|column| *column == self).unwrap_or(0)
    }
}

/// Appends numbers: how many, bytes each, the smallest, then each one's distance to it.
pub(crate) fn pack(numbers: &[i64], out: &mut Vec<u8>) {
    let base = numbers.iter().copied().min().unwrap_or(0);
    let most = numbers.iter().map(|number| number.abs_diff(base)).max().unwrap_or(0);
    let width = usize::try_from((64 - most.leading_zeros()).div_ceil(8)).unwrap_or(8);
    out.extend_from_slice(&u32::try_from(numbers.len()).expect("a block is small").to_le_bytes());
    out.push(u8::try_from(width).expect("at most eight"));
    out.extend_from_slice(&base.to_le_bytes());
    for number in numbers {
        out.extend(number.abs_diff(base).to_le_bytes().iter().take(width));
    }
}

/// The numbers of one packed column, and the bytes behind it.
pub(crate) struct Packed<'a> {
    base: i64,
    width: usize,
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Packed<'a> {
    /// Splits the first column off `bytes`.
    pub(crate) fn split(bytes: &'a [u8]) -> Result<(Packed<'a>, &'a [u8]), Damaged> {
        let (head, rest) = bytes.split_first_chunk::<13>().ok_or(Damaged)?;
        let [a, b, c, d, width, base @ ..] = *head;
        let count = usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(|_| Damaged)?;
        let width = usize::from(width);
        let (bytes, rest) = rest.split_at_checked(count * width).ok_or(Damaged)?;
        Ok((Packed { base: i64::from_le_bytes(base), width, bytes, count }, rest))
    }

    /// Column number `place` of several that stand behind each other.
    pub(crate) fn nth(mut bytes: &'a [u8], place: usize) -> Result<Packed<'a>, Damaged> {
        for _ in 0..place {
            bytes = Packed::split(bytes)?.1;
        }
        Ok(Packed::split(bytes)?.0)
    }

    /// Calls `each` with every number, in order.
    pub(crate) fn each(&self, mut each: impl FnMut(usize, i64)) {
        match self.width {
            0 => (0..self.count).for_each(|at| each(at, self.base)),
            1 => self.bytes.iter().enumerate().for_each(|(at, byte)| each(at, self.base + i64::from(*byte))),
            2 => self
                .bytes
                .as_chunks::<2>()
                .0
                .iter()
                .enumerate()
                .for_each(|(at, bytes)| each(at, self.base + i64::from(u16::from_le_bytes(*bytes)))),
            width => self.bytes.chunks_exact(width).enumerate().for_each(|(at, chunk)| {
                let mut bytes = [0; 8];
                bytes.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
                each(at, self.base.wrapping_add(i64::from_le_bytes(bytes)));
            }),
        }
    }

    /// Where one of `wanted` (ascending) stands.
    pub(crate) fn among(&self, wanted: &[i64]) -> Mask {
        let mut hits = Mask::NONE;
        let alone = if let [one] = wanted { Some(one.wrapping_sub(self.base)) } else { None };
        match (alone, self.width) {
            (Some(one), 1) => {
                let one = u8::try_from(one).ok();
                hits.set(self.bytes.iter().map(|other| Some(*other) == one));
            }
            (Some(one), 2) => {
                let one = u16::try_from(one).ok().map(u16::to_le_bytes);
                hits.set(self.bytes.as_chunks::<2>().0.iter().map(|other| Some(*other) == one));
            }
            _ => self.each(|at, number| {
                if wanted.binary_search(&number).is_ok() {
                    hits.add(at);
                }
            }),
        }
        hits
    }

    pub(crate) fn all(&self) -> Vec<i64> {
        let mut all = Vec::with_capacity(self.count);
        self.each(|_, number| all.push(number));
        all
    }
}

/// Some of a block's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mask([u64; SIZE / 64]);

impl Mask {
    pub(crate) const NONE: Mask = Mask([0; SIZE / 64]);

    /// The first `count`.
    pub(crate) fn first(count: usize) -> Mask {
        let mut mask = Mask::NONE;
        (0..count.min(SIZE)).for_each(|at| mask.add(at));
        mask
    }

    /// Adds, in order, the places that are said to be wanted.
    fn set(&mut self, wanted: impl Iterator<Item = bool>) {
        let mut wanted = wanted.fuse();
        for word in &mut self.0 {
            *word = wanted.by_ref().take(64).zip(0..).fold(0, |word, (wanted, at)| word | u64::from(wanted) << at);
        }
    }

    pub(crate) fn add(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    pub(crate) fn remove(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    pub(crate) fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Keeps what `other` has too.
    pub(crate) fn meet(&mut self, other: &Mask) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    /// Keeps what `other` has not.
    pub(crate) fn drop_all(&mut self, other: &Mask) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Its places, ascending.
    pub(crate) fn places(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..SIZE).filter(move |at| self.has(*at))
    }
}

/// One of 64 bits for a number of a dictionary.
pub(crate) fn bloom(number: i64) -> i64 {
    1 << (number.wrapping_mul(-0x61c8_8646_80b5_83eb).cast_unsigned() >> 58)
}

/// A short hash of a text that is compared exactly afterwards (FNV-1a).
pub(crate) fn short_hash(text: &str) -> i64 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(lists in prop::collection::vec(prop::collection::vec(any::<i64>(), 0..300), 1..4), shift in 0_u32..60) {
            let lists: Vec<Vec<i64>> = lists.into_iter().map(|list| list.into_iter().map(|n| n >> shift).collect()).collect();
            let mut bytes = Vec::new();
            lists.iter().for_each(|list| pack(list, &mut bytes));
            for (place, list) in lists.iter().enumerate() {
                prop_assert_eq!(&Packed::nth(&bytes, place).unwrap().all(), list);
            }
        }
    }

    proptest! {
        #[test]
        fn places_are_found_at_every_width(
            list in prop::collection::vec(any::<i64>(), 0..=SIZE), shift in 0_u32..64, some in prop::collection::vec(0..SIZE, 0..3)
        ) {
            let list: Vec<i64> = list.into_iter().map(|n| n >> shift).collect();
            let mut wanted: Vec<i64> = some.iter().filter_map(|at| list.get(*at).copied()).collect();
            wanted.push(7);
            wanted.sort_unstable();
            let mut bytes = Vec::new();
            pack(&list, &mut bytes);
            for wanted in [wanted.as_slice(), &wanted[..1]] {
                let found: Vec<usize> = Packed::nth(&bytes, 0).unwrap().among(wanted).places().collect();
                let all: Vec<usize> = (0..list.len()).filter(|at| wanted.contains(&list[*at])).collect();
                prop_assert_eq!(found, all);
            }
        }
    }

    #[test]
    fn a_cut_column_is_damaged() {
        let mut bytes = Vec::new();
        pack(&[1, 2, 300], &mut bytes);
        for end in 0..bytes.len() {
            assert!(Packed::nth(&bytes[..end], 0).is_err());
        }
    }
}
