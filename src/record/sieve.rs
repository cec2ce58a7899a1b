//! A set of numbers in about ten bits each (a Bloom filter): it never denies
//! what it holds, and says yes by mistake about once in eighty times. Lets a
//! question for something rare skip a block without reading it.

/// Bits a number sets.
const PROBES: u64 = 4;
/// Bits of the set for each number.
const BITS: usize = 10;

/// Two numbers as one: what belongs together is asked for together.
pub(crate) fn pair(one: i64, other: i64) -> i64 {
    // Far from single numbers, which are small.
    (one.wrapping_mul(0x2127_599b_f432_5c37) ^ other).wrapping_mul(0x5851_f42d_4c95_7f2d) | i64::MIN
}

/// The set of `numbers`.
pub(crate) fn sieve(mut numbers: Vec<i64>) -> Vec<u8> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut bytes = vec![0; (numbers.len() * BITS).div_ceil(8).max(1)];
    for number in numbers {
        for place in places(number, bytes.len()) {
            if let Some(byte) = bytes.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
    }
    bytes
}

/// Whether the set of these bytes may hold a number.
pub(crate) fn may_hold(bytes: &[u8], number: i64) -> bool {
    places(number, bytes.len()).all(|place| bytes.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1))
}

fn places(number: i64, bytes: usize) -> impl Iterator<Item = usize> {
    const LOW: u64 = 0xffff_ffff;
    let bits = u64::try_from(bytes * 8).unwrap_or(0);
    let mixed = number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (start, step) = (mixed >> 32, mixed & LOW | 1);
    (0..PROBES).map(move |turn| usize::try_from((((start + turn * step) & LOW) * bits) >> 32).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_is_never_denied_and_most_of_the_rest_is() {
        for count in [0, 1, 3, 170, 1_000] {
            let bytes = sieve((0..count).map(|n| n * 37).collect());
            assert!((0..count).all(|n| may_hold(&bytes, n * 37)));
            let wrong = (0..10_000).filter(|n| may_hold(&bytes, 1_000_000 + n)).count();
            assert!(wrong < 500, "{wrong} of 10,000 with {count}");
        }
        assert!(!may_hold(&[], 1));
    }
}
