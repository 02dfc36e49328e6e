//! Convolutions one behind the other, without the maps between them (depth first).
//!
//! A task computes some rows of the last map, a few at a time. Each such step computes of every map before
//! the rows that the next map sees and the last step has not left. So what lies between two convolutions stays in
//! a core's cache and is never whole. Rows are computed twice only where two tasks meet, and only as many as the
//! kernels overlap: none for pointwise convolutions. Every row has the bits that its convolution alone gives it.
//!
//! Alwani, Chen, Ferdman, Milder: Fused-Layer CNN Accelerators, MICRO 2016,
//! <https://doi.org/10.1109/MICRO.2016.7783725>.

use super::{Bounds, ByRows, Conv2dForward, Output};
use crate::kernels::functions::Function;
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::pairs::Pair;
use crate::kernels::{Kernels, parallel};
use crate::tensor::{Buffer, BufferPool};
use std::ops::Range;

/// Approximate number of elements of the rows of all maps that a step holds.
const CACHED: usize = 96 << 10;

/// The most elements of all weights together: every step reads them, so they should stay in the cache beside the rows.
const MAX_WEIGHTS: usize = 128 << 10;

/// The fewest tasks that are wanted, and the fewest that will do.
const WANTED_TASKS: usize = 8;
const FEWEST_TASKS: usize = 4;

/// Minimum number of pixels of the last map in a task.
const MIN_PIXELS: usize = 48;

/// A convolution of a chain, and what is done to its output.
pub struct Link<'a, T: Kernels> {
    /// The convolution's sizes.
    pub geometry: Conv2dGeometry,
    /// The kernel that computes it.
    pub kernel: &'static dyn Conv2dForward<T>,
    /// The weights, [packed](Conv2dForward::pack) if the kernel packs them.
    pub weights: &'a [T],
    /// One number per output channel.
    pub bias: Option<&'a [T]>,
    /// The bounds of the output.
    pub bounds: Bounds<T>,
    /// A function that is applied to the output.
    pub function: Option<Function>,
    /// A map of the output's size that the output is then combined with.
    pub other: Option<(Pair, &'a [T])>,
}

impl<'a, T: Kernels> Link<'a, T> {
    fn by_rows(&self) -> Option<Box<ByRows<'a, T>>> {
        self.kernel.by_rows(&self.geometry, self.weights, self.bias, (self.bounds, self.function))
    }

    /// Computes the whole map.
    fn forward(&self, x: &[T], y: &mut [T], scratch: &BufferPool<T>) {
        let out = Output::Dense { y: &mut *y, bounds: self.bounds, function: self.function };
        self.kernel.forward_packed(&self.geometry, x, self.weights, self.bias, out, scratch);
        if self.other.is_some() {
            parallel::for_each_piece(y, |start, y| self.combine(start, y));
        }
    }

    /// Combines the output from element `start` on with the other map.
    fn combine(&self, start: usize, y: &mut [T]) {
        if let Some((pair, other)) = self.other {
            (T::pairs().update)(pair, y, &other[start..start + y.len()]);
        }
    }

    /// Elements of a row of the output.
    fn row(&self) -> usize {
        self.geometry.out_w * self.geometry.out_c
    }
}

/// Links that are computed together.
pub struct Chain<'l, 'a, T: Kernels> {
    links: &'l [Link<'a, T>],
    /// How each link is computed by rows, and how they are cut; none for a link by itself.
    by_rows: Option<(Vec<Box<ByRows<'a, T>>>, Cut)>,
}

impl<'l, 'a, T: Kernels> Chain<'l, 'a, T> {
    /// The first of `links`, with as many of those behind it as are worth computing together.
    pub fn beginning(links: &'l [Link<'a, T>]) -> Self {
        let mut longest = Cut::longest(links);
        let wanted = longest.as_ref().map_or(0, |(len, _)| *len);
        let mut by_rows: Vec<_> = links[..wanted].iter().map_while(Link::by_rows).collect();
        if by_rows.len() < wanted {
            longest = Cut::longest(&links[..by_rows.len()]);
        }
        let Some((len, cut)) = longest else {
            return Self { links: &links[..1], by_rows: None };
        };
        by_rows.truncate(len);
        Self { links: &links[..len], by_rows: Some((by_rows, cut)) }
    }

    /// The number of links.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Writes the output of the last link, for a batch `x`, to `y`.
    pub fn forward(&self, x: &[T], y: &mut [T], scratch: &BufferPool<T>) {
        let (first, last) = (&self.links[0], &self.links[self.len() - 1]);
        let Some((by_rows, cut)) = &self.by_rows else { return first.forward(x, y, scratch) };
        let (image, row) = (last.geometry.output_len(), last.row());
        parallel::for_each_tile(y, image, cut.task * row, |n, i, y| {
            let x = &x[n * first.geometry.input_len()..][..first.geometry.input_len()];
            let top = i * cut.task;
            let mut task = Task::new(self.links, by_rows, cut.step, scratch);
            for (i, y) in y.chunks_mut(cut.step * row).enumerate() {
                let first = top + i * cut.step;
                task.step((n, x), first..first + y.len() / row, y);
            }
        });
    }
}

/// What a task keeps between its steps.
struct Task<'t, 'a, T: Kernels> {
    links: &'t [Link<'a, T>],
    by_rows: &'t [Box<ByRows<'a, T>>],
    scratch: &'t BufferPool<T>,
    /// Rows of the maps of all links but the last.
    maps: Vec<Rows<T>>,
}

impl<'t, 'a, T: Kernels> Task<'t, 'a, T> {
    fn new(
        links: &'t [Link<'a, T>],
        by_rows: &'t [Box<ByRows<'a, T>>],
        step: usize,
        scratch: &'t BufferPool<T>,
    ) -> Self {
        let most = most_rows(links, step);
        let maps = links.iter().zip(&most[1..]).take(links.len() - 1);
        let maps = maps.map(|(link, rows)| Rows {
            held: 0..0,
            row: link.row(),
            buffer: scratch.scratch(rows * link.row()),
        });
        Self { links, by_rows, scratch, maps: maps.collect() }
    }

    /// Writes some rows of image `n` of the last map to `y`: those behind the last step's.
    fn step(&mut self, (n, x): (usize, &[T]), rows: Range<usize>, y: &mut [T]) {
        let mut needed = vec![rows];
        for link in self.links[1..].iter().rev() {
            needed.push(link.geometry.rows_seen(&needed[needed.len() - 1]));
        }
        for (i, (link, by_rows)) in self.links.iter().zip(self.by_rows).enumerate() {
            let needed = needed[self.links.len() - 1 - i].clone();
            let (before, own) = self.maps.split_at_mut(i);
            let (rows, y) = match own.first_mut() {
                Some(map) => map.advance(needed),
                None => (needed, &mut *y),
            };
            if y.is_empty() {
                continue; // the last step left all that the next map sees
            }
            let (g, seen) = (&link.geometry, link.geometry.rows_seen(&rows));
            let x = match before.last() {
                Some(map) => map.get(&seen),
                None => g.input_rows(x, &seen),
            };
            let start = n * g.output_len() + rows.start * link.row();
            by_rows(rows, x, y, self.scratch);
            link.combine(start, y);
        }
    }
}

/// Some rows of a map.
struct Rows<T: Kernels> {
    held: Range<usize>,
    /// Elements of a row.
    row: usize,
    /// The rows, from the first on.
    buffer: Buffer<T>,
}

impl<T: Kernels> Rows<T> {
    /// Makes place for the rows `needed`, of which none comes before those held: those that are missing, and where
    /// they belong.
    fn advance(&mut self, needed: Range<usize>) -> (Range<usize>, &mut [T]) {
        let kept = needed.start.max(self.held.start)..self.held.end;
        let mut missing = needed.clone();
        if !kept.is_empty() {
            let at = (kept.start - self.held.start) * self.row;
            self.buffer.copy_within(at..at + kept.len() * self.row, 0);
            missing.start = kept.end.min(needed.end);
        }
        self.held = needed;
        let at = (missing.start - self.held.start) * self.row;
        let len = missing.len() * self.row;
        (missing, &mut self.buffer[at..at + len])
    }

    /// Rows of those held; none where nothing but padding is seen.
    fn get(&self, rows: &Range<usize>) -> &[T] {
        if rows.is_empty() {
            return &[];
        }
        let at = |row: usize| (row - self.held.start) * self.row;
        &self.buffer[at(rows.start)..at(rows.end)]
    }
}

/// How the rows of the last map are cut.
struct Cut {
    /// Rows of a task.
    task: usize,
    /// Rows of a step.
    step: usize,
}

impl Cut {
    /// The number of links that are worth computing together, from the first on, and their cut. One by itself is if
    /// its output is combined with another map.
    fn longest<T: Kernels>(links: &[Link<'_, T>]) -> Option<(usize, Self)> {
        let mut longest = None;
        for len in 1..=links.len() {
            match Self::of(&links[..len]) {
                Some(cut) if len > 1 || links[0].other.is_some() => longest = Some((len, cut)),
                None if len > 1 => break,
                // The first may be one to begin with.
                _ => {}
            }
        }
        longest
    }

    /// By sizes alone, so that times follow from them as well. `None` where the maps are better computed one after
    /// the other.
    fn of<T: Kernels>(links: &[Link<'_, T>]) -> Option<Self> {
        let last = &links.last()?.geometry;
        let (rows, width) = (last.out_h, last.out_w);
        let weights: usize = links.iter().map(|link| link.geometry.weight_len()).sum();
        if weights > MAX_WEIGHTS || rows * width == 0 {
            return None;
        }
        let task = [WANTED_TASKS, FEWEST_TASKS].into_iter().find_map(|tasks| {
            let task = (last.batch * rows).div_ceil(tasks).clamp(1, rows);
            let task = rows.div_ceil(rows.div_ceil(task));
            let are_enough = last.batch * rows.div_ceil(task) >= FEWEST_TASKS;
            let pays = are_enough && task * width >= MIN_PIXELS && repeats_little(links, task);
            pays.then_some(task)
        })?;
        let elements = |step| {
            let most = most_rows(links, step);
            let input = most[0] * links[0].geometry.in_w * links[0].geometry.in_c;
            links.iter().zip(&most[1..]).map(|(link, rows)| rows * link.row()).sum::<usize>()
                + input
        };
        let least = MIN_PIXELS.div_ceil(width).min(task);
        // The most rows that fit, or as few as make enough pixels.
        let mut step = least;
        while step < task && elements(step + 1) <= CACHED {
            step += 1;
        }
        Some(Self { task, step: task.div_ceil(task.div_ceil(step)) })
    }
}

/// Whether tasks of so many rows compute at most an eighth more products than the whole maps need.
fn repeats_little<T: Kernels>(links: &[Link<'_, T>], task: usize) -> bool {
    let products = |link: &Link<'_, T>, rows: usize| {
        rows as u64 * link.row() as u64 * link.geometry.patch_len() as u64
    };
    let Some(last) = links.last() else { return true };
    let (whole, mut all) =
        (links.iter().map(|link| products(link, link.geometry.out_h)).sum::<u64>(), 0);
    for first in (0..last.geometry.out_h).step_by(task) {
        let mut rows = first..(first + task).min(last.geometry.out_h);
        for link in links.iter().rev() {
            all += products(link, rows.len());
            rows = link.geometry.rows_seen(&rows);
        }
    }
    all - whole.min(all) <= whole / 8
}

/// The most rows that `step` rows of the last map need, of the input and of each link's output.
fn most_rows<T: Kernels>(links: &[Link<'_, T>], step: usize) -> Vec<usize> {
    let mut most = vec![step];
    for link in links.iter().rev() {
        let (g, rows) = (&link.geometry, most[most.len() - 1]);
        most.push((rows.saturating_sub(1) * g.stride_h + g.extent_h()).min(g.in_h));
    }
    most.reverse();
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::Conv2dKernels;
    use crate::kernels::{Conv2dOptions, Isa, Padding, Tables, isa};

    /// The numbers of links computed together, of convolutions of images of `size` pixels a side: kernel, stride,
    /// groups and output channels.
    fn together(batch: usize, size: usize, channels: usize, convs: &[[usize; 4]]) -> Vec<usize> {
        let Conv2dKernels { forward, .. } = f32::conv2d();
        let allowed = |isa: Isa| isa::allowed().contains(isa);
        let mut dims = [batch, size, size, channels];
        let links = convs.iter().map(|&[kernel, stride, groups, out]| {
            let padding = Padding::symmetric(kernel / 2);
            let options = Conv2dOptions::new().stride(stride).groups(groups).padding(padding);
            let weight = [out, dims[3] / groups, kernel, kernel];
            let geometry = Conv2dGeometry::new(&dims, &weight, options).unwrap();
            dims = geometry.output_dims();
            // As on a machine whose vectors have all kernels.
            let name = if groups > 1 { "depthwise-" } else { "implicit-" };
            let kernel = forward
                .iter()
                .find(|kernel| kernel.name().starts_with(name) && allowed(kernel.isa()));
            let (kernel, bounds) = (*kernel.unwrap(), Bounds::none());
            let (bias, function, other) = (None, None, None);
            Link { geometry, kernel, weights: &[], bias, bounds, function, other }
        });
        let links: Vec<_> = links.collect();
        let (mut lens, mut done) = (Vec::new(), 0);
        while done < links.len() {
            lens.push(Chain::beginning(&links[done..]).len());
            done += lens[lens.len() - 1];
        }
        lens
    }

    #[test]
    fn what_is_computed_together() {
        let pointwise = [256, 64, 256, 64].map(|out| [1, 1, 1, out]);
        assert_eq!(together(8, 56, 64, &pointwise), [4]);
        assert_eq!(together(1, 56, 64, &pointwise), [4]);
        // Too few pixels for tasks of their own.
        assert_eq!(together(1, 7, 64, &pointwise), [1; 4]);
        let inverted =
            |hidden, stride, out| [[1, 1, 1, hidden], [3, stride, hidden, hidden], [1, 1, 1, out]];
        assert_eq!(together(4, 56, 24, &inverted(144, 1, 24)), [3]);
        assert_eq!(together(4, 56, 24, &inverted(144, 2, 32)), [3]);
        // Tasks of one image overlap too much behind the first convolution, and not behind the second.
        assert_eq!(together(1, 28, 32, &inverted(192, 1, 32)), [1, 2]);
        // Weights that fill the cache.
        assert_eq!(together(16, 14, 160, &inverted(960, 1, 160)), [1, 1, 1]);
    }

    #[test]
    fn rows_that_are_still_needed_are_kept() {
        let scratch = BufferPool::new();
        let mut map = Rows::<f32> { held: 0..0, row: 2, buffer: scratch.scratch(8) };
        for (needed, missing) in [(0..3, 0..3), (1..5, 3..5), (1..5, 5..5), (6..8, 6..8)] {
            let (rows, place) = map.advance(needed.clone());
            assert_eq!(rows, missing);
            for (place, row) in place.chunks_exact_mut(2).zip(rows) {
                place.fill(row as f32);
            }
            let held: Vec<_> = needed.clone().flat_map(|row| [row as f32; 2]).collect();
            assert_eq!(map.get(&needed), held);
        }
    }
}
