//! Training curves on a page: as pictures, as a table of values, and their interpretation.

use super::parts::Table;
use crate::format::{self, percent};
use crate::stats::Guessing;
use nn_figures::plots::{self, CurvesSpec, Series};

/// Training curves, as pictures and as a table of values.
pub struct Curves {
    pub title: String,
    pub subtitle: String,
    pub loss: String,
    pub accuracy: String,
    /// The interpretation: whether the curves show overfitting.
    pub reading: String,
    pub values: Table,
}

impl Curves {
    /// Draws `spec`, whose baselines are those of `guessing`.
    pub fn draw(spec: &CurvesSpec, guessing: &Guessing) -> Self {
        let [loss, accuracy] = plots::panels(spec);
        let named = |what: &str, all: &[Series]| {
            all.iter().map(|series| format!("{} {what}", series.name)).collect::<Vec<_>>()
        };
        let mut header = vec!["epoch".to_string()];
        header.extend(named("loss", &spec.loss));
        header.extend(named("accuracy", &spec.accuracy));
        let epochs = spec.loss.iter().map(|series| series.values.len()).max().unwrap_or(0);
        let rows = (0..epochs).map(|epoch| {
            let value = |series: &Series| series.values.get(epoch).copied().unwrap_or(f64::NAN);
            let mut row = vec![(epoch + 1).to_string()];
            row.extend(spec.loss.iter().map(|series| format::loss(value(series))));
            row.extend(spec.accuracy.iter().map(|series| percent(value(series))));
            row
        });
        let caption = format!("{}: loss and accuracy after each epoch", spec.title);
        let values = Table { caption, header, text: 1, rows: rows.collect() };
        let (title, subtitle) = (spec.title.clone(), spec.subtitle.clone());
        let reading = [reading(&spec.loss), lines(spec, guessing)].join(" ").trim().to_string();
        Self { title, subtitle, loss, accuracy, reading, values }
    }
}

/// An explanation of the baselines, if there are two.
fn lines(spec: &CurvesSpec, guessing: &Guessing) -> String {
    if guessing.is_even() {
        return String::new();
    }
    let images = if spec.accuracy.len() > 1 { "validation" } else { "training" };
    format!(
        "Dashed: accuracy on the {images} images of always answering \u{201c}{}\u{201d}, their largest class; \
         dotted: uniform guessing.",
        guessing.class
    )
}

/// The factor by which the last validation loss must exceed the lowest to be called overfitting. With few
/// validation images it varies by several percent by chance.
const RISE: f64 = 1.1;

/// The interpretation of the losses: overfitting is a rising validation loss while the training loss falls.
fn reading(loss: &[Series]) -> String {
    let Some(training) = loss.first().map(|series| &series.values) else { return String::new() };
    let Some(validation) = loss.get(1).map(|series| &series.values) else {
        return "There are no validation images, so these curves cannot show overfitting.".into();
    };
    let pairs = || training.iter().zip(validation).enumerate();
    let best = pairs().filter(|(_, (_, v))| v.is_finite()).min_by(|a, b| a.1.1.total_cmp(b.1.1));
    let last = pairs().rfind(|(_, (t, v))| t.is_finite() && v.is_finite());
    let (Some((best, (&trained, &lowest))), Some((end, (&train, &val)))) = (best, last) else {
        return String::new();
    };
    let show = format::loss;
    let (lowest_at, end_at) = (best + 1, end + 1);
    if best < end && val >= RISE * lowest && train < trained {
        return format!(
            "Overfitting: the validation loss is lowest after epoch {lowest_at} ({}) and has risen to {} after \
             epoch {end_at}, while the training loss falls from {} to {}. The network begins to fit \
             particulars of its training images that do not hold for others. (With few validation images \
             such a rise can also be chance.)",
            show(lowest),
            show(val),
            show(trained),
            show(train)
        );
    }
    if best == end {
        return format!(
            "No overfitting is seen: the validation loss is lowest after the last epoch ({}).",
            show(val)
        );
    }
    format!(
        "No clear overfitting: the validation loss is lowest after epoch {lowest_at} ({}) and {} after the last.",
        show(lowest),
        show(val)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(training: &[f64], validation: &[f64]) -> String {
        let series = |name: &str, values: &[f64]| Series::new(name, values.to_vec());
        reading(&[series("training", training), series("validation", validation)])
    }

    #[test]
    fn overfitting_is_named_where_the_curves_part() {
        let said = read(&[0.7, 0.5, 0.2, 0.1], &[0.7, 0.55, 0.8, 0.9]);
        assert!(
            said.starts_with("Overfitting: the validation loss is lowest after epoch 2"),
            "{said}"
        );
        assert!(
            said.contains("risen to 0.9000") && said.contains("from 0.5000 to 0.1000"),
            "{said}"
        );
        // Both fall; both rise; the rise is within the random variation of few images.
        assert!(read(&[0.7, 0.5], &[0.7, 0.6]).starts_with("No overfitting is seen"));
        assert!(read(&[0.7, 0.9], &[0.7, 0.9]).starts_with("No clear overfitting"));
        assert!(read(&[0.7, 0.6], &[0.70, 0.72]).starts_with("No clear overfitting"));
        assert!(read(&[0.7], &[f64::NAN]).is_empty() && read(&[], &[]).is_empty());
        let without = reading(&[Series::new("training", vec![0.5])]);
        assert!(without.contains("no validation images"), "{without}");
    }

    #[test]
    fn curves_come_with_their_values() {
        let spec = CurvesSpec {
            title: "t".into(),
            loss: vec![Series::new("training", vec![0.5, f64::NAN])],
            accuracy: vec![Series::new("training", vec![0.75])],
            ..CurvesSpec::default()
        };
        let drawn = Curves::draw(&spec, &Guessing::default());
        assert_eq!(drawn.values.header, ["epoch", "training loss", "training accuracy"]);
        assert_eq!(drawn.values.rows[0], ["1", "0.5000", "75.0 %"]);
        assert_eq!(drawn.values.rows[1], ["2", "\u{2013}", "\u{2013}"]);
    }
}
