//! The findings of an audit as text for a terminal of 80 columns: the worst first.

use crate::ui::table;
use nn_core::audit::{Listing, Pair, Report};
use nn_study::format::{clean, count};
use nn_study::text::{leaks, treated};

/// The maximum width of lines, unless names are longer.
const WIDTH: usize = 80;
/// The indentation of every table and paragraph below a heading.
const INDENT: &str = "  ";
/// The number of copies shown: in total and of one group.
const COPIES: (usize, usize) = (30, 6);
/// The number of pairs of one scene shown: in total and of one group.
const SCENES: (usize, usize) = (5, 2);
/// The number of odd images shown.
const ODD: usize = 30;
/// The width of the column that says what reveals a class: what the others leave at their widest.
const REASON: usize = 33;

/// The whole report about the images of `listing`, called `title`; `read` are lines about how they were read.
pub fn report(title: &str, listing: &Listing, report: &Report, read: &[String]) -> String {
    let mut out = format!("{}\n\n", clean(title));
    out += &wrapped("", &leaks::images(listing, report));
    for line in read {
        out += &wrapped("", line);
    }
    if let Some(treated) = treated::done(&report.treated) {
        out += &wrapped("", &format!("Read: {treated}"));
    }
    out += "\n";
    out += &wrapped("", &format!("Copies: {}", leaks::copies(report)));
    let shown = leaks::examples(&report.pairs, COPIES);
    out += &pairs(&shown, true);
    if shown.len() < report.summary.pairs {
        out += "\n";
        out += &wrapped(INDENT, &leaks::left_out(shown.len(), report.summary.pairs));
    }
    if let Some(scenes) = leaks::scenes(report) {
        out += "\n";
        out += &wrapped("", &format!("Same scene or template: {scenes}"));
        out += &wrapped(INDENT, leaks::SCENES_NOTE);
        let shown = leaks::examples(&report.scenes, SCENES);
        out += &pairs(&shown, false);
        if shown.len() < report.scenes.len() {
            out += &format!("\n{INDENT}These are examples; --json lists more.\n");
        }
    }
    out += "\n";
    let told = leaks::label_leaks(report);
    out += &wrapped("", &format!("Label leaks (the class told from the file alone): {told}"));
    out += &label_leaks(report);
    if !report.odd_images.is_empty() {
        out += "\nOdd images\n";
        let odd = &report.odd_images;
        let rows = odd.iter().take(ODD).map(|odd| leaks::odd_image(odd).to_vec());
        out += &ruled(&["image", "what", "more"], rows, 3);
        if odd.len() > ODD {
            let more = count((odd.len() - ODD) as u64);
            out += &format!("\n{INDENT}... and {more} more, which --json and --html show\n");
        }
    }
    for warning in &report.warnings {
        out += &format!("\n{}", wrapped("", &format!("Note: {warning}")));
    }
    out
}

/// A table of pairs with one line each, or two if the names are too long. `with_what` adds what they have
/// in common.
fn pairs(pairs: &[&Pair], with_what: bool) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let what = |pair: &Pair| match pair.across_labels {
        true => format!("{}; classes differ", leaks::what(pair)),
        false => leaks::what(pair),
    };
    let cells = |front: &[&str], splits: String, what: String| {
        let mut row: Vec<String> = front.iter().map(|cell| cell.to_string()).collect();
        row.push(splits);
        row.extend(with_what.then_some(what));
        row
    };
    let rows = pairs.iter().map(|p| cells(&[&p.a, &p.b], leaks::splits(p), what(p)));
    let header = ["image", "other image", "splits", "what"];
    let columns = if with_what { 4 } else { 3 };
    let table = ruled(&header[..columns], rows, columns);
    if table.lines().all(|line| line.chars().count() <= WIDTH) {
        return table;
    }
    let rows = pairs.iter().flat_map(|p| {
        [cells(&[&p.a], leaks::splits(p), what(p)), cells(&[&p.b], String::new(), String::new())]
    });
    let header = ["images", "splits", "what"];
    ruled(&header[..columns - 1], rows, columns - 1)
}

/// The findings as a table, the groups without findings in one line, and advice.
fn label_leaks(report: &Report) -> String {
    let mut out = String::new();
    let rows: Vec<Vec<String>> = leaks::found(report)
        .flat_map(|leak| {
            let [from, strength, told, points, p] = leaks::label_leak(leak);
            let mut lines = lines(&told, REASON).into_iter();
            let first = vec![from, strength, lines.next().unwrap_or_default(), points, p];
            let more = lines.map(|line| vec![String::new(), String::new(), line]);
            let more = more.map(|mut row| {
                row.resize(leaks::LEAK_HEADER.len(), String::new());
                row
            });
            std::iter::once(first).chain(more)
        })
        .collect();
    if !rows.is_empty() {
        out += &ruled(&leaks::LEAK_HEADER, rows, leaks::LEAK_TEXT);
        out += "\n";
        out += &wrapped(INDENT, leaks::LEAK_KEY);
    }
    if let Some(line) = leaks::nothing_in(report) {
        out += &wrapped(INDENT, &line);
    }
    for advice in leaks::leak_advice(report) {
        out += "\n";
        out += &wrapped(INDENT, advice);
    }
    out
}

/// An indented table with a rule below the header; the first `text` columns contain text.
fn ruled(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, text: usize) -> String {
    let header: Vec<String> = header.iter().map(|cell| cell.to_string()).collect();
    let mut out = String::from("\n");
    for line in table::columns_with_text(&header, rows, text).lines() {
        out += &format!("{INDENT}{line}\n");
    }
    out
}

/// A paragraph wrapped at 80 columns; every line begins with `indent`.
fn wrapped(indent: &str, text: &str) -> String {
    let lines = lines(&clean(text), WIDTH - indent.len());
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}

/// `text` wrapped to lines of at most `width` characters, unless a word is longer.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // A non-breaking space keeps a number and its percent sign on one line.
    for word in text.replace(" %", "\u{a0}%").split(' ') {
        let word = word.replace('\u{a0}', " ");
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaks_of_all_images_of_a_class_keep_to_their_width() {
        let reason = "x".repeat(REASON);
        let row = ["mean colour", "strong", &reason, "100 (84 to 100)", "0.002"].map(String::from);
        let table = ruled(&leaks::LEAK_HEADER, [row.to_vec()], leaks::LEAK_TEXT);
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH), "{table}");
    }

    #[test]
    fn paragraphs_keep_to_their_width() {
        assert_eq!(lines("a bc def", 4), ["a bc", "def"]);
        assert_eq!(lines("a bcdefgh i", 4), ["a", "bcdefgh", "i"]);
        assert_eq!(lines("of 46 %", 5), ["of", "46 %"]);
        let text = wrapped(INDENT, &"word ".repeat(40));
        assert!(text.lines().count() > 2);
        assert!(text.lines().all(|line| line.starts_with("  w") && line.chars().count() <= WIDTH));
    }
}
