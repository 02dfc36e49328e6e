//! Training results as plots: curves, confusion matrices and comparisons of accuracies.
//!
//! [`curves()`], [`panels`], [`rates()`], [`confusion()`], [`comparison()`] and [`square()`] return complete SVG
//! documents. Their colours can be distinguished by colour-blind readers (palette after Okabe and Ito, 2008).
//!
//! Elements in the page's colours have a class (`plot-paper`, `plot-text`, `plot-muted`, `plot-grid`,
//! `plot-axis`), so that a page with a dark theme can restyle an inlined SVG: a style rule overrides the
//! attribute. Marks and cells have a `<title>`, which browsers show on hover.

mod axis;
mod comparison;
mod confusion;
mod curves;
mod header;
mod panel;
mod rates;
mod series;
mod square;

pub use comparison::{ComparisonRow, ComparisonSpec, comparison};
pub use confusion::{ConfusionSpec, confusion};
pub use curves::{CurvesSpec, curves, panels};
pub use rates::{RatesSpec, rates};
pub use series::{Band, Baseline, Series};
pub use square::{SquareLine, SquarePoint, SquareSpec, square};
