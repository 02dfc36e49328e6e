//! The nonzero gradients of a band, listed by pixel of the feature map.

use crate::kernels::pool::NO_ARGMAX;
use crate::kernels::simd::{MAX_LANES, Simd};
use crate::tensor::{Buffer, BufferPool, Scratch};

/// The pixels of a window.
const PIXELS: usize = 4;

/// The nonzeros of a band of windows, separately for each part of the output channels.
pub struct Nonzeros<'a> {
    /// For each part, the number of nonzeros at each pixel, window by window.
    counts: Scratch<u32>,
    /// For each part, the gradients in the same order.
    gradients: Buffer<f32>,
    /// For each part, the offsets of their taps, in the same order.
    places: Scratch<u32>,
    windows: usize,
    channels: usize,
    /// Taps of the kernel.
    taps: usize,
    /// Channels per part; the last may have fewer.
    together: usize,
    scratch: &'a BufferPool<f32>,
}

impl<'a> Nonzeros<'a> {
    /// Empty lists for a band of `windows` windows.
    pub fn new(
        windows: usize,
        channels: usize,
        taps: usize,
        together: usize,
        scratch: &'a BufferPool<f32>,
    ) -> Self {
        let parts = channels.div_ceil(together);
        let list_len = parts * list_len(windows, together);
        Self {
            counts: scratch.scratch_of(parts * windows * PIXELS),
            gradients: scratch.scratch(list_len),
            places: scratch.scratch_of(list_len),
            windows,
            channels,
            taps,
            together,
            scratch,
        }
    }

    /// Lists the nonzeros among the pooled gradients `dy` of the band.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    pub unsafe fn list<V: Simd>(&mut self, dy: &[f32], argmax: &[u8]) {
        let (windows, channels, together) = (self.windows, self.channels, self.together);
        let list_len = list_len(windows, together);
        assert_eq!((dy.len(), argmax.len()), (windows * channels, windows * channels));
        // For each channel, the pixel to which the window's gradient goes, and the offset of its taps.
        let mut pixels = self.scratch.scratch(channels.next_multiple_of(V::LANES));
        let mut taps = self.scratch.scratch_of::<u32>(together.next_multiple_of(V::LANES));
        for (channel, place) in taps.iter_mut().enumerate() {
            *place = (channel * self.taps * V::LANES) as u32;
        }
        let (pixels, taps) = (&mut *pixels, &*taps);
        let mut listed_so_far = self.scratch.scratch_of::<u32>(channels.div_ceil(together));
        listed_so_far.fill(0);
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
            for (part, listed_so_far) in listed_so_far.iter_mut().enumerate() {
                let counts = &mut self.counts[(part * windows + window) * PIXELS..][..PIXELS];
                let gradients = &mut self.gradients[part * list_len..][..list_len];
                let places = &mut self.places[part * list_len..][..list_len];
                let last = channels.min(first + together);
                let mut listed = *listed_so_far as usize;
                for pixel in 0..PIXELS {
                    let before = listed;
                    for channel in (first..last).step_by(V::LANES) {
                        let (gradients, places) = (&mut gradients[listed..], &mut places[listed..]);
                        assert!(gradients.len() >= V::LANES && places.len() >= V::LANES);
                        // SAFETY: the caller promised the instructions; a vector has room, as asserted.
                        unsafe {
                            let here = V::read(&pixels[channel..]).equals(V::splat(pixel as f32));
                            V::read(&dy[channel..]).compress(here, gradients.as_mut_ptr());
                            let these = &taps[channel - first..];
                            listed += V::compress_u32(these, here, places.as_mut_ptr());
                        }
                    }
                    counts[pixel] = (listed - before) as u32;
                }
                *listed_so_far = listed as u32;
                first = last;
            }
        }
    }

    /// The lists of a part, in the order of windows and pixels.
    #[inline(always)]
    pub fn of(&self, part: usize) -> Lists<'_> {
        let (counts, list) = (self.windows * PIXELS, list_len(self.windows, self.together));
        Lists {
            counts: &self.counts[part * counts..][..counts],
            gradients: &self.gradients[part * list..][..list],
            places: &self.places[part * list..][..list],
        }
    }
}

/// Capacity for a part's gradients. A whole vector is written even if only one of its numbers is
/// listed.
fn list_len(windows: usize, together: usize) -> usize {
    windows * together + MAX_LANES
}

/// The remaining lists of one part.
pub struct Lists<'a> {
    counts: &'a [u32],
    gradients: &'a [f32],
    places: &'a [u32],
}

impl<'a> Lists<'a> {
    /// Takes the next list.
    #[inline(always)]
    pub fn take(&mut self) -> List<'a> {
        let count = match self.counts.split_first() {
            Some((count, counts)) => {
                self.counts = counts;
                *count as usize
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
    /// The offsets of their taps within the part's taps.
    pub places: &'a [u32],
}
