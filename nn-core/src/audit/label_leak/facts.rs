//! The facts of a set of images, in groups.

use super::file_names::Names;
use crate::audit::file_facts::FileFacts;
use crate::audit::file_facts::tones::{CORNER_NAMES, CORNERS};

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

/// The saturation, in grey levels, below which an image has no colours but by rounding.
const GREY: f64 = 0.5;

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

/// The facts of `images`, whose names tell `names`.
pub fn facts(images: &[&FileFacts], names: &Names) -> Vec<Fact> {
    let mut facts = Vec::new();
    let place = |name| GROUPS.iter().position(|group| group.name == name).unwrap_or_default();
    let mut number = |group, name: &str, unit, value: &dyn Fn(&FileFacts) -> f64| {
        let values = Values::Numbers(images.iter().map(|facts| value(facts)).collect());
        facts.push(Fact { group: place(group), name: name.to_string(), unit, values });
    };
    number("image size", "width", " px", &|f| f.width as f64);
    number("image size", "height", " px", &|f| f.height as f64);
    number("image size", "aspect", "", &|f| f.width as f64 / f.height as f64);
    number("format", "JPEG quality", "", &|f| f64::from(f.encoding.quality));
    number("file size", "file size", " bytes", &|f| f.bytes as f64);
    number("file size", "bytes per pixel", "", &|f| f.bytes as f64 / (f.width * f.height) as f64);
    number("file size", "bytes after the picture's end", "", &|f| f.encoding.trailing as f64);
    let colours = ["red", "green", "blue"];
    for (c, colour) in colours.into_iter().enumerate() {
        number("mean colour", &format!("mean {colour}"), "", &|f| f.tones.mean[c]);
        number("border", &format!("{colour} of the border"), "", &|f| f.tones.ring[c]);
        let name = format!("range of {colour} in the border");
        number("border", &name, "", &|f| f.tones.ring[c + 3]);
        number("tone", &format!("darkest {colour}"), "", &|f| f.tones.darkest[c]);
        number("tone", &format!("brightest {colour}"), "", &|f| f.tones.brightest[c]);
    }
    let opposed = |rgb: &[f64]| [rgb[0] - rgb[1], rgb[2] - (rgb[0] + rgb[1]) / 2.0];
    for (i, name) in ["red minus green", "blue minus yellow"].into_iter().enumerate() {
        number("mean colour", &format!("mean {name}"), "", &|f| opposed(&f.tones.mean)[i]);
        number("border", &format!("{name} of the border"), "", &|f| opposed(&f.tones.ring)[i]);
    }
    number("border", "plain frame", " px", &|f| f.tones.frame as f64);
    let most = "spread of grey in the outermost line, most uneven side";
    number("border", most, "", &|f| f.tones.line_spread[0]);
    let least = "spread of grey in the outermost line, most even side";
    number("border", least, "", &|f| f.tones.line_spread[1]);
    number("border", "grey of the outermost line, minus the third", "", &|f| f.tones.line_step);
    number("tone", "saturation", "", &|f| f.tones.saturation);
    number("tone", "saturation for its contrast", "", &|f| {
        f.tones.saturation / (f.tones.contrast + 1.0)
    });
    number("tone", "contrast", "", &|f| f.tones.contrast);
    number("sharpness", "sharpness", "", &|f| f.tones.sharpness);
    number("sharpness", "fine detail", "", &|f| f.tones.fine_detail);
    number("sharpness", "steps between 8 x 8 blocks", "", &|f| f.tones.blocks);
    for (corner, place) in CORNER_NAMES.into_iter().enumerate() {
        for (s, side) in CORNERS.into_iter().enumerate() {
            let square = match side {
                1 => format!("{place} pixel"),
                _ => format!("{place} {side} x {side} px"),
            };
            let name = format!("grey of the {square}");
            number("corners", &name, "", &|f| f.tones.corner[corner][s]);
            let name = format!("grey of the {square}, minus that around");
            number("corners", &name, "", &|f| f.tones.corner_step[corner][s]);
            if side > 1 {
                let name = format!("spread of grey in the {square}");
                number("corners", &name, "", &|f| f.tones.corner_spread[corner][s]);
            }
        }
    }
    facts.push(Fact {
        group: place("format"),
        name: "day in EXIF".into(),
        unit: "",
        values: Values::Days(images.iter().map(|f| days(&f.encoding.date)).collect()),
    });
    let mut word = |group, name: &str, value: &dyn Fn(&FileFacts) -> String| {
        let word = |is: String| Word { shown: is.clone(), is };
        let values = Values::Words(images.iter().map(|facts| word(value(facts))).collect());
        facts.push(Fact { group: place(group), name: name.to_string(), unit: "", values });
    };
    word("image size", "size", &|f| format!("{} x {} px", f.width, f.height));
    word("format", "format", &|f| f.encoding.format.clone());
    word("format", "chroma subsampling", &|f| f.encoding.sampling.clone());
    word("format", "progressive or interlaced", &|f| yes(f.encoding.progressive));
    word("format", "transparency", &|f| yes(f.encoding.alpha));
    word("format", "grey image", &|f| yes(f.tones.saturation < GREY));
    word("format", "pixels", &|f| f.encoding.pixels.clone());
    word("format", "camera", &|f| f.encoding.camera.clone());
    word("format", "software", &|f| f.encoding.software.clone());
    word("format", "day in EXIF", &|f| f.encoding.date.chars().take(10).collect());
    word("format", "colour profile", &|f| f.encoding.profile.clone());
    word("format", "comment", &|f| f.encoding.comment.clone());
    word("format", "resolution", &|f| f.encoding.density.clone());
    // Of equal facts the first is told, so what says more comes first.
    word("format", "EXIF", &|f| yes(f.encoding.exif));
    word("format", "parts of the file", &|f| f.encoding.parts.clone());
    let tables = |f: &&FileFacts| Word {
        is: f.encoding.tables.to_string(),
        shown: f.encoding.compression(),
    };
    facts.push(Fact {
        group: place("format"),
        name: "compression".into(),
        unit: "",
        values: Values::Words(images.iter().map(tables).collect()),
    });
    facts.extend(names.facts(place("file name")));
    facts
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.into()
}

/// A date, `YYYY:MM:DD` and more, as a number that grows by about one a day; 0 for none.
fn days(date: &str) -> f64 {
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
