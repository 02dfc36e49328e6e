//! Progress: a bar on a terminal, one line for each epoch elsewhere, nothing if quiet.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use nn_core::train::EpochRecord;

use super::Console;
use nn_core::train::StepRecord;
use nn_study::{TrainingDisplay, format};

/// The bar of an epoch, within 80 columns; a narrower terminal cuts the message and does not wrap it.
const EPOCH: &str = "{prefix} {bar:10.cyan/dim} {pos}/{len}  {eta} left  {wide_msg}";

/// Shows a training run: for each epoch a bar with batches, images per second, remaining time and running
/// loss and accuracy, then a line that stays.
pub struct TrainingProgress<'a> {
    console: &'a Console,
    run: String,
    epochs: usize,
    /// The number of images since the epoch began, or was resumed.
    images: usize,
    bar: ProgressBar,
}

impl<'a> TrainingProgress<'a> {
    /// For a run of `epochs` epochs; `run` is its name if there are several runs, else empty.
    pub fn new(console: &'a Console, run: &str, epochs: usize) -> Self {
        let bar = if console.draws_bars() {
            console.bars().add(ProgressBar::new(0).with_style(style(EPOCH)))
        } else {
            ProgressBar::hidden()
        };
        let run = if run.is_empty() { String::new() } else { format!("{run}  ") };
        Self { console, run, epochs, images: 0, bar }
    }

    fn label(&self, epoch: usize) -> String {
        let wide = self.epochs.to_string().len();
        format!("{}epoch {epoch:>wide$}/{}", self.run, self.epochs)
    }

    /// At most 80 columns for usual numbers.
    fn line(&self, result: &EpochRecord) -> String {
        let accuracy = result.accuracy.map_or_else(|| "–".into(), format::percent);
        let loss = format::loss(result.loss);
        // With several runs, the run's name replaces the word "accuracy".
        let word = if self.run.is_empty() { "accuracy " } else { "" };
        let mut line = format!("{}  loss {loss:>6}  {word}{accuracy:>7}", self.label(result.epoch));
        if let (Some(loss), Some(accuracy)) = (result.val_loss, result.val_accuracy) {
            let (loss, accuracy) = (format::loss(loss), format::percent(accuracy));
            line += &format!("  validation {loss:>6}  {accuracy:>7}");
        }
        line + &format!("  {}", format::clock(Duration::from_secs_f64(result.seconds)))
    }
}

impl TrainingDisplay for TrainingProgress<'_> {
    fn epoch_started(&mut self, epoch: usize, batches: usize, done: usize) {
        self.images = 0;
        self.bar.reset();
        self.bar.set_position(done as u64);
        self.bar.set_length(batches as u64);
        self.bar.set_prefix(self.label(epoch));
        self.bar.set_message("");
    }

    fn step_done(&mut self, step: &StepRecord, so_far: &StepRecord) {
        self.images += step.samples;
        let seconds = self.bar.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { self.images as f64 / seconds } else { 0.0 };
        self.bar.set_message(format!(
            "loss {}  accuracy {}  {rate:.0} images/s",
            format::loss(so_far.loss),
            so_far.accuracy().map_or_else(|| "–".into(), format::percent)
        ));
        self.bar.inc(1);
    }

    /// The line of the epoch is printed and stays.
    fn epoch_done(&mut self, result: &EpochRecord) {
        self.console.note(&self.line(result));
    }

    /// Removes the bar, also after a failure.
    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for TrainingProgress<'_> {
    /// Removes the bar if the run ends with an error.
    fn drop(&mut self) {
        self.finish();
    }
}

/// A progress counter with a known total: images evaluated, or bytes downloaded.
pub struct Counter {
    bar: ProgressBar,
}

impl nn_study::Counter for Counter {
    fn set(&self, done: u64) {
        Counter::set(self, done);
    }
}

impl Counter {
    /// Counts `total` things, such as `images`, while `doing` something, such as `evaluating`.
    pub fn items(console: &Console, doing: &str, total: u64, things: &str) -> Self {
        Self::new(console, doing, total, &items_template(things))
    }

    /// Counts `total` bytes; 0 stands for an unknown size.
    pub fn bytes(console: &Console, doing: &str, total: u64) -> Self {
        Self::new(console, doing, total, bytes_template(total))
    }

    fn new(console: &Console, doing: &str, total: u64, template: &str) -> Self {
        let bar = if console.draws_bars() {
            console.bars().add(ProgressBar::new(total).with_style(style(template)))
        } else {
            ProgressBar::hidden()
        };
        bar.set_prefix(doing.to_string());
        Self { bar }
    }

    /// Adds `amount` to the count.
    pub fn add(&self, amount: u64) {
        self.bar.inc(amount);
    }

    /// Sets the count to `position`, for instance when a download is resumed.
    pub fn set(&self, position: u64) {
        self.bar.set_position(position);
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn items_template(things: &str) -> String {
    // A brace would be parsed as a placeholder.
    let things = things.replace(['{', '}'], "");
    format!("{{prefix}} {{bar:10.cyan/dim}} {{pos}}/{{len}} {things}  {{rate}}/s  {{eta}} left")
}

fn bytes_template(total: u64) -> &'static str {
    if total == 0 {
        "{prefix} {spinner} {decimal_bytes}  {decimal_bytes_per_sec}"
    } else {
        "{prefix} {bar:10.cyan/dim} {decimal_bytes}/{decimal_total_bytes}  \
         {decimal_bytes_per_sec}  {eta} left"
    }
}

fn style(template: &str) -> ProgressStyle {
    // An invalid template gives a plain bar instead of an error; a test checks all templates.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // A failure to draw a bar is ignored.
            let _ = write!(out, "{:.0}", state.per_sec());
        })
        .progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::super::output::testing::console;
    use super::*;

    fn result(epoch: usize) -> EpochRecord {
        EpochRecord {
            epoch,
            loss: 0.5,
            accuracy: Some(0.75),
            val_loss: Some(0.6429),
            val_accuracy: Some(1.0),
            seconds: 3.2,
        }
    }

    fn steps(samples: usize) -> StepRecord {
        StepRecord { loss: 0.7, correct: Some(samples / 2), samples }
    }

    fn run(json: bool, quiet: bool) -> (String, String) {
        let (console, out, err) = console(json, quiet);
        let mut progress = TrainingProgress::new(&console, "", 10);
        for epoch in [1, 10] {
            progress.epoch_started(epoch, 18, 0);
            progress.step_done(&steps(4), &steps(4));
            progress.epoch_done(&result(epoch));
        }
        let counter = Counter::items(&console, "evaluating", 20, "images");
        counter.add(5);
        drop(counter);
        Counter::bytes(&console, "downloading", 0).set(100);
        drop(progress);
        (out.text(), err.text())
    }

    #[test]
    fn without_a_terminal_each_epoch_is_one_line_on_stderr() {
        let line = "loss 0.5000  accuracy  75.0 %  validation 0.6429  100.0 %  3.2 s\n";
        let expected = format!("epoch  1/10  {line}epoch 10/10  {line}");
        assert_eq!(run(false, false), (String::new(), expected.clone()));
        assert_eq!(run(true, false), (String::new(), expected));
        assert_eq!(run(false, true), (String::new(), String::new()));
    }

    #[test]
    fn without_validation_the_line_is_shorter() {
        let (console, _, err) = console(false, false);
        let mut one = result(1);
        (one.val_loss, one.val_accuracy) = (None, None);
        TrainingProgress::new(&console, "", 1).epoch_done(&one);
        assert_eq!(err.text(), "epoch 1/1  loss 0.5000  accuracy  75.0 %  3.2 s\n");
    }

    /// A bar that is drawn to memory.
    fn drawn(template: &str, total: u64) -> (ProgressBar, indicatif::InMemoryTerm) {
        let terminal = indicatif::InMemoryTerm::new(10, 80);
        let target =
            indicatif::ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 100);
        let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style(template));
        (bar, terminal)
    }

    #[test]
    fn counters_show_how_far_and_how_fast() {
        for (template, total, expected) in [
            (items_template("images"), 20, "evaluating ━━╸─────── 5/20 images"),
            (bytes_template(20).into(), 20, "evaluating ━━╸─────── 5 B/20 B"),
            (bytes_template(0).into(), 0, " 5 B  "),
        ] {
            let (bar, terminal) = drawn(&template, total);
            bar.set_prefix("evaluating");
            bar.inc(5);
            bar.force_draw();
            let shown = terminal.contents();
            assert!(shown.contains(expected) && shown.contains("/s"), "{shown:?}");
            assert!(!shown.contains(['{', '}']) && shown.lines().count() == 1, "{shown:?}");
        }
    }

    #[test]
    fn the_bar_shows_rate_loss_and_time_left() {
        let (bar, terminal) = drawn(EPOCH, 0);
        let (console, _, _) = console(false, false);
        let mut progress = TrainingProgress::new(&console, "", 10);
        progress.bar = bar;
        progress.epoch_started(3, 18, 0);
        // Without elapsed time the rate would have too many digits.
        std::thread::sleep(Duration::from_millis(50));
        for batch in 1..=9 {
            progress.step_done(&steps(4), &steps(4 * batch));
        }
        progress.bar.force_draw();
        let shown = terminal.contents();
        for part in ["epoch  3/10", " 9/18 ", "loss 0.7000", "50.0 %", "images/s", "left"] {
            assert!(shown.contains(part), "{part:?} is missing in {shown:?}");
        }
        assert_eq!(shown.lines().count(), 1, "{shown:?}");
        progress.finish();
        assert_eq!(terminal.contents(), "");
    }
}
