//! Disjoint sets of images (union-find).

/// Disjoint sets of numbers, stored as a forest whose roots are the lowest numbers.
pub struct Sets(std::cell::RefCell<Vec<usize>>);

impl Sets {
    /// Each number below `count` in a set of its own.
    pub fn new(count: usize) -> Self {
        Self(std::cell::RefCell::new((0..count).collect()))
    }

    /// The lowest number of the set that contains `i`.
    pub fn root(&self, mut i: usize) -> usize {
        let mut parents = self.0.borrow_mut();
        while parents[i] != i {
            parents[i] = parents[parents[i]];
            i = parents[i];
        }
        i
    }

    /// Merges the sets of `a` and `b`.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0.borrow_mut()[a.max(b)] = a.min(b);
    }
}
