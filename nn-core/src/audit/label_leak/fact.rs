//! What a fact is: one value for each image, and the group it is told with.

/// Where facts come from, which decides what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The file: what shows there has nothing to do with what the picture shows.
    File,
    /// The picture: it may differ because what is shown differs.
    Picture,
    /// A constant mark in the picture.
    Mark,
    /// The file's name, which no network sees.
    Name,
}

/// A group of facts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Where its facts come from.
    pub source: Source,
    /// Whether what it gives away strongly is an alarm.
    pub alarm: bool,
    /// Whether that should stop a pipeline, too: where the subject is rarely the reason.
    pub gate: bool,
    /// The least difference that matters, in grey levels; 0 where facts are none. See [`Fact::gap`].
    pub material: f64,
}

const fn group(
    name: &'static str,
    source: Source,
    alarm: bool,
    gate: bool,
    material: f64,
) -> Group {
    Group { name, source, alarm, gate, material }
}

/// All groups, in the order in which they are told.
pub const GROUPS: [Group; 10] = [
    group("image size", Source::File, true, true, 0.0),
    group("format", Source::File, true, true, 0.0),
    // No network sees it, and what is shown makes files longer or shorter.
    group("file size", Source::File, true, false, 0.0),
    group("mark", Source::Mark, true, true, 0.0),
    group("corners", Source::Picture, true, true, 8.0),
    group("border", Source::Picture, true, true, 8.0),
    group("sharpness", Source::Picture, true, false, 0.0),
    // These are most often the subject's own.
    group("mean colour", Source::Picture, false, false, 0.0),
    group("tone", Source::Picture, false, false, 0.0),
    group("file name", Source::Name, false, false, 0.0),
];
/// The place of marks among them.
pub const MARK: usize = 3;
/// The place of the file's length.
pub const FILE_SIZE: usize = 2;

/// One fact of every image.
pub struct Fact {
    /// Its group, as an index into [`GROUPS`].
    pub group: usize,
    /// What it is called.
    pub name: String,
    /// Its unit, with a space before it.
    pub unit: &'static str,
    /// What it is for each image.
    pub values: Values,
}

impl Fact {
    /// The least difference that matters between images of which a question is true and those of which it
    /// is not. Grey levels have no unit.
    pub fn material(&self) -> f64 {
        if self.unit.is_empty() { GROUPS[self.group].material } else { 0.0 }
    }

    /// The difference between the medians of the images that are `chosen` and of the others; infinite where
    /// values are no numbers.
    pub fn gap(&self, chosen: impl Fn(usize) -> bool) -> f64 {
        let (Values::Numbers(numbers) | Values::Days(numbers)) = &self.values else {
            return f64::INFINITY;
        };
        let median = |wanted: bool| {
            let of = (0..numbers.len()).filter(|&image| chosen(image) == wanted);
            let mut values: Vec<f64> = of.map(|image| numbers[image]).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        (median(true) - median(false)).abs()
    }
}

/// What a fact is for each image.
pub enum Values {
    /// Numbers, whose order counts.
    Numbers(Vec<f64>),
    /// Days, as numbers: see [`days`].
    Days(Vec<f64>),
    /// Words, which are the same or not.
    Words(Vec<Word>),
}

/// A word that stands for a fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    /// What is compared.
    pub is: String,
    /// What people are told, who may be told the same of different words.
    pub shown: String,
}

/// A date, `YYYY:MM:DD` and more, as a number that grows by about one a day; 0 for none.
pub fn days(date: &str) -> f64 {
    let mut numbers = date.split([':', ' ', '-']).map(|part| part.parse::<f64>().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(year), Some(month), Some(day)) => year * 372.0 + month * 31.0 + day,
        _ => 0.0,
    }
}

/// The date that [`days`] made this number of.
pub fn date(days: f64) -> String {
    if days <= 0.0 {
        return "none".into();
    }
    // Months and days begin at 1.
    let since = (days as usize).saturating_sub(32);
    format!("{:04}-{:02}-{:02}", since / 372, since % 372 / 31 + 1, since % 31 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_as_dates() {
        for day in ["2019-05-28", "2020-12-31", "2021-01-01"] {
            assert_eq!(date(days(day)), day);
        }
        assert_eq!(date(days("yesterday")), "none");
    }
}
