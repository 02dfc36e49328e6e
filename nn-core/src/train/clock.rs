//! Elapsed time, on platforms that have a clock.

/// Measures the time since its creation. On `wasm32-unknown-unknown`, where the standard library
/// has no clock and `Instant::now` panics, it always returns 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    started: std::time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            started: std::time::Instant::now(),
        }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        return 0.0;
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        self.started.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes() {
        let clock = Clock::start();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!((0.002..60.0).contains(&clock.seconds()));
    }
}
