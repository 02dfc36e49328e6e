//! `--channels`: networks that take images in grey, through a run's whole life.

use super::support::{Sandbox, assert_same_run};
use image::{Rgb, RgbImage};

const SMALL: [&str; 6] = ["--architecture", "lenet", "--image-size", "16", "--epochs", "1"];

/// A coloured picture, and the grey one of the same luma.
fn pictures(sandbox: &Sandbox) {
    let coloured = RgbImage::from_fn(20, 14, |x, y| {
        Rgb([(12 * x) as u8, (255 - 18 * y) as u8, (x * y) as u8])
    });
    let grey = RgbImage::from_fn(20, 14, |x, y| {
        let [r, g, b] = coloured.get_pixel(x, y).0.map(u32::from);
        Rgb([((19_595 * r + 38_470 * g + 7_471 * b + 32_768) >> 16) as u8; 3])
    });
    coloured.save(sandbox.path("coloured.png")).unwrap();
    grey.save(sandbox.path("grey.png")).unwrap();
}

#[test]
fn a_grey_network_is_trained_resumed_and_asked() {
    let sandbox = Sandbox::with_set();
    pictures(&sandbox);
    let train =
        |args: &[&str]| sandbox.run([&["train", "--data", "set"], &SMALL[..], args].concat());
    let told = train(&["--channels", "grey", "--out", "run"]).ok();
    told.says(&[], &["7 images in grey"]);
    assert!(sandbox.text("run/config.toml").contains("channels = \"grey\""));
    train(&["--channels", "gray", "--out", "gray"]).ok();
    assert_same_run(&sandbox, "run", "gray");
    sandbox.run(["train", "--config", "run/config.toml", "--out", "again"]).ok();
    assert_same_run(&sandbox, "run", "again");
    let on = ["train", "--resume", "--epochs", "2", "--out", "again"];
    sandbox.refuses([&on[..], &["--channels", "rgb"]].concat(), 2, &["--channels", "grey", "rgb"]);
    sandbox.run(on).ok();

    // The model alone says that it takes grey images.
    let summary = sandbox.run(["summary", "--model", "run"]).ok();
    summary.says(&["(None, 16, 16, 1)"], &[]);
    assert_eq!(sandbox.run(["evaluate", "--model", "run", "--json"]).json()["n"], 4);
    let predict = ["predict", "--model", "run", "--json", "coloured.png", "grey.png"];
    let answers = sandbox.run(predict).json();
    assert_eq!(answers[0]["probabilities"], answers[1]["probabilities"], "{answers}");
    let gradcam = ["gradcam", "--model", "run", "coloured.png", "--json", "--out", "heat"];
    assert_eq!(sandbox.run(gradcam).json()[0]["layer"], "conv2");

    // In colour the two pictures differ.
    train(&["--out", "colour"]).ok();
    let predict = ["predict", "--model", "colour", "--json", "coloured.png", "grey.png"];
    let answers = sandbox.run(predict).json();
    assert_ne!(answers[0]["probabilities"], answers[1]["probabilities"], "{answers}");
}

#[test]
fn a_file_that_says_its_channels_decides() {
    let sandbox = Sandbox::with_set();
    let lenet = ["summary", "--architecture", "lenet", "--image-size", "16"];
    sandbox.run([&lenet[..], &["--channels", "grey"]].concat()).ok().says(&["16, 16, 1)"], &[]);
    let printed = sandbox.run([&lenet[..], &["--toml"]].concat()).ok().out;
    for (channels, said) in [(1, "grey"), (3, "rgb")] {
        sandbox.write("net.toml", format!("input = [16, 16, {channels}]\n{printed}"));
        let out = format!("run-{said}");
        let train = ["train", "--data", "set", "--epochs", "1", "--architecture", "net.toml"];
        sandbox.run([&train[..], &["--out", &out]].concat()).ok();
        let shape = format!("16, 16, {channels})");
        sandbox.run(["summary", "--model", &out]).ok().says(&[&shape], &[]);
        let other = if said == "grey" { "rgb" } else { "grey" };
        let wrong = [&train[..], &["--out", "x", "--channels", other]].concat();
        sandbox.refuses(wrong, 2, &["--channels", other, said, "as its file says"]);
    }
    sandbox.write("net.toml", format!("input = [16, 16, 4]\n{printed}"));
    let train = ["train", "--data", "set", "--architecture", "net.toml", "--out", "x"];
    sandbox.refuses(train, 2, &["4 channels", "3 (rgb) or 1 (grey)"]);
    sandbox.refuses(["summary", "--channels", "cmyk"], 2, &["cmyk", "rgb", "grey"]);
    let bench = ["bench", "--steps", "1", "--image-size", "22", "--batch-size", "1"];
    sandbox.run([&bench[..], &["--channels", "grey"]].concat()).ok();
}

#[test]
fn the_experiment_runs_in_grey() {
    let sandbox = Sandbox::with_sets();
    sandbox.experiment(&["--channels", "grey"]).ok();
    let page = sandbox.text("experiment/report.html");
    for told in ["--channels grey", "except that it takes them in grey"] {
        assert!(page.contains(told), "{told}");
    }
}
