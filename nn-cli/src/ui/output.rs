//! The streams of the program's output.
//!
//! | | stdout | stderr |
//! |---|---|---|
//! | normally | results for people | notes, warnings, progress |
//! | `--quiet` | results for people | warnings |
//! | `--json` | one JSON document | results for people, notes, warnings, progress |
//! | `--json --quiet` | one JSON document | warnings |
//!
//! On a terminal, or if `COLUMNS` is set, lines are wrapped at words ([`lines`]).
//!
//! If the reader closes the pipe (`nn-cli ... | head -1`), that is not a failure: further output is dropped
//! and the work goes on. Any other failure to write a result is an error. A failure to write a message to
//! stderr is ignored.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressDrawTarget};
use nn_core::{Error, Result};
use serde::Serialize;

use super::{lines, table};
use nn_study::format::clean;

/// The destination of a message.
type Sink = Mutex<Box<dyn Write + Send>>;

/// The program's stdout and stderr, with the options of the user.
pub struct Console {
    out: Sink,
    err: Sink,
    json: bool,
    quiet: bool,
    bars: MultiProgress,
    draws_bars: bool,
    /// The widths of stdout and of stderr in columns, if lines are wrapped.
    columns: [Option<usize>; 2],
}

impl Console {
    /// The console of this process, for the options `--json` and `--quiet`.
    pub fn new(json: bool, quiet: bool) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let columns = [lines::columns_of(&out), lines::columns_of(&err)];
        let terminal = err.is_terminal();
        Self { columns, ..Self::with(Box::new(out), Box::new(err), json, quiet, terminal) }
    }

    /// A console for any two writers, without line wrapping; `terminal` says whether `err` can show
    /// progress bars.
    pub fn with(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        json: bool,
        quiet: bool,
        terminal: bool,
    ) -> Self {
        let draws_bars = terminal && !quiet && !json;
        let target =
            if draws_bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let (out, err, columns) = (Mutex::new(out), Mutex::new(err), [None; 2]);
        Self { out, err, json, quiet, bars, draws_bars, columns }
    }

    /// Whether stdout is reserved for a JSON document.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress bars are shown; if not, progress is printed in lines, unless quiet.
    pub(super) fn draws_bars(&self) -> bool {
        self.draws_bars
    }

    /// The displayed progress bars, to add one.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Prints a result for people: on stdout, or on stderr if stdout is reserved for JSON. A line break is
    /// added if it is missing.
    ///
    /// # Errors
    /// If stdout cannot be written, unless its reader closed the pipe.
    pub fn text(&self, text: &str) -> Result<()> {
        if self.json {
            if !self.quiet {
                self.tell(text);
            }
            return Ok(());
        }
        let text = match self.columns[0] {
            Some(most) => &lines::broken(text, most),
            None => text,
        };
        self.bars.suspend(|| print(&self.out, text))
    }

    /// The width for results for people, in columns; `None` if lines are not wrapped.
    pub fn columns(&self) -> Option<usize> {
        self.columns[usize::from(self.json)]
    }

    /// Prints a table as a result for people with [`table::columns_within`], in the available width; the
    /// first `text` columns are left-aligned.
    ///
    /// # Errors
    /// As for [`Console::text`].
    pub fn table(
        &self,
        header: &[String],
        rows: impl IntoIterator<Item = Vec<String>>,
        text: usize,
    ) -> Result<()> {
        self.text(&table::columns_within(self.columns(), header, rows, text))
    }

    /// Prints text for another program unchanged; nothing under `--json`.
    ///
    /// # Errors
    /// As for [`Console::text`].
    pub fn raw(&self, text: &str) -> Result<()> {
        if self.json {
            return Ok(());
        }
        self.bars.suspend(|| print(&self.out, text))
    }

    /// Prints the result as a JSON document under `--json`, and nothing otherwise. Numbers that are
    /// not finite become `null`.
    ///
    /// # Errors
    /// If the value cannot be written as JSON, or stdout cannot be written.
    pub fn json<T: Serialize + ?Sized>(&self, result: &T) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(result).map_err(|problem| {
            Error::setting("a result", "representable as JSON", problem, "report this as a bug")
        })?;
        self.bars.suspend(|| print(&self.out, &text))
    }

    /// Prints on stderr what is being done, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Prints on stderr why the command failed, always.
    pub fn error(&self, text: &str) {
        self.tell(&format!("error: {text}"));
    }

    /// Prints an error of the command line on stderr; the text itself begins with `error:`.
    pub fn complain(&self, text: &str) {
        self.tell(text);
    }

    /// Prints a warning on stderr, always.
    pub fn warn(&self, text: &str) {
        self.tell(&format!("warning: {text}"));
    }

    fn tell(&self, text: &str) {
        self.bars.suspend(|| {
            // Messages contain file names, which may contain control characters. Line breaks are kept.
            let text = text.split('\n').map(clean).collect::<Vec<_>>().join("\n");
            let text = match self.columns[1] {
                Some(most) => lines::broken(&text, most),
                None => text,
            };
            // A failure to write to stderr cannot be reported.
            let _ = print(&self.err, &text);
        });
    }
}

fn print(sink: &Sink, text: &str) -> Result<()> {
    // After a panic in another thread the writer can still be used.
    let mut sink = sink.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let done = sink
        .write_all(text.as_bytes())
        .and_then(|()| sink.write_all(end.as_bytes()))
        .and_then(|()| sink.flush());
    match done {
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(Error::io("write", Path::new("standard output"))),
    }
}

/// Writers for tests: one that shares what was written, one that fails.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    pub struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A console without terminal whose two outputs can be read.
    pub fn console(json: bool, quiet: bool) -> (Console, Shared, Shared) {
        let (out, err) = (Shared::default(), Shared::default());
        let console =
            Console::with(Box::new(out.clone()), Box::new(err.clone()), json, quiet, false);
        (console, out, err)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::console;
    use super::*;

    #[test]
    fn every_message_goes_where_the_table_says() {
        for (json, quiet, out_expected, err_expected) in [
            (false, false, "result\n", "note\nwarning: care\n"),
            (false, true, "result\n", "warning: care\n"),
            (true, false, "{\n  \"a\": 1\n}\n", "result\nnote\nwarning: care\n"),
            (true, true, "{\n  \"a\": 1\n}\n", "warning: care\n"),
        ] {
            let (console, out, err) = console(json, quiet);
            console.text("result").unwrap();
            console.note("note");
            console.warn("care");
            console.json(&serde_json::json!({"a": 1})).unwrap();
            assert_eq!(out.text(), out_expected, "json {json}, quiet {quiet}");
            assert_eq!(err.text(), err_expected, "json {json}, quiet {quiet}");
        }
    }

    #[test]
    fn numbers_that_are_none_become_null() {
        let (console, out, _) = console(true, false);
        console.json(&[1.5, f64::NAN]).unwrap();
        let back: serde_json::Value = serde_json::from_str(&out.text()).unwrap();
        assert_eq!(back, serde_json::json!([1.5, null]));
    }

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_fine_and_a_full_disk_is_not() {
        let with = |kind| {
            let (out, err) = (Box::new(Failing(kind)), Box::new(Failing(kind)));
            Console::with(out, err, false, false, false)
        };
        let gone = with(ErrorKind::BrokenPipe);
        assert!(gone.text("x").is_ok());
        let full = with(ErrorKind::StorageFull);
        let message = full.text("x").unwrap_err().to_string();
        assert!(message.starts_with("cannot write standard output"), "{message}");
        full.warn("is never an error");
    }

    #[test]
    fn bars_need_a_terminal_and_a_user_who_wants_them() {
        for (json, quiet, terminal, expected) in [
            (false, false, true, true),
            (false, false, false, false),
            (true, false, true, false),
            (false, true, true, false),
        ] {
            let sink = || Box::new(io::sink());
            let console = Console::with(sink(), sink(), json, quiet, terminal);
            assert_eq!(console.draws_bars(), expected);
        }
    }
}
