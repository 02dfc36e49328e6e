//! In words: what the numbers of an experiment allow to say, and what not.
//!
//! Each sentence follows from intervals by a rule stated beside it; none is there because the
//! notebook's result is known.

use super::{Comparison, WithoutCopies};
use crate::published::Kind;
use crate::ui::format::{self, percent, plural};
use crate::ui::stats::{Interval, difference};
use serde::Serialize;

/// What may and what may not be concluded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conclusions {
    /// Borne out by the numbers.
    pub may: Vec<String>,
    /// Not borne out, however tempting.
    pub may_not: Vec<String>,
}

/// What the conclusions are drawn from.
pub struct Evidence<'a> {
    pub comparison: &'a Comparison,
    /// The leaky and the clean model without the test images that have a copy elsewhere.
    pub without_copies: [Option<&'a WithoutCopies>; 2],
    pub seeds: usize,
    pub classes: &'a [String],
    /// What all three sets are, if they are the same.
    pub kind: Option<Kind>,
}

impl Conclusions {
    /// Draws them.
    pub fn draw(evidence: &Evidence<'_>) -> Self {
        let mut drawn = Self { may: Vec::new(), may_not: Vec::new() };
        drawn.background(evidence);
        drawn.leakage(evidence);
        drawn.clean(evidence);
        drawn.copies(evidence);
        drawn.limits(evidence);
        drawn
    }

    /// Leaky model, its own test set against the swapped one.
    fn background(&mut self, evidence: &Evidence<'_>) {
        let (own, swap) = (&evidence.comparison.leaky.accuracy, &evidence.comparison.swap.accuracy);
        let drop = difference(own.mean, own.interval, swap.mean, swap.interval);
        let points = points(own.mean - swap.mean, drop);
        if drop.low <= 0.0 {
            self.may_not.push(format!(
                "That the leaky model looks at the background. Its accuracy changes by {points} when \
                 the backgrounds change places, which may be chance."
            ));
            return;
        }
        let chance = chance(evidence);
        let how = if swap.interval.high < chance {
            format!(
                "It is then right less often than guessing would be ({}): it does not merely \
                 overlook the animal, it follows the background.",
                percent(chance)
            )
        } else {
            "The background is at least part of what it looks at.".into()
        };
        self.may.push(format!(
            "The leaky model answers by the background. Where backgrounds have changed places its \
             accuracy falls by {points}. {how}"
        ));
        self.may.push(format!(
            "Its {} on its own test set therefore says little about telling {} apart: the test set \
             has the same leak as the training set, so it cannot show it.",
            percent(own.mean),
            list(evidence.classes),
        ));
    }

    /// Leaky against clean, each on its own test set.
    fn leakage(&mut self, evidence: &Evidence<'_>) {
        let (leaky, clean) =
            (&evidence.comparison.leaky.accuracy, &evidence.comparison.clean.accuracy);
        let gain = difference(leaky.mean, leaky.interval, clean.mean, clean.interval);
        let points = points(leaky.mean - clean.mean, gain);
        if gain.low > 0.0 {
            self.may.push(format!(
                "With leakage the reported accuracy is higher, by {points}. The two sets are \
                 different pictures, so this alone would not prove that leakage is the cause; the \
                 swapped set is the better witness."
            ));
        } else {
            self.may_not.push(format!(
                "That leakage raised the reported accuracy: the difference to the clean set is \
                 {points}, which may be chance."
            ));
        }
    }

    /// The clean model against guessing.
    fn clean(&mut self, evidence: &Evidence<'_>) {
        let clean = &evidence.comparison.clean;
        let (accuracy, chance) = (&clean.accuracy, chance(evidence));
        let shown = format!(
            "{} (95 % interval {})",
            percent(accuracy.mean),
            format::interval(accuracy.interval)
        );
        if accuracy.interval.low > chance {
            self.may.push(format!(
                "Without the leak the network does better than guessing: {shown} against {}.",
                percent(chance)
            ));
        } else {
            self.may_not.push(format!(
                "That the clean model learned to tell {} apart: {shown} does not exclude guessing \
                 ({}). Nor that it learned nothing.",
                list(evidence.classes),
                percent(chance)
            ));
        }
    }

    /// Test images that were trained on, or chosen by.
    fn copies(&mut self, evidence: &Evidence<'_>) {
        let comparison = evidence.comparison;
        let arms = [("leaky", &comparison.leaky), ("clean", &comparison.clean)];
        for ((arm, measured), without) in arms.into_iter().zip(evidence.without_copies) {
            let Some(without) = without else { continue };
            let copies = without.copies.len();
            let rest = match without.accuracy {
                Some(accuracy) => format!(
                    "On the {} without a copy it scores {} (95 % interval {}) instead of {}.",
                    plural(without.n as u64, "image"),
                    percent(accuracy.mean),
                    format::interval(accuracy.interval),
                    percent(measured.accuracy.mean)
                ),
                None => "No test image is left without them.".into(),
            };
            self.may_not.push(format!(
                "That the {arm} model was tested on pictures it had not seen: {copies} of {} test \
                 images {} also among those for training and validation. {rest}",
                measured.images(),
                if copies == 1 { "is" } else { "are" },
            ));
        }
    }

    /// What no outcome of this experiment could show.
    fn limits(&mut self, evidence: &Evidence<'_>) {
        let comparison = evidence.comparison;
        let (clean, images) = (&comparison.clean.accuracy, comparison.clean.images());
        let wide = (clean.interval.high - clean.interval.low) * 100.0;
        self.may_not.push(format!(
            "How well either model would do elsewhere. With {} in a test set one answer moves the \
             accuracy by {:.0} points, and the clean model's interval is {wide:.0} points wide. To \
             know an accuracy to within 5 points takes about 400 images.",
            plural(images as u64, "image"),
            100.0 / images.max(1) as f64,
        ));
        self.may_not.push(if evidence.seeds < 2 {
            "How much of it is luck of the seed. The intervals are over images only; another seed \
             starts from other weights. --seeds 5 shows how much that matters."
                .into()
        } else {
            format!(
                "More than {images} images can show. The {} seeds answered the same pictures: more \
                 seeds tell how much training varies, and do not make more pictures.",
                evidence.seeds
            )
        });
        match evidence.kind {
            Some(Kind::Published) => self.notebook(evidence),
            Some(Kind::StandIn) => self.may_not.push(
                "Anything about photographs. These are drawings with the same trap; the notebook's \
                 numbers are of photographs and stand beside them only for orientation."
                    .into(),
            ),
            _ => self.may_not.push(
                "How this compares with the notebook: these are not the photographs it used.".into(),
            ),
        }
    }

    /// Whether the notebook's figures could be of the same model.
    fn notebook(&mut self, evidence: &Evidence<'_>) {
        let rows = evidence.comparison.rows();
        let outside: Vec<String> = (rows.iter())
            .filter(|row| {
                let beyond = row.beyond_notebook();
                beyond.low > 0.0 || beyond.high < 0.0
            })
            .map(|row| format!("{} ({})", row.title, percent(row.notebook_accuracy())))
            .collect();
        if outside.is_empty() {
            self.may.push(
                "The notebook's 90, 0 and 70 % are of one training run each; from none of them does \
                 the result here differ by more than chance explains."
                    .into(),
            );
        } else {
            self.may_not.push(format!(
                "That this agrees with the notebook throughout. By more than chance explains, the \
                 result here differs from what it printed for: {}.",
                outside.join("; ")
            ));
        }
    }
}

/// What guessing scores.
fn chance(evidence: &Evidence<'_>) -> f64 {
    1.0 / evidence.classes.len().max(1) as f64
}

/// `90 points (95 % interval 66 to 97)`.
fn points(value: f64, range: Interval) -> String {
    let [value, low, high] = [value, range.low, range.high].map(|v| v * 100.0);
    let text = format!("{value:.0} points (95 % interval {low:.0} to {high:.0})");
    // A minus, not a hyphen.
    text.replace('-', "\u{2212}")
}

/// `husky and wolf`, `ash, birch and oak`.
fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format::class_name(name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Measured;
    use super::*;
    use nn_core::train::Evaluation;

    /// `seeds` models with the same `correct` of `n` answers right.
    fn measured(correct: usize, n: usize, seeds: usize) -> Measured {
        let predicted: Vec<usize> = (0..n).map(|i| usize::from(i >= correct)).collect();
        let one = Evaluation {
            loss: 0.5,
            n,
            correct,
            confusion: vec![vec![correct as u64, (n - correct) as u64], vec![0, 0]],
            labels: vec![0; n],
            probabilities: predicted.iter().map(|&p| vec![1.0 - p as f64, p as f64]).collect(),
            predicted,
        };
        Measured::new(vec![one; seeds])
    }

    fn draw(numbers: [usize; 3], seeds: usize, kind: Kind) -> Conclusions {
        draw_with(numbers, seeds, kind, None)
    }

    fn draw_with(
        numbers: [usize; 3],
        seeds: usize,
        kind: Kind,
        without: Option<&WithoutCopies>,
    ) -> Conclusions {
        let comparison = Comparison {
            leaky: measured(numbers[0], 20, seeds),
            swap: measured(numbers[1], 40, seeds),
            clean: measured(numbers[2], 20, seeds),
        };
        let classes = ["husky", "wolf"].map(String::from);
        let kind = Some(kind);
        Conclusions::draw(&Evidence {
            comparison: &comparison,
            without_copies: [None, without],
            seeds,
            classes: &classes,
            kind,
        })
    }

    fn has(lines: &[String], part: &str) -> bool {
        lines.iter().any(|line| line.contains(part))
    }

    #[test]
    fn the_notebooks_own_result() {
        let drawn = draw([18, 0, 14], 1, Kind::Published);
        assert!(has(&drawn.may, "follows the background"), "{drawn:?}");
        assert!(has(&drawn.may, "falls by 90 points (95 % interval"), "{drawn:?}");
        assert!(has(&drawn.may, "differ by more than chance explains"), "{drawn:?}");
        // 14 of 20 does not exclude guessing, nor that leakage made no difference.
        assert!(has(&drawn.may_not, "does not exclude guessing"), "{drawn:?}");
        assert!(has(&drawn.may_not, "That leakage raised"), "{drawn:?}");
        assert!(has(&drawn.may_not, "luck of the seed"), "{drawn:?}");
    }

    #[test]
    fn copies_are_told_with_what_is_left_without_them() {
        let copies = vec!["test/wolf/4.png".to_string(), "test/wolf/6.png".into()];
        let accuracy = Some(measured(12, 18, 1).accuracy);
        let without = WithoutCopies { copies, n: 18, accuracy };
        let drawn = draw_with([18, 0, 14], 1, Kind::Published, Some(&without));
        let said = "2 of 20 test images are also among those for training and validation. On the \
                    18 images without a copy it scores 66.7 %";
        assert!(has(&drawn.may_not, said), "{drawn:?}");
        assert!(has(&drawn.may_not, "instead of 70.0 %"), "{drawn:?}");
        assert!(!has(&drawn.may_not, "the leaky model was tested"), "{drawn:?}");
    }

    #[test]
    fn nothing_is_claimed_where_nothing_was_found() {
        let drawn = draw([10, 20, 10], 1, Kind::Folder);
        assert!(drawn.may.is_empty(), "{drawn:?}");
        assert!(has(&drawn.may_not, "That the leaky model looks at the background"), "{drawn:?}");
        assert!(has(&drawn.may_not, "not the photographs"), "{drawn:?}");
    }

    #[test]
    fn a_drop_to_chance_is_not_called_following() {
        let drawn = draw([20, 20, 19], 5, Kind::StandIn);
        assert!(has(&drawn.may, "at least part of what it looks at"), "{drawn:?}");
        assert!(has(&drawn.may, "better than guessing"), "{drawn:?}");
        assert!(has(&drawn.may_not, "do not make more pictures"), "{drawn:?}");
        assert!(has(&drawn.may_not, "Anything about photographs"), "{drawn:?}");
    }
}
