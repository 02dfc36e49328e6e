//! How much of the heat is on the background, by predicted class.
//!
//! A mean over all predictions would hide the main effect: a model can recognise one class by the animal
//! and the other by the background. A statement about a class is made only if the 95 % interval (Student's
//! t over images) of its difference to evenly spread heat excludes zero.

use super::parts::place;
use super::samples::ground;
use crate::format::{class_name, clean, plural};
use crate::inspection::{Inspected, Inspection, not_counted};
use crate::stats::{Interval, mean_interval};
use nn_core::explain::BackgroundHeat;
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many classes, each has a row; beyond, all predictions share one row.
const CLASSES_APART: usize = 3;

/// The shares of one model, or of the models of several seeds, on a set of images.
pub struct Shares {
    pub title: String,
    pub rows: Vec<Row>,
    /// The number of maps without a share, and why.
    pub without: String,
    /// The interpretation of the shares.
    pub meaning: String,
}

/// The shares of the images predicted as one class.
pub struct Row {
    /// The row's name, such as `Answered wolf`.
    pub name: String,
    pub mean: String,
    pub detail: String,
    /// A description of the strip, in words.
    pub described: String,
    /// The background's share of the picture: the share of evenly spread heat.
    pub area: String,
    /// The position of the mean.
    pub at: String,
    pub each: Vec<OneShare>,
}

/// One image's share.
pub struct OneShare {
    pub at: String,
    pub high: String,
    pub tip: String,
}

/// An image, its predicted class, and the share of its map for that class.
#[derive(Clone, Copy)]
struct Known<'a> {
    file: &'a str,
    answer: usize,
    share: BackgroundHeat,
    /// The index of the model.
    model: usize,
}

/// The images of `inspections` that have a share.
fn known<'a>(inspections: &[&'a Inspection]) -> Vec<Known<'a>> {
    let of_model = |(model, one): (usize, &&'a Inspection)| {
        one.images.iter().filter_map(move |image: &'a Inspected| {
            let (answer, share) = image.share();
            Some(Known { file: &image.file, answer, share: share.ok()?, model })
        })
    };
    inspections.iter().enumerate().flat_map(of_model).collect()
}

/// The number of images without a share, by reason; empty if all have one.
fn without(inspections: &[&Inspection]) -> String {
    let mut reasons = BTreeMap::new();
    for image in inspections.iter().flat_map(|one| &one.images) {
        if let Err(reason) = image.share().1 {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    not_counted(&reasons)
}

impl Shares {
    /// The shares of the models of all seeds, inspected on the same set; `None` if there is no share.
    pub fn new(title: &str, inspections: &[&Inspection]) -> Option<Self> {
        let first = inspections.first()?;
        let all = known(inspections);
        let without = without(inspections);
        if all.is_empty() {
            return None;
        }
        if first.classes.len() > CLASSES_APART {
            let rows = vec![Row::new("All answers", &all)];
            return Some(Self { title: title.into(), rows, without, meaning: String::new() });
        }
        let classes = first.classes.iter().enumerate();
        let of_class = classes.map(|(class, name)| {
            let given = all.iter().filter(|one| one.answer == class).copied();
            (name.as_str(), given.collect::<Vec<_>>())
        });
        let of_class: Vec<_> = of_class.filter(|(_, given)| !given.is_empty()).collect();
        let row = |(name, given): &(&str, Vec<Known<'_>>)| {
            Row::new(&format!("Answered {}", class_name(name)), given)
        };
        let rests = of_class.iter().map(|(name, given)| (*name, beyond(given)));
        Some(Self {
            title: title.into(),
            rows: of_class.iter().map(row).collect(),
            without,
            meaning: meaning(&rests.collect::<Vec<_>>(), ground(first), inspections.len()),
        })
    }
}

impl Row {
    fn new(name: &str, given: &[Known<'_>]) -> Self {
        let mean = |value: fn(&BackgroundHeat) -> f64| {
            given.iter().map(|one| value(&one.share)).sum::<f64>() / given.len() as f64
        };
        let (heat, area) = (mean(|share| share.heat), mean(|share| share.area));
        let each = given.iter().enumerate().map(|(i, Known { file, share, .. })| OneShare {
            at: place(share.heat),
            // Spread over the strip's height, so that equal shares remain distinguishable.
            high: place(0.12 + 0.76 * (i * 7 % 11) as f64 / 10.0),
            tip: format!("{}: {:.0} %", clean(file), share.heat * 100.0),
        });
        let detail = format!(
            "of the heat on the background, which covers {:.0} % of the picture ({}{})",
            area * 100.0,
            plural(given.len() as u64, "map"),
            by_model(given)
        );
        let mean = format!("{:.0} %", heat * 100.0);
        Self {
            name: name.to_string(),
            described: format!("{name}: {mean} {detail}"),
            mean,
            detail,
            area: place(area),
            at: place(heat),
            each: each.collect(),
        }
    }
}

/// The range of the means of several models: `; single seeds 2 to 85 %`.
fn by_model(given: &[Known<'_>]) -> String {
    let mut of_model: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for one in given {
        of_model.entry(one.model).or_default().push(one.share.heat);
    }
    let means = of_model.values().map(|all| 100.0 * all.iter().sum::<f64>() / all.len() as f64);
    let (low, high) = means.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| {
        (low.min(mean), high.max(mean))
    });
    if of_model.len() < 2 {
        return String::new();
    }
    format!("; single seeds {low:.0} to {high:.0} %")
}

/// What the predictions of a class are based on, as far as heat shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rests {
    /// More heat is on the background than with evenly spread heat.
    Background,
    /// Less heat is on the background than with evenly spread heat.
    Animal,
    /// Neither is significant.
    Unknown,
}

/// The 95 % interval of the share of heat on the background minus that of evenly spread heat; `None` for
/// too few images. Several models' shares of the same image are averaged and count as one image.
fn beyond(given: &[Known<'_>]) -> Option<Interval> {
    let mut of_image: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for Known { file, share, .. } in given {
        of_image.entry(file).or_default().push(share.heat - share.area);
    }
    let differences: Vec<f64> =
        of_image.values().map(|all| all.iter().sum::<f64>() / all.len() as f64).collect();
    mean_interval(&differences)
}

/// Interprets the interval `beyond` of the difference to evenly spread heat.
fn rests(beyond: Option<Interval>) -> Rests {
    match beyond {
        Some(interval) if interval.is_above(0.0) => Rests::Background,
        Some(interval) if interval.is_below(0.0) => Rests::Animal,
        _ => Rests::Unknown,
    }
}

/// An interpretation in a sentence or two: what each class is recognised by. `ground` is the background, if
/// it is known. For several models it describes their average.
fn meaning(classes: &[(&str, Option<Interval>)], ground: Option<&str>, models: usize) -> String {
    let who = match models {
        1 => "This model says".to_string(),
        _ => format!("On average these {models} models say"),
    };
    let named = |wanted: Rests| {
        let names = classes.iter().filter(|(_, beyond)| rests(*beyond) == wanted);
        names.map(|(name, _)| format!("\u{201c}{}\u{201d}", class_name(name))).collect::<Vec<_>>()
    };
    let list = |names: &[String]| names.join(" and ");
    let place =
        ground.map_or("the background".into(), |ground| format!("the background ({ground})"));
    let (background, animal) = (named(Rests::Background), named(Rests::Animal));
    let mut told = Vec::new();
    match (background.is_empty(), animal.is_empty()) {
        (false, false) => told.push(format!(
            "{who} {} from {place} and {} from the animal.",
            list(&background),
            list(&animal)
        )),
        (false, true) => told.push(format!("{who} {} from {place}.", list(&background))),
        (true, false) => told.push(format!("{who} {} from the animal.", list(&animal))),
        (true, true) => {}
    }
    // If some classes are recognised by the animal, others may be significantly less so.
    let least = classes.iter().filter_map(|(_, beyond)| *beyond).filter(|one| one.is_below(0.0));
    let least = least.map(|one| one.high).reduce(f64::max);
    let (apart, unknown): (Vec<_>, Vec<_>) = classes
        .iter()
        .filter(|(_, beyond)| rests(*beyond) == Rests::Unknown)
        .partition(|(_, beyond)| least.zip(*beyond).is_some_and(|(high, one)| one.low > high));
    let quoted = |names: &[&(&str, Option<Interval>)]| {
        let names = names.iter().map(|(name, _)| format!("\u{201c}{}\u{201d}", class_name(name)));
        names.collect::<Vec<_>>().join(" and ")
    };
    if !apart.is_empty() {
        told.push(format!(
            "When it says {}, clearly more of the heat lies on {place}, as it would if the animal did not matter.",
            quoted(&apart)
        ));
    }
    if !unknown.is_empty() {
        told.push(format!(
            "For {} the heat is not clearly more or less than an even spread.",
            quoted(&unknown)
        ));
    }
    told.join(" ")
}

/// How to read the strips, and how the background was found.
pub fn note(inspections: &[&Inspection]) -> String {
    let rules: BTreeSet<&str> =
        known(inspections).iter().map(|one| one.share.rule.name()).collect();
    if rules.is_empty() {
        return "For no picture can a share of heat on the background be told.".into();
    }
    let rules: Vec<&str> = rules.into_iter().collect();
    format!(
        "Dot: one picture. Bar: mean over pictures with a non-empty map. Shaded: share expected if heat were \
         spread evenly. The background was found by a simple rule ({}), which fails for some pictures, so \
         trust means more than single dots. What an answer rests on is said where the 95 % interval of the \
         difference to an even spread does not reach zero.",
        rules.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::data::ForegroundRule;

    fn one(file: &str, answer: usize, heat: f64) -> Known<'_> {
        let share = BackgroundHeat { heat, area: 0.7, rule: ForegroundRule::PlainBackdrop };
        Known { file, answer, share, model: 0 }
    }

    #[test]
    fn an_answer_rests_on_what_an_interval_shows() {
        let names = ["a", "b", "c", "d"];
        let of = |shares: &[f64]| {
            let all = names.iter().zip(shares).map(|(name, &share)| one(name, 0, share));
            rests(beyond(&all.collect::<Vec<_>>()))
        };
        assert_eq!(of(&[0.9, 0.92, 0.95, 0.91]), Rests::Background);
        assert_eq!(of(&[0.2, 0.3, 0.25, 0.31]), Rests::Animal);
        assert_eq!(of(&[0.2, 0.95, 0.6, 0.9]), Rests::Unknown);
        assert_eq!(of(&[0.95, 0.95]), Rests::Unknown, "two images show nothing");
        // Five seeds on two images count as two images.
        let seeds: Vec<_> = (0..10).map(|i| one(names[i % 2], 0, 0.9 + 0.001 * i as f64)).collect();
        assert_eq!(rests(beyond(&seeds)), Rests::Unknown);
    }

    #[test]
    fn the_meaning_names_both_classes() {
        let range = |low, high| Some(Interval { low, high });
        let both = [("husky", range(-0.5, -0.3)), ("wolf", range(0.1, 0.3))];
        let expected = "This model says \u{201c}wolf\u{201d} from the background (white) and \
                        \u{201c}husky\u{201d} from the animal.";
        assert_eq!(meaning(&both, Some("white"), 1), expected);
        let one = [("husky", None), ("wolf", range(0.1, 0.3))];
        let said = meaning(&one, None, 1);
        let expected =
            "This model says \u{201c}wolf\u{201d} from the background. For \u{201c}husky";
        assert!(said.starts_with(expected), "{said}");
        // Not more than evenly spread heat, but far more than for the other class.
        let apart = [("husky", range(-0.7, -0.5)), ("wolf", range(-0.05, 0.2))];
        let said = meaning(&apart, Some("white"), 1);
        let expected = "from the animal. When it says \u{201c}wolf\u{201d}, clearly more of the heat lies on the \
                        background (white)";
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn each_answered_class_has_its_mean() {
        let row = Row::new("Answered husky", &[one("a", 0, 0.2), one("c", 0, 0.4)]);
        let places = [row.mean.as_str(), &row.at, &row.area];
        assert_eq!(places, ["30 %", "30.00", "70.00"]);
        assert!(row.detail.contains("70 % of the picture (2 maps)"), "{}", row.detail);
        assert_eq!(row.each[1].tip, "c: 40 %");
        // For several models the range of their means is shown, too.
        let other = Known { model: 1, ..one("a", 0, 0.9) };
        let row = Row::new("Answered husky", &[one("a", 0, 0.2), one("c", 0, 0.4), other]);
        assert!(row.detail.contains("(3 maps; single seeds 30 to 90 %)"), "{}", row.detail);
        let said = meaning(&[("husky", Some(Interval { low: -0.5, high: -0.3 }))], None, 5);
        assert_eq!(said, "On average these 5 models say \u{201c}husky\u{201d} from the animal.");
    }
}
