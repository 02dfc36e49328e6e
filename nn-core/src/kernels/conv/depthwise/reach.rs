//! Which positions of input and output a kernel connects, along one dimension.

use crate::kernels::geometry::Conv2dGeometry;
use std::ops::Range;

/// One dimension of a convolution.
#[derive(Clone, Copy)]
pub struct Axis {
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub pad: usize,
}

/// For each position, the positions on the other side that the kernel connects it with.
pub struct Reach {
    /// Position and kernel element, position by position.
    pairs: Vec<(usize, usize)>,
    /// Where the pairs of each position begin, and the end.
    starts: Vec<usize>,
    /// The positions here and on the other side, and the kernel's elements: what pairs name is below these.
    sizes: [usize; 3],
    /// From each position of a group to the next: the distance here, and that on the other side.
    steps: (usize, usize),
    groups: Vec<Group>,
    runs: Vec<Run>,
}

/// Positions of a whole group.
pub const GROUP: usize = 4;

/// Positions that the same elements of the kernel connect, with positions that follow each other in equal
/// steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    pub first: usize,
    /// Whether these are [`GROUP`] positions, and not one.
    pub whole: bool,
}

/// [`GROUP`] positions that all elements of the kernel connect with positions that follow each other without
/// gaps, some of which may be padding: number `i` of the group meets element `j` of the kernel at number
/// `i * shift + j` of them, where `shift` is the distance on the other side from each position of the group to
/// the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// The first position of the group.
    pub first: usize,
    /// The position on the other side where the run begins; in the padding if there is no such position.
    pub start: isize,
    /// Whether both sides are counted from their last position.
    pub backwards: bool,
}

impl Axis {
    /// Rows and columns of a convolution.
    pub fn of(g: &Conv2dGeometry) -> [Self; 2] {
        [
            Self {
                input: g.in_h,
                output: g.out_h,
                kernel: g.kernel_h,
                stride: g.stride_h,
                dilation: g.dilation_h,
                pad: g.pad_top,
            },
            Self {
                input: g.in_w,
                output: g.out_w,
                kernel: g.kernel_w,
                stride: g.stride_w,
                dilation: g.dilation_w,
                pad: g.pad_left,
            },
        ]
    }

    /// The input position under element `k` of the kernel at an output position; `None` in the padding.
    fn input_at(&self, output: usize, k: usize) -> Option<usize> {
        let at = (output * self.stride + k * self.dilation).checked_sub(self.pad)?;
        (at < self.input).then_some(at)
    }

    /// The output position whose element `k` of the kernel is at an input position.
    fn output_at(&self, input: usize, k: usize) -> Option<usize> {
        let start = (input + self.pad).checked_sub(k * self.dilation)?;
        (start % self.stride == 0 && start / self.stride < self.output)
            .then_some(start / self.stride)
    }

    /// The input positions that each output position sees.
    pub fn inputs(&self) -> Reach {
        let sizes = [self.output, self.input, self.kernel];
        let mut reach = Reach::new(sizes, (1, self.stride), |at, k| self.input_at(at, k));
        if self.dilation == 1 {
            let start = |first| (first * self.stride) as isize - self.pad as isize;
            let run = |first| Run { first, start: start(first), backwards: false };
            reach.runs = firsts(self.output).map(run).collect();
        }
        reach
    }

    /// The output positions that see each input position.
    pub fn outputs(&self) -> Reach {
        let sizes = [self.input, self.output, self.kernel];
        let mut reach = Reach::new(sizes, (self.stride, 1), |at, k| self.output_at(at, k));
        if self.dilation == 1 && self.stride == 1 {
            let start = |first| (first + GROUP - 1 + self.pad) as isize;
            let run = |first| Run { first, start: start(first), backwards: true };
            reach.runs = firsts(self.input).map(run).collect();
        }
        reach
    }
}

/// The first positions of the groups that `len` neighbours are cut into; none if there are fewer than [`GROUP`]. The
/// last group may share positions with the one before it.
fn firsts(len: usize) -> impl Iterator<Item = usize> {
    let groups = if len < GROUP { 0 } else { len.div_ceil(GROUP) };
    (0..groups).map(move |i| (i * GROUP).min(len - GROUP))
}

impl Reach {
    fn new(
        sizes: [usize; 3],
        steps: (usize, usize),
        connect: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        let [len, other, kernel] = sizes;
        let (mut pairs, mut starts) = (Vec::new(), vec![0]);
        for at in 0..len {
            pairs.extend((0..kernel).filter_map(|k| Some((connect(at, k)?, k))));
            starts.push(pairs.len());
        }
        assert!(pairs.iter().all(|&(at, _)| at < other));
        let (groups, runs) = (Vec::new(), Vec::new());
        let mut reach = Self { pairs, starts, sizes, steps, groups, runs };
        let mut grouped = vec![false; len];
        for first in 0..len {
            if grouped[first] {
                continue;
            }
            let whole = (1..GROUP).all(|i| reach.continues(first, i));
            for i in 0..if whole { GROUP } else { 1 } {
                grouped[first + i * steps.0] = true;
            }
            reach.groups.push(Group { first, whole });
        }
        reach
    }

    /// Whether position `i` of the group that begins at `first` would be connected as the first one is.
    fn continues(&self, first: usize, i: usize) -> bool {
        let at = first + i * self.steps.0;
        let moved = |&(other, k): &(usize, usize)| (other + i * self.steps.1, k);
        at + 1 < self.starts.len()
            && self.of(first).iter().map(moved).eq(self.of(at).iter().copied())
    }

    /// All positions, in groups, which are in the order of their first positions.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All positions in runs; none if they are not connected so, or are fewer than [`GROUP`].
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The distance of neighbouring positions of a group, and that of what they are connected with.
    pub fn steps(&self) -> (usize, usize) {
        self.steps
    }

    /// The positions here, those on the other side, and the elements of the kernel.
    pub fn sizes(&self) -> [usize; 3] {
        self.sizes
    }

    /// The positions that `at` is connected with, each with its kernel element.
    #[inline(always)]
    pub fn of(&self, at: usize) -> &[(usize, usize)] {
        &self.pairs[self.starts[at]..self.starts[at + 1]]
    }

    /// The smallest range that holds all positions connected with `range`.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        let pairs = &self.pairs[self.starts[range.start]..self.starts[range.end]];
        let first = pairs.iter().map(|&(at, _)| at).min().unwrap_or(0);
        first..pairs.iter().map(|&(at, _)| at + 1).max().unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_on_what_is_connected() {
        for (input, kernel, stride, dilation, pad) in
            [(7, 3, 1, 1, 0), (7, 3, 2, 1, 1), (9, 2, 3, 2, 4), (1, 5, 1, 1, 2), (4, 1, 3, 1, 5)]
        {
            let output = (input + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
            let axis = Axis { input, output, kernel, stride, dilation, pad };
            let (inputs, outputs) = (axis.inputs(), axis.outputs());
            for o in 0..output {
                for k in 0..kernel {
                    let at = (o * stride + k * dilation).checked_sub(pad).filter(|&i| i < input);
                    for i in 0..input {
                        let connected = at == Some(i);
                        assert_eq!(inputs.of(o).contains(&(i, k)), connected);
                        assert_eq!(outputs.of(i).contains(&(o, k)), connected);
                        if connected {
                            assert!(inputs.span(o..o + 1).contains(&i));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn runs_have_every_position_and_all_its_connections() {
        for (input, kernel, stride, pad) in
            [(24, 3, 1, 1), (25, 3, 2, 1), (7, 5, 1, 2), (31, 7, 2, 3), (3, 5, 1, 2), (16, 2, 3, 0)]
        {
            let output = (input + 2 * pad - kernel) / stride + 1;
            let axis = Axis { input, output, kernel, stride, dilation: 1, pad };
            for (reach, len, other) in
                [(axis.inputs(), output, input), (axis.outputs(), input, output)]
            {
                if reach.runs().is_empty() {
                    assert!(len < GROUP || reach.steps().0 > 1);
                    continue;
                }
                let mut seen = vec![false; len];
                for run in reach.runs() {
                    for i in 0..GROUP {
                        let at = run.first + if run.backwards { GROUP - 1 - i } else { i };
                        seen[at] = true;
                        let step = if run.backwards { -1 } else { 1 };
                        let place = |j| run.start + step * (i * reach.steps().1 + j) as isize;
                        let pairs =
                            (0..kernel).filter_map(|j| Some((usize::try_from(place(j)).ok()?, j)));
                        let pairs: Vec<_> = pairs.filter(|&(at, _)| at < other).collect();
                        assert_eq!(reach.of(at), pairs);
                    }
                }
                assert!(seen.iter().all(|&seen| seen));
            }
        }
    }

    #[test]
    fn groups_have_every_position_once_and_are_connected_alike() {
        for (input, kernel, stride, pad) in
            [(24, 3, 1, 1), (25, 3, 2, 1), (31, 7, 2, 3), (3, 5, 1, 2), (16, 2, 3, 0)]
        {
            let output = (input + 2 * pad - kernel) / stride + 1;
            let axis = Axis { input, output, kernel, stride, dilation: 1, pad };
            for (reach, len) in [(axis.inputs(), output), (axis.outputs(), input)] {
                let (step, shift) = reach.steps();
                let mut seen = vec![0; len];
                for &group in reach.groups() {
                    let count = if group.whole { GROUP } else { 1 };
                    for i in 0..count {
                        seen[group.first + i * step] += 1;
                        let expected: Vec<_> = reach
                            .of(group.first)
                            .iter()
                            .map(|&(at, k)| (at + i * shift, k))
                            .collect();
                        assert_eq!(reach.of(group.first + i * step), expected);
                    }
                }
                assert_eq!(seen, vec![1; len]);
                assert_eq!(reach.groups().iter().any(|group| group.whole), input > GROUP);
            }
        }
    }
}
