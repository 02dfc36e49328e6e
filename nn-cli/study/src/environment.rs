//! What computed the results.

use nn_core::kernels::isa;
use serde::Serialize;

/// What computed the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Environment {
    version: &'static str,
    kernel: &'static str,
    threads: usize,
}

impl Environment {
    /// By name, for people.
    pub fn facts(&self) -> [(String, String); 2] {
        // The kernel is among the settings.
        [("nn-cli".into(), self.version.into()), ("threads".into(), self.threads.to_string())]
    }

    /// This program on this machine, as it is used now.
    pub fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel: isa::active().name(),
            threads: rayon::current_num_threads(),
        }
    }
}
