//! The memory under a tensor, and the pool it can come from.

use crate::kernels::pages;
use bytemuck::Pod;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Bytes whose multiples pooled buffers begin at: a cache line, and the longest vector. A vector that
/// lies across two lines costs twice.
const ALIGNMENT: usize = 64;

/// Buffers between two uses.
///
/// Clones share one pool. A training step asks for the same lengths every time, so after the first
/// step everything it needs lies here, mapped and warm. A buffer serves lengths from half its own on,
/// so half a batch makes do with what a whole one needed; who needs more than lies here takes the
/// place of what would have been nearly enough. What is taken out and kept does not keep the pool.
#[derive(Clone, Default)]
pub struct BufferPool<T> {
    numbers: Shelf<T>,
    /// For what ops save in bytes: masks, the argmax of a pooling.
    bytes: Shelf<u8>,
}

impl<T: Copy + Default> BufferPool<T> {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scratch memory for a kernel, with whatever the last owner left in it.
    pub(crate) fn scratch(&self, len: usize) -> Buffer<T> {
        Buffer::from_shelf(len, &self.numbers)
    }

    /// Like [`BufferPool::scratch`], in bytes.
    pub(crate) fn scratch_bytes(&self, len: usize) -> Buffer<u8> {
        Buffer::from_shelf(len, &self.bytes)
    }

    /// Like [`BufferPool::scratch`], for elements of whatever plain type.
    pub(crate) fn scratch_of<P: Pod>(&self, len: usize) -> Scratch<P> {
        Scratch { bytes: self.scratch_bytes(len * size_of::<P>()), elements: PhantomData }
    }

    /// Frees every buffer that lies here.
    pub fn clear(&self) {
        self.numbers.lock().clear();
        self.bytes.lock().clear();
    }

    /// The memory of the buffers that lie here, in bytes.
    pub fn bytes(&self) -> usize {
        self.numbers.memory() + self.bytes.memory()
    }
}

/// Buffers of one type between two uses, by length.
#[derive(Clone, Default)]
struct Shelf<T>(Arc<Free<T>>);

type Free<T> = Mutex<BTreeMap<usize, Vec<Vec<T>>>>;

impl<T: Copy + Default> Shelf<T> {
    /// At least `len` elements.
    fn take(&self, len: usize) -> Vec<T> {
        let mut free = self.lock();
        // Not from far larger ones: those would then be missing where they belong.
        let mut fitting = free.range_mut(len..=2 * len).filter(|(_, free)| !free.is_empty());
        let reused = fitting.next().and_then(|(_, free)| free.pop());
        // One that would have done, were it longer, makes room for the one that does.
        let outgrown = match reused {
            Some(_) => None,
            None => free.range_mut(len / 2..len).rev().find_map(|(_, free)| free.pop()),
        };
        drop(free);
        drop(outgrown);
        reused.unwrap_or_else(|| zeroed(len))
    }

    fn give(&self, buffer: Vec<T>) {
        if !buffer.is_empty() {
            self.lock().entry(buffer.len()).or_default().push(buffer);
        }
    }

    fn memory(&self) -> usize {
        self.lock().iter().map(|(len, free)| len * free.len() * size_of::<T>()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Vec<T>>>> {
        // A panic elsewhere cannot leave the map half-changed: each critical section is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for BufferPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferPool")
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
    /// The part of `data` that counts. The rest stays, so that who needs more next finds it as it is.
    part: Range<usize>,
    /// Weak, or what is kept of a pool's memory would keep all of it.
    home: Option<Weak<Free<T>>>,
}

impl<T: Copy + Default> Buffer<T> {
    pub fn new(data: Vec<T>) -> Self {
        Self { part: 0..data.len(), data, home: None }
    }

    /// Memory of its own, zeroed.
    pub fn zeroed(len: usize) -> Self {
        Self::new(zeroed(len))
    }

    fn from_shelf(len: usize, shelf: &Shelf<T>) -> Self {
        let spare = if len == 0 { 0 } else { ALIGNMENT / size_of::<T>().max(1) };
        let data = shelf.take(len + spare);
        let start = data.as_ptr().align_offset(ALIGNMENT).min(spare);
        Self { data, part: start..start + len, home: Some(Arc::downgrade(&shelf.0)) }
    }

    pub fn into_vec(mut self) -> Vec<T> {
        self.home = None;
        let mut data = std::mem::take(&mut self.data);
        data.truncate(self.part.end);
        data.drain(..self.part.start);
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
        if let Some(free) = self.home.take().and_then(|home| home.upgrade()) {
            Shelf(free).give(std::mem::take(&mut self.data));
        }
    }
}

impl<T: Copy + Default> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.data[self.part.clone()]
    }
}

impl<T: Copy + Default> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.part.clone()]
    }
}

/// Scratch memory for elements of a type that no pool is for: bytes that begin where `P` may.
pub(crate) struct Scratch<P> {
    bytes: Buffer<u8>,
    elements: PhantomData<P>,
}

impl<P: Pod> Deref for Scratch<P> {
    type Target = [P];

    fn deref(&self) -> &[P] {
        // Nothing may begin anywhere.
        if self.bytes.is_empty() { &[] } else { bytemuck::cast_slice(&self.bytes) }
    }
}

impl<P: Pod> DerefMut for Scratch<P> {
    fn deref_mut(&mut self) -> &mut [P] {
        if self.bytes.is_empty() { &mut [] } else { bytemuck::cast_slice_mut(&mut self.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_serve_lengths_from_half_their_own_on() {
        // What a buffer has beyond its length, so that it can begin at a multiple of 64 bytes.
        const SPARE: usize = 16;
        let pool = BufferPool::<f32>::new();
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
    fn growing_needs_do_not_pile_up() {
        let pool = BufferPool::<f32>::new();
        for len in 1000..1500 {
            drop((pool.scratch(len), pool.scratch(len)));
        }
        assert!(pool.bytes() < 4 * 2 * 1600, "{}", pool.bytes());
    }

    #[test]
    fn what_is_kept_does_not_keep_the_pool() {
        let pool = BufferPool::<f32>::new();
        let kept = pool.scratch(10);
        let free = Arc::downgrade(&pool.numbers.0);
        drop(pool);
        assert!(free.upgrade().is_none());
        assert_eq!(kept.len(), 10);
    }

    #[test]
    fn what_a_shorter_use_left_out_is_still_there() {
        let pool = BufferPool::<f32>::new();
        pool.scratch(1000).fill(1.0);
        drop(pool.scratch(600));
        assert_eq!(pool.scratch(1000)[999], 1.0, "nobody wrote there again");
    }

    #[test]
    fn pooled_buffers_begin_at_a_cache_line() {
        let pool = BufferPool::<f32>::new();
        for len in [1, 3, 100, 4097] {
            let (floats, bytes) = (pool.scratch(len), pool.scratch_bytes(len));
            assert_eq!((floats.len(), bytes.len()), (len, len));
            assert!(floats.as_ptr().cast::<u8>().align_offset(ALIGNMENT) == 0);
            assert!(bytes.as_ptr().align_offset(ALIGNMENT) == 0);
            assert_eq!(floats.into_vec().len(), len);
        }
        assert_eq!(pool.scratch(0).len(), 0);
        for len in [0, 1, 100] {
            let mut places = pool.scratch_of::<u32>(len);
            places.fill(u32::MAX);
            assert_eq!(*places, vec![u32::MAX; len]);
        }
    }
}
