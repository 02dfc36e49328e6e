//! `model check`: for models whose right way to take pixels is known, it is found.

use super::support::Sandbox;
use image::{Rgb, RgbImage};
use nn_core::Tensor;
use nn_core::layers::{Activation, Dense, GlobalAveragePool2D};
use nn_core::model::{self, Preprocessing, Sequential};
use serde_json::{Value, json};
use std::path::Path;

/// The side of the model's images.
const SIDE: usize = 16;

/// Colours of the classes: near each other and dark, where even presets of about the same range differ by half of what
/// tells them apart.
const COLOURS: [[f64; 3]; 5] =
    [[10.0, 6.0, 2.0], [4.0, 8.0, 12.0], [13.0, 9.0, 5.0], [7.0, 11.0, 15.0], [16.0, 12.0, 8.0]];

/// How far colours of images scatter around their class's.
const SCATTER: f64 = 2.0;

const NAMES: [&str; 5] = ["ash", "brown bear", "Siberian husky, snow dog", "dusk", "timber wolf"];
const FOLDERS: [&str; 5] = ["ash", "Brown-Bear", "snow_dog", "dusk", "timber wolf"];

/// Writes the model that knows best, of the mean colour of what it sees, which class it is: the one of nearest colour,
/// and how sure one can be. It takes pixels by this preset; of what it sees, a share of `image` is image, and the rest is
/// the grey of borders.
fn write_model(path: &Path, preset: &str, bgr: bool, image: f64) {
    let pixels = Preprocessing::preset(preset).unwrap();
    let of = |numbers: &[f64], channel: usize| numbers[channel % numbers.len()];
    let network = Sequential::builder([SIDE, SIDE, 3])
        .layer(GlobalAveragePool2D::new())
        .layer(Dense::new(5).activation(Activation::Softmax));
    let mut network: Sequential = network.build(27).unwrap();
    let sharpness = 1.0 / (2.0 * (SCATTER * image).powi(2));
    let seen =
        |class: usize, channel: usize| image * COLOURS[class][channel] + (1.0 - image) * 114.0;
    let weight = |i: usize| {
        let (class, place) = (i / 3, i % 3);
        let channel = if bgr { 2 - place } else { place };
        2.0 * sharpness * seen(class, channel) * of(&pixels.std, channel) / pixels.scale
    };
    let bias = |class: usize| {
        let part = |channel: usize| {
            let colour = seen(class, channel);
            2.0 * colour * of(&pixels.mean, channel) / pixels.scale - colour * colour
        };
        sharpness * (0..3).map(part).sum::<f64>()
    };
    network.set("dense1.weight", Tensor::from_fn([5, 3], |i| weight(i) as f32)).unwrap();
    network.set("dense1.bias", Tensor::from_fn([5], |i| bias(i) as f32)).unwrap();
    model::save(path, &network, Some(&NAMES.map(String::from))).unwrap();
}

/// Writes images of `width` into each of `folders`: where `shows`, of their class's colour, elsewhere of any.
fn write_images(sandbox: &Sandbox, folders: [&str; 5], width: u32, shows: fn(u32) -> bool) {
    write_images_of(sandbox, folders, width, shows, |folder, _| folder);
}

/// [`write_images`], whose class is `of` the number of their folder and their own.
fn write_images_of(
    sandbox: &Sandbox,
    folders: [&str; 5],
    width: u32,
    shows: fn(u32) -> bool,
    of: fn(usize, usize) -> usize,
) {
    let mut state = 27u64;
    for (number, folder) in folders.iter().enumerate() {
        for i in 0..15 {
            let class = of(number, i);
            let mut colour = |class: usize| {
                COLOURS[class].map(|level| {
                    // The sum of twelve is about normal, of deviation 1.
                    let mut random = || {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        (state >> 33) as f64 / (1u64 << 31) as f64
                    };
                    let sum: f64 = (0..12).map(|_| random() - 0.5).sum();
                    (level + SCATTER * sum).round().clamp(0.0, 255.0) as u8
                })
            };
            let (own, other) = (colour(class), colour((class + 1 + i % 4) % 5));
            let image = RgbImage::from_fn(width, SIDE as u32, |x, _| {
                Rgb(if shows(x) { own } else { other })
            });
            let path = format!("{folder}/{i}.png");
            sandbox.write(format!("set/{path}"), "");
            image.save(sandbox.path(format!("set/{path}"))).unwrap();
        }
    }
}

fn check(sandbox: &Sandbox, more: &[&str]) -> Value {
    let ask = ["model", "check", "model.safetensors", "--data", "set", "--json"];
    sandbox.run([&ask[..], more].concat()).json()
}

#[test]
fn every_preset_is_found_when_it_is_the_right_one() {
    let sandbox = Sandbox::new();
    write_images(&sandbox, FOLDERS, SIDE as u32, |_| true);
    for preset in Preprocessing::presets().map(|(name, _)| name) {
        for bgr in [false, true] {
            write_model(&sandbox.path("model.safetensors"), preset, bgr, 1.0);
            let found = check(&sandbox, &[]);
            let best = &found["ways"][0];
            let channels = if bgr { "bgr" } else { "rgb" };
            assert_eq!(
                (&best["preset"], &best["channels"]),
                (&json!(preset), &json!(channels)),
                "{found}"
            );
            assert!(best["accuracy"].as_f64().unwrap() > 0.7, "{best}");
            // Squares look alike in all modes; no other preset is as good.
            let ways = found["ways"].as_array().unwrap();
            let good: Vec<_> = ways.iter().filter(|way| way["as_good"] == true).collect();
            assert_eq!(good.len(), 3, "{found}");
            assert!(good.iter().all(|way| way["preset"] == best["preset"]), "{found}");
            assert_eq!((ways.len(), &found["fits"], &found["n"]), (36, &json!(true), &json!(75)));
        }
    }
}

#[test]
fn the_way_of_resizing_is_found() {
    for (resize, image, shows) in [
        ("crop", 1.0, (|x| (16..32).contains(&x)) as fn(u32) -> bool),
        ("squash", 1.0, |_| true),
        ("letterbox", 5.0 / 16.0, |_| true),
    ] {
        let sandbox = Sandbox::new();
        write_images(&sandbox, FOLDERS, 48, shows);
        write_model(&sandbox.path("model.safetensors"), "0-1", false, image);
        let found = check(&sandbox, &[]);
        let best = &found["ways"][0];
        assert_eq!(best["preset"], "0-1", "{found}");
        // An image of one colour looks alike squashed and cropped.
        let as_good = |resize: &str| {
            let ways = found["ways"].as_array().unwrap();
            ways.iter().any(|way| {
                way["preset"] == "0-1"
                    && way["channels"] == "rgb"
                    && way["resize"] == resize
                    && way["as_good"] == true
            })
        };
        assert!(as_good(resize), "{found}");
        assert_eq!(as_good("crop"), resize != "letterbox", "{found}");
        assert_eq!(as_good("squash"), resize == "squash", "{found}");
        assert_eq!(as_good("letterbox"), resize == "letterbox", "{found}");
    }
}

#[test]
fn what_is_found_is_written_and_read() {
    let sandbox = Sandbox::new();
    write_images(&sandbox, FOLDERS, SIDE as u32, |_| true);
    write_model(&sandbox.path("model.safetensors"), "tf", true, 1.0);
    let ask = ["model", "check", "model.safetensors", "--data", "set"];
    let told = sandbox.run(ask).ok();
    let says = [
        "options",
        "best",
        "as good",
        "cross-entropy",
        "Fits best: --preset tf --channels bgr",
        "that fit worse",
    ];
    told.says(&says, &["folder Brown-Bear: brown bear", "snow_dog: Siberian husky, snow dog"]);
    let write = [&ask[..], &["--write"]].concat();
    sandbox.run(&write).ok().says(&[], &["written to model.toml"]);
    let text = sandbox.text("model.toml");
    for line in ["preset = \"tf\"", "channels = \"bgr\"", "resize = \"", "interpolation = \""] {
        assert!(text.contains(line), "{text}");
    }
    let evaluate = ["evaluate", "--model", "model.safetensors", "--data", "set", "--split", "all"];
    sandbox.write("names.txt", FOLDERS.join("\n"));
    let named = [&evaluate[..], &["--classes", "names.txt", "--json"]].concat();
    let report =
        sandbox.run(&named).says(&[], &["pixel / 127.5 - 1, blue first (model.toml)"]).json();
    assert!(report["accuracy"].as_f64().unwrap() > 0.7);
    sandbox.refuses(&write, 2, &["model.toml", "--overwrite"]);
    sandbox.run([&write[..], &["--overwrite", "--classes", "names.txt"]].concat()).ok();
    assert!(sandbox.text("model.toml").contains("classes = \"names.txt\""));
    sandbox.run(evaluate).ok();
    // The file that is there is one of the ways.
    sandbox.write("model.toml", "mean = 200\nscale = 1");
    assert_eq!(check(&sandbox, &[])["ways"].as_array().unwrap().len(), 37);
    sandbox.write("model.json", "{}");
    std::fs::remove_file(sandbox.path("model.toml")).unwrap();
    sandbox.refuses(&write, 2, &["model.json", "remove it"]);
}

#[test]
fn folders_are_mapped_to_classes() {
    let sandbox = Sandbox::new();
    write_images(&sandbox, ["ash", "bear", "husky", "dusk", "wolf"], SIDE as u32, |_| true);
    write_model(&sandbox.path("model.safetensors"), "lite", false, 1.0);
    let found = check(&sandbox, &["--map", "husky=2", "--map", "wolf=timber wolf"]);
    assert_eq!(
        found["folders"],
        json!({
            "ash": ["ash"], "bear": [], "husky": ["Siberian husky, snow dog"], "dusk": ["dusk"], "wolf": ["timber wolf"]
        })
    );
    assert_eq!((&found["n"], &found["ways"][0]["preset"]), (&json!(60), &json!("lite")));
    let ask = ["model", "check", "model.safetensors", "--data", "set", "--most-images", "10"];
    sandbox.run(ask).ok().says(&["10 images"], &["--map husky=2 would be", "--map wolf=4"]);
    for (map, says) in
        [("huski=2", "did you mean husky"), ("husky=9", "0 to 4"), ("husky=wulf", "no class wulf")]
    {
        sandbox.refuses([&ask[..], &["--map", map]].concat(), 2, &[map, says]);
    }
}

#[test]
fn without_labels_evidence_is_weak() {
    let sandbox = Sandbox::new();
    write_images(&sandbox, ["1", "2", "3", "4", "5"], SIDE as u32, |_| true);
    write_model(&sandbox.path("model.safetensors"), "imagenet", false, 1.0);
    let found = check(&sandbox, &[]);
    assert_eq!((&found["labelled"], &found["ways"][0]["accuracy"]), (&json!(false), &Value::Null));
    assert!(found["ways"][0]["information"].as_f64().unwrap() > 0.0);
    let ask = ["model", "check", "model.safetensors", "--data", "set"];
    sandbox.run(ask).ok().says(&["weak evidence", "information"], &["1: no class of this name"]);
}

#[test]
fn nothing_is_written_where_nothing_fits() {
    let sandbox = Sandbox::new();
    // Each folder has images of all classes.
    write_images_of(&sandbox, FOLDERS, SIDE as u32, |_| true, |_, i| i % 5);
    write_model(&sandbox.path("model.safetensors"), "tf", false, 1.0);
    let ask = ["model", "check", "model.safetensors", "--data", "set", "--write"];
    let ended = sandbox.run(ask).says(&["None fits", "guessing"], &["nothing written"]);
    assert_eq!(ended.status, 1);
    assert!(!sandbox.path("model.toml").exists());
    sandbox.refuses(["model", "check", "nothing.onnx", "--data", "set"], 2, &["nothing.onnx"]);
    sandbox.refuses(["model", "check", "model.safetensors", "--data", "nowhere"], 2, &["nowhere"]);
}
