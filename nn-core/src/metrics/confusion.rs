//! Confusion matrices.

use super::checks;
use crate::error::Result;

/// How often samples of each class were given each answer: `[true class][predicted class]`
/// (`sklearn.metrics.confusion_matrix`).
///
/// # Errors
/// If there are not as many predictions as labels, or a class is not below `classes`.
///
/// ```
/// # fn main() -> nn_core::Result<()> {
/// let matrix = nn_core::metrics::confusion_matrix(&[0, 0, 1], &[0, 1, 1], 2)?;
/// assert_eq!(matrix, [[1, 1], [0, 1]]);
/// # Ok(())
/// # }
/// ```
pub fn confusion_matrix(
    labels: &[usize],
    predicted: &[usize],
    classes: usize,
) -> Result<Vec<Vec<u64>>> {
    checks::lengths("the predictions", labels.len(), predicted.len())?;
    checks::labels("the label", labels, classes)?;
    checks::labels("the prediction", predicted, classes)?;
    let mut matrix = vec![vec![0; classes]; classes];
    for (&label, &predicted) in labels.iter().zip(predicted) {
        matrix[label][predicted] += 1;
    }
    Ok(matrix)
}

/// A confusion matrix whose rows are shares of their true class (`normalize="true"`); the row of a class
/// without samples is 0.
///
/// ```
/// let shares = nn_core::metrics::normalized_by_true(&[vec![1, 3], vec![0, 0]]);
/// assert_eq!(shares, [[0.25, 0.75], [0.0, 0.0]]);
/// ```
pub fn normalized_by_true(confusion: &[Vec<u64>]) -> Vec<Vec<f64>> {
    let share = |row: &Vec<u64>| {
        let total = row.iter().sum::<u64>().max(1) as f64;
        row.iter().map(|&count| count as f64 / total).collect()
    };
    confusion.iter().map(share).collect()
}
