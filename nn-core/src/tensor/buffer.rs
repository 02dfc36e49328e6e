//! The memory under a tensor, and the pool it can come from.

use crate::kernels::pages;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes whose multiples pooled buffers begin at: a cache line, and the longest vector. A vector that
/// lies across two lines costs twice.
const ALIGNMENT: usize = 64;

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

    /// At least `len` elements.
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
            None => zeroed(len),
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

/// Memory fresh from the system, not touched yet if it is large.
fn zeroed<T: Copy + Default>(len: usize) -> Vec<T> {
    let mut memory = vec![T::default(); len];
    pages::prefer_huge(&mut memory);
    memory
}

/// Memory that goes back to its pool, if it has one, when dropped. From a pool it begins at a multiple
/// of [`ALIGNMENT`].
pub(crate) struct Buffer<T: Copy + Default> {
    data: Vec<T>,
    /// Elements of `data` before the first that counts.
    start: usize,
    home: Option<Pool<T>>,
}

impl<T: Copy + Default> Buffer<T> {
    pub fn new(data: Vec<T>) -> Self {
        Self { data, start: 0, home: None }
    }

    /// Memory of its own, zeroed.
    pub fn zeroed(len: usize) -> Self {
        Self::new(zeroed(len))
    }

    pub fn pooled(len: usize, pool: &Pool<T>) -> Self {
        let spare = if len == 0 { 0 } else { ALIGNMENT / size_of::<T>().max(1) };
        let mut data = pool.take(len + spare);
        let start = data.as_ptr().align_offset(ALIGNMENT).min(spare);
        data.truncate(start + len);
        Self { data, start, home: Some(pool.clone()) }
    }

    pub fn into_vec(mut self) -> Vec<T> {
        self.home = None;
        let mut data = std::mem::take(&mut self.data);
        data.drain(..self.start);
        data
    }
}

impl<T: Copy + Default> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::new(self.to_vec())
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
        &self.data[self.start..]
    }
}

impl<T: Copy + Default> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_serve_lengths_from_half_their_own_on() {
        // What a buffer has beyond its length, so that it can begin at a multiple of 64 bytes.
        const SPARE: usize = 16;
        let pool = Pool::<f32>::new();
        let first = pool.scratch(1000);
        let place = first.as_ptr();
        drop(first);
        let smaller = pool.scratch(500);
        assert_eq!((smaller.as_ptr(), smaller.len()), (place, 500));
        assert_ne!(pool.scratch(1000).as_ptr(), place, "it is in use");
        drop(smaller);
        pool.clear();
        drop(pool.scratch(1000));
        drop(pool.scratch(490));
        let both = 4 * (1490 + 2 * SPARE);
        assert_eq!(pool.bytes(), both, "far larger buffers stay for what is as large");
        let again = pool.scratch(1000);
        assert_eq!((again.len(), pool.bytes()), (1000, 4 * (490 + SPARE)));
    }

    #[test]
    fn pooled_buffers_begin_at_a_cache_line() {
        let (floats, bytes) = (Pool::<f32>::new(), Pool::<u8>::new());
        for len in [1, 3, 100, 4097] {
            let (floats, bytes) = (floats.scratch(len), bytes.scratch(len));
            assert_eq!((floats.len(), bytes.len()), (len, len));
            assert!(floats.as_ptr().cast::<u8>().align_offset(ALIGNMENT) == 0);
            assert!(bytes.as_ptr().align_offset(ALIGNMENT) == 0);
            assert_eq!(floats.into_vec().len(), len);
        }
        assert_eq!(floats.scratch(0).len(), 0);
    }
}
