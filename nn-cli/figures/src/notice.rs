//! Notices on figures of the synthetic set, so that drawings are not mistaken for photographs.

/// On a figure made from many images.
pub const SYNTHETIC_IMAGES: &str = "STAND-IN DATA · rendered images, not photographs";

/// On a figure that shows one image.
pub const SYNTHETIC_IMAGE: &str = "STAND-IN DATA · a rendered image, not a photograph";
