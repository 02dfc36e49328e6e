//! The memory under a tensor, and the pool it can come from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers between two uses, by capacity.
///
/// Clones share one pool. A training step asks for the same lengths every time, so after the first
/// step everything it needs lies here, mapped and warm. A smaller batch, such as the last of an
/// epoch, makes do with the buffers of the larger ones.
#[derive(Clone, Default)]
pub struct Pool<T>(Arc<Mutex<BTreeMap<usize, Vec<Vec<T>>>>>);

impl<T: Copy + Default> Pool<T> {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scratch memory for a kernel, with whatever the last owner left in it.
    pub(crate) fn scratch(&self, len: usize) -> Buffer<T> {
        Buffer::pooled(len, self)
    }

    /// Frees every buffer that lies here.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The memory of the buffers that lie here, in bytes.
    pub fn bytes(&self) -> usize {
        self.lock().iter().map(|(size, free)| size * free.len() * size_of::<T>()).sum()
    }

    fn take(&self, len: usize) -> Vec<T> {
        let reused = {
            let mut free = self.lock();
            // Not from far larger ones: those would then be missing where they belong.
            let mut fitting = free.range_mut(len..=2 * len).filter(|(_, free)| !free.is_empty());
            fitting.next().and_then(|(_, free)| free.pop())
        };
        match reused {
            Some(mut buffer) => {
                buffer.resize(len, T::default());
                buffer
            }
            None => vec![T::default(); len],
        }
    }

    fn give(&self, buffer: Vec<T>) {
        if buffer.capacity() > 0 {
            self.lock().entry(buffer.capacity()).or_default().push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Vec<T>>>> {
        // A panic elsewhere cannot leave the map half-changed: each critical section is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// A vector that goes back to its pool, if it has one, when dropped.
pub(crate) struct Buffer<T: Copy + Default> {
    data: Vec<T>,
    home: Option<Pool<T>>,
}

impl<T: Copy + Default> Buffer<T> {
    pub fn new(data: Vec<T>) -> Self {
        Self { data, home: None }
    }

    pub fn pooled(len: usize, pool: &Pool<T>) -> Self {
        Self { data: pool.take(len), home: Some(pool.clone()) }
    }

    pub fn into_vec(mut self) -> Vec<T> {
        self.home = None;
        std::mem::take(&mut self.data)
    }
}

impl<T: Copy + Default> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::new(self.data.clone())
    }
}

impl<T: Copy + Default> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(pool) = self.home.take() {
            pool.give(std::mem::take(&mut self.data));
        }
    }
}

impl<T: Copy + Default> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.data
    }
}

impl<T: Copy + Default> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_serve_lengths_from_half_their_own_on() {
        let pool = Pool::<f32>::new();
        let first = pool.scratch(100);
        let place = first.as_ptr();
        drop(first);
        let smaller = pool.scratch(50);
        assert_eq!((smaller.as_ptr(), smaller.len()), (place, 50));
        assert_ne!(pool.scratch(100).as_ptr(), place, "it is in use");
        drop(smaller);
        pool.clear();
        drop(pool.scratch(100));
        drop(pool.scratch(49));
        assert_eq!(pool.bytes(), 4 * 149, "far larger buffers stay for what is as large");
        let again = pool.scratch(100);
        assert_eq!((again.len(), pool.bytes()), (100, 4 * 49));
    }
}
