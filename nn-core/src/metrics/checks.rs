//! What all metrics ask of their arguments.

use crate::error::{Error, Result};

/// Checks that there are as many `what` as samples.
pub fn lengths(what: &str, samples: usize, received: usize) -> Result<()> {
    if samples == received {
        return Ok(());
    }
    let expected = format!("as many as samples, {samples}");
    Err(Error::data(what, expected, received, "give one for each sample"))
}

/// Checks that `times`, where given, has a number for each sample.
pub fn times(samples: usize, times: Option<&[u32]>) -> Result<()> {
    times.map_or(Ok(()), |times| lengths("the times that samples count", samples, times.len()))
}

/// How often sample `i` counts.
pub fn weight(times: Option<&[u32]>, i: usize) -> u64 {
    times.map_or(1, |times| times.get(i).copied().map_or(0, u64::from))
}

/// Checks that `labels` are among `classes`.
pub fn labels(what: &str, labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(at) => Err(Error::data(
            format!("{what} of sample {at}"),
            format!("a class below {classes}"),
            labels[at],
            "number the classes from 0",
        )),
    }
}

/// Checks that there is a row of finite probabilities for each label, with a number for its class.
pub fn rows(of: &[usize], probabilities: &[Vec<f64>]) -> Result<()> {
    lengths("the rows of probabilities", of.len(), probabilities.len())?;
    let classes = probabilities.first().map_or(0, Vec::len);
    labels("the label", of, classes.max(usize::from(of.is_empty())))?;
    for (at, row) in probabilities.iter().enumerate() {
        if row.len() != classes || row.iter().any(|p| !p.is_finite()) {
            return Err(Error::data(
                format!("the probabilities of sample {at}"),
                format!("{classes} finite numbers, as of the first sample"),
                format!("{row:?}"),
                "give each sample one number per class",
            ));
        }
    }
    Ok(())
}
