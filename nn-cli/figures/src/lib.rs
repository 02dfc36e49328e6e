//! Figures: training results as plots, and heat maps over photographs.
//!
//! [`plots`] draws training curves, confusion matrices and comparisons of accuracies as SVG documents.
//! [`to_png`] and [`to_image`] render any SVG document with built-in fonts ([`FONTS`]), so no installed fonts,
//! fontconfig or display are needed. [`overlays`] blends heat maps over images. The same input gives the
//! same bytes.
//!
//! A figure is made of plain numbers and names; any text is allowed, it is escaped. A figure with the flag
//! `synthetic` set states that its images are of the synthetic set.
//!
//! ```
//! use nn_figures::plots::{CurvesSpec, Series, curves};
//! use nn_figures::to_png;
//!
//! let svg = curves(&CurvesSpec {
//!     title: "Training on flowers".into(),
//!     loss: vec![Series::new("training", vec![0.7, 0.4, 0.2])],
//!     accuracy: vec![Series::new("training", vec![0.5, 0.8, 0.95])],
//!     ..CurvesSpec::default()
//! });
//! assert!(svg.starts_with("<svg"));
//! let png = to_png(&svg, 2.0)?;
//! assert!(png.starts_with(b"\x89PNG"));
//! # Ok::<(), nn_figures::Error>(())
//! ```

#![forbid(unsafe_code)]

mod error;
pub mod graph;
mod notice;
pub mod overlays;
pub mod plots;
mod png;
mod svg;

pub use error::{Error, Result};
pub use png::{FONTS, to_image, to_png};
