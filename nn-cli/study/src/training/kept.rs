//! Which epoch's weights a run kept, and why.

use crate::format::{loss, plural};
use nn_core::train::{EpochRecord, FitOptions, Keep};
use serde::Serialize;

/// The epoch whose weights a run kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// What it was chosen by: `last`, or `val_loss`, the lowest one.
    pub by: &'static str,
    /// Its validation loss.
    pub val_loss: Option<f64>,
    /// Its validation accuracy.
    pub val_accuracy: Option<f64>,
    /// Whether the training ended before its last epoch, because the validation loss did not become lower.
    pub stopped_early: bool,
    /// The last epoch that was trained.
    #[serde(skip)]
    epochs: usize,
    /// The patience of early stopping.
    #[serde(skip)]
    patience: Option<usize>,
}

impl Kept {
    /// What a run with this history kept, whose last part has the epochs `last` and these settings; `None` if it has not
    /// made an epoch.
    pub fn of(fit: &FitOptions, last: &[EpochRecord], history: &[EpochRecord]) -> Option<Self> {
        // Without any finite validation loss there is no best epoch, and the last one is kept.
        let best = fit.keep.epoch(history).filter(|_| fit.keep == Keep::Best);
        let record = best.or(history.last())?;
        Some(Self {
            epoch: record.epoch,
            by: if best.is_some() { "val_loss" } else { "last" },
            val_loss: record.val_loss,
            val_accuracy: record.val_accuracy,
            stopped_early: fit.has_stopped_early(last),
            epochs: history.last()?.epoch,
            patience: fit.early_stopping,
        })
    }

    /// What was kept and why training ended, in a sentence; `None` if all epochs were made and the last one was
    /// kept, as is usual.
    pub fn text(&self) -> Option<String> {
        let stopped = self.patience.filter(|_| self.stopped_early).map(|patience| {
            format!(
                "stopped early, after epoch {}: for {} the validation loss was not below the lowest one",
                self.epochs,
                plural(patience as u64, "epoch"),
            )
        });
        let kept = (self.by == "val_loss").then(|| {
            format!(
                "the weights of epoch {} of {} are kept, which had the lowest validation loss, {}",
                self.epoch,
                self.epochs,
                loss(self.val_loss.unwrap_or(f64::NAN)),
            )
        });
        let kept = kept.or(stopped.is_some().then(|| "the last weights are kept".into()));
        let parts: Vec<String> = stopped.into_iter().chain(kept).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::BackboneConfig;
    use crate::config::RunConfig;

    fn history(losses: &[f64]) -> Vec<EpochRecord> {
        let record = |(i, &val_loss): (usize, &f64)| EpochRecord {
            epoch: i + 1,
            loss: 0.1,
            accuracy: Some(0.5),
            val_loss: Some(val_loss),
            val_accuracy: Some(0.75),
            seconds: 0.0,
        };
        losses.iter().enumerate().map(record).collect()
    }

    #[test]
    fn what_is_kept_is_said_unless_it_is_usual() {
        let losses = history(&[0.7, 0.25, 0.5, 0.5]);
        let last = FitOptions { epochs: 4, ..FitOptions::default() };
        let best = FitOptions { keep: Keep::Best, ..last.clone() };
        let kept = Kept::of(&last, &losses, &losses).unwrap();
        assert_eq!((kept.epoch, kept.by, kept.text()), (4, "last", None));
        let text = Kept::of(&best, &losses, &losses).unwrap().text().unwrap();
        assert_eq!(
            text,
            "the weights of epoch 2 of 4 are kept, which had the lowest validation loss, 0.2500"
        );
        let early = FitOptions { epochs: 9, early_stopping: Some(2), ..best };
        let kept = Kept::of(&early, &losses, &losses).unwrap();
        let json = serde_json::to_string(&kept).unwrap();
        let expected = r#"{"epoch":2,"by":"val_loss","val_loss":0.25,"val_accuracy":0.75,"stopped_early":true}"#;
        assert_eq!(json, expected);
        let text = kept.text().unwrap();
        assert!(text.starts_with("stopped early, after epoch 4: for 2 epochs"), "{text}");
        let kept = Kept::of(&FitOptions { keep: Keep::Last, ..early }, &losses, &losses).unwrap();
        assert!(kept.text().unwrap().ends_with("; the last weights are kept"));
        assert_eq!(Kept::of(&last, &[], &[]), None);
    }
    #[test]
    fn a_fine_tuning_begins_where_the_classifier_stopped() {
        let backbone: BackboneConfig = serde_json::from_value(serde_json::json!({
            "model": "x", "weights": "x", "input": [8, 8, 3], "freeze": "all", "fine_tune_epochs": 4, "fine_tune_rate": 1e-5,
        }))
        .unwrap();
        let mut config = RunConfig { backbone: Some(backbone), ..RunConfig::default() };
        (config.fit.early_stopping, config.fit.keep) = (Some(2), Keep::Best);
        // The classifier stopped after its third epoch, the fine-tuning after its third.
        let all = history(&[0.5, 0.6, 0.6, 0.4, 0.45, 0.45]);
        let ends: Vec<_> = (0..=6).map(|n| config.is_done(&all[..n])).collect();
        assert_eq!(ends, [false, false, false, false, false, false, true]);
        let (options, part) = config.last_part(&all);
        assert_eq!((options.epochs, options.learning_rate, part.len()), (4, 1e-5, 3));
        let kept = Kept::of(&options, part, &all).unwrap();
        assert_eq!((kept.epoch, kept.stopped_early), (4, true));
        assert!(config.has_stopped_early(&all) && !config.has_stopped_early(&all[..5]));
        assert!(kept.text().unwrap().starts_with("stopped early, after epoch 6"), "{kept:?}");
    }
}
