//! Huge pages for large buffers.

/// Minimum size in bytes for huge pages.
const LARGE: usize = 2 << 20;

/// Asks the system to map `memory` in huge pages, if it is large and the system supports them. The
/// kernels read tens of megabytes per step, and one 2 MB page replaces 512 address translations by one.
/// Call it before the memory is first written. It affects only speed.
pub fn prefer_huge<T>(memory: &mut [T]) {
    if size_of_val(memory) >= LARGE {
        advise(memory);
    }
}

#[cfg(not(all(target_os = "linux", feature = "huge-pages")))]
fn advise<T>(_: &mut [T]) {}

#[cfg(all(target_os = "linux", feature = "huge-pages"))]
fn advise<T>(memory: &mut [T]) {
    use rustix::mm::{Advice, madvise};
    let page = rustix::param::page_size();
    let range = memory.as_mut_ptr_range();
    let first = range.start.addr().next_multiple_of(page);
    let bytes = (range.end.addr() - first) / page * page;
    let start = range.start.with_addr(first).cast();
    // SAFETY: the range is whole pages of one allocation that is borrowed for writing, and the advice
    // changes no content. A system that knows no huge pages refuses, which does no harm.
    let _ = unsafe { madvise(start, bytes, Advice::LinuxHugepage) };
}
