//! Disjoint sets of numbers (union-find).

use std::cell::RefCell;

/// Disjoint sets of numbers, such as images that belong together.
///
/// They are stored as a forest whose roots are the lowest numbers (Galler and Fischer 1964, "An improved
/// equivalence algorithm", with path halving).
///
/// ```
/// use nn_core::data::DisjointSets;
///
/// let mut sets = DisjointSets::new(5);
/// sets.join(4, 1);
/// sets.join(3, 4);
/// let roots: Vec<usize> = (0..5).map(|i| sets.root(i)).collect();
/// assert_eq!(roots, [0, 1, 2, 1, 1]);
/// ```
#[derive(Debug, Clone)]
pub struct DisjointSets(RefCell<Vec<usize>>);

impl DisjointSets {
    /// Each number below `count` in a set of its own.
    pub fn new(count: usize) -> Self {
        Self(RefCell::new((0..count).collect()))
    }

    /// The lowest number of the set that contains `i`.
    ///
    /// # Panics
    /// If `i` is not below the count.
    pub fn root(&self, mut i: usize) -> usize {
        let mut parents = self.0.borrow_mut();
        while parents[i] != i {
            parents[i] = parents[parents[i]];
            i = parents[i];
        }
        i
    }

    /// Merges the sets of `a` and `b`.
    ///
    /// # Panics
    /// If `a` or `b` is not below the count.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0.borrow_mut()[a.max(b)] = a.min(b);
    }
}
