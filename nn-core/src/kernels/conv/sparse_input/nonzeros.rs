//! The gradients of a band that are not zero, pixel by pixel of the feature map.

use super::TAPS;
use crate::kernels::pool::NO_ARGMAX;
use crate::kernels::simd::{MAX_LANES, Simd};
use crate::tensor::{Buffer, BufferPool};

/// The pixels under a window.
const PIXELS: usize = 4;

/// The nonzeros of a band of windows, for each part of the output channels by itself.
///
/// There is scratch memory for floating-point numbers only, so counts and places are the bits of some.
pub struct Nonzeros<'a> {
    /// For each part: how many are listed; how many there are at each pixel, window by window; their
    /// gradients in the same order; their places.
    memory: Buffer<f32>,
    windows: usize,
    channels: usize,
    /// Channels of a part; the last may have fewer.
    together: usize,
    scratch: &'a BufferPool<f32>,
}

impl<'a> Nonzeros<'a> {
    /// None yet, for a band of so many windows.
    pub fn new(
        windows: usize,
        channels: usize,
        together: usize,
        scratch: &'a BufferPool<f32>,
    ) -> Self {
        let memory = Buffer::new(Vec::new());
        let mut nonzeros = Self { memory, windows, channels, together, scratch };
        nonzeros.memory = scratch.scratch(channels.div_ceil(together) * nonzeros.part_len());
        nonzeros
    }

    /// Elements of a part's gradients, and of their places. A vector is written where as little as one
    /// number of it counts.
    fn list_len(&self) -> usize {
        self.windows * self.together + MAX_LANES
    }

    fn part_len(&self) -> usize {
        1 + self.windows * PIXELS + 2 * self.list_len()
    }

    /// Lists the nonzeros among the pooled gradients `dy` of the band.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    pub unsafe fn list<V: Simd>(&mut self, dy: &[f32], argmax: &[u8]) {
        let (windows, channels, together) = (self.windows, self.channels, self.together);
        let (part_len, list_len) = (self.part_len(), self.list_len());
        assert_eq!((dy.len(), argmax.len()), (windows * channels, windows * channels));
        let padded = channels.next_multiple_of(V::LANES);
        let mut scratch = self.scratch.scratch(padded + together.next_multiple_of(V::LANES));
        // Which pixel a window's gradient goes to, channel by channel; and the places of taps.
        let (pixels, of_channels) = scratch.split_at_mut(padded);
        for (channel, place) in of_channels.iter_mut().enumerate() {
            *place = f32::from_bits((channel * TAPS * V::LANES) as u32);
        }
        for window in 0..windows {
            let from = window * channels;
            let (dy, argmax) = (&dy[from..from + channels], &argmax[from..from + channels]);
            for channel in (0..channels).step_by(V::LANES) {
                // SAFETY: the caller promised the instructions.
                unsafe {
                    let zero = V::read(&dy[channel..]).equals(V::zero());
                    let nowhere = V::splat(f32::from(NO_ARGMAX));
                    let argmax = V::read_bytes(&argmax[channel..]);
                    V::select(zero, nowhere, argmax).write(&mut pixels[channel..]);
                }
            }
            let mut first = 0;
            for memory in self.memory.chunks_exact_mut(part_len) {
                let (head, lists) = memory.split_at_mut(1 + windows * PIXELS);
                let (listed_so_far, counts) = head.split_at_mut(1);
                let counts = &mut counts[window * PIXELS..][..PIXELS];
                let (gradients, places) = lists.split_at_mut(list_len);
                let last = channels.min(first + together);
                let mut listed = if window == 0 { 0 } else { listed_so_far[0].to_bits() as usize };
                for pixel in 0..PIXELS {
                    let before = listed;
                    for channel in (first..last).step_by(V::LANES) {
                        let (gradients, places) = (&mut gradients[listed..], &mut places[listed..]);
                        assert!(gradients.len() >= V::LANES && places.len() >= V::LANES);
                        // SAFETY: the caller promised the instructions; a vector has room, as asserted.
                        unsafe {
                            let here = V::read(&pixels[channel..]).equals(V::splat(pixel as f32));
                            V::read(&dy[channel..]).compress(here, gradients.as_mut_ptr());
                            let these = V::read(&of_channels[channel - first..]);
                            listed += these.compress(here, places.as_mut_ptr());
                        }
                    }
                    counts[pixel] = f32::from_bits((listed - before) as u32);
                }
                listed_so_far[0] = f32::from_bits(listed as u32);
                first = last;
            }
        }
    }

    /// The lists of a part, to be taken in the order of windows and pixels.
    #[inline(always)]
    pub fn of(&self, part: usize) -> Lists<'_> {
        let part = &self.memory[part * self.part_len()..][..self.part_len()];
        let (counts, lists) = part[1..].split_at(self.windows * PIXELS);
        let (gradients, places) = lists.split_at(self.list_len());
        Lists { counts, gradients, places }
    }
}

/// The lists of one part that are not taken yet.
pub struct Lists<'a> {
    counts: &'a [f32],
    gradients: &'a [f32],
    places: &'a [f32],
}

impl<'a> Lists<'a> {
    /// Takes the next.
    #[inline(always)]
    pub fn take(&mut self) -> List<'a> {
        let count = match self.counts.split_first() {
            Some((count, counts)) => {
                self.counts = counts;
                count.to_bits() as usize
            }
            None => 0,
        };
        let (gradients, after) = self.gradients.split_at(count);
        self.gradients = after;
        let (places, after) = self.places.split_at(count);
        self.places = after;
        List { gradients, places }
    }
}

/// The nonzeros at one pixel, in the order of their channels.
pub struct List<'a> {
    /// The gradients.
    pub gradients: &'a [f32],
    /// As many places of taps among those of the part, as bits.
    pub places: &'a [f32],
}
