//! Splitting of work over threads.
//!
//! Every function here gives each task a part of the output that no other task writes, and splits by
//! size alone, never by the number of threads. The same additions happen in the same order for any
//! number of threads, so results are bit-identical.

#[cfg(not(feature = "parallel"))]
mod sequential;

use crate::tensor::Element;
use prelude::*;

/// Parallel iterators: those of rayon, or sequential ones of the same names if the crate is built
/// without the feature `parallel`.
pub(crate) mod prelude {
    #[cfg(not(feature = "parallel"))]
    pub(crate) use super::sequential::{IntoParallel, ParallelSlice, Together};
    #[cfg(feature = "parallel")]
    pub(crate) use rayon::prelude::*;
}

/// Runs both functions, in parallel if there are threads.
pub(crate) fn join<A: Send, B: Send>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(feature = "parallel")]
    return rayon::join(a, b);
    #[cfg(not(feature = "parallel"))]
    (a(), b())
}

/// Runs `f` on a thread of the pool, so that the ops inside need not each be handed over to it.
pub(crate) fn on_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "parallel")]
    return rayon::scope(|_| f());
    #[cfg(not(feature = "parallel"))]
    f()
}

/// What `f` returns on each thread of the pool.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn on_each_thread<R: Send>(f: impl Fn() -> R + Sync) -> Vec<R> {
    #[cfg(feature = "parallel")]
    return rayon::broadcast(|_| f());
    #[cfg(not(feature = "parallel"))]
    vec![f()]
}

/// Minimum number of elements of a parallel task.
pub const CHUNK: usize = 1 << 14;

// The functions below hand a closure to the pool by reference, so that the pool's code is compiled once for
// each type of element and not for each closure. The call costs nothing beside a task.

/// Calls `f(i, chunk)` for the `i`-th chunk of `len` elements of `data`.
pub fn for_each_chunk<T: Send>(data: &mut [T], len: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if data.is_empty() {
        return;
    }
    let tasks = (CHUNK / len.max(1)).max(1);
    for_each_task(data, len * tasks, &|task, chunks| {
        for (i, chunk) in chunks.chunks_mut(len).enumerate() {
            f(task * tasks + i, chunk);
        }
    });
}

/// The length of the pieces that [`for_each_piece`] cuts `len` elements into: a multiple of 64.
pub fn piece(len: usize) -> usize {
    const MOST: usize = 128;
    let pieces = (len / CHUNK).clamp(1, MOST);
    // A power of two, so that as many threads take equally many.
    len.div_ceil(1 << pieces.ilog2()).next_multiple_of(64)
}

/// Calls `f(start, piece)` for pieces of about equal size of `data`, which begin with element `start`: for work
/// on each element by itself. Less than two chunks are one piece, on the thread that calls.
pub fn for_each_piece<T: Send>(data: &mut [T], f: impl Fn(usize, &mut [T]) + Sync) {
    let len = piece(data.len());
    if len >= data.len() {
        return f(0, data);
    }
    for_each_task(data, len, &|i, part| f(i * len, part));
}

fn for_each_task<T: Send>(data: &mut [T], len: usize, f: &(dyn Fn(usize, &mut [T]) + Sync)) {
    data.par_chunks_mut(len).enumerate().for_each(|(i, part)| f(i, part));
}

/// Like [`for_each_chunk`], over two arrays of equal length, split at the same indices.
pub fn for_each_chunk_pair<T: Send, U: Send>(
    first: &mut [T],
    second: &mut [U],
    len: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    if first.is_empty() {
        return;
    }
    let tasks = (CHUNK / len.max(1)).max(1);
    for_each_task_of_two((first, len * tasks), (second, len * tasks), &|task, first, second| {
        let chunks = first.chunks_mut(len).zip(second.chunks_mut(len));
        for (i, (first, second)) in chunks.enumerate() {
            f(task * tasks + i, first, second);
        }
    });
}

type OfTwo<'a, T, U> = dyn Fn(usize, &mut [T], &mut [U]) + Sync + 'a;

fn for_each_task_of_two<T: Send, U: Send>(
    (first, first_len): (&mut [T], usize),
    (second, second_len): (&mut [U], usize),
    f: &OfTwo<'_, T, U>,
) {
    let parts = first.par_chunks_mut(first_len).zip(second.par_chunks_mut(second_len));
    parts.enumerate().for_each(|(i, (first, second))| f(i, first, second));
}

/// Calls `f(image, i, tile)` for the `i`-th tile of `tile_len` elements of each image of `image_len`;
/// the last tile of an image may be shorter.
pub fn for_each_tile<T: Send>(
    data: &mut [T],
    image_len: usize,
    tile_len: usize,
    f: impl Fn(usize, usize, &mut [T]) + Sync,
) {
    if data.is_empty() {
        return;
    }
    for_each_task(data, image_len, &|n, image| {
        for_each_task(image, tile_len, &|i, tile| f(n, i, tile));
    });
}

/// Like [`for_each_tile`], over two arrays of equal length, split at the same indices.
pub fn for_each_tile_pair<T: Send, U: Send>(
    first: &mut [T],
    second: &mut [U],
    image_len: usize,
    tile_len: usize,
    f: impl Fn(usize, usize, &mut [T], &mut [U]) + Sync,
) {
    for_each_tile_of_two((first, image_len, tile_len), (second, image_len, tile_len), f);
}

/// Like [`for_each_tile`], over two arrays with their own image and tile lengths:
/// `(data, image_len, tile_len)`. Both have the same number of images, and of tiles per image.
pub fn for_each_tile_of_two<T: Send, U: Send>(
    (first, first_image, first_tile): (&mut [T], usize, usize),
    (second, second_image, second_tile): (&mut [U], usize, usize),
    f: impl Fn(usize, usize, &mut [T], &mut [U]) + Sync,
) {
    if first.is_empty() || second.is_empty() {
        return;
    }
    for_each_task_of_two((first, first_image), (second, second_image), &|n, first, second| {
        let tiles = ((first, first_tile), (second, second_tile));
        for_each_task_of_two(tiles.0, tiles.1, &|i, first, second| f(n, i, first, second));
    });
}

/// Sums parts of `part_len` elements, in order, into the first part, and returns it.
pub fn sum_parts<T: Element>(parts: &mut [T], part_len: usize) -> &mut [T] {
    let (total, rest) = parts.split_at_mut(part_len);
    for_each_chunk(total, CHUNK, |i, total| {
        for part in rest.chunks_exact(part_len) {
            for (sum, &v) in total.iter_mut().zip(&part[i * CHUNK..]) {
                *sum += v;
            }
        }
    });
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_even_and_small_work_is_one() {
        for len in [0, 1, 63, CHUNK, 2 * CHUNK - 1] {
            assert!(piece(len) >= len, "{len}");
        }
        for len in [2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK, 7 * CHUNK + 5, 100 * CHUNK + 17, 1 << 22] {
            let size = piece(len);
            let (count, last) = (len.div_ceil(size), len - (len - 1) / size * size);
            assert!(count.is_power_of_two(), "{count} pieces of {len}");
            assert!(
                size >= CHUNK && (size < 2 * CHUNK + 64 || count == 128) && size.is_multiple_of(64),
                "{size} of {len}"
            );
            assert!(size - last < 64 * count, "{last} after {size} of {len}");
            let mut data = vec![0; len];
            for_each_piece(&mut data, |start, part| {
                part.iter_mut().enumerate().for_each(|(i, v)| *v += start + i);
            });
            assert!(data.iter().copied().eq(0..len), "{len}");
        }
    }
}
