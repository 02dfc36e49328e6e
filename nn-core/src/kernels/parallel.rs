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
