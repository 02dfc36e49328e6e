//! Information in file names: dates, numbers, prefixes, and subjects with several images.

use super::fact::{Fact, Values, Word};
use std::collections::{HashMap, HashSet};

/// The share of names that contain the name of their class, above which words and numbers in names
/// are the numbering of the class, and are ignored.
const NAMED: f64 = 0.5;
/// The share of numbers that two classes have in common, above which the numbering starts again in
/// each class.
const ANEW: f64 = 0.2;
/// The minimum number of subjects in a folder.
const SUBJECTS: usize = 5;

/// The information in the names of some images.
#[derive(Default)]
pub struct Names {
    days: Vec<f64>,
    numbers: Option<Vec<f64>>,
    prefixes: Option<Vec<String>>,
    extensions: Vec<String>,
}

/// A parsed file name.
struct Name<'a> {
    stem: &'a str,
    extension: &'a str,
    /// The date in it, as a number that grows by about one a day, and its byte range.
    date: Option<(f64, std::ops::Range<usize>)>,
}

impl<'a> Name<'a> {
    /// Parses a path with forward slashes.
    fn new(file: &'a str) -> Self {
        let name = file.rsplit('/').next().unwrap_or(file);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        Self { stem, extension, date: date(stem) }
    }

    /// The last run of digits that is not part of a date, and its byte range.
    fn number(&self) -> Option<(f64, std::ops::Range<usize>)> {
        let end = self.stem.rfind(|c: char| c.is_ascii_digit())? + 1;
        let digits = self.stem[..end].rfind(|c: char| !c.is_ascii_digit());
        let begin =
            digits.map_or(0, |at| at + self.stem[at..].chars().next().map_or(1, char::len_utf8));
        let within_date = self.date.as_ref().is_some_and(|(_, date)| date.end > begin);
        let number = self.stem[begin..end].parse().ok()?;
        (!within_date).then_some((number, begin..end))
    }

    /// The part before the first digit.
    fn prefix(&self) -> String {
        let letters = self.stem.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
        letters.trim_end_matches(['_', '-', ' ', '.', '(']).to_lowercase()
    }

    /// The part before the last number, if it also contains a number or a date: the name of a
    /// subject, a film, a day.
    fn subject(&self) -> Option<&'a str> {
        let (_, number) = self.number()?;
        let rest = self.stem[..number.start].trim_end_matches(['_', '-', ' ', '.', '(']);
        let numbered = rest.contains(|c: char| c.is_ascii_digit());
        (numbered && number.end == self.stem.trim_end_matches(')').len()).then_some(rest)
    }
}

/// A date `YYYYMMDD`, or one with a separator of one character, and its byte range.
fn date(stem: &str) -> Option<(f64, std::ops::Range<usize>)> {
    let bytes = stem.as_bytes();
    let number = |at: usize, len: usize| -> Option<u32> {
        let digits = bytes.get(at..at + len)?;
        let sum =
            |sum: u32, &byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'));
        digits.iter().try_fold(0, sum)
    };
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    for at in 0..bytes.len() {
        if at > 0 && digit(at - 1) {
            continue;
        }
        for gap in [0, 1] {
            let (month, day) = (at + 4 + gap, at + 6 + 2 * gap);
            let separated = gap == 0 || (!digit(at + 4) && bytes.get(at + 4) == bytes.get(day - 1));
            let (Some(y), Some(m), Some(d)) = (number(at, 4), number(month, 2), number(day, 2))
            else {
                continue;
            };
            let real = (1950..2100).contains(&y) && (1..13).contains(&m) && (1..32).contains(&d);
            if separated && real && !digit(day + 2) {
                return Some((f64::from(y * 372 + m * 31 + d), at..day + 2));
            }
        }
    }
    None
}

/// The letters and digits of a name, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Names {
    /// Parses the names of `files`, whose classes have these `labels`.
    pub fn new(files: &[&str], labels: &[usize], classes: &[String]) -> Self {
        let names: Vec<Name> = files.iter().map(|file| Name::new(file)).collect();
        let classes: Vec<String> = classes.iter().map(|class| plain(class)).collect();
        let named = |(name, &label): (&Name, &usize)| {
            let class = &classes[label];
            !class.is_empty() && class.len() > 1 && plain(name.stem).contains(class.as_str())
        };
        let named = names.iter().zip(labels).filter(|pair| named(*pair)).count() as f64;
        let speaks = named > NAMED * names.len() as f64;
        let numbers: Vec<f64> =
            names.iter().map(|name| name.number().map_or(0.0, |number| number.0)).collect();
        let mut owner: HashMap<u64, HashSet<usize>> = HashMap::new();
        for (number, &label) in numbers.iter().zip(labels) {
            owner.entry(number.to_bits()).or_default().insert(label);
        }
        let shared = numbers.iter().filter(|number| owner[&number.to_bits()].len() > 1).count();
        let anew = shared as f64 > ANEW * numbers.len() as f64;
        Self {
            days: names.iter().map(|name| name.date.as_ref().map_or(0.0, |date| date.0)).collect(),
            numbers: (!speaks && !anew).then_some(numbers),
            prefixes: (!speaks).then(|| names.iter().map(Name::prefix).collect()),
            extensions: names.iter().map(|name| name.extension.to_string()).collect(),
        }
    }

    /// The information as facts of this group.
    pub fn facts(&self, group: usize) -> Vec<Fact> {
        let fact = |name: &str, values| Fact { group, name: name.to_string(), unit: "", values };
        let words = |words: &[String]| {
            let word = |word: &String| Word { is: word.clone(), shown: word.clone() };
            Values::Words(words.iter().map(word).collect())
        };
        let mut facts = vec![
            fact("day in the file name", Values::Days(self.days.clone())),
            fact("extension of the file name", words(&self.extensions)),
        ];
        if let Some(numbers) = &self.numbers {
            facts.push(fact("number in the file name", Values::Numbers(numbers.clone())));
        }
        if let Some(prefixes) = &self.prefixes {
            facts.push(fact("beginning of the file name", words(prefixes)));
        }
        facts
    }
}

/// A warning if file names look like several images each of some subjects (`patient003_2`), and some of the subjects
/// have images in more than one `part`, as which a split or a fold is known to the user. Names end in a number behind
/// that of a subject; there are at least five subjects with several images.
///
/// ```
/// use nn_core::audit::subjects_apart;
///
/// // Two images of each of five patients, one in each of two folds.
/// let files: Vec<String> = (0..10).map(|i| format!("patient{:02}_{}.png", i / 2, i % 2)).collect();
/// let folds = files.iter().enumerate().map(|(i, file)| (file.as_str(), Some(i % 2)));
/// let warning = subjects_apart(folds, "fold");
/// assert!(warning.is_some_and(|warning| warning.contains("in more than one fold")));
/// ```
pub fn subjects_apart<'a, P: Ord>(
    files: impl Iterator<Item = (&'a str, Option<P>)>,
    part: &str,
) -> Option<String> {
    type Images<'a, P> = Vec<(&'a str, Option<P>)>;
    let mut of_subject: HashMap<String, Images<P>> = HashMap::new();
    let (mut images, mut with_subject) = (0, 0);
    for (file, own) in files {
        images += 1;
        if let Some(subject) = Name::new(file).subject() {
            with_subject += 1;
            of_subject.entry(subject.to_lowercase()).or_default().push((file, own));
        }
    }
    let several = of_subject.values().filter(|images| images.len() > 1).count();
    if 2 * with_subject < images || several < SUBJECTS || 2 * several < of_subject.len() {
        return None;
    }
    let mut across: Vec<(&String, &Images<P>)> = of_subject
        .iter()
        .filter(|(_, images)| images.iter().any(|(_, own)| own.is_some() && *own != images[0].1))
        .collect();
    across.sort();
    let (subject, images) = across.first()?;
    let other = images.iter().find(|(_, own)| *own != images[0].1)?;
    Some(format!(
        "file names look like several images of one subject, day or film each; {} of {} such groups are in \
         more than one {part}, for example {subject} ({}, {}): images of one subject are alike, so the test \
         is easier than new subjects will be",
        across.len(),
        several,
        images[0].0,
        other.0,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::listing::Part;

    #[test]
    fn names_come_apart() {
        let day = |y: u32, m: u32, d: u32| Some(f64::from(y * 372 + m * 31 + d));
        for (file, of_day, number, subject) in [
            ("a/2019-05-03_0004.jpg", day(2019, 5, 3), Some(4.0), Some("2019-05-03")),
            ("IMG_20211130_101500.jpeg", day(2021, 11, 30), Some(101_500.0), Some("IMG_20211130")),
            ("train/wolf_12.jpg", None, Some(12.0), None),
            ("patient003_2.png", None, Some(2.0), Some("patient003")),
            ("patient003_2", None, Some(2.0), Some("patient003")),
            ("20191399.jpg", None, Some(20_191_399.0), None),
            ("été 7 (3).jpg", None, Some(3.0), Some("été 7")),
            ("x", None, None, None),
        ] {
            let name = Name::new(file);
            assert_eq!(name.date.as_ref().map(|date| date.0), of_day, "{file}");
            assert_eq!(name.number().map(|number| number.0), number, "{file}");
            assert_eq!(name.subject(), subject, "{file}");
        }
    }

    #[test]
    fn subjects_are_told_apart_from_numbering() {
        let both = |i: usize| Some(if i.is_multiple_of(3) { Part::Test } else { Part::Train });
        let told = |name: &dyn Fn(usize) -> String| {
            let names: Vec<String> = (0..60).map(name).collect();
            let files = names.iter().enumerate().map(|(i, name)| (name.as_str(), both(i)));
            subjects_apart(files, "split")
        };
        let patients = told(&|i| format!("patient{:03}_{}.jpg", i / 6, i % 6));
        assert!(patients.is_some_and(|text| text.contains("10 of 10 such groups")));
        assert_eq!(told(&|i| format!("wolf_{i}.jpg")), None);
        assert_eq!(told(&|i| format!("{i:05}.jpg")), None);
    }
}
