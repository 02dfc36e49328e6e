//! `audit`: its findings, its exit status, and the split it writes.

use super::browser::Browser;
use super::report::{fits_every_window, keep_a_picture};
use super::support::Sandbox;
use image::{Rgb, RgbImage};
use serde_json::json;
use std::fs;

/// A picture of grey blocks, different for each number; those of class `light` are lighter.
pub fn blocks(class: &str, number: u32) -> Vec<u8> {
    let base = if class == "light" { 120 } else { 10 };
    let picture = RgbImage::from_fn(96, 80, |x, y| {
        let mut hash = number.wrapping_mul(0x9e37_79b9) ^ (x / 6 * 31 + y / 6 * 1_009);
        for _ in 0..3 {
            hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
        }
        Rgb([base + (hash >> 25) as u8; 3])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A sandbox whose test image `dark/0` is the training image `dark/1`.
fn leaky() -> Sandbox {
    let sandbox = Sandbox::new();
    for (half, count, first) in [("train", 4, 0), ("test", 2, 10)] {
        for (class, more) in [("dark", 0), ("light", 100)] {
            for i in 0..count {
                let path = format!("set/{half}/{class}/{i}.png");
                sandbox.write(path, blocks(class, first + more + i));
            }
        }
    }
    fs::copy(sandbox.path("set/train/dark/1.png"), sandbox.path("set/test/dark/0.png")).unwrap();
    sandbox
}

#[test]
fn a_leak_is_told_and_trips_the_gate() {
    let sandbox = leaky();
    let args = ["audit", "set", "--json", "--validation-split", "0"];
    let ended = sandbox.run(args);
    assert_eq!(ended.status, 3, "{ended:?}");
    assert!(ended.err.contains("1 pair of copies crosses splits"), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let pair = &report["pairs"][0];
    assert_eq!((&pair["a"], &pair["b"]), (&"train/dark/1.png".into(), &"test/dark/0.png".into()));
    assert_eq!((&pair["kind"], &pair["distance"]), (&"bytes".into(), &0.0.into()));
    assert_eq!((&pair["across_splits"], &pair["across_labels"]), (&true.into(), &false.into()));
    assert_eq!(report["summary"]["across_splits"], 1);
    let allowed = sandbox.run([&args[..], &["--allow", "1"]].concat());
    allowed.ok();
    let text = sandbox.run(["audit", "set", "--validation-split", "0"]);
    text.says(
        &["Copies: 1 pair across splits, of 1 pair", "train / test", "same bytes"],
        &["--repair"],
    );
    let args = ["audit", "set", "--validation-split", "0", "--html", "page.html", "--allow", "9"];
    sandbox.run(args).ok();
    let page = sandbox.text("page.html");
    assert!(page.contains("train/dark/1.png") && !page.contains("src=\"http"));
    sandbox.refuses(["audit", "nowhere"], 2, &["nowhere"]);
    sandbox.refuses(["audit", "set", "--validation-split", "2"], 2, &["--validation-split"]);
    sandbox.is_clean();
}

#[test]
fn a_repaired_split_can_be_trained_on() {
    let sandbox = leaky();
    let repair = ["audit", "set", "--validation-split", "0", "--repair"];
    assert_eq!(sandbox.run([&repair[..], &["split.csv"]].concat()).status, 3);
    let split = sandbox.text("split.csv");
    assert!(split.contains("test/dark/0.png,dark,train"), "{split}");
    sandbox.train(&["--data", "set", "--split", "split.csv", "--out", "run"]).ok();
    let used = |table: &str| {
        let mut rows: Vec<String> = table.lines().map(String::from).collect();
        rows.sort();
        rows
    };
    assert_eq!(used(&sandbox.text("run/split.csv")), used(&split));
    sandbox.train(&["--config", "run/config.toml", "--out", "again"]).ok();
    assert_eq!(sandbox.bytes("run/model.safetensors"), sandbox.bytes("again/model.safetensors"));

    for how in ["copy", "hardlink"] {
        let args = [&repair[..], &[how, "--repair-as", how]].concat();
        assert_eq!(sandbox.run(args).status, 3);
        let whole = ["audit", how, "--validation-split", "0"];
        sandbox.run(whole).ok();
        assert_eq!(sandbox.names(how), ["split.csv", "test", "train"]);
    }
    let taken = sandbox.run([&repair[..], &["split.csv"]].concat());
    assert_eq!((taken.status, taken.out.as_str()), (1, ""), "said before the audit");
    assert!(taken.err.contains("split.csv") && taken.err.contains("choose another --repair"));
    assert_eq!(sandbox.text("split.csv"), split);
    let wrong = split.replace("test/dark/0.png", "test/dark/9.png");
    sandbox.write("wrong.csv", wrong);
    let args = ["--data", "set", "--split", "wrong.csv", "--out", "no"];
    sandbox.refuses_to_train(&args, 1, &["wrong.csv", "test/dark/9.png"]);
}

#[test]
fn accuracy_is_stated_without_the_twins() {
    let sandbox = leaky();
    sandbox.train(&["--data", "set", "--out", "run", "--validation-split", "0"]).ok();
    let args = ["evaluate", "--model", "run", "--data", "set", "--validation-split", "0"];
    let report = sandbox.run([&args[..], &["--without-twins", "--json"]].concat()).json();
    assert_eq!(report["n"], 4);
    assert_eq!(report["without_twins"]["n"], 3);
    assert_eq!(report["without_twins"]["twins"][0], "test/dark/0.png");
    assert!(sandbox.run(args).ok().out.contains("accuracy"));
    let all = [&args[..], &["--without-twins", "--split", "all"]].concat();
    sandbox.refuses(all, 2, &["--without-twins", "--split test"]);
}

#[test]
fn the_page_of_an_audit_works_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let sandbox = leaky();
    // A name that would be markup if nobody escaped it, and is long enough to break a phone's window.
    let hostile = format!("<img src=x onerror=alert(1)>{}.png", "long".repeat(30));
    let source = sandbox.path("set/train/light/1.png");
    fs::copy(source, sandbox.path("set/test/light").join(&hostile)).unwrap();
    let args = ["audit", "set", "--validation-split", "0", "--html", "page/audit.html"];
    fs::create_dir(sandbox.path("page")).unwrap();
    assert_eq!(sandbox.run(args).status, 3);

    let page = sandbox.path("page/audit.html");
    browser.show(1280, 900, "light");
    browser.open(&page);
    let pairs = "[...document.querySelectorAll('.duplicate')].map(pair =>
        [pair.className, ...[...pair.querySelectorAll('img')].map(i => i.naturalWidth)])";
    let pairs = browser.evaluate(pairs);
    assert_eq!(pairs.as_array().map(Vec::len), Some(2), "{pairs}");
    for pair in pairs.as_array().unwrap() {
        assert_eq!(pair[0], "duplicate wrong");
        assert!(pair[1].as_u64() >= Some(80) && pair[1] == pair[2], "{pair}");
    }
    let text = browser.evaluate("document.body.innerText");
    assert!(text.as_str().unwrap().contains(&hostile), "{text}");
    let elements = "document.querySelectorAll('main script, [onerror]').length";
    assert_eq!(browser.evaluate(elements), 0);
    // Links lead somewhere, and tables say what they are.
    let lost = "[...document.querySelectorAll('a[href^=\"#\"]')]
        .filter(a => !document.querySelector(a.getAttribute('href'))).length";
    assert_eq!(browser.evaluate(lost), 0);
    assert_eq!(browser.evaluate("document.querySelectorAll('table:not(:has(caption))').length"), 0);
    fits_every_window(&mut browser);
    // On paper no pair is cut apart.
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let cut = "[...document.querySelectorAll('.twin')]
        .filter(twin => getComputedStyle(twin).display !== 'inline-block').length";
    assert_eq!(browser.evaluate(cut), 0);
    assert_eq!(browser.complaints(), [""; 0]);
    keep_a_picture(&mut browser, &page);
}

/// Noise images of class `a` or `b`; the JPEGs of `b` have a comment, as another program would write it.
fn commented(class: &str, number: u32) -> Vec<u8> {
    let picture = image::load_from_memory(&blocks("light", number)).unwrap().to_rgb8();
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 85)
        .encode_image(&picture)
        .unwrap();
    if class == "b" {
        bytes.splice(2..2, *b"\xff\xfe\x00\x09scanner");
    }
    bytes
}

#[test]
fn a_class_that_the_file_gives_away_trips_a_gate_of_its_own() {
    let sandbox = Sandbox::new();
    for i in 0..24 {
        for (class, more) in [("a", 0), ("b", 100)] {
            let half = if i % 4 == 0 { "test" } else { "train" };
            sandbox.write(format!("set/{half}/{class}/{i}.jpg"), commented(class, more + i));
        }
    }
    let ended = sandbox.run(["audit", "set", "--json"]);
    assert_eq!(ended.status, 3, "{ended:?}");
    for words in ["by format (comment scanner: 100 % of b, 0 % of a)", "--allow-label-leaks"] {
        assert!(ended.err.contains(words), "{ended:?}");
    }
    assert!(!ended.err.contains("--repair"), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["summary"]["label_leaks"], 1);
    let leaks = report["label_leaks"].as_array().unwrap();
    let leak = leaks.iter().find(|leak| leak["group"] == "format").unwrap();
    let expected = json!({"alarm": true, "gate": true, "strength": "strong", "class": "b",
        "classes": ["b", "a"], "effect": 1.0, "chance": 0.5, "accuracy": 1.0, "shares": [1.0, 0.0]});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&leak[key], value, "{key}");
    }
    assert!(leak["p"].as_f64() <= Some(0.01) && leak["interval"][0].as_f64() > Some(0.8));

    let args = ["audit", "set", "--allow-label-leaks", "--html", "page.html"];
    let text = sandbox.run(args).ok().out.clone();
    assert!(text.contains("file alone): yes, from format") && text.contains("strong"), "{text}");
    assert!(
        text.contains("The same in all images: ") && text.contains("encode all images anew"),
        "{text}"
    );
    let page = sandbox.text("page.html");
    for words in ["can be told without looking at the subject", "encode all images anew"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("--repair") && !page.contains("No copies cross splits"));
}
