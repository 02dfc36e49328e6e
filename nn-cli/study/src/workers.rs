//! Runs several training runs in parallel.
//!
//! A worker is a thread that makes one run after another on its own thread pool. A training step splits its
//! work over the threads many times and waits for the slowest each time; two runs with one thread each
//! avoid this synchronisation. Results do not depend on it: a run gives the same bits on any number of
//! threads.
//!
//! Measured on two cores shared with other processes, for an experiment of two runs: at 256 pixels 69 and
//! 85 s with both in parallel, 81 and 102 s one after the other; at 64 pixels no difference beyond noise
//! (50, 56, 57 s against 49, 49, 54). Each additional parallel run took 240 MB at 256 pixels and 21 MB at
//! 64. Hence the default: as many workers as there are threads, within limits.

use crate::StudyError;
use crate::backbone::Backbone;
use crate::config::RunConfig;
use nn_core::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The default upper limit of parallel runs, because each takes memory.
const MOST: usize = 4;

/// The memory limit of all workers together in bytes, by the estimate of [`bytes`].
const MEMORY: usize = 4 << 30;

/// The default number of parallel runs: one for each thread, but at most four, at most `runs`, and no more
/// than fit into 4 GiB by an estimate.
fn workers(runs: usize, threads: usize, parameters: usize, activations: usize) -> usize {
    let fit = MEMORY / bytes(parameters, activations).max(1);
    runs.min(threads).min(MOST).min(fit).max(1)
}

/// The number of `runs` with `config`, or with its backbone, that this machine can make in parallel.
///
/// # Errors
/// If there is no such network.
pub fn fitting(
    runs: usize,
    config: &RunConfig,
    backbone: Option<&Backbone>,
    classes: usize,
) -> Result<usize, StudyError> {
    let plain = config.architecture.classifier(config.input(), classes, 0)?.summary();
    let (mut parameters, mut activations) = (plain.parameters, plain.activations);
    if let Some(pretrained) = backbone.map(|backbone| backbone.model.summary()) {
        parameters = parameters.max(pretrained.parameters);
        activations = activations.max(pretrained.activations);
    }
    let activations = activations * config.fit.batch_size;
    Ok(workers(runs, rayon::current_num_threads(), parameters, activations))
}

/// An estimate of the memory of one run, in bytes: the weights, their gradients and Adam's two moments, and
/// the values of a batch at all layers. For the reference with batches of four it gives 260 MB at 256 pixels
/// (240 measured) and 16 at 64 (21 measured).
fn bytes(parameters: usize, activations: usize) -> usize {
    (parameters.saturating_mul(4).saturating_add(activations)).saturating_mul(size_of::<f32>())
}

/// Calls `work(i, stop)` for each of `count` runs, `workers` at a time, and returns the results in order.
/// `stop` is set when a run has failed; `work` should then end early.
///
/// # Errors
/// The first error that is more than the stopping of a run.
pub fn run_all<T: Send>(
    count: usize,
    workers: usize,
    work: impl Fn(usize, &AtomicBool) -> Result<T, StudyError> + Sync,
) -> Result<Vec<T>, StudyError> {
    let stop = AtomicBool::new(false);
    if workers < 2 {
        return (0..count).map(|i| work(i, &stop)).collect();
    }
    let threads = rayon::current_num_threads();
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Result<T, StudyError>>>> =
        (0..count).map(|_| Mutex::new(None)).collect();
    let pools: Vec<rayon::ThreadPool> = (0..workers)
        .map(|worker| {
            // The remainder goes to the first workers.
            let share = threads / workers + usize::from(worker < threads % workers);
            rayon::ThreadPoolBuilder::new().num_threads(share.max(1)).build().map_err(|problem| {
                StudyError::failed(format!(
                    "cannot start threads for {workers} runs at once: {problem}"
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    std::thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = done.get(i) else { return };
                    let result = pool.install(|| work(i, &stop));
                    if result.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    *slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(result);
                }
            });
        }
    });
    let mut results = Vec::with_capacity(count);
    let mut failure = None;
    for slot in done {
        match slot.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some(Ok(result)) => results.push(result),
            Some(Err(found)) if is_better(&found, failure.as_ref()) => failure = Some(found),
            _ => {}
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None if results.len() == count => Ok(results),
        None => Err(Error::Interrupted.into()),
    }
}

/// Whether `found` says more than the error `before`: that a run was stopped says nothing.
fn is_better(found: &StudyError, before: Option<&StudyError>) -> bool {
    match before {
        None => true,
        Some(StudyError::Interrupted) => !matches!(found, StudyError::Interrupted),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_bounded_by_runs_threads_and_memory() {
        let flagship = 7_596_226;
        assert_eq!(workers(2, 1, flagship, 4 * 8_700_000), 1);
        assert_eq!(workers(1, 8, flagship, 4 * 8_700_000), 1);
        assert_eq!(workers(10, 2, flagship, 4 * 8_700_000), 2);
        assert_eq!(workers(10, 64, flagship, 4 * 8_700_000), MOST);
        assert_eq!(workers(10, 64, 130_000_000, 4 * 139_000_000), 1);
        assert_eq!(workers(10, 64, usize::MAX / 32, 4 * 490_000), 1);
    }

    #[test]
    fn results_come_in_order_from_pools_that_share_the_threads() {
        for workers in [1, 2, 3] {
            let results =
                run_all(7, workers, |i, _| Ok((i, rayon::current_num_threads()))).unwrap();
            assert_eq!(results.iter().map(|r| r.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
            let most = rayon::current_num_threads().div_ceil(workers).max(1);
            assert!(results.iter().all(|r| r.1 <= most), "{results:?}");
        }
    }

    #[test]
    fn a_failure_stops_the_others_and_is_the_one_reported() {
        let failure = run_all(9, 2, |i, stop| {
            if i == 1 {
                return Err(StudyError::failed("run 1 is broken"));
            }
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            Err::<(), _>(StudyError::Interrupted)
        });
        assert_eq!(failure.err().unwrap().to_string(), "run 1 is broken");
    }
}
