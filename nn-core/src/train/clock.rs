//! How long something takes, where the system tells.

/// Counts from when it was made. In a browser (`wasm32-unknown-unknown`), where the standard library has no
/// clock and asking for one ends the program, no time passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    started: std::time::Instant,
}

impl Clock {
    /// A clock that begins now.
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
