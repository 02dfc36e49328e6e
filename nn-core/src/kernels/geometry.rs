//! The geometry of a convolution or pooling: sizes, strides and padding, computed once.
//!
//! Options are what a user sets. A geometry is options applied to an input, with every size checked and
//! the output sizes computed. Kernels do not check a geometry again.

mod conv;
mod options;
mod padding;
mod pool;
mod windows;

pub use conv::Conv2dGeometry;
pub use options::{Conv2dOptions, ConvTranspose2dOptions};
pub use padding::Padding;
pub use pool::{Pool2dGeometry, Pool2dOptions, Pooled, Window};

/// Two sizes, vertical before horizontal; a single number is used for both.
pub trait Pair {
    /// `(vertical, horizontal)`.
    fn pair(self) -> (usize, usize);
}

impl Pair for usize {
    fn pair(self) -> (usize, usize) {
        (self, self)
    }
}

impl Pair for (usize, usize) {
    fn pair(self) -> (usize, usize) {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    #[test]
    fn sizes_of_the_reference_network() -> Result<()> {
        let mut size = 256;
        for expected in [(254, 127), (125, 62), (60, 30)] {
            let conv =
                Conv2dGeometry::new(&[4, size, size, 3], &[8, 3, 3, 3], Conv2dOptions::default())?;
            let pool = Pool2dGeometry::new(&conv.output_dims(), Pool2dOptions::default())?;
            assert_eq!((conv.out_h, pool.out_h), expected);
            size = pool.out_h;
        }
        Ok(())
    }
}
