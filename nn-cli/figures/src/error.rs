//! Why a figure could not be drawn.

use resvg::usvg;

/// The result of drawing.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a figure could not be drawn. Documents made by [`plots`](crate::plots) cause none of these errors at
/// a scale that keeps them within the size limit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text to draw is not an SVG document.
    #[error("cannot draw a picture, which is not valid SVG: {0}; please report this as a bug")]
    Svg(#[from] usvg::Error),

    /// The picture would have no pixels, or too many.
    #[error(
        "the scale of a picture must be above 0, with at most {limit} pixels a side, received {scale} \
         ({width:.0} by {height:.0} pixels); choose another scale"
    )]
    Scale {
        /// Pixels for each unit of the document.
        scale: f32,
        /// The longest side a picture may have, in pixels.
        limit: f32,
        /// The picture's width at this scale, in pixels.
        width: f32,
        /// The picture's height at this scale, in pixels.
        height: f32,
    },

    /// The picture cannot be written as PNG.
    #[error("cannot encode a picture as PNG: {0}")]
    Encode(String),

    /// An image cannot be resized.
    #[error("cannot resize a picture: {0}")]
    Resize(String),

    /// An image's number of pixels does not match its width and height.
    #[error(
        "an image does not have the {width} by {height} pixels it says; please report this as a bug"
    )]
    Size {
        /// The stated width, in pixels.
        width: u32,
        /// The stated height, in pixels.
        height: u32,
    },
}
