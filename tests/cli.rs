//! End-to-end tests of the program: its output, its files, its exit status.
//!
//! Every test runs the real binary in its own sandbox (`support`) on small generated images. The
//! tests in `bad_*` give it bad input: it must exit with the right status and a message that names
//! the cause and the remedy, and leave no files behind.

mod cli {
    mod architecture;
    mod audit;
    mod audit_words;
    mod augment;
    mod backbone;
    mod bad_data;
    mod bad_models;
    mod bad_output;
    mod bad_settings;
    mod bench;
    mod beside;
    mod browser;
    mod channels;
    mod check;
    mod console;
    mod data;
    mod experiment;
    mod export;
    mod faults;
    mod folders;
    mod folds;
    mod gradcam;
    mod judged;
    mod kill;
    mod labels;
    #[cfg(target_os = "linux")]
    mod memory;
    mod models;
    mod onnx;
    mod pages;
    #[cfg(target_os = "linux")]
    mod power;
    mod report;
    mod resume;
    mod runs;
    mod scores;
    mod soak;
    mod support;
    mod tensorboard;
    mod terminal;
    mod train;
    mod training;
    mod treated;
}
