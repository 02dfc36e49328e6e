//! `--augment` and `data preview`: training images that are others in each epoch.

use super::support::{Sandbox, assert_same_run, png};
use image::{Rgb, RgbImage};
use serde_json::Value;

fn metrics(sandbox: &Sandbox, run: &str) -> Value {
    serde_json::from_str(&sandbox.text(&format!("{run}/metrics.json"))).unwrap()
}

/// A set of discs on backgrounds that give the class away.
fn with_subjects() -> Sandbox {
    let sandbox = Sandbox::new();
    for (class, behind) in [("dark", [20, 90, 30]), ("light", [180, 190, 230])] {
        for part in ["train", "test"] {
            for i in 0..6_u32 {
                let picture = RgbImage::from_fn(64, 64, |x, y| {
                    let (dx, dy) = (f64::from(x) - 32.0, f64::from(y) - 30.0 - f64::from(i));
                    let grain = ((x * 7 + y * 13 + i * 5) % 9) as u8;
                    match dx.hypot(dy) < 16.0 {
                        true => Rgb([200, 60 + grain, 20]),
                        false => Rgb(behind.map(|value: u8| value + grain)),
                    }
                });
                let mut png = std::io::Cursor::new(Vec::new());
                picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
                sandbox.write(format!("set/{part}/{class}/{i}.png"), png.into_inner());
            }
        }
    }
    sandbox
}

const TRAIN: [&str; 5] = ["train", "--data", "set", "--image-size", "22"];

#[test]
fn augmented_runs_repeat_and_go_on_to_the_same_bits() {
    let sandbox = Sandbox::with_set();
    let all = "standard,colour,crop,noise,blur,erase";
    for (augment, threads) in [(all, "1"), ("mixup,cutmix,flip", "3")] {
        let train = |args: &[&str]| {
            let augment = ["--augment", augment, "--threads", threads];
            sandbox.run([&TRAIN[..], &augment, args].concat()).ok()
        };
        train(&["--epochs", "3", "--out", "unbroken"]);
        train(&["--epochs", "1", "--out", "run"]);
        sandbox.run(["train", "--resume", "--out", "run", "--epochs", "3", "--threads", "2"]).ok();
        let mut again: Vec<_> =
            [&TRAIN[..], &["--augment", augment, "--epochs", "3", "--out", "other"]].concat();
        again.extend(["--threads", "2"]);
        sandbox.run(again).ok();
        for name in ["model.safetensors", "predictions.csv", "config.toml"] {
            let read = |run: &str| sandbox.bytes(&format!("{run}/{name}"));
            assert!(read("run") == read("unbroken") && read("other") == read("run"), "{name}");
        }
        let config = &metrics(&sandbox, "run")["config"];
        assert!(!config["augment"].as_str().unwrap().is_empty());
        // Of mixed images no answer is right or wrong.
        let history = &metrics(&sandbox, "run")["history"][0];
        assert_eq!(history["accuracy"].is_null(), augment.contains("mix"), "{history}");
        sandbox.refuses(
            ["train", "--resume", "--out", "run", "--epochs", "4", "--augment", "flip"],
            2,
            &["--augment", "which cannot become flip"],
        );
        for run in ["run", "unbroken", "other"] {
            std::fs::remove_dir_all(sandbox.path(run)).unwrap();
        }
    }
}

#[test]
fn without_augmentation_nothing_is_said_of_it() {
    let sandbox = Sandbox::with_set();
    sandbox.run([&TRAIN[..], &["--epochs", "1", "--out", "plain"]].concat()).ok();
    assert!(!sandbox.text("plain/config.toml").contains("augment"));
    sandbox.run([&TRAIN[..], &["--epochs", "1", "--out", "none", "--augment", ""]].concat()).ok();
    assert_same_run(&sandbox, "plain", "none");
}

#[test]
fn backgrounds_come_from_the_images_or_a_folder() {
    let sandbox = with_subjects();
    let train =
        |args: &[&str]| sandbox.run([&TRAIN[..], &["--epochs", "2", "--out"], args].concat()).ok();
    train(&["own", "--augment", "background=1"]);
    train(&["plain"]);
    assert!(sandbox.bytes("own/model.safetensors") != sandbox.bytes("plain/model.safetensors"));
    sandbox.images("behind", 3);
    train(&["folder", "--backgrounds", "behind"]);
    let config = sandbox.text("folder/config.toml");
    assert!(config.contains("augment = \"background\"") && config.contains("behind"), "{config}");
    assert!(sandbox.bytes("own/model.safetensors") != sandbox.bytes("folder/model.safetensors"));
    // A run goes on with the pictures that it began with.
    sandbox.write("behind/more.png", png("light", 9));
    let more = ["train", "--resume", "--out", "folder", "--epochs", "3"];
    let refused = sandbox.run(more);
    assert_eq!(refused.status, 1, "{refused:?}");
    refused.says(&[], &["cannot go on", "pictures of backgrounds (--backgrounds) have changed"]);
    std::fs::remove_file(sandbox.path("behind/more.png")).unwrap();
    sandbox.run(more).ok();
    let refuses = |args: &[&str], status: i32, says: &[&str]| {
        sandbox.refuses([&TRAIN[..], &["--out", "x"], args].concat(), status, says);
    };
    refuses(&["--backgrounds", "nowhere"], 1, &["nowhere"]);
    refuses(&["--backgrounds", "behind", "--augment", "flip"], 2, &["--backgrounds", "background"]);
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    refuses(&["--backgrounds", "empty"], 1, &["no pictures of backgrounds"]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let sandbox = Sandbox::with_set();
    let refuses = |args: &[&str], says: &[&str]| {
        sandbox.refuses([&TRAIN[..], &["--out", "x"], args].concat(), 2, says);
    };
    refuses(&["--augment", "rotat"], &["standard, colour, flip", "rotat"]);
    refuses(&["--augment", "rotate=900"], &["degrees", "from 0 to 180"]);
    refuses(&["--augment", "hue", "--channels", "grey"], &["hue", "in colour"]);
    // Before a white backdrop alone there is no subject.
    for (class, value) in [("dark", 248), ("light", 250)] {
        for i in 0..4 {
            let mut png = std::io::Cursor::new(Vec::new());
            let picture = RgbImage::from_pixel(24, 24, Rgb([value, value, value + i]));
            picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
            sandbox.write(format!("flat/{class}/{i}.png"), png.into_inner());
        }
    }
    let args =
        ["train", "--data", "flat", "--image-size", "22", "--out", "x", "--augment", "background"];
    sandbox.refuses(args, 1, &["backgrounds are exchanged", "two or more"]);
}

#[test]
fn a_sheet_shows_what_the_network_sees() {
    let sandbox = with_subjects();
    let preview = ["data", "preview", "--data", "set", "--image-size", "40", "--out", "sheet.png"];
    let args = ["--augment", "standard", "--images", "3", "--epochs", "2", "--json"];
    let drawn = sandbox.run([&preview[..], &args].concat()).ok().json();
    assert_eq!(drawn["images"].as_array().unwrap().len(), 3);
    assert_eq!(drawn["augment"], "flip,rotate,zoom,translate,brightness,contrast");
    let sheet = image::open(sandbox.path("sheet.png")).unwrap().to_rgb8();
    assert!(sheet.width() > 3 * 240 && sheet.height() > 3 * 240);
    sandbox.refuses(preview, 1, &["sheet.png", "exists already", "--overwrite"]);
    let more = ["--overwrite", "--images", "99", "--augment", "mixup=1,background=1"];
    sandbox.run([&preview[..], &more].concat()).ok().says(&[], &["written to sheet.png"]);
    let other = image::open(sandbox.path("sheet.png")).unwrap().to_rgb8();
    assert!(other.height() > sheet.height());
    let grey = ["--overwrite", "--channels", "grey", "--augment", "flip"];
    sandbox.run([&preview[..], &grey].concat()).ok();
    let grey = image::open(sandbox.path("sheet.png")).unwrap().to_rgb8();
    let coloured = |sheet: &RgbImage| {
        sheet
            .pixels()
            .filter(|pixel| {
                let [r, g, b] = pixel.0;
                r.max(g).max(b) - r.min(g).min(b) > 60
            })
            .count()
    };
    assert!(
        coloured(&sheet) > 1000 && coloured(&grey) == 0,
        "{} {}",
        coloured(&sheet),
        coloured(&grey)
    );
}

#[test]
fn an_experiment_compares_augmentations() {
    let sandbox = Sandbox::with_sets();
    let summary = sandbox.experiment(&["--augment", "flip,crop", "--json"]).ok().json();
    let tried = summary["tried"].as_array().unwrap();
    assert_eq!(tried.iter().map(|way| &way["way"]).collect::<Vec<_>>(), ["augmented"]);
    let config = |run: &str| metrics(&sandbox, &format!("experiment/runs/{run}"))["config"].clone();
    assert_eq!(config("augmented-clean-27")["augment"], "flip,crop");
    assert!(config("clean-27")["augment"].is_null());
}
