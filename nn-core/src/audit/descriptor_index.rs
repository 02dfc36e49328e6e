//! Finds descriptors that differ in few of their 128 bits, without comparing all with all.
//!
//! Each table files the descriptors by a few of their bits, drawn by a fixed seed from those that divide
//! the descriptors well and say different things; descriptors that agree in all of them meet. The number of
//! bits grows with the number of descriptors, so that a bucket holds a few of them, and a look-up takes about
//! the same time however many there are. Buckets of very many descriptors (a logo, a frame, a sky) tell nothing and are passed over.
//! Nothing is kept of a look-up, so memory is that of the tables.
//!
//! P. Indyk and R. Motwani, "Approximate nearest neighbors", 1998 (hashing by sampled bits).

use super::patch::Descriptor;
use crate::kernels::multiversion::{Multiversion, multiversion};
use crate::rng::Rng;
use rayon::prelude::*;

/// Hash tables: each is another chance for two descriptors to meet.
const TABLES: usize = 5;
/// Descriptors of a bucket beyond which it tells nothing.
const CROWD: usize = 160;
/// Descriptors that are looked at to see what their bits say.
const SAMPLE: usize = 1 << 12;
/// The share of descriptors in which a bit must be set, and unset, for a table to use it.
const DIVIDING: f64 = 0.2;
/// The correlation of two bits beyond which they say the same.
const CORRELATED: f64 = 0.25;
/// Of the 32 middle bits, kept in the table itself, those that may differ.
const GLANCE: u32 = 10;

/// Descriptors, filed.
pub struct DescriptorIndex<'a> {
    descriptors: &'a [Descriptor],
    tables: Vec<Table>,
}

struct Table {
    bits: Vec<u8>,
    /// Where each bucket starts in `entries`, and where the last one ends.
    starts: Vec<u32>,
    /// Numbers of descriptors, bucket by bucket and in order, each with its middle bits: most of those
    /// that are far need not be fetched.
    entries: Vec<(u32, u32)>,
}

impl<'a> DescriptorIndex<'a> {
    /// Files `descriptors`, of which there may be up to `u32::MAX`.
    pub fn new(descriptors: &'a [Descriptor]) -> Self {
        let bits = (usize::BITS - descriptors.len().leading_zeros()).clamp(8, 24) as usize;
        let sayings = sayings(descriptors);
        let table = |number: usize| Table::new(descriptors, chosen(&sayings, number as u64, bits));
        Self { descriptors, tables: (0..TABLES).into_par_iter().map(table).collect() }
    }

    /// Each filed descriptor, from number `from` on, that meets `descriptor` and differs in at most
    /// `distance` bits; some of them several times.
    pub fn near(&self, descriptor: Descriptor, distance: u32, from: usize) -> Vec<Near> {
        multiversion(LookUp { index: self, descriptor, distance, from })
    }
}

/// A filed descriptor that is near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    /// Its number.
    pub descriptor: u32,
    /// The number of bits that differ.
    pub distance: u32,
}

struct LookUp<'a> {
    index: &'a DescriptorIndex<'a>,
    descriptor: Descriptor,
    distance: u32,
    from: usize,
}

impl Multiversion for LookUp<'_> {
    type Output = Vec<Near>;

    #[inline(always)]
    fn run(self) -> Vec<Near> {
        let mut found = Vec::new();
        for table in &self.index.tables {
            let bucket = table.bucket(self.descriptor);
            if bucket.len() > CROWD {
                continue;
            }
            for &(i, middle) in bucket.iter().rev() {
                if (i as usize) < self.from {
                    break;
                }
                if (middle ^ middle_bits(self.descriptor)).count_ones() > GLANCE {
                    continue;
                }
                let distance = (self.index.descriptors[i as usize] ^ self.descriptor).count_ones();
                if distance <= self.distance {
                    found.push(Near { descriptor: i, distance });
                }
            }
        }
        found
    }
}

#[inline(always)]
fn middle_bits(descriptor: Descriptor) -> u32 {
    (descriptor >> 48) as u32
}

impl Table {
    fn new(descriptors: &[Descriptor], bits: Vec<u8>) -> Self {
        let keys = multiversion(Keys { descriptors, bits: &bits });
        let mut starts = vec![0_u32; (1 << bits.len()) + 1];
        for &key in &keys {
            starts[key as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); descriptors.len()];
        for (i, &key) in keys.iter().enumerate() {
            let place = &mut next[key as usize];
            entries[*place as usize] = (i as u32, middle_bits(descriptors[i]));
            *place += 1;
        }
        Self { bits, starts, entries }
    }

    #[inline(always)]
    fn bucket(&self, descriptor: Descriptor) -> &[(u32, u32)] {
        let key = key(descriptor, &self.bits) as usize;
        &self.entries[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

/// For each bit, in which descriptors of a sample it is set.
fn sayings(descriptors: &[Descriptor]) -> Vec<Vec<u64>> {
    let step = (descriptors.len() / SAMPLE).max(1);
    let sample: Vec<Descriptor> = descriptors.iter().copied().step_by(step).take(SAMPLE).collect();
    let words = |bit: usize| {
        let gather = |descriptors: &[Descriptor]| {
            let is_set = |descriptor: Descriptor| (descriptor >> bit) as u64 & 1;
            descriptors
                .iter()
                .enumerate()
                .fold(0, |word, (i, &descriptor)| word | (is_set(descriptor) << i))
        };
        sample.chunks(64).map(gather).collect()
    };
    (0..128).map(words).collect()
}

/// The bits that a table looks at: drawn ones that divide the sample and say different things, then,
/// if these are too few, any.
fn chosen(sayings: &[Vec<u64>], table: u64, bits: usize) -> Vec<u8> {
    let ones = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
    let n = (sayings[0].len() * 64).max(1) as f64;
    let share: Vec<f64> = sayings.iter().map(|words| f64::from(ones(words)) / n).collect();
    let correlation = |i: usize, j: usize| {
        let both: u32 = sayings[i].iter().zip(&sayings[j]).map(|(x, y)| (x & y).count_ones()).sum();
        let variance = share[i] * (1.0 - share[i]) * share[j] * (1.0 - share[j]);
        (f64::from(both) / n - share[i] * share[j]).abs() / variance.sqrt().max(1e-9)
    };
    let mut all: Vec<usize> = (0..128).collect();
    Rng::new(table, 0).shuffle(&mut all);
    let mut kept: Vec<usize> = Vec::new();
    let (mut spare, mut constant) = (Vec::new(), Vec::new());
    for bit in all {
        if !(DIVIDING..1.0 - DIVIDING).contains(&share[bit]) {
            constant.push(bit);
        } else if kept.iter().any(|&other| correlation(bit, other) > CORRELATED) {
            spare.push(bit);
        } else {
            kept.push(bit);
        }
    }
    kept.into_iter().chain(spare).chain(constant).take(bits).map(|bit| bit as u8).collect()
}

/// The bucket of each descriptor.
struct Keys<'a> {
    descriptors: &'a [Descriptor],
    bits: &'a [u8],
}

impl Multiversion for Keys<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run(self) -> Vec<u32> {
        let mut keys = vec![0; self.descriptors.len()];
        for (to, &descriptor) in keys.iter_mut().zip(self.descriptors) {
            *to = key(descriptor, self.bits);
        }
        keys
    }
}

#[inline(always)]
fn key(descriptor: Descriptor, bits: &[u8]) -> u32 {
    let halves = [descriptor as u64, (descriptor >> 64) as u64];
    bits.iter().fold(0, |key, &bit| {
        key << 1 | (halves[usize::from(bit >> 6) & 1] >> (bit & 63)) as u32 & 1
    })
}
