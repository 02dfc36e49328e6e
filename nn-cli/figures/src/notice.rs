//! What figures of the synthetic set say, so that nobody takes drawings for photographs.

/// On a figure made from many images.
pub const SYNTHETIC_IMAGES: &str = "STAND-IN DATA · rendered images, not photographs";

/// On a figure that shows one image.
pub const SYNTHETIC_IMAGE: &str = "STAND-IN DATA · a rendered image, not a photograph";
