//! Scores beside the accuracy: in the terminal, in JSON, as pictures and on the page.

use super::support::Sandbox;
use serde_json::Value;

/// A sandbox with a run on images of which four in five are of one class.
fn lopsided() -> (Sandbox, String, Value) {
    let sandbox = Sandbox::new();
    for (part, dark, light) in [("train", 12, 6), ("test", 16, 4)] {
        sandbox.images(format!("set/{part}/dark"), dark);
        sandbox.images(format!("set/{part}/light"), light);
    }
    let ended = sandbox.train(&["--data", "set", "--out", "run"]).ok();
    let metrics = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    (sandbox, ended.out, metrics)
}

#[test]
fn where_one_class_has_most_images_balanced_accuracy_goes_first() {
    let (sandbox, trained, metrics) = lopsided();
    let args = ["evaluate", "--model", "run", "--data", "set"];
    for out in [trained, sandbox.run(args).ok().out] {
        let at = |part: &str| out.find(part).unwrap_or_else(|| panic!("{part:?}: {out}"));
        let balanced = at("balanced accuracy");
        assert!(balanced < at("\n  accuracy "), "{out}");
        assert!(out.contains("always answering “dark” would score 80.0 %"), "{out}");
        for part in ["precision", "recall", "F1", "support", "Matthews correlation"] {
            at(part);
        }
        at("area under ROC curve");
        at("expected calibration error");
    }
    assert_eq!(metrics["test"]["imbalanced"], true);
    let page = sandbox.text("run/report.html");
    for part in ["id=\"scores\"", "Balanced accuracy", "its balanced accuracy says more"] {
        assert!(page.contains(part), "{part}");
    }
    // Where classes are even, accuracy remains the headline.
    let even = Sandbox::with_set();
    let ended = even.train(&["--data", "set", "--out", "run"]).ok();
    let (before, _) = ended.out.split_once("\n  accuracy ").unwrap();
    assert!(!before.contains("balanced accuracy"), "{ended:?}");
}

#[test]
fn json_has_all_scores_and_they_agree_with_the_confusion_matrix() {
    let (sandbox, _, metrics) = lopsided();
    let test = &metrics["test"];
    let count = |row: usize, column: usize| test["confusion"][row][column].as_f64().unwrap();
    let recall = |class: usize| count(class, class) / (count(class, 0) + count(class, 1));
    let balanced = test["balanced_accuracy"].as_f64().unwrap();
    assert!((balanced - (recall(0) + recall(1)) / 2.0).abs() < 1e-12, "{test}");
    for (class, support) in [(0, 16), (1, 4)] {
        let of = &test["per_class"][class];
        assert_eq!(
            (&of["class"], &of["support"]),
            (&["dark", "light"][class].into(), &support.into())
        );
        assert!((of["recall"].as_f64().unwrap() - recall(class)).abs() < 1e-12, "{of}");
        assert!(of["roc_auc"].is_f64() && of["average_precision"].is_f64(), "{of}");
        let shares: Vec<f64> = test["confusion_normalized"][class]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_f64().unwrap())
            .collect();
        assert!((shares[class] - recall(class)).abs() < 1e-12, "{test}");
    }
    for name in [
        "matthews_corrcoef",
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier_score",
        "expected_calibration_error",
    ] {
        assert!(test[name].is_f64(), "{name}: {test}");
    }
    assert!(
        (test["log_loss"].as_f64().unwrap() - test["loss"].as_f64().unwrap()).abs() < 1e-4,
        "{test}"
    );
    let interval = &test["intervals"]["balanced_accuracy"];
    assert!(
        interval["low"].as_f64() <= Some(balanced) && Some(balanced) <= interval["high"].as_f64()
    );
    assert_eq!(test["resamples"], serde_json::json!({"scores": 2000, "curves": 2000}));
    let binned: u64 =
        test["reliability"].as_array().unwrap().iter().map(|bin| bin["n"].as_u64().unwrap()).sum();
    assert_eq!(binned, 20);

    // The same images have the same scores and intervals, whoever asks, on any number of threads.
    for threads in ["1", "3"] {
        let args = ["evaluate", "--model", "run", "--data", "set", "--json", "--threads", threads];
        let evaluated = sandbox.run(args).json();
        for (name, value) in test.as_object().unwrap().iter().filter(|(name, _)| *name != "split") {
            assert_eq!(&evaluated[name], value, "{name}");
        }
    }
}

#[test]
fn curves_are_drawn_and_shown() {
    let (sandbox, _, metrics) = lopsided();
    for name in ["roc", "precision-recall", "reliability"] {
        assert!(sandbox.text(&format!("run/{name}.svg")).starts_with("<svg"));
        assert!(image::open(sandbox.path(format!("run/{name}.png"))).is_ok());
    }
    let area = metrics["test"]["per_class"][1]["roc_auc"].as_f64().unwrap();
    assert!(sandbox.text("run/roc.svg").contains(&format!("AUC {area:.3}")));
    let page = sandbox.text("run/report.html");
    for part in ["false positive rate", "Expected calibration error", "Each class: precision"] {
        assert!(page.contains(part), "{part}");
    }
}

/// Without images of a second class, what needs one is absent, and nothing fails.
#[test]
fn one_class_alone_has_no_curve() {
    let sandbox = Sandbox::with_run();
    sandbox.images("alone/dark", 3);
    let report = sandbox.run(["evaluate", "--model", "run", "--data", "alone", "--json"]).json();
    assert_eq!(
        (&report["roc_auc"], &report["per_class"][0]["roc_auc"]),
        (&Value::Null, &Value::Null)
    );
    assert!(report["per_class"][1]["undefined"][0].is_string(), "{report}");
    assert!(report["balanced_accuracy"].is_f64() && report["n"] == 3, "{report}");
    let ended = sandbox.run(["evaluate", "--model", "run", "--data", "alone"]).ok();
    assert!(!ended.out.contains("area under ROC curve"), "{ended:?}");
}
