//! The program from outside: what it prints, what it writes, how it ends.
//!
//! Every test runs the real binary in a sandbox of its own (`support`) on small generated images.
//! `bad_*` give it bad input: it must end with the right status and a message that names the
//! culprit and the remedy, and leave nothing behind.

mod cli {
    mod audit;
    mod audit_words;
    mod bad_data;
    mod bad_models;
    mod bad_output;
    mod bad_settings;
    mod bench;
    mod browser;
    mod console;
    mod data;
    mod experiment;
    mod faults;
    mod folders;
    mod gradcam;
    mod judged;
    mod kill;
    mod labels;
    #[cfg(target_os = "linux")]
    mod memory;
    mod models;
    mod pages;
    #[cfg(target_os = "linux")]
    mod power;
    mod report;
    mod resume;
    mod runs;
    mod soak;
    mod support;
    mod terminal;
    mod train;
    mod treated;
}
