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
        Reach::new(self.output, self.kernel, |at, k| self.input_at(at, k))
    }

    /// The output positions that see each input position.
    pub fn outputs(&self) -> Reach {
        Reach::new(self.input, self.kernel, |at, k| self.output_at(at, k))
    }

    /// The output positions whose element `k` of the kernel is inside the input, and the input position
    /// of the first.
    pub fn outputs_inside(&self, k: usize) -> (Range<usize>, usize) {
        let before = |input: usize| {
            let outputs = (input + self.pad).saturating_sub(k * self.dilation);
            outputs.div_ceil(self.stride).min(self.output)
        };
        let inside = before(0)..before(self.input);
        let first = self.input_at(inside.start, k).unwrap_or(0);
        (inside, first)
    }
}

impl Reach {
    fn new(len: usize, kernel: usize, connect: impl Fn(usize, usize) -> Option<usize>) -> Self {
        let (mut pairs, mut starts) = (Vec::new(), vec![0]);
        for at in 0..len {
            pairs.extend((0..kernel).filter_map(|k| Some((connect(at, k)?, k))));
            starts.push(pairs.len());
        }
        Self { pairs, starts }
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
                    let (inside, first) = axis.outputs_inside(k);
                    assert_eq!(inside.contains(&o), at.is_some());
                    for i in 0..input {
                        let connected = at == Some(i);
                        assert_eq!(inputs.of(o).contains(&(i, k)), connected);
                        assert_eq!(outputs.of(i).contains(&(o, k)), connected);
                        if connected {
                            assert!(inputs.span(o..o + 1).contains(&i));
                            assert_eq!(i, first + (o - inside.start) * stride);
                        }
                    }
                }
            }
        }
    }
}
