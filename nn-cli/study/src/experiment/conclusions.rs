//! What the numbers of an experiment allow to conclude, and what not, in sentences.
//!
//! Each sentence follows from intervals by a rule stated beside it; none is there because the
//! notebook's result is known.

use super::Comparison;
use crate::Kind;
use crate::audit::WithoutDuplicates;
use crate::format::{self, percent, plural};
use crate::stats::{Guessing, Interval, difference};
use serde::Serialize;

/// What we can and what we cannot conclude.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conclusions {
    /// What the numbers show.
    pub may: Vec<String>,
    /// What they do not show, however tempting.
    pub may_not: Vec<String>,
}

/// What the conclusions are drawn from.
pub struct Evidence<'a> {
    pub comparison: &'a Comparison,
    /// The leaky and the clean model without the test images that have a copy elsewhere.
    pub without_duplicates: [Option<&'a WithoutDuplicates>; 2],
    pub seeds: usize,
    pub classes: &'a [String],
    /// What all three sets are, if they are the same.
    pub kind: Option<Kind>,
    /// What guessing would score on the swapped set and on the clean model's test images.
    pub guessing: [&'a Guessing; 2],
}

impl Conclusions {
    /// Draws them.
    pub fn draw(evidence: &Evidence<'_>) -> Self {
        let mut drawn = Self { may: Vec::new(), may_not: Vec::new() };
        drawn.background(evidence);
        drawn.leakage(evidence);
        drawn.clean(evidence);
        drawn.duplicates(evidence);
        drawn.limits(evidence);
        drawn
    }

    /// Leaky model, its own test set against the swapped one.
    fn background(&mut self, evidence: &Evidence<'_>) {
        let (own, swap) = (&evidence.comparison.leaky.accuracy, &evidence.comparison.swap.accuracy);
        let drop = difference(own.mean, own.interval, swap.mean, swap.interval);
        let points = points(own.mean - swap.mean, drop);
        if !drop.is_above(0.0) {
            self.may_not.push(format!(
                "That the leaky model uses the background. With the backgrounds swapped its accuracy \
                 differs by {points}, and that interval does not exclude zero: chance may explain the difference."
            ));
            return;
        }
        // The lowest that a model which does not look could score.
        let guess = evidence.guessing[0].uniform;
        let how = if swap.interval.is_below(guess) {
            format!(
                "It is then right less often than guessing would be ({}): the background decides, not the \
                 animal.",
                percent(guess)
            )
        } else {
            "So the background is at least part of what decides.".into()
        };
        self.may.push(format!(
            "The leaky model answers by the background. With the backgrounds swapped its accuracy falls by \
             {points}. {how}"
        ));
        self.may.push(format!(
            "Its {} on its own test set says little about telling {} apart: training and test images have \
             the same leak, so that test cannot reveal it.",
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
        if gain.is_above(0.0) {
            self.may.push(format!(
                "With leakage the reported accuracy is higher, by {points}. The two sets have different \
                 pictures, so this alone does not prove that leakage is the cause; the swapped set is \
                 better evidence."
            ));
        } else {
            self.may_not.push(format!(
                "That leakage raised the reported accuracy. It differs from the clean model's by {points}, and \
                 that interval does not exclude zero."
            ));
        }
    }

    /// The clean model against guessing.
    fn clean(&mut self, evidence: &Evidence<'_>) {
        let clean = &evidence.comparison.clean;
        let (accuracy, guessing) = (&clean.accuracy, evidence.guessing[1]);
        let shown = format!("{} (95 % interval {})", percent(accuracy.mean), accuracy.interval);
        let told = guessing.told();
        if accuracy.interval.is_above(guessing.largest) {
            self.may.push(format!(
                "Without the leak the network does better than guessing: it scores {shown}; {told}."
            ));
        } else if accuracy.interval.is_below(guessing.largest) {
            self.may_not.push(format!(
                "That the clean model learned to tell {} apart. It scores less than guessing can: {shown}; \
                 {told}.",
                list(evidence.classes),
            ));
        } else {
            self.may_not.push(format!(
                "That the clean model learned to tell {} apart, nor that it learned nothing. It scores \
                 {shown}; {told}, which this does not exclude.",
                list(evidence.classes),
            ));
        }
    }

    /// Test images that were trained on, or chosen by.
    fn duplicates(&mut self, evidence: &Evidence<'_>) {
        let comparison = evidence.comparison;
        let arms = [("leaky", &comparison.leaky), ("clean", &comparison.clean)];
        for ((arm, measured), without) in arms.into_iter().zip(evidence.without_duplicates) {
            let Some(without) = without else { continue };
            let copies = without.duplicates.len();
            let rest = match without.accuracy {
                Some(accuracy) => format!(
                    "On the {} without a copy it scores {} (95 % interval {}), on all {}.",
                    plural(without.n as u64, "image"),
                    percent(accuracy.mean),
                    accuracy.interval,
                    percent(measured.accuracy.mean)
                ),
                None => "No test image is left without them.".into(),
            };
            self.may_not.push(format!(
                "That the {arm} model was tested on pictures it had not seen: {copies} of {} test \
                 images {} also among those for training and validation, where the model can score by \
                 memory. {rest}",
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
            "How well either model would do on other images. With {} in the test set, one answer \
             moves the accuracy by {:.0} points, and the clean model's interval is {wide:.0} points wide. An \
             interval of ±5 points takes about 400 images.",
            plural(images as u64, "image"),
            100.0 / images.max(1) as f64,
        ));
        self.may_not.push(if evidence.seeds < 2 {
            "How much depends on the seed. The intervals say how much the choice of test images matters; \
             another seed starts from other weights and may score differently. Repeat the experiment with \
             --seeds 5 to see by how much."
                .into()
        } else {
            format!(
                "More than {images} images can show. The models of all {} seeds were tested on the same images: more seeds \
                 tell how much training varies, but they do not replace more images.",
                evidence.seeds
            )
        });
        match evidence.kind {
            Some(Kind::Published) => self.notebook(evidence),
            Some(Kind::StandIn) => self.may_not.push(
                "Anything about photographs. These images are drawn, with the same leak built in; the \
                 notebook's figures are of photographs and are given for comparison only."
                    .into(),
            ),
            _ => self.may_not.push(
                "How this compares with the notebook: these are not the photographs that it used.".into(),
            ),
        }
    }

    /// Whether the notebook's figures could be of the same model.
    fn notebook(&mut self, evidence: &Evidence<'_>) {
        let rows = evidence.comparison.rows();
        let outside: Vec<String> = (rows.iter())
            .filter(|row| {
                let beyond = row.beyond_notebook();
                beyond.is_above(0.0) || beyond.is_below(0.0)
            })
            .map(|row| {
                format!("{} (the notebook: {})", row.title, percent(row.notebook_accuracy()))
            })
            .collect();
        if outside.is_empty() {
            self.may.push(
                "The result is compatible with the notebook's 90, 0 and 70 %, which are of one training run \
                 each: no difference is larger than chance explains."
                    .into(),
            );
        } else {
            self.may_not.push(format!(
                "That the result is compatible with the notebook. The difference is larger than chance explains \
                 for: {}.",
                outside.join("; ")
            ));
        }
    }
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
        without: Option<&WithoutDuplicates>,
    ) -> Conclusions {
        let comparison = Comparison {
            leaky: measured(numbers[0], 20, seeds),
            swap: measured(numbers[1], 40, seeds),
            clean: measured(numbers[2], 20, seeds),
        };
        let classes = ["husky", "wolf"].map(String::from);
        let kind = Some(kind);
        let guessing = Guessing::new(&classes, &[10, 10]);
        Conclusions::draw(&Evidence {
            comparison: &comparison,
            without_duplicates: [None, without],
            seeds,
            classes: &classes,
            kind,
            guessing: [&guessing; 2],
        })
    }

    fn has(lines: &[String], part: &str) -> bool {
        lines.iter().any(|line| line.contains(part))
    }

    #[test]
    fn the_notebooks_own_result() {
        let drawn = draw([18, 0, 14], 1, Kind::Published);
        assert!(has(&drawn.may, "the background decides, not the animal"), "{drawn:?}");
        assert!(has(&drawn.may, "falls by 90 points (95 % interval"), "{drawn:?}");
        assert!(has(&drawn.may, "is compatible with the notebook"), "{drawn:?}");
        // 14 of 20 does not exclude guessing, nor that leakage made no difference.
        assert!(has(&drawn.may_not, "which this does not exclude"), "{drawn:?}");
        assert!(has(&drawn.may_not, "That leakage raised"), "{drawn:?}");
        assert!(has(&drawn.may_not, "How much depends on the seed"), "{drawn:?}");
    }

    #[test]
    fn copies_are_told_with_what_is_left_without_them() {
        let duplicates = vec!["test/wolf/4.png".to_string(), "test/wolf/6.png".into()];
        let accuracy = Some(measured(12, 18, 1).accuracy);
        let without = WithoutDuplicates { duplicates, n: 18, correct: 0, accuracy };
        let drawn = draw_with([18, 0, 14], 1, Kind::Published, Some(&without));
        let said = "2 of 20 test images are also among those for training and validation, where the model \
                    can score by memory. On the 18 images without a copy it scores 66.7 %";
        assert!(has(&drawn.may_not, said), "{drawn:?}");
        assert!(has(&drawn.may_not, "on all 70.0 %"), "{drawn:?}");
        assert!(!has(&drawn.may_not, "the leaky model was tested"), "{drawn:?}");
    }

    #[test]
    fn nothing_is_claimed_where_nothing_was_found() {
        let drawn = draw([10, 20, 10], 1, Kind::Folder);
        assert!(drawn.may.is_empty(), "{drawn:?}");
        assert!(has(&drawn.may_not, "That the leaky model uses the background"), "{drawn:?}");
        assert!(has(&drawn.may_not, "not the photographs"), "{drawn:?}");
    }

    /// 71 % (50 to 86 %) is not shown to be better than the 50 % that guessing scores.
    #[test]
    fn an_interval_that_reaches_guessing_is_no_better_than_guessing() {
        let better = |right: usize, n: usize, counts: [u64; 2]| {
            let comparison = Comparison {
                leaky: measured(10, 20, 1),
                swap: measured(10, 20, 1),
                clean: measured(right, n, 1),
            };
            let classes = ["husky", "wolf"].map(String::from);
            let guessing = Guessing::new(&classes, &counts);
            let drawn = Conclusions::draw(&Evidence {
                comparison: &comparison,
                without_duplicates: [None, None],
                seeds: 1,
                classes: &classes,
                kind: None,
                guessing: [&guessing; 2],
            });
            (has(&drawn.may, "does better than guessing"), drawn)
        };
        let (is_better, drawn) = better(15, 21, [10, 11]);
        assert!(!is_better && has(&drawn.may_not, "(95 % interval 50 to 86 %)"), "{drawn:?}");
        assert!(better(18, 20, [10, 10]).0);
        // Where 95 of 100 images are huskies, 90 % is less than nothing learned.
        let (is_better, drawn) = better(90, 100, [95, 5]);
        assert!(!is_better && has(&drawn.may_not, "always answering"), "{drawn:?}");
        assert!(better(1000, 1000, [95, 5]).0);
    }

    #[test]
    fn a_drop_to_chance_is_not_called_following() {
        let drawn = draw([20, 20, 19], 5, Kind::StandIn);
        assert!(has(&drawn.may, "at least part of what decides"), "{drawn:?}");
        assert!(has(&drawn.may, "better than guessing"), "{drawn:?}");
        assert!(has(&drawn.may_not, "do not replace more images"), "{drawn:?}");
        assert!(has(&drawn.may_not, "Anything about photographs"), "{drawn:?}");
    }
}
