//! How much of a map's heat lies where.

use crate::error::{Error, Result};
use crate::tensor::{Element, Tensor};

/// The share of a map's heat, 0 to 1, that lies where `mask` is true: a value per number of the map,
/// in the same order. `None` if the map has no heat at all.
///
/// Meant for a stretched map (whose values are 0 or above) and the background of its image. A map
/// that does not care where the animal is has the background's share of the area.
///
/// # Errors
/// If mask and map differ in size.
///
/// ```
/// use nn_core::{Tensor, explain::share_where};
/// let map = Tensor::<f32>::from_vec([2, 2], vec![3., 0., 1., 0.])?;
/// assert_eq!(share_where(&map, &[true, true, false, false])?, Some(0.75));
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn share_where<T: Element>(map: &Tensor<T>, mask: &[bool]) -> Result<Option<f64>> {
    if mask.len() != map.len() {
        return Err(Error::shape(
            "share of heat",
            format!("a mask of {} values, one per number of the map", map.len()),
            mask.len(),
            "bring both to one size first",
        ));
    }
    let (mut inside, mut total) = (0.0, 0.0);
    for (value, &is_inside) in map.as_slice().iter().zip(mask) {
        total += value.as_f64();
        inside += if is_inside { value.as_f64() } else { 0.0 };
    }
    Ok((total > 0.0).then(|| inside / total))
}
