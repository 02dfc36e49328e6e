//! Names of layers that are not given: a prefix and a counter.

use std::collections::{HashMap, HashSet};

/// The names of a network's layers: `conv1`, `conv2`, `dense1`, ... for those without one.
#[derive(Debug, Default)]
pub struct LayerNames {
    taken: HashSet<String>,
    /// The last number given to each prefix.
    numbers: HashMap<String, usize>,
}

impl LayerNames {
    /// Takes a given name; `false` if it is taken. Given names come before counted ones.
    pub fn take(&mut self, name: impl Into<String>) -> bool {
        self.taken.insert(name.into())
    }

    /// The first name from a prefix and a number that is free, counted from 1.
    pub fn count(&mut self, prefix: String) -> String {
        let number = self.numbers.entry(prefix.clone()).or_insert(0);
        loop {
            *number += 1;
            let name = format!("{prefix}{number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_given_are_left_out() {
        let mut names = LayerNames::default();
        assert!(names.take("conv2") && !names.take("conv2"));
        let counted = ["conv", "dense", "conv", "conv"].map(|prefix| names.count(prefix.into()));
        assert_eq!(counted, ["conv1", "dense1", "conv3", "conv4"]);
    }
}
