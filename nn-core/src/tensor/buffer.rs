//! The memory of tensors, and the pool that recycles it.

use crate::kernels::pages;
use bytemuck::Pod;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Alignment of pooled buffers, in bytes: a cache line, and the longest vector. Access to a vector that
/// crosses a cache line costs twice as much.
const ALIGNMENT: usize = 64;

/// Recycles buffers.
///
/// Clones share one pool. A training step requests the same lengths every time, so after the first step
/// the pool holds every buffer the step needs. A request is served by a free buffer of one to two times
/// its length, so a half batch reuses the buffers of a full one. If none fits, a new buffer is
/// allocated, and a free one of half the requested length or more is freed for it. Buffers that are
/// still in use do not keep the pool alive.
///
/// A pool [for inference](BufferPool::for_inference) lends any larger buffer, so that what lives for a moment
/// takes no memory of its own.
#[derive(Clone, Default)]
pub struct BufferPool<T> {
    numbers: Shelf<T>,
    /// For what ops save as bytes: masks, the argmax of max-pooling.
    bytes: Shelf<u8>,
}

impl<T: Copy + Default> BufferPool<T> {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty pool that lends any free buffer that is large enough, and frees a shorter one before it
    /// allocates. What is kept while others come and go should not hold a far larger buffer: a model's
    /// forward pass copies such values ([`Tensor::fitted`](super::Tensor::fitted)).
    ///
    /// ```
    /// use nn_core::Tensor;
    /// use nn_core::tensor::BufferPool;
    /// let pool = BufferPool::<f32>::for_inference();
    /// drop(Tensor::zeros_in([1_000_000], &pool));
    /// let small = Tensor::zeros_in([10], &pool);
    /// assert_eq!(pool.bytes(), 0, "it has the large buffer");
    /// let small = small.fitted(&pool);
    /// assert!(pool.bytes() >= 4_000_000 && small.len() == 10);
    /// ```
    pub fn for_inference() -> Self {
        Self { numbers: Shelf::of_any_size(), bytes: Shelf::of_any_size() }
    }

    /// Scratch memory for a kernel. Its contents are unspecified.
    pub(crate) fn scratch(&self, len: usize) -> Buffer<T> {
        Buffer::from_shelf(len, &self.numbers)
    }

    /// Like [`BufferPool::scratch`], in a buffer that is not far larger.
    fn scratch_to_keep(&self, len: usize) -> Buffer<T> {
        Buffer::from_shelf_up_to(len, MOST, &self.numbers)
    }

    /// Like [`BufferPool::scratch`], in bytes.
    pub(crate) fn scratch_bytes(&self, len: usize) -> Buffer<u8> {
        Buffer::from_shelf(len, &self.bytes)
    }

    /// Like [`BufferPool::scratch`], for elements of any plain-old-data type.
    pub(crate) fn scratch_of<P: Pod>(&self, len: usize) -> Scratch<P> {
        Scratch { bytes: self.scratch_bytes(len * size_of::<P>()), elements: PhantomData }
    }

    /// Frees every buffer in the pool that is not in use.
    pub fn clear(&self) {
        self.numbers.lock().clear();
        self.bytes.lock().clear();
    }

    /// The size of the buffers in the pool that are not in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.numbers.memory() + self.bytes.memory()
    }
}

/// Free buffers of one type, by length.
#[derive(Clone, Default)]
struct Shelf<T> {
    free: Arc<Free<T>>,
    /// Whether a request is served by a larger buffer of any size.
    any_size: bool,
}

type Free<T> = Mutex<BTreeMap<usize, Vec<Vec<T>>>>;

/// How many times its length a request's buffer has at most, unless any will do: larger ones are left for
/// larger requests.
const MOST: usize = 2;

impl<T: Copy + Default> Shelf<T> {
    fn of_any_size() -> Self {
        Self { free: Arc::default(), any_size: true }
    }

    /// A buffer of at least `len` elements, and at most of `most`, if a free one is to serve.
    fn take(&self, len: usize, most: usize) -> Vec<T> {
        let mut free = self.lock();
        if let Some(reused) = free.range_mut(len..=most).find_map(|(_, free)| free.pop()) {
            return reused;
        }
        // The largest of those that are too short is freed, and a new one allocated. Much shorter ones are
        // left for shorter requests, unless larger ones serve them.
        let least = if self.any_size { 0 } else { len / 2 };
        let outgrown = free.range_mut(least..len).rev().find_map(|(_, free)| free.pop());
        drop(free);
        drop(outgrown);
        zeroed(len)
    }

    fn memory(&self) -> usize {
        self.lock().iter().map(|(len, free)| len * free.len() * size_of::<T>()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Vec<T>>>> {
        lock(&self.free)
    }
}

fn lock<T>(free: &Free<T>) -> MutexGuard<'_, BTreeMap<usize, Vec<Vec<T>>>> {
    // The map is consistent even if a thread panicked: each critical section is one call.
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes back a buffer that is no longer in use.
fn give<T>(free: &Free<T>, buffer: Vec<T>) {
    if !buffer.is_empty() {
        lock(free).entry(buffer.len()).or_default().push(buffer);
    }
}

impl<T> fmt::Debug for BufferPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferPool")
    }
}

/// Newly allocated, zeroed memory; the system maps large memory at the first write.
fn zeroed<T: Copy + Default>(len: usize) -> Vec<T> {
    let mut memory = vec![T::default(); len];
    pages::prefer_huge(&mut memory);
    memory
}

/// Memory that returns to its pool, if it has one, when dropped. Pooled memory is aligned to
/// [`ALIGNMENT`].
pub(crate) struct Buffer<T: Copy + Default> {
    data: Vec<T>,
    /// The part of `data` that is in use. `data` keeps its full length for reuse.
    part: Range<usize>,
    /// Weak: a buffer that outlives its pool must not keep the pool's free buffers alive.
    home: Option<Weak<Free<T>>>,
}

impl<T: Copy + Default> Buffer<T> {
    pub fn new(data: Vec<T>) -> Self {
        Self { part: 0..data.len(), data, home: None }
    }

    /// Zeroed memory without a pool.
    pub fn zeroed(len: usize) -> Self {
        Self::new(zeroed(len))
    }

    fn from_shelf(len: usize, shelf: &Shelf<T>) -> Self {
        Self::from_shelf_up_to(len, if shelf.any_size { usize::MAX } else { MOST }, shelf)
    }

    /// A buffer of at most `times` the length.
    fn from_shelf_up_to(len: usize, times: usize, shelf: &Shelf<T>) -> Self {
        let spare = if len == 0 { 0 } else { ALIGNMENT / size_of::<T>().max(1) };
        let data = shelf.take(len + spare, (len + spare).saturating_mul(times));
        let start = data.as_ptr().align_offset(ALIGNMENT).min(spare);
        Self { data, part: start..start + len, home: Some(Arc::downgrade(&shelf.free)) }
    }

    /// The same numbers in a buffer that is not far larger than they are: a copy, if need be.
    pub fn fitted(self, pool: &BufferPool<T>) -> Self {
        // What is small wastes little.
        const LITTLE: usize = 1 << 12;
        if self.data.len() <= MOST * self.len() + LITTLE {
            return self;
        }
        let mut copy = pool.scratch_to_keep(self.len());
        copy.copy_from_slice(&self);
        copy
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
            give(&free, std::mem::take(&mut self.data));
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

/// Scratch memory for elements of a type that has no pool: bytes with the alignment of `P`.
pub(crate) struct Scratch<P> {
    bytes: Buffer<u8>,
    elements: PhantomData<P>,
}

impl<P: Pod> Deref for Scratch<P> {
    type Target = [P];

    fn deref(&self) -> &[P] {
        // An empty slice may be unaligned, which `cast_slice` rejects.
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
        // The extra elements of a buffer that make room for 64-byte alignment.
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
    fn at_inference_any_larger_buffer_serves_and_shorter_ones_are_freed() {
        let pool = BufferPool::<f32>::for_inference();
        let large = pool.scratch(100_000);
        let place = large.as_ptr();
        drop(large);
        let mut small = pool.scratch(10);
        assert_eq!((small.as_ptr(), small.len(), pool.bytes()), (place, 10, 0));
        small.fill(7.0);
        let fitted = small.fitted(&pool);
        assert!(fitted.as_ptr() != place && fitted[..] == [7.0; 10]);
        assert_eq!(pool.bytes(), 4 * (100_000 + 16), "the large one is free again");
        drop(fitted);
        let longer = pool.scratch(200_000);
        assert!(pool.bytes() < 4 * 100, "the longest of those that are too short");
        drop(longer);
        assert_eq!(pool.scratch(0).len(), 0);
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
        let free = Arc::downgrade(&pool.numbers.free);
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
