//! Sequential versions of the rayon iterators that the kernels use: for builds without threads.

use std::slice::{Chunks, ChunksExactMut, ChunksMut};

/// Slices in chunks.
pub(crate) trait ParallelSlice<T> {
    /// Chunks of `len` elements; the last may be shorter.
    fn par_chunks(&self, len: usize) -> Chunks<'_, T>;
    /// Mutable chunks of `len` elements; the last may be shorter.
    fn par_chunks_mut(&mut self, len: usize) -> ChunksMut<'_, T>;
    /// Mutable chunks of exactly `len` elements; a shorter rest is left out.
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

/// Anything that can be iterated over.
pub(crate) trait IntoParallel: IntoIterator + Sized {
    /// Its elements.
    fn into_par_iter(self) -> Self::IntoIter {
        self.into_iter()
    }
}

impl<I: IntoIterator> IntoParallel for I {}

/// Lengths of tasks, which have no effect here.
pub(crate) trait Together: Iterator + Sized {
    /// The iterator unchanged.
    fn with_min_len(self, _: usize) -> Self {
        self
    }

    /// The iterator unchanged.
    fn with_max_len(self, _: usize) -> Self {
        self
    }
}

impl<I: Iterator> Together for I {}
