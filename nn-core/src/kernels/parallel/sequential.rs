//! What the kernels use of rayon's iterators, one after the other: for builds without threads.

use std::slice::{Chunks, ChunksExactMut, ChunksMut};

/// Slices in runs.
pub(crate) trait ParallelSlice<T> {
    /// Runs of `len` elements.
    fn par_chunks(&self, len: usize) -> Chunks<'_, T>;
    /// Runs of `len` elements, to change.
    fn par_chunks_mut(&mut self, len: usize) -> ChunksMut<'_, T>;
    /// Runs of `len` elements and none that is shorter, to change.
    fn par_chunks_exact_mut(&mut self, len: usize) -> ChunksExactMut<'_, T>;
}

impl<T> ParallelSlice<T> for [T] {
    fn par_chunks(&self, len: usize) -> Chunks<'_, T> {
        self.chunks(len)
    }

    fn par_chunks_mut(&mut self, len: usize) -> ChunksMut<'_, T> {
        self.chunks_mut(len)
    }

    fn par_chunks_exact_mut(&mut self, len: usize) -> ChunksExactMut<'_, T> {
        self.chunks_exact_mut(len)
    }
}

/// Whatever can be walked through.
pub(crate) trait IntoParallel: IntoIterator + Sized {
    /// Its elements.
    fn into_par_iter(self) -> Self::IntoIter {
        self.into_iter()
    }
}

impl<I: IntoIterator> IntoParallel for I {}

/// How many elements make a task, which is all the same here.
pub(crate) trait Together: Iterator + Sized {
    /// The same elements.
    fn with_min_len(self, _: usize) -> Self {
        self
    }
}

impl<I: Iterator> Together for I {}
