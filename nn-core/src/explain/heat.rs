//! How much of a map's heat lies where.

use super::Explanation;
use crate::data::{Foreground, ForegroundRule};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Tensor;

/// How much of a map's heat lies on the background of its image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackgroundHeat {
    /// The share of the heat on the background, 0 to 1.
    pub heat: f64,
    /// The share of the image that is background: what a map would have that does not care where
    /// the subject is.
    pub area: f64,
    /// How the background was found.
    pub rule: ForegroundRule,
}

impl<T: Kernels> Explanation<T> {
    /// The share of the heat outside `subject`, which was found in the same image. `None` where
    /// that says nothing: no heat, or nothing or everything found to be subject.
    ///
    /// # Errors
    /// None where the explanation comes from an [`Explainer`](super::Explainer) of this crate.
    pub fn on_background(&self, subject: &Foreground) -> Result<Option<BackgroundHeat>> {
        let (height, width) = self.size;
        let background = subject.mask.inverted().resized(height, width)?;
        let (area, rule) = (background.share(), subject.rule);
        if area == 0.0 || area == 1.0 {
            return Ok(None);
        }
        let heat = share_where(&self.stretched(), background.values())?;
        Ok(heat.map(|heat| BackgroundHeat { heat, area, rule }))
    }
}

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
pub fn share_where<T: Kernels>(map: &Tensor<T>, mask: &[bool]) -> Result<Option<f64>> {
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
