//! `gradcam`: heat maps over images, and the arguments it rejects.

use super::support::{Sandbox, png};
use serde_json::{Value, json};
use std::fs;

/// Runs `gradcam` on the sandbox's model and returns the entry of each image from `--json`.
fn heat(sandbox: &Sandbox, args: &[&str]) -> Vec<Value> {
    let args = [&["gradcam", "--model", "run", "--json"], args].concat();
    let json = sandbox.run(args).json();
    json.as_array().unwrap().clone()
}

/// The float32 array in a `.npy` file, and its shape as written in the file.
fn numbers(sandbox: &Sandbox, name: &str) -> (String, Vec<f32>) {
    let bytes = sandbox.bytes(name);
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = String::from_utf8(bytes[10..10 + header].to_vec()).unwrap();
    let shape = text.split("'shape': ").nth(1).unwrap().split(')').next().unwrap();
    let values = bytes[10 + header..].chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (format!("{shape})"), values)
}

#[test]
fn every_image_gets_a_picture_of_the_predicted_class() {
    let sandbox = Sandbox::with_run();
    let explained = heat(&sandbox, &["set/test", "--out", "new/heat"]);
    let predictions = sandbox.run(["predict", "--model", "run", "set/test", "--json"]).json();
    assert_eq!(explained.len(), 4);
    let mut expected = vec!["grid.png".to_string()];
    for (one, prediction) in explained.iter().zip(predictions.as_array().unwrap()) {
        let class = one["class"].as_str().unwrap();
        assert_eq!((&one["file"], &one["class"]), (&prediction["file"], &prediction["label"]));
        assert_eq!(one["predicted"], one["class"]);
        assert_eq!(one["probability"], prediction["probabilities"][class]);
        assert_eq!((&one["method"], &one["layer"]), (&json!("Grad-CAM"), &json!("conv3")));
        assert!(one.get("raw").is_none());
        let overlay = one["overlay"].as_str().unwrap();
        let picture = image::open(sandbox.path(overlay)).unwrap();
        assert!(picture.width() > 600 && picture.height() > 300);
        expected.push(overlay.strip_prefix("new/heat/").unwrap().to_string());
    }
    expected.sort();
    assert_eq!(sandbox.names("new/heat"), expected);
    sandbox.is_clean();

    // For people, a table; one image has no page of many.
    let ended = sandbox.run(["gradcam", "--model", "run", "set/test/dark/1.png", "--out", "one"]);
    ended
        .ok()
        .says(&["image", "heat on background", "set/test/dark/1.png"], &["written to one/1."]);
    assert_eq!(sandbox.names("one").len(), 1);
}

#[test]
fn scores_are_the_logits_of_the_class_asked_for() {
    let sandbox = Sandbox::with_run();
    let [dark, light] = ["dark", "light"]
        .map(|class| heat(&sandbox, &["set/test/dark", "--class", class, "--out", class]));
    for (dark, light) in dark.iter().zip(&light) {
        let number = |value: &Value| value.as_f64().unwrap();
        assert_eq!((&dark["class"], &light["class"]), (&json!("dark"), &json!("light")));
        assert_eq!(dark["predicted"], light["predicted"]);
        let (a, b) = (number(&dark["score"]), number(&light["score"]));
        let softmax = 1.0 / (1.0 + (b - a).exp());
        assert!((softmax - number(&dark["probability"])).abs() < 1e-5);
        assert!((number(&dark["probability"]) + number(&light["probability"]) - 1.0).abs() < 1e-6);
    }
    assert_eq!(sandbox.names("light"), ["0.light.png", "1.light.png", "grid.png"]);
}

#[test]
fn raw_maps_are_for_numpy() {
    let sandbox = Sandbox::with_run();
    let args = ["set/test/light/0.png", "--class", "light", "--raw", "--align", "corners", "--out"];
    let explained = heat(&sandbox, &[&args[..], &["heat"]].concat());
    assert_eq!(explained[0]["align"], "corners");
    assert_eq!(explained[0]["raw"], "heat/0.light.npy");
    assert_eq!(explained[0]["full"], "heat/0.light.full.npy");
    let (shape, raw) = numbers(&sandbox, "heat/0.light.npy");
    assert_eq!((shape.as_str(), raw.len()), ("(2, 2, )", 4));
    let (shape, full) = numbers(&sandbox, "heat/0.light.full.npy");
    assert_eq!((shape.as_str(), full.len()), ("(22, 22, )", 22 * 22));
    // The corners are the map's own, brought to 0 to 1.
    let low = raw.iter().copied().fold(f32::INFINITY, f32::min);
    let high = raw.iter().copied().fold(0.0, f32::max);
    for (corner, value) in [0, 21, 22 * 21, 22 * 22 - 1].iter().zip(&raw) {
        let expected = (value - low) / (high - low + 1e-7);
        assert!((full[*corner] - expected).abs() < 1e-5, "{} is not {expected}", full[*corner]);
    }

    // By default cells are at the centres of their receptive fields: for this network at pixels 8.5
    // and 12.5.
    let args = ["set/test/light/0.png", "--class", "light", "--raw", "--out", "centres"];
    let explained = heat(&sandbox, &args);
    assert_eq!(explained[0]["align"], "centres");
    assert_eq!(numbers(&sandbox, "centres/0.light.npy").1, raw);
    let full = numbers(&sandbox, "centres/0.light.full.npy").1;
    let at = |y: usize, x: usize| full[y * 22 + x];
    for (near, far) in
        [((0, 0), (8, 8)), ((0, 21), (8, 13)), ((21, 0), (13, 8)), ((21, 21), (13, 13))]
    {
        assert_eq!(at(near.0, near.1), at(far.0, far.1), "beyond the centres a map stays as it is");
    }
    let middle = (at(0, 0) + at(0, 21) + at(21, 0) + at(21, 21)) / 4.0;
    let around = (at(10, 10) + at(10, 11) + at(11, 10) + at(11, 11)) / 4.0;
    assert!((middle - around).abs() < 1e-5, "{middle} {around}");
}

#[test]
fn other_methods_and_layers() {
    let sandbox = Sandbox::with_run();
    let image = "set/test/dark/0.png";
    for (i, (args, method, layer, shape)) in [
        (&["--layer", "conv2"][..], "Grad-CAM", json!("conv2"), "(8, 8, )"),
        (&["--layer", "pool1", "--method", "hirescam"], "HiResCAM", json!("pool1"), "(10, 10, )"),
        (&["--method", "grad-cam"], "Grad-CAM", json!("conv3"), "(2, 2, )"),
        (&["--method", "occlusion"], "occlusion sensitivity", Value::Null, "(22, 22, )"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("heat{i}");
        let args = [args, &[image, "--class", "dark", "--raw", "--out", &out]].concat();
        let explained = &heat(&sandbox, &args)[0];
        assert_eq!((&explained["method"], &explained["layer"]), (&json!(method), &layer));
        let (found, raw) = numbers(&sandbox, &format!("{out}/0.dark.npy"));
        assert_eq!(found, shape);
        assert!(raw.iter().all(|&v| v >= 0.0 && v.is_finite()));
    }
}

#[test]
fn the_background_share_is_told_where_a_subject_stands_out() {
    let sandbox = Sandbox::with_run();
    // A dark square on white.
    let image = image::RgbImage::from_fn(60, 60, |x, y| {
        let inside = (20..40).contains(&x) && (20..40).contains(&y);
        image::Rgb(if inside { [40, 30, 30] } else { [255; 3] })
    });
    image.save(sandbox.path("square.png")).unwrap();
    image::RgbImage::from_pixel(60, 60, image::Rgb([255; 3]))
        .save(sandbox.path("white.png"))
        .unwrap();
    let args = ["square.png", "white.png", "--method", "occlusion", "--out"];
    let mut shares = Vec::new();
    for class in ["dark", "light"] {
        let explained = heat(&sandbox, &[&args[..], &[class, "--class", class]].concat());
        assert_eq!(explained[0]["mask"], "plain-backdrop");
        let area = explained[0]["background_area"].as_f64();
        if let Some(share) = explained[0]["background_share"].as_f64() {
            assert!((area.unwrap() - 8.0 / 9.0).abs() < 0.04, "{area:?}");
            assert!((0.0..=1.0).contains(&share));
            shares.push(share);
        }
        // Nothing stands out on plain white.
        assert_eq!(explained[1]["background_share"], Value::Null);
        assert_eq!(explained[1]["background_area"], Value::Null);
        let reason = explained[1]["no_share"].as_str().unwrap();
        assert!(["no-subject", "empty", "flat"].contains(&reason), "{reason}");
    }
    assert!(!shares.is_empty());
}

#[test]
fn no_share_is_told_where_the_masks_disagree() {
    let sandbox = Sandbox::with_run();
    // The lower half in another white, like snow in shade: it reaches the border, so its colour is
    // that of the background, but it is not the backdrop's.
    let image = image::RgbImage::from_fn(90, 90, |x, y| match (x, y) {
        (35..55, 30..60) => image::Rgb([20, 20, 30]),
        (_, 0..45) => image::Rgb([250; 3]),
        _ => image::Rgb([228; 3]),
    });
    image.save(sandbox.path("snow.png")).unwrap();
    let args = ["snow.png", "--method", "occlusion", "--class"];
    let explained = ["dark", "light"].map(|class| {
        let args = [&args[..], &[class, "--out", class]].concat();
        let mut found = heat(&sandbox, &args);
        found.remove(0)
    });
    let reasons: Vec<_> = explained.iter().map(|one| one["no_share"].as_str().unwrap()).collect();
    assert!(reasons.contains(&"masks-disagree"), "{reasons:?}");
    for one in &explained {
        assert_eq!(
            (&one["background_share"], &one["background_area"]),
            (&Value::Null, &Value::Null)
        );
    }
    let at = reasons.iter().position(|reason| *reason == "masks-disagree").unwrap();
    let args = ["gradcam", "--model", "run", "snow.png", "--method", "occlusion", "--class"];
    let told = sandbox.run([&args[..], &[["dark", "light"][at], "--out", "told"]].concat()).ok();
    let said = [&told.out[..], &told.err].concat();
    assert!(said.contains("Not counted: 1 map (no share: two ways to find"), "{said}");
}

#[test]
fn maps_are_compared_with_those_of_random_weights() {
    let sandbox = Sandbox::with_run();
    for one in heat(&sandbox, &args_of_check("heat")) {
        let correlation = &one["random_weights_correlation"];
        assert!(correlation.as_f64().is_none_or(|c| (-1.0..=1.0).contains(&c)), "{one}");
        assert!(one.get("random_weights_correlation").is_some());
    }
    let args = ["gradcam", "--model", "run"];
    let ended = sandbox.run([&args[..], &args_of_check("again")].concat()).ok();
    let said = [&ended.out[..], &ended.err].concat();
    assert!(said.contains("with random weights, mean rank correlation"), "{said}");
}

fn args_of_check(out: &str) -> [&str; 6] {
    ["set/test", "--method", "occlusion", "--check", "--out", out]
}

#[test]
fn names_that_collide_or_cannot_be_are_changed() {
    let sandbox = Sandbox::with_set();
    for class in ["a:b", "light*"] {
        sandbox.images(format!("odd/train/{class}"), 4);
        sandbox.images(format!("odd/test/{class}"), 2);
    }
    sandbox.train(&["--data", "odd", "--out", "run"]).ok();
    let images = ["set/test/dark/0.png", "set/test/light/0.png"];
    let explained = heat(&sandbox, &[&images[..], &["--class", "a:b", "--out", "heat"]].concat());
    assert_eq!(sandbox.names("heat"), ["0-2.a_b.png", "0.a_b.png", "grid.png"]);
    assert_eq!(explained[0]["class"], "a:b");
    assert_eq!(explained[1]["overlay"], "heat/0-2.a_b.png");
}

#[test]
fn many_images_take_several_pages() {
    let sandbox = Sandbox::with_run();
    sandbox.images("many", 50);
    assert_eq!(heat(&sandbox, &["many", "--out", "heat"]).len(), 50);
    let names = sandbox.names("heat");
    assert_eq!(names.len(), 52);
    assert!(names.contains(&"grid.png".into()) && names.contains(&"grid-2.png".into()));
    let height = |name: &str| image::open(sandbox.path(name)).unwrap().height();
    assert!(height("heat/grid.png") > 3 * height("heat/grid-2.png"));
}

#[test]
fn a_folder_is_added_to_only_when_asked() {
    let sandbox = Sandbox::with_run();
    let run = |more: &[&'static str]| {
        let args = ["gradcam", "--model", "run", "set/test/dark/0.png", "--class", "dark"];
        [&args[..], &["--out", "heat"], more].concat()
    };
    sandbox.run(run(&[])).ok();
    sandbox.write("heat/mine.txt", "x");
    let first = sandbox.bytes("heat/0.dark.png");
    sandbox.refuses(run(&[]), 1, &["heat", "not empty", "--overwrite"]);
    sandbox.write("heat/0.dark.png", "old");
    sandbox.run(run(&["--overwrite"])).ok();
    assert_eq!(sandbox.bytes("heat/0.dark.png"), first);
    assert_eq!(sandbox.names("heat"), ["0.dark.png", "mine.txt"]);
    fs::create_dir(sandbox.path("heat/0.light.png")).unwrap();
    let args = ["gradcam", "--model", "run", "set/test/dark/0.png", "--class", "light"];
    let args = [&args[..], &["--out", "heat", "--overwrite"]].concat();
    sandbox.refuses(args, 1, &["heat/0.light.png", "in the way"]);
}

#[test]
fn what_is_wrong_is_said() {
    let sandbox = Sandbox::with_run();
    let refuses = |args: &[&str], status: i32, says: &[&str]| {
        let args = [&["gradcam", "--model", "run"], args].concat();
        sandbox.refuses(args, status, says);
    };
    let image = "set/test/dark/0.png";
    refuses(&[image, "--out", "heat", "--class", "cat"], 2, &["--class", "dark, light", "cat"]);
    for layer in ["conv4", "dense1", "flatten1"] {
        let says = ["layer", "conv1", "pool3", layer];
        refuses(&[image, "--out", "heat", "--layer", layer], 2, &says);
    }
    let args = [image, "--out", "heat", "--method", "occlusion", "--layer", "conv3"];
    refuses(&args, 2, &["--layer", "occlusion"]);
    refuses(&[image, "--out", "heat", "--method", "lime"], 2, &["lime", "hirescam"]);
    refuses(&[image], 2, &["--out"]);
    refuses(&["--out", "heat"], 2, &["IMAGE"]);
    sandbox.write("file", "x");
    refuses(&[image, "--out", "file"], 1, &["file", "not a folder"]);
    refuses(&[image, "--out", "file/heat"], 1, &["file/heat"]);

    // Nothing of the images before it is left.
    refuses(&["set/test", "gone.jpg", "--out", "heat"], 2, &["gone.jpg", "--skip-unreadable"]);
    sandbox.write("bad/x.png", "no image");
    refuses(&["bad", "--out", "a/b/heat"], 1, &["x.png", "not an image", "--skip-unreadable"]);
    let says = ["none of the 1 image could be read", "x.png"];
    refuses(&["bad", "--out", "a/b/heat", "--skip-unreadable"], 1, &says);
    sandbox.write("bad/y.png", png("light", 1));
    let args = ["gradcam", "--model", "run", "bad", "--out", "heat", "--skip-unreadable", "--json"];
    let explained = sandbox.run(args).says(&[], &["skipped", "x.png"]).json();
    assert_eq!(explained.as_array().unwrap().len(), 1);
}
