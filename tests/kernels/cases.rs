//! The convolutions that every kernel is tested on.

use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry};
use nn_core::layers::Padding;

/// A convolution, and a pooling after it if one fits.
pub struct Case {
    pub g: Conv2dGeometry,
    pub pool: Option<Pool2dGeometry>,
}

fn case(
    input: [usize; 4],
    out_c: usize,
    kernel: (usize, usize),
    options: Conv2dOptions,
    pool: Pool2dOptions,
) -> Option<Case> {
    let weight = [out_c, input[3], kernel.0, kernel.1];
    let g = Conv2dGeometry::new(&input, &weight, options).ok()?;
    Some(Case { g, pool: Pool2dGeometry::new(&g.output_dims(), pool).ok() })
}

/// Odd sizes, tails, strides, paddings; then wide layers small enough for the oracle.
pub fn cases() -> Vec<Case> {
    let valid = Conv2dOptions::default();
    let mut cases = Vec::new();
    for size in 3..=20 {
        let (h, w) = (size, 3 + (size * 7) % 18);
        let channels = [1, 3, 15, 16, 17][size % 5];
        let out = [16, 1, 17, 5, 33][size % 5];
        let batch = [1, 3, 4, 5][size % 4];
        cases.push(case([batch, h, w, channels], out, (3, 3), valid, Pool2dOptions::default()));
    }
    for (stride, padding) in [
        ((1, 1), Padding::Same),
        ((2, 2), Padding::Valid),
        ((2, 2), Padding::Same),
        ((3, 1), Padding::Valid),
        ((1, 2), Padding::Same),
        ((5, 4), Padding::Valid),
    ] {
        for kernel in [(1, 1), (2, 3), (3, 3), (5, 5), (4, 2)] {
            let options = Conv2dOptions::new().stride(stride).padding(padding);
            let pool = Pool2dOptions::new((3, 2)).stride((2, 1));
            cases.push(case([2, 11, 13, 3], 6, kernel, options, pool));
        }
    }
    for (window, stride) in [((3, 3), (2, 2)), ((2, 2), (3, 3)), ((1, 1), (1, 1)), ((4, 1), (1, 2))]
    {
        let pool = Pool2dOptions::new(window).stride(stride);
        cases.push(case([2, 12, 15, 4], 7, (3, 3), valid, pool));
    }
    for (size, channels, out) in [
        (62, 4, 16),
        (125, 3, 8),
        (20, 64, 32),
        (127, 2, 3),
        (254, 1, 2),
        (14, 128, 128),
        (19, 16, 64),
        (22, 64, 17),
    ] {
        cases.push(case([1, size, size, channels], out, (3, 3), valid, Pool2dOptions::default()));
    }
    // Padding around whole pooling windows, and rows of more tiles than a kernel takes at once.
    let same = Conv2dOptions::new().padding(Padding::Same);
    for (input, out, options) in [
        ([2, 9, 10, 5], 20, same),
        ([1, 12, 7, 17], 33, same),
        ([3, 4, 3, 3], 16, same),
        ([1, 7, 254, 17], 40, valid),
        ([1, 5, 254, 3], 64, valid),
        ([1, 10, 127, 130], 3, valid),
    ] {
        cases.push(case(input, out, (3, 3), options, Pool2dOptions::default()));
    }
    cases.into_iter().flatten().collect()
}

/// Two 3x3 convolutions of `[batch, height, width]`: there are separate kernels for few and for
/// many input channels.
pub fn few_and_many_channels(size: [usize; 3], out: usize) -> [Case; 2] {
    let [n, h, w] = size;
    let (conv, pool) = (Conv2dOptions::default(), Pool2dOptions::default());
    [3, 20].map(|channels| case([n, h, w, channels], out, (3, 3), conv, pool).expect("it fits"))
}
