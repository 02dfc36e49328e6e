//! Facts: one value for each image, in groups that are reported together.

/// The source of a fact, which determines its interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The file: independent of what the picture shows.
    File,
    /// The picture: may differ because the subjects differ.
    Picture,
    /// A mark at a constant position in the picture.
    Mark,
    /// The file's name, which a network does not see.
    Name,
}

/// A group of facts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// The source of its facts.
    pub source: Source,
    /// Whether a strong leak is an alarm.
    pub alarm: bool,
    /// Whether a strong leak should also stop a pipeline: the subject is rarely the explanation.
    pub gate: bool,
    /// The minimum relevant difference, in grey levels; 0 if the facts are not grey levels. See
    /// [`Fact::gap`].
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

/// All groups, in the order in which they are reported.
pub const GROUPS: [Group; 10] = [
    group("image size", Source::File, true, true, 0.0),
    group("format", Source::File, true, true, 0.0),
    // A network does not see it, and the content of a picture affects the size of its file.
    group("file size", Source::File, true, false, 0.0),
    group("mark", Source::Mark, true, true, 0.0),
    group("corners", Source::Picture, true, true, 8.0),
    group("border", Source::Picture, true, true, 8.0),
    group("sharpness", Source::Picture, true, false, 0.0),
    // The subject itself often explains these.
    group("mean colour", Source::Picture, false, false, 0.0),
    group("tone", Source::Picture, false, false, 0.0),
    group("file name", Source::Name, false, false, 0.0),
];
/// The index of the group of marks.
pub const MARK: usize = 3;
/// The index of the group of the file size.
pub const FILE_SIZE: usize = 2;

/// One fact of every image.
pub struct Fact {
    /// Its group, as an index into [`GROUPS`].
    pub group: usize,
    /// Its name.
    pub name: String,
    /// Its unit, with a space before it.
    pub unit: &'static str,
    /// Its value for each image.
    pub values: Values,
}

impl Fact {
    /// The minimum relevant difference between images for which a question is true and the others.
    /// Only facts in grey levels, which have no unit, have one.
    pub fn material(&self) -> f64 {
        if self.unit.is_empty() { GROUPS[self.group].material } else { 0.0 }
    }

    /// The difference between the medians of the `chosen` images and of the others; infinite if the
    /// values are not numbers.
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

/// The values of a fact, one for each image.
pub enum Values {
    /// Ordinal numbers.
    Numbers(Vec<f64>),
    /// Days, as numbers: see [`days`].
    Days(Vec<f64>),
    /// Categories, which are equal or not.
    Words(Vec<Word>),
}

/// A category.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    /// The value that is compared.
    pub is: String,
    /// The text for messages, which may be the same for different values.
    pub shown: String,
}

/// A date, `YYYY:MM:DD` and more, as a number that grows by about one a day; 0 if there is none.
pub fn days(date: &str) -> f64 {
    let mut numbers = date.split([':', ' ', '-']).map(|part| part.parse::<f64>().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(year), Some(month), Some(day)) => year * 372.0 + month * 31.0 + day,
        _ => 0.0,
    }
}

/// The date that [`days`] converted to this number.
pub fn date(days: f64) -> String {
    if days <= 0.0 {
        return "none".into();
    }
    // Months and days start at 1.
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
