//! Convolutions one behind the other, for predictions.

use super::conv::checked;
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::conv::Bounds;
use crate::kernels::conv::chain::{Chain, Link};
use crate::kernels::functions::Function;
use crate::kernels::pairs::Pair;
use crate::kernels::{Conv2dOptions, Kernels};
use crate::tensor::Tensor;

/// A convolution of a chain, and what follows it.
pub(crate) struct ChainedConv2d<T: Kernels> {
    /// `[out, in / groups, kernel height, kernel width]`.
    pub weight: Var<T>,
    /// `[out]`.
    pub bias: Option<Var<T>>,
    pub options: Conv2dOptions,
    /// The bounds of the output, and a function that is applied to it.
    pub then: (Bounds<T>, Option<Function>),
    /// A value of the output's shape that is then added.
    pub added: Option<Var<T>>,
    /// Whether a ReLU follows the sum.
    pub rectified: bool,
}

impl<T: Kernels> Tape<T> {
    /// The convolutions one after the other, with the bits of the plain ops. Maps between them that a few rows at a
    /// time need not leave the cache for are never stored. Only for a tape that does not record.
    ///
    /// # Errors
    /// As [`Tape::conv2d`], and if a value that is added has another shape.
    pub(crate) fn conv2d_chain(&self, x: Var<T>, convs: &[ChainedConv2d<T>]) -> Result<Var<T>> {
        if self.is_recording() {
            return Err(Error::Internal(
                "a chain of convolutions keeps nothing for gradients".into(),
            ));
        }
        let mut dims = x.dims().to_vec();
        let mut prepared = Vec::with_capacity(convs.len());
        for conv in convs {
            let geometry = checked(&dims, &conv.weight, conv.bias.as_ref(), conv.options)?;
            dims = geometry.output_dims().to_vec();
            if let Some(added) = conv.added.as_ref().filter(|added| added.dims() != dims) {
                return Err(Error::shape(
                    "conv2d_chain",
                    format!("a value to add of the output's shape {dims:?}"),
                    added.shape(),
                    "add it by an op of its own",
                ));
            }
            let kernel = T::conv2d().forward(&geometry, None);
            let packed = self.packed(&conv.weight, kernel, &geometry);
            prepared.push((geometry, kernel, packed.unwrap_or_else(|| conv.weight.share())));
        }
        let links = convs.iter().zip(&prepared).map(|(conv, (geometry, kernel, weights))| {
            let pair = if conv.rectified { Pair::AddRelu } else { Pair::Add };
            Link {
                geometry: *geometry,
                kernel: *kernel,
                weights: weights.as_slice(),
                bias: conv.bias.as_ref().map(|bias| bias.value().as_slice()),
                bounds: conv.then.0,
                function: conv.then.1,
                other: conv.added.as_ref().map(|added| (pair, added.value().as_slice())),
            }
        });
        let links: Vec<_> = links.collect();
        let (mut x, mut done) = (x, 0);
        while done < links.len() {
            let chain = Chain::beginning(&links[done..]);
            done += chain.len();
            let mut y = Tensor::uninit(links[done - 1].geometry.output_dims(), self.pool());
            chain.forward(x.value().as_slice(), y.as_mut_slice(), self.pool());
            x = self.constant(y);
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::ops::testing::{refused, sample};
    use crate::kernels::Padding;
    use crate::kernels::activation::Activation;
    use crate::tensor::BufferPool;

    /// Channels of the input and of each output, with options, kernel and what follows.
    type Case = (usize, Vec<(usize, Conv2dOptions, usize, Then)>);

    #[derive(Clone, Copy, Debug)]
    enum Then {
        Nothing,
        Relu,
        Silu,
        Sum,
        SumRelu,
    }

    fn cases() -> Vec<Case> {
        use Then::*;
        let plain = Conv2dOptions::new();
        let same = |kernel: usize| plain.padding(Padding::symmetric(kernel / 2));
        let uneven = Padding::Explicit { top: 0, bottom: 2, left: 3, right: 1 };
        vec![
            (16, vec![(48, plain, 1, Relu), (20, plain, 1, Silu), (33, plain, 1, Nothing)]),
            (
                24,
                vec![(96, plain, 1, Relu), (96, same(3).groups(96), 3, Relu), (24, plain, 1, Sum)],
            ),
            (24, vec![(96, plain, 1, Silu), (96, same(5).groups(96).stride(2), 5, Nothing)]),
            (6, vec![(12, same(3).stride(2), 3, Relu), (24, same(3).groups(12), 3, SumRelu)]),
            (
                8,
                vec![
                    (16, plain.padding(uneven).dilation(2), 2, Sum),
                    (8, plain.groups(2), 1, Relu),
                ],
            ),
            (32, vec![(32, plain.groups(32).stride(3), 2, Relu), (40, plain, 1, SumRelu)]),
            (16, vec![(32, same(3), 3, Relu), (64, plain, 1, Relu), (16, same(3), 3, SumRelu)]),
            (64, vec![(64, plain, 1, SumRelu)]),
            // Rows and columns of nothing but padding.
            (
                24,
                vec![
                    (24, plain, 1, Relu),
                    (24, plain.padding(Padding::symmetric(5)).groups(24), 3, Relu),
                    (24, plain.padding(Padding::symmetric(4)).groups(24).stride(2), 2, Silu),
                    (8, plain, 1, Nothing),
                ],
            ),
        ]
    }

    /// The outputs of a case by one op, and by plain ones.
    fn both<T: Kernels>(case: &Case, batch: usize, size: (usize, usize)) -> [Tensor<T>; 2] {
        let tape = Tape::<T>::inference(BufferPool::for_inference());
        let constant = |tensor: Tensor<f64>| tape.constant(tensor.cast());
        let (mut channels, convs) = (case.0, &case.1);
        let x = constant(sample([batch, size.0, size.1, channels], 1));
        let (mut plain, mut chain) = (x.clone(), Vec::new());
        for (&(out, options, kernel, then), seed) in convs.iter().zip(2..) {
            let weight = sample([out, channels / options.groups, kernel, kernel], seed);
            let (weight, bias) = (constant(weight), constant(sample([out], seed + 10)));
            plain = tape.conv2d(&plain, &weight, Some(&bias), options).unwrap();
            let added = constant(sample(plain.shape(), seed + 20));
            let silu = Function::Activation(Activation::Silu);
            let sum = |x| tape.add(x, &added).unwrap();
            plain = match then {
                Then::Nothing => plain,
                Then::Relu => tape.relu(plain),
                Then::Silu => tape.function(silu, plain),
                Then::Sum => sum(&plain),
                Then::SumRelu => tape.relu(sum(&plain)),
            };
            chain.push(ChainedConv2d {
                weight,
                bias: Some(bias),
                options,
                then: match then {
                    Then::Relu => (Bounds::relu(None), None),
                    Then::Silu => (Bounds::none(), Some(silu)),
                    _ => (Bounds::none(), None),
                },
                added: matches!(then, Then::Sum | Then::SumRelu).then_some(added),
                rectified: matches!(then, Then::SumRelu),
            });
            channels = out;
        }
        [tape.conv2d_chain(x, &chain).unwrap(), plain].map(|y| y.value().clone())
    }

    #[test]
    fn a_chain_has_the_bits_of_the_plain_ops() {
        // Of sizes at which tasks take several steps, one, or none: then each map is computed whole.
        let plain = Conv2dOptions::new();
        let wide = (512, plain.groups(512).padding(Padding::symmetric(1)), 3, Then::Relu);
        // Steps of one row, of which the last need no further rows of the maps before.
        let first = [(8, plain, 1, Then::Silu), (512, plain, 1, Then::Relu)];
        let wide = (8, [first.to_vec(), vec![wide, (8, plain, 1, Then::Sum)]].concat());
        let [chain, one_by_one] = both::<f32>(&wide, 4, (32, 64));
        assert_eq!(chain, one_by_one);
        for case in cases() {
            for (batch, size) in
                [(1, (40, 37)), (2, (64, 60)), (5, (19, 30)), (1, (9, 8)), (0, (9, 9))]
            {
                for threads in [1, 3] {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let [chain, plain] = pool.install(|| both::<f32>(&case, batch, size));
                    assert_eq!(chain, plain, "{case:?}, {batch} of {size:?}");
                }
            }
            let [chain, plain] = both::<f64>(&case, 2, (12, 9));
            assert_eq!(chain, plain, "{case:?}");
        }
    }

    #[test]
    fn misfits_are_named() {
        let tape = Tape::<f32>::inference(BufferPool::new());
        let x = tape.constant(Tensor::zeros([1, 8, 8, 3]));
        let conv = |added: Option<[usize; 4]>, input| ChainedConv2d {
            weight: tape.constant(Tensor::zeros([4, input, 3, 3])),
            bias: None,
            options: Conv2dOptions::default(),
            then: (Bounds::none(), None),
            added: added.map(|dims| tape.constant(Tensor::zeros(dims))),
            rectified: false,
        };
        let chain = [conv(None, 3), conv(None, 3)];
        refused(tape.conv2d_chain(x.clone(), &chain), &["3 input channels", "[1, 6, 6, 4]"]);
        let chain = [conv(None, 3), conv(Some([1, 6, 6, 4]), 4)];
        refused(tape.conv2d_chain(x, &chain), &["[1, 4, 4, 4]", "[1, 6, 6, 4]"]);
    }
}
