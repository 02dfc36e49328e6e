//! Text output of tensors.

use super::{Element, Tensor};
use std::fmt::{self, Display, Formatter};

/// The longest dimension that is shown in full.
const SHOWN: usize = 6;

/// Entries shown at the beginning and at the end of a longer dimension.
const EDGE: usize = 3;

/// Prints nested brackets, one level per dimension, with the rows of a matrix on lines of their own. A
/// dimension longer than 6 shows its first and last 3 entries. A precision applies to every number.
///
/// ```
/// use nn_core::Tensor;
/// let table = Tensor::<f32>::from_vec([2, 3], vec![1., 2., 3., 4., 5., 6.])?;
/// assert_eq!(table.to_string(), "[[1, 2, 3],\n [4, 5, 6]]");
/// let long = Tensor::<f32>::from_fn([100], |i| i as f32 / 2.0);
/// assert_eq!(format!("{long:.1}"), "[0.0, 0.5, 1.0, .., 48.5, 49.0, 49.5]");
/// # Ok::<(), nn_core::Error>(())
/// ```
impl<T: Element> Display for Tensor<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write(f, self.dims(), self.as_slice(), 0)
    }
}

fn write<T: Element>(
    f: &mut Formatter<'_>,
    dims: &[usize],
    values: &[T],
    depth: usize,
) -> fmt::Result {
    let Some((&len, inner)) = dims.split_first() else {
        return values.first().map_or(Ok(()), |value| Display::fmt(value, f));
    };
    let step = values.len().checked_div(len).unwrap_or(0);
    f.write_str("[")?;
    for i in 0..len {
        let is_left_out = len > SHOWN && (EDGE..len - EDGE).contains(&i);
        if is_left_out && i > EDGE {
            continue;
        }
        if i > 0 {
            separate(f, inner.len(), depth)?;
        }
        if is_left_out {
            f.write_str("..")?;
        } else {
            write(f, inner, &values[i * step..(i + 1) * step], depth + 1)?;
        }
    }
    f.write_str("]")
}

/// Writes the separator between two entries of `inner` dimensions each.
fn separate(f: &mut Formatter<'_>, inner: usize, depth: usize) -> fmt::Result {
    if inner == 0 {
        return f.write_str(", ");
    }
    f.write_str(",")?;
    (0..inner).try_for_each(|_| f.write_str("\n"))?;
    write!(f, "{:1$}", "", depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_dimensions_is_shown() {
        let show = |dims: &[usize]| Tensor::<f64>::from_fn(dims, |i| i as f64).to_string();
        assert_eq!(show(&[]), "0");
        assert_eq!(show(&[0]), "[]");
        assert_eq!(show(&[2, 0]), "[[],\n []]");
        assert_eq!(show(&[2, 1, 2]), "[[[0, 1]],\n\n [[2, 3]]]");
        assert_eq!(show(&[7, 1]).matches("..").count(), 1);
    }
}
