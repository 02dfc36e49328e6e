//! The program version and the number of threads that computed the results.

use nn_core::kernels::isa;
use serde::Serialize;

/// The program version and the number of threads that computed the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Environment {
    version: &'static str,
    kernel: &'static str,
    threads: usize,
}

impl Environment {
    /// The facts as pairs of name and value, for people.
    pub fn facts(&self) -> [(String, String); 2] {
        // The kernels are recorded in the settings.
        [("nn-cli".into(), self.version.into()), ("threads".into(), self.threads.to_string())]
    }

    /// The environment of this process.
    pub fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel: isa::active().name(),
            threads: rayon::current_num_threads(),
        }
    }
}
