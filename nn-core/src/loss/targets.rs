//! What a batch's outputs should be.

use crate::kernels::Kernels;
use crate::tensor::Tensor;

/// The targets of a batch.
///
/// ```
/// use nn_core::loss::Targets;
/// use nn_core::Tensor;
/// let values = Tensor::from_vec([2, 1], vec![0.5, 1.5])?;
/// let (classes, values): (Targets, Targets) = ((&[1, 0]).into(), (&values).into());
/// assert_eq!(classes.classes(), Some(&[1, 0][..]));
/// assert_eq!(values.classes(), None);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a, T: Kernels = f32> {
    /// The index of each sample's class.
    Classes(&'a [usize]),
    /// A number for every output, usually of the output's shape `[batch, ..]`: values of a regression,
    /// one-hot or soft labels, images.
    Values(&'a Tensor<T>),
    /// Targets of several kinds, for an objective that compares them with several outputs; those of the
    /// main output first.
    Several(&'a [OwnedTargets<T>]),
}

impl<'a, T: Kernels> Targets<'a, T> {
    /// The index of each sample's class, if the targets of the main output are classes.
    pub fn classes(self) -> Option<&'a [usize]> {
        match self {
            Self::Classes(classes) => Some(classes),
            Self::Values(_) => None,
            Self::Several(several) => several.first().and_then(|main| main.view().classes()),
        }
    }

    /// What they are, in an error.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Classes(classes) => format!("{} classes", classes.len()),
            Self::Values(values) => format!("values {}", values.shape()),
            Self::Several(several) => format!("targets of {} outputs", several.len()),
        }
    }
}

impl<'a, T: Kernels> From<&'a [usize]> for Targets<'a, T> {
    fn from(classes: &'a [usize]) -> Self {
        Self::Classes(classes)
    }
}

impl<'a, T: Kernels, const N: usize> From<&'a [usize; N]> for Targets<'a, T> {
    fn from(classes: &'a [usize; N]) -> Self {
        Self::Classes(classes)
    }
}

impl<'a, T: Kernels> From<&'a Vec<usize>> for Targets<'a, T> {
    fn from(classes: &'a Vec<usize>) -> Self {
        Self::Classes(classes)
    }
}

impl<'a, T: Kernels> From<&'a Tensor<T>> for Targets<'a, T> {
    fn from(values: &'a Tensor<T>) -> Self {
        Self::Values(values)
    }
}

impl<'a, T: Kernels> From<&'a OwnedTargets<T>> for Targets<'a, T> {
    fn from(targets: &'a OwnedTargets<T>) -> Self {
        targets.view()
    }
}

/// [`Targets`] that hold their data.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedTargets<T: Kernels = f32> {
    /// As [`Targets::Classes`].
    Classes(Vec<usize>),
    /// As [`Targets::Values`].
    Values(Tensor<T>),
    /// As [`Targets::Several`].
    Several(Vec<OwnedTargets<T>>),
}

impl<T: Kernels> OwnedTargets<T> {
    /// A view of them.
    pub fn view(&self) -> Targets<'_, T> {
        match self {
            Self::Classes(classes) => Targets::Classes(classes),
            Self::Values(values) => Targets::Values(values),
            Self::Several(several) => Targets::Several(several),
        }
    }
}

impl<T: Kernels> From<Vec<usize>> for OwnedTargets<T> {
    fn from(classes: Vec<usize>) -> Self {
        Self::Classes(classes)
    }
}

impl<T: Kernels> From<Tensor<T>> for OwnedTargets<T> {
    fn from(values: Tensor<T>) -> Self {
        Self::Values(values)
    }
}

impl<T: Kernels> From<Vec<OwnedTargets<T>>> for OwnedTargets<T> {
    fn from(several: Vec<OwnedTargets<T>>) -> Self {
        Self::Several(several)
    }
}
