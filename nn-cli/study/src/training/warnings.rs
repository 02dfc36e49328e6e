//! Warnings about a finished run: the network learned nothing, predicts the same class for all images, or
//! was better in an earlier epoch.

use crate::Evaluation;
use crate::Observer;
use crate::config::{ClassWeights, RunConfig};
use crate::format::{class_name, loss, percent, plural};
use crate::stats::wilson;
use nn_core::metrics::ClassCounts;
use nn_core::optim::Schedule;
use nn_core::train::{EpochRecord, Keep, best_epoch};
use nn_core::{Result, train::History};
use serde::Serialize;

/// A warning about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// `no-learning`, `diverged`, `one-answer`, `earlier-epoch-better`, `few-validation-images` or `images-alike`.
    pub kind: &'static str,
    /// A sentence, with advice.
    pub text: String,
    /// Whether the training may only have been too short; then it is shown as a note.
    #[serde(skip)]
    pub is_early: bool,
}

impl Warning {
    /// Reports it to the observer: as a note if the training may only have been too short.
    pub fn tell(&self, observer: &dyn Observer) {
        match self.is_early {
            true => observer.note(&format!("note: {}", self.text)),
            false => observer.warn(&self.text),
        }
    }
}

/// The data of a run from which warnings are derived.
pub struct Judged<'a> {
    pub config: &'a RunConfig,
    pub classes: &'a [String],
    /// The class of each training image.
    pub trained: &'a [usize],
    /// The number of validation images.
    pub validation: usize,
    pub history: &'a History,
    pub test: &'a Evaluation,
    /// The split that was tested on: `test` or `validation`.
    pub tested_on: &'a str,
}

/// Learning means a loss below this share of the loss of guessing.
const LEARNED: f64 = 0.98;

/// From this many images on, a single prediction for all is reported even if the loss is better than
/// guessing.
const ENOUGH: usize = 8;

/// Below this number of validation images, chance has much to say in the choice of an epoch.
const FEW: usize = 30;

/// The number of epochs after which a network should have learned something: that of the reference.
const LONG: usize = 10;

/// Up to this learning rate, other causes are more likely than the rate: that of the reference.
const USUAL_RATE: f64 = 0.001;

impl Judged<'_> {
    /// All warnings about the run. `silent` returns the name of a layer whose outputs are 0 for all images,
    /// if there is one; it is called only if the network seems to have learned nothing.
    ///
    /// # Errors
    /// Any error of `silent`.
    pub fn warnings(
        &self,
        silent: impl FnOnce() -> Result<Option<String>>,
    ) -> Result<Vec<Warning>> {
        let stuck = self.is_stuck();
        let answer = self.only_answer().filter(|_| stuck || self.test.images() >= ENOUGH);
        if !stuck && answer.is_none() {
            return Ok(self.better_before().into_iter().chain(self.chosen_by_few()).collect());
        }
        let silent = silent()?;
        let kind = match stuck {
            true if self.has_diverged() => "diverged",
            true => "no-learning",
            false => "one-answer",
        };
        let lower = silent.is_some() || self.lost_it() || self.has_diverged();
        let is_early = self.is_early() && !lower;
        let remedy = self.remedy(lower);
        let dead = silent.map(|layer| {
            format!(
                "layer {layer} is dead (its outputs are 0 for every image, so no step changes it)"
            )
        });
        let stuck = stuck.then(|| self.stuck(is_early));
        let found: Vec<String> = [stuck, answer, dead].into_iter().flatten().collect();
        let text = format!("{}; {remedy}", found.join("; "));
        Ok(vec![Warning { kind, text, is_early }])
    }

    /// The epoch whose weights were tested.
    fn kept(&self) -> Option<&EpochRecord> {
        self.config.fit.keep.epoch(self.history).or(self.history.last())
    }

    /// Whether the training was short and the learning rate not high.
    fn is_early(&self) -> bool {
        self.history.len() < LONG && self.config.fit.learning_rate <= USUAL_RATE
    }

    /// The training loss of predicting the class frequencies: with balanced weights, that of classes of the same size.
    fn guessing(&self) -> f64 {
        match self.is_balanced() {
            true => (self.classes.len() as f64).ln(),
            false => self.entropy(self.config.fit.regularization.label_smoothing),
        }
    }

    /// The loss of predicting the class frequencies of the training images, smoothed by this share: their entropy in
    /// nats.
    fn entropy(&self, smoothing: f64) -> f64 {
        let (n, classes) = (self.trained.len() as f64, self.classes.len());
        let of = |class: usize| self.trained.iter().filter(|&&label| label == class).count();
        let smoothed = |share: f64| (1.0 - smoothing) * share + smoothing / classes as f64;
        let shares = (0..classes).map(|class| smoothed(of(class) as f64 / n));
        -shares.filter(|&share| share > 0.0).map(|share| share * share.ln()).sum::<f64>()
    }

    fn is_balanced(&self) -> bool {
        self.config.class_weights == ClassWeights::Balanced
    }

    /// Whether the network is no better than guessing, neither by loss nor by accuracy.
    fn is_stuck(&self) -> bool {
        let Some(kept) = self.kept() else { return false };
        let low = |value: f64, guessing: f64| value < LEARNED * guessing;
        let in_validation = kept.val_loss.is_some_and(|loss| low(loss, self.entropy(0.0)));
        !low(kept.loss, self.guessing()) && !in_validation && !self.beats_guessing()
    }

    /// The warning that the network has learned nothing, or has lost what it learned.
    fn stuck(&self, is_early: bool) -> String {
        let (epoch, now) = self.kept().map_or((0, f64::NAN), |kept| (kept.epoch, kept.loss));
        let (now, chance) = (loss(now), loss(self.guessing()));
        if self.has_diverged() {
            return format!(
                "the network did not learn, as the training diverged: after {} the training loss is {now}, far above \
                 that of guessing, {chance}",
                plural(epoch as u64, "epoch"),
            );
        }
        match self.best_loss().filter(|_| self.lost_it()) {
            Some(best) => format!(
                "the network learned and lost it again: the training loss was {} in epoch {}, and {now} in \
                 epoch {epoch}, where guessing has {chance}",
                loss(best.loss),
                best.epoch,
            ),
            None => format!(
                "the network {}: after {} the training loss is {now}, no better than that of guessing, \
                 {chance}",
                if is_early { "has learned nothing yet" } else { "did not learn" },
                plural(epoch as u64, "epoch"),
            ),
        }
    }

    /// Whether the steps were too large: the loss is far above that of guessing, and not on its way down from where a
    /// network with random weights may begin.
    fn has_diverged(&self) -> bool {
        let (Some(kept), Some(first)) = (self.kept(), self.history.first()) else { return false };
        let times = kept.loss / self.guessing();
        times > 10.0 || (times > 2.0 && kept.epoch > first.epoch && kept.loss >= first.loss)
    }

    fn best_loss(&self) -> Option<&EpochRecord> {
        self.history.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))
    }

    /// Whether the loss is now at that of guessing, but was clearly below it in an earlier epoch.
    fn lost_it(&self) -> bool {
        let guessing = self.guessing();
        let is_high = self.kept().is_some_and(|kept| kept.loss >= LEARNED * guessing);
        is_high && self.best_loss().is_some_and(|best| best.loss < 0.9 * guessing)
    }

    /// The number of tested images of each class.
    fn tested(&self) -> Vec<u64> {
        self.test.confusion.iter().map(|row| row.iter().sum()).collect()
    }

    /// Whether the accuracy is significantly higher than that of always predicting the most frequent class, or, where
    /// classes count the same, the share of right answers in each class is on average clearly above that of guessing.
    fn beats_guessing(&self) -> bool {
        if self.is_balanced() {
            let counts = ClassCounts::of_confusion(&self.test.confusion).ok();
            let balanced = counts.and_then(|counts| counts.balanced_accuracy());
            let classes = self.tested().into_iter().filter(|&n| n > 0).count();
            return balanced.is_some_and(|balanced| balanced > 1.5 / classes as f64);
        }
        let n = self.test.images() as u64;
        let largest = self.tested().into_iter().max().unwrap_or(0) as f64 / n as f64;
        wilson(self.test.correct as u64, n).low > largest
    }

    /// The warning that all images get the same prediction though they are of several classes.
    fn only_answer(&self) -> Option<String> {
        let first = *self.test.predicted.first()?;
        let tested = self.tested();
        let kinds = tested.iter().filter(|&&n| n > 0).count();
        if kinds < 2 || self.test.predicted.iter().any(|&answer| answer != first) {
            return None;
        }
        let images = format!("{} {} images", self.test.images(), self.tested_on);
        let right = tested.get(first).copied().unwrap_or(0);
        Some(format!(
            "it answers {} for all {images}, {right} of which are",
            class_name(&self.classes[first])
        ))
    }

    fn remedy(&self, lower: bool) -> String {
        let fit = &self.config.fit;
        let rate = fit.learning_rate;
        if lower || rate > USUAL_RATE {
            return format!(
                "lower --learning-rate, which was {rate}, say to {}",
                rounded(rate.min(10.0 * USUAL_RATE) / 10.0)
            );
        }
        format!(
            "train for more than {} (--epochs), or try another --learning-rate than {rate}",
            plural(fit.epochs as u64, "epoch")
        )
    }

    /// The note that few validation images decided which epoch's weights are kept.
    fn chosen_by_few(&self) -> Option<Warning> {
        let is_chosen = self.config.fit.keep == Keep::Best && self.kept()?.val_loss.is_some();
        (is_chosen && self.validation < FEW).then(|| Warning {
            kind: "few-validation-images",
            text: format!(
                "the epoch was chosen by {}, of which each counts {:.0} points: another choice of them could have \
                 chosen another epoch; a larger --validation-split is more certain, and leaves fewer to train on",
                plural(self.validation as u64, "validation image"),
                100.0 / self.validation as f64
            ),
            is_early: true,
        })
    }

    /// The warning that an earlier epoch was clearly better on the validation images.
    fn better_before(&self) -> Option<Warning> {
        if self.config.fit.keep == Keep::Best {
            return None;
        }
        let validated = |record: &&EpochRecord| record.val_loss.is_some();
        let last = self.history.last().filter(validated)?;
        let earlier = || self.history.iter().filter(validated);
        let accuracy = |record: &EpochRecord| record.val_accuracy.unwrap_or(0.0);
        let val_loss = |record: &EpochRecord| record.val_loss.unwrap_or(f64::INFINITY);
        // Among equal accuracies the one with the lowest loss, and among those the first.
        let by_accuracy = earlier().min_by(|a, b| {
            accuracy(b).total_cmp(&accuracy(a)).then(val_loss(a).total_cmp(&val_loss(b)))
        })?;
        let by_loss = earlier().min_by(|a, b| val_loss(a).total_cmp(&val_loss(b)))?;
        let better = if clearly(accuracy(by_accuracy), accuracy(last), self.validation) {
            by_accuracy
        } else if has_risen(val_loss(by_loss), val_loss(last))
            && accuracy(by_loss) >= accuracy(last)
        {
            by_loss
        } else {
            return None;
        };
        let told = |record: &EpochRecord| {
            format!("{} right, loss {}", percent(accuracy(record)), loss(val_loss(record)))
        };
        // The best by the loss may be another epoch than the best by accuracy.
        let there = match (self.config.fit.schedule, best_epoch(self.history)) {
            (_, Some(best)) if best.epoch == better.epoch => " (--keep best keeps its)".into(),
            (Schedule::Constant, _) if better.epoch <= self.config.fit.epochs => {
                format!(" (--epochs {} ends there)", better.epoch)
            }
            _ => String::new(),
        };
        // Validation turns while training goes on: the network learns its images by heart.
        let by_heart = if last.loss < LEARNS_ON * better.loss {
            format!(
                ", while the training loss fell from {} to {}: the network overfits; more images, --augment standard, \
                 or --weight-decay with --optimizer adamw work against that",
                loss(better.loss),
                loss(last.loss)
            )
        } else {
            String::new()
        };
        let text = format!(
            "epoch {} was better on the validation images ({}) than the last one, {} ({}), whose weights are \
             kept{there}{by_heart}",
            better.epoch,
            told(better),
            last.epoch,
            told(last),
        );
        Some(Warning { kind: "earlier-epoch-better", text, is_early: false })
    }
}

/// The training loss has fallen if it is below this share of what it was.
const LEARNS_ON: f64 = 0.8;

/// The factor and the difference by which the validation loss must have risen to be called worse. The
/// difference is needed because of losses near zero, where the factor alone means nothing.
const RISEN: (f64, f64) = (1.5, 0.1);

/// Whether the loss `now` is clearly above `best`.
fn has_risen(best: f64, now: f64) -> bool {
    now > RISEN.0 * best && now - best > RISEN.1
}

/// Whether the accuracy `a` on `n` images is significantly above `b`: by more than 1.64 standard errors of
/// the difference (one-sided, 5 %).
fn clearly(a: f64, b: f64, n: usize) -> bool {
    let mean = (a + b) / 2.0;
    a > b && a - b > 1.64 * (2.0 * mean * (1.0 - mean) / n as f64).sqrt()
}

/// Rounds to one significant digit.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.0e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::train::{Classification, FitOptions};

    fn record(epoch: usize, loss: f64, val_loss: f64, val_accuracy: f64) -> EpochRecord {
        let (val_loss, val_accuracy) = (Some(val_loss), Some(val_accuracy));
        EpochRecord { epoch, loss, accuracy: Some(0.5), val_loss, val_accuracy, seconds: 0.0 }
    }

    /// A test with `of[class]` images of two classes and these predictions.
    fn tested(of: [usize; 2], predicted: &[usize]) -> Evaluation {
        let labels: Vec<usize> = (0..2).flat_map(|class| vec![class; of[class]]).collect();
        let mut confusion = vec![vec![0; 2]; 2];
        labels.iter().zip(predicted).for_each(|(&label, &answer)| confusion[label][answer] += 1);
        let correct = (confusion[0][0] + confusion[1][1]) as usize;
        let probabilities = vec![vec![0.5, 0.5]; labels.len()];
        let predicted = predicted.to_vec();
        let classification =
            Classification { correct, confusion, labels, probabilities, predicted };
        Evaluation { loss: 0.7, classification }
    }

    fn judge(history: &History, trained: [usize; 2], test: &Evaluation, rate: f64) -> Vec<Warning> {
        let mut config = RunConfig::default();
        config.fit.learning_rate = rate;
        judge_with(&config, history, trained, test)
    }

    fn judge_with(
        config: &RunConfig,
        history: &History,
        trained: [usize; 2],
        test: &Evaluation,
    ) -> Vec<Warning> {
        let trained: Vec<usize> = (0..2).flat_map(|class| vec![class; trained[class]]).collect();
        let judged = Judged {
            config,
            classes: &["cat".into(), "dog".into()],
            trained: &trained,
            validation: 20,
            history,
            test,
            tested_on: "test",
        };
        judged.warnings(|| Ok(Some("conv1".into()))).unwrap()
    }

    #[test]
    fn a_loss_far_above_guessing_has_diverged() {
        let test = tested([3, 3], &[1; 6]);
        let of = |losses: &[f64]| {
            let history = losses.iter().enumerate();
            let history = history.map(|(at, loss)| record(at + 1, *loss, 3.0, 0.5)).collect();
            judge(&history, [50, 50], &test, 0.001).remove(0)
        };
        for losses in [&[0.9, 1.5][..], &[80.0], &[900.0, 40.0, 8.0]] {
            let found = of(losses);
            assert_eq!((found.kind, found.is_early), ("diverged", false), "{losses:?}");
            for part in ["the training diverged", "far above that of guessing, 0.6931", "0.0001"] {
                assert!(found.text.contains(part), "{part} in {}", found.text);
            }
        }
        // A network with random weights may begin that high.
        for losses in [&[1.5][..], &[2.5, 1.6], &[0.9, 1.3]] {
            assert_eq!(of(losses).kind, "no-learning", "{losses:?}");
        }
    }

    #[test]
    fn a_network_that_learned_nothing_is_told_of_with_a_remedy() {
        let stuck = vec![record(1, 3.0, 0.7, 0.5), record(2, 0.694, 0.6932, 0.5)];
        let found = judge(&stuck, [50, 50], &tested([3, 3], &[1; 6]), 0.03);
        assert_eq!(found.len(), 1);
        let text = &found[0].text;
        for part in [
            "did not learn",
            "2 epochs",
            "0.6940",
            "0.6931",
            "answers dog for all 6 test images, 3 of",
            "conv1 is dead",
            "lower --learning-rate, which was 0.03, say to 0.001",
        ] {
            assert!(text.contains(part), "{part:?} is missing: {text}");
        }
        // It learned, by the loss or by the accuracy.
        let fell = vec![record(1, 0.7, 0.69, 0.5), record(2, 0.4, 0.5, 0.8)];
        assert_eq!(judge(&fell, [50, 50], &tested([3, 3], &[1; 6]), 0.03), []);
        let right: Vec<usize> = (0..40).map(|i| i / 20).collect();
        assert_eq!(judge(&stuck, [50, 50], &tested([20, 20], &right), 0.03), []);
        // A dead layer does not recover, however few the epochs.
        let found = judge(&stuck, [50, 50], &tested([3, 3], &[1; 6]), 0.001);
        assert!(!found[0].is_early && found[0].text.contains("did not learn"), "{found:?}");
        // It learned at first, and lost it.
        let lost = vec![record(1, 0.2, 0.2, 0.9), record(2, 0.7, 0.6935, 0.5)];
        let found = judge(&lost, [50, 50], &tested([3, 3], &[0; 6]), 0.001);
        assert!(found[0].text.contains("lost it again"), "{found:?}");
        assert!(found[0].text.contains("say to 0.0001"), "{found:?}");
    }

    #[test]
    fn one_answer_for_all_is_told_of_where_classes_are_uneven() {
        // Guessing 95:5 has a loss of 0.1985.
        let history = vec![record(1, 0.25, 0.2, 0.95), record(2, 0.199, 0.198, 0.95)];
        let found = judge(&history, [95, 5], &tested([19, 1], &[0; 20]), 0.001);
        assert_eq!((found.len(), found[0].kind), (1, "no-learning"));
        assert!(found[0].text.contains("answers cat for all 20 test images, 19 of"), "{found:?}");
        let history = vec![record(1, 0.15, 0.15, 0.95)];
        let found = judge(&history, [95, 5], &tested([19, 1], &[0; 20]), 0.001);
        assert_eq!((found.len(), found[0].kind), (1, "one-answer"));
        // All images are of one class, so a single prediction is correct.
        assert_eq!(judge(&history, [95, 5], &tested([20, 0], &[0; 20]), 0.001), []);
    }

    #[test]
    fn an_earlier_epoch_is_named_if_it_was_clearly_better() {
        let good = tested([3, 3], &[0, 0, 0, 1, 1, 1]);
        let mut history =
            vec![record(1, 0.5, 0.5, 0.8), record(2, 0.3, 0.3, 0.95), record(3, 0.2, 0.42, 0.9)];
        assert_eq!(judge(&history, [50, 50], &good, 0.001), []);
        history.push(record(4, 0.1, 0.44, 0.7));
        let found = judge(&history, [50, 50], &good, 0.001);
        assert_eq!(found[0].kind, "earlier-epoch-better");
        let says = "epoch 2 was better on the validation images (95.0 % right, loss 0.3000) than the last \
                    one, 4 (70.0 % right, loss 0.4400), whose weights are kept (--keep best keeps its), while the \
                    training loss fell from 0.3000 to 0.1000: the network overfits; more images, --augment standard, \
                    or --weight-decay with --optimizer adamw work against that";
        assert_eq!(found[0].text, says);
        // The same accuracy, but the loss has risen by more than half.
        history[3] = record(4, 0.01, 0.5, 0.95);
        assert_eq!(judge(&history, [50, 50], &good, 0.001).len(), 1);
        // Whoever asks for the best epoch gets it.
        let config = RunConfig {
            fit: FitOptions { keep: Keep::Best, ..FitOptions::default() },
            ..RunConfig::default()
        };
        let found = judge_with(&config, &history, [50, 50], &good);
        assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), ["few-validation-images"]);
        // A multiple of almost zero is still almost zero.
        let perfect =
            vec![record(1, 0.5, 0.5, 0.8), record(2, 0.1, 6e-5, 1.0), record(3, 0.1, 4e-4, 1.0)];
        assert_eq!(judge(&perfect, [50, 50], &good, 0.001), []);
    }
}
