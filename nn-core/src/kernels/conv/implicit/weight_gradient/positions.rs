//! Which positions of a block meet which pixels, tap by tap.

use super::plan::Plan;
use std::ops::Range;

/// A position of the output, and the pixel of the input that it meets: both counted in the block.
#[derive(Clone, Copy)]
pub struct Place {
    pub pixel: u32,
    pub position: u32,
}

/// A strip of output rows of an image.
#[derive(Clone)]
pub struct Strip {
    pub image: usize,
    pub rows: Range<usize>,
}

impl Strip {
    /// The first row of the input that the strip sees; negative in the padding.
    pub fn top(&self, plan: &Plan) -> isize {
        (self.rows.start * plan.g.stride_h) as isize - plan.g.pad_top as isize
    }

    /// Where the first pixel that the strip sees is, or would be if it were not padding.
    pub fn first(&self, plan: &Plan, x: &[f32]) -> *const f32 {
        let image = x.as_ptr().wrapping_add(self.image * plan.g.input_len());
        image.wrapping_offset(self.top(plan) * (plan.g.in_w * plan.g.in_c) as isize)
    }

    /// The rows of the input that the strip sees.
    pub fn input<'a>(&self, plan: &Plan, x: &'a [f32]) -> &'a [f32] {
        let (seen, row) = (seen(plan, self), plan.g.in_w * plan.g.in_c);
        let first =
            self.image * plan.g.input_len() + (self.top(plan) + seen.start as isize) as usize * row;
        &x[first..first + seen.len() * row]
    }
}

/// A run of elements from the same pixels on: the sums of a register tile.
pub struct Run {
    /// The tap that decides which positions there are, or the row of taps.
    pub list: usize,
    /// The first element, counted from the pixel's first.
    pub offset: usize,
    /// The row of the panel's sums at which its sums begin.
    pub row: usize,
    /// Elements.
    pub len: usize,
}

/// The strips of a block of positions.
pub fn strips(plan: &Plan, block: usize) -> Vec<Strip> {
    let all = plan.g.batch * plan.strips;
    let of_block = block * plan.together..((block + 1) * plan.together).min(all);
    of_block
        .map(|strip| {
            let (image, top) = (strip / plan.strips, strip % plan.strips * plan.band);
            Strip { image, rows: top..(top + plan.band).min(plan.g.out_h) }
        })
        .collect()
}

/// The runs of a panel of `channels` channels, of at most `most` elements.
pub fn runs(plan: &Plan, channels: usize, most: usize) -> Vec<Run> {
    let (lists, len) = match plan.merged {
        true => (plan.g.kernel_h, plan.g.kernel_w * channels),
        false => (plan.g.taps(), channels),
    };
    let cuts = len.div_ceil(most);
    let run = |i: usize| {
        let (list, cut) = (i / cuts, i % cuts);
        let (from, to) = (cut * len / cuts, (cut + 1) * len / cuts);
        Run { list, offset: from, row: list * len + from, len: to - from }
    };
    (0..lists * cuts).map(run).collect()
}

/// The lists of places of a block.
#[derive(Default)]
pub struct Places {
    /// For each strip: its rows, and those of the input that it sees. Blocks for which they are the same
    /// have the same places.
    seen: Vec<(usize, Range<usize>)>,
    places: Vec<Place>,
    lists: Vec<Range<usize>>,
}

impl Places {
    /// Lists the places of a block.
    pub fn update(&mut self, plan: &Plan, strips: &[Strip]) {
        let seen = |strip: &Strip| (strip.rows.len(), self::seen(plan, strip));
        if strips.len() == self.seen.len() && strips.iter().map(seen).eq(self.seen.iter().cloned())
        {
            return;
        }
        self.seen = strips.iter().map(seen).collect();
        self.places.clear();
        self.lists.clear();
        let g = &plan.g;
        let ((pitch, origin), (down, step)) = (plan.columns(), plan.steps());
        let across = if plan.merged { 1 } else { g.kernel_w };
        for list in 0..g.kernel_h * across {
            let (ky, kx) = (list / across, list % across);
            let start = self.places.len();
            let left = (kx * g.dilation_w) as isize - g.pad_left as isize;
            let columns = match plan.merged {
                true => 0..g.out_w,
                false => inside(g.out_w, g.stride_w, left, g.in_w),
            };
            for (i, (rows, seen)) in self.seen.iter().enumerate() {
                for y in 0..*rows {
                    let row = (y * g.stride_h + ky * g.dilation_h) / down;
                    if !seen.contains(&row) {
                        continue;
                    }
                    let pixel = i * plan.pixels() + row * pitch;
                    let position = i * plan.positions() + y * g.out_w;
                    self.places.extend(columns.clone().map(|x| {
                        let column = ((x * g.stride_w) as isize + left - origin) as usize / step;
                        Place { pixel: (pixel + column) as u32, position: (position + x) as u32 }
                    }));
                }
            }
            self.lists.push(start..self.places.len());
        }
    }

    pub fn list(&self, list: usize) -> &[Place] {
        &self.places[self.lists[list].clone()]
    }
}

/// The rows of a strip's panels that lie in the image.
pub fn seen(plan: &Plan, strip: &Strip) -> Range<usize> {
    inside(plan.rows(), plan.steps().0, strip.top(plan), plan.g.in_h)
}

/// The positions of `0..count`, `stride` apart from `first` on, that lie in `0..size`.
pub fn inside(count: usize, stride: usize, first: isize, size: usize) -> Range<usize> {
    let before = |end: isize| ((end - first).max(0) as usize).div_ceil(stride).min(count);
    before(0)..before(size as isize)
}
