//! What the tests, the benchmarks and the `bench` command of this repository reach of the kernels.
//!
//! Not for other programs: it changes without notice.

pub use crate::kernels::Tables;
pub use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};

/// Convolutions: the registry, and what kernels of each pass are.
pub mod conv {
    pub use crate::kernels::conv::{
        Accuracy, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dKernels,
        Conv2dWeightGradient, MAX_FUSED_WINDOW, Output, OutputGradient,
    };
}

/// Products of dense layers.
pub mod linear {
    pub use crate::kernels::linear::{Dims, forward, input_gradient, weight_gradient};
}

/// How fast the machine multiplies and adds at best.
#[cfg(not(target_family = "wasm"))]
pub mod peak {
    pub use crate::kernels::peak::measure;
}

/// Pooling.
pub mod pool {
    pub use crate::kernels::pool::*;
}

/// Plain loops in double precision, which kernels are compared with.
pub mod reference {
    pub use crate::kernels::reference::*;
}
