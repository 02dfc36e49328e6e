//! The fuzz targets. The targets themselves (`targets`) are plain functions of bytes, which `cargo
//! test` calls as well.

pub mod targets;

pub use libfuzzer_sys;
pub use rayon;

/// The main function of a target.
#[macro_export]
macro_rules! fuzz {
    ($target:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(
            init: {
                // Everything on one thread: what a crash says is then the whole story, and the
                // other processors are free.
                let pool = $crate::rayon::ThreadPoolBuilder::new().num_threads(1);
                pool.use_current_thread().build_global().expect("nothing ran before");
            },
            |data: &[u8]| $crate::targets::$target::run(data)
        );
    };
}
