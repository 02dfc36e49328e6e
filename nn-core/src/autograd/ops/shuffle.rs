//! Channel shuffle.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::tensor::Tensor;

struct ChannelShuffle {
    channels: usize,
    groups: usize,
}

impl<T: Kernels> Op<T> for ChannelShuffle {
    fn name(&self) -> &'static str {
        "channel_shuffle"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(gradient.shape(), inputs.pool());
        // The inverse: as many groups as a group has channels.
        let groups = self.channels / self.groups;
        shuffle(self.channels, groups, gradient.as_slice(), dx.as_mut_slice());
        inputs.accumulate(0, dx)
    }
}

/// Deals the channels of `groups` groups out in turn, one of each group after the other.
fn shuffle<T: Kernels>(channels: usize, groups: usize, from: &[T], to: &mut [T]) {
    let len = channels / groups;
    for_each_chunk(to, channels, |i, to| {
        let from = &from[i * channels..][..channels];
        for (at, to) in to.chunks_exact_mut(groups).enumerate() {
            for (group, to) in to.iter_mut().enumerate() {
                *to = from[group * len + at];
            }
        }
    });
}

impl<T: Kernels> Tape<T> {
    /// Mixes `groups` groups of channels of `x [.., channels]`, so that grouped convolutions before and
    /// after see channels of all groups (ShuffleNet, Zhang et al., 2018): channel `j` of group `g` moves
    /// to place `j * groups + g`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([1, 6], vec![0., 1., 2., 10., 11., 12.])?);
    /// let y = tape.channel_shuffle(&x, 2)?;
    /// assert_eq!(y.value().as_slice(), [0., 10., 1., 11., 2., 12.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` has no dimension, or the groups do not divide its channels.
    pub fn channel_shuffle(&self, x: &Var<T>, groups: usize) -> Result<Var<T>> {
        let Some(&channels) = x.dims().last() else {
            return Err(Error::shape(
                "channel_shuffle",
                "an input whose last dimension is the channels",
                x.shape(),
                "reshape the number to [1]",
            ));
        };
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::setting(
                "channel_shuffle: groups",
                format!("a divisor of {channels}, the number of channels"),
                groups,
                "give as many as the grouped convolution before has",
            ));
        }
        let mut y = Tensor::uninit(x.shape(), self.pool());
        shuffle(channels, groups, x.value().as_slice(), y.as_mut_slice());
        Ok(self.record(ChannelShuffle { channels, groups }, &[x], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, sample};
    use super::*;

    #[test]
    fn channels_are_dealt_out_and_gathered_again() {
        for (channels, groups) in [(1, 1), (6, 1), (6, 2), (6, 3), (6, 6), (35, 5)] {
            let x = sample([2, 3, 2, channels], 1);
            let tape = Tape::new();
            let leaf = tape.leaf(x.clone());
            let y = tape.channel_shuffle(&leaf, groups).unwrap();
            let len = channels / groups;
            for (i, &v) in x.as_slice().iter().enumerate() {
                let (pixel, c) = (i / channels, i % channels);
                let to = c % len * groups + c / len;
                assert_eq!(y.value().as_slice()[pixel * channels + to], v);
            }
            let back = tape.channel_shuffle(&y, len).unwrap();
            assert_eq!(back.value(), &x);
            check(&[x], |tape, x| tape.channel_shuffle(&x[0], groups));
        }
    }

    #[test]
    fn nothing_and_misfits() {
        let tape = Tape::<f32>::new();
        for dims in [[0, 4], [3, 0]] {
            let x = tape.leaf(Tensor::zeros(dims));
            assert_eq!(tape.channel_shuffle(&x, 2).unwrap().dims(), dims);
        }
        let x = tape.leaf(Tensor::zeros([2, 6]));
        for groups in [0, 4, 7] {
            refused(tape.channel_shuffle(&x, groups), &["channel_shuffle", "divisor of 6"]);
        }
        let number = tape.leaf(Tensor::scalar(1.0));
        refused(tape.channel_shuffle(&number, 1), &["channel_shuffle", "[]"]);
    }
}
