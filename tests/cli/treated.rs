//! Images with transparency, more than 8 bits, or several frames: how they are converted, and that
//! every command reports it.

use super::support::Sandbox;
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageBuffer, ImageFormat, Luma, Rgba, RgbaImage};
use serde_json::{Value, json};

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A black icon on a transparent background: a cross, or a disc.
fn icon(class: &str, number: u32) -> RgbaImage {
    let (cx, cy) = (12 + number as i32 % 5, 10 + number as i32 / 5);
    RgbaImage::from_fn(32, 32, |x, y| {
        let (dx, dy) = (x as i32 - cx, y as i32 - cy);
        let inside = match class {
            "cross" => (dx.abs() < 3 || dy.abs() < 3) && dx.abs().max(dy.abs()) < 9,
            _ => dx * dx + dy * dy < 49,
        };
        Rgba([0, 0, 0, if inside { 255 } else { 0 }])
    })
}

/// Icons in `icons`: `train/` and `test/`, crosses and discs, 4 and 2 of each.
fn icons() -> Sandbox {
    let sandbox = Sandbox::new();
    for class in ["cross", "disc"] {
        for (half, numbers) in [("train", 0..4), ("test", 4..6)] {
            for i in numbers {
                sandbox.write(format!("icons/{half}/{class}/{i}.png"), png(icon(class, i)));
            }
        }
    }
    sandbox
}

#[test]
fn the_background_of_transparent_images_is_told_and_remembered() {
    let sandbox = icons();
    let trained =
        sandbox.train(&["--data", "icons", "--out", "run", "--alpha-background", "#ffee00"]);
    trained.ok().says(&[], &["12 images with transparency, laid on #ffee00"]);
    let metrics: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    let treated = json!({
        "alpha_background": "#ffee00", "transparent": 12, "vanished": 0, "bits": {}, "spread": 0,
        "floating_point": 0, "animations": 0, "multi_page": 0,
    });
    assert_eq!(metrics["dataset"]["treated"], treated);
    assert!(sandbox.text("run/config.toml").contains("alpha_background = \"#ffee00\""));

    // The model stores the background, even without its run; an option overrides it.
    std::fs::copy(sandbox.path("run/model.safetensors"), sandbox.path("alone.safetensors"))
        .unwrap();
    let evaluate = ["evaluate", "--model", "alone.safetensors", "--data", "icons", "--json"];
    let report = sandbox.run(evaluate).json();
    assert_eq!(report["treated"]["alpha_background"], "#ffee00");
    assert_eq!(report["treated"]["transparent"], 4);
    let black = [&evaluate[..], &["--alpha-background", "0,0,0"]].concat();
    let ended = sandbox.run(black).ok().says(&["\"vanished\": 4"], &["laid on black"]);
    assert!(ended.err.contains("4 images with transparency are one colour on black"), "{ended:?}");
    assert!(ended.err.contains("--alpha-background white"), "{ended:?}");

    let predict = ["predict", "--model", "run", "icons/test/disc", "--json"];
    let ended =
        sandbox.run(predict).ok().says(&[], &["2 images with transparency, laid on #ffee00"]);
    let predictions: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(predictions[0]["treatment"]["transparent"], true);
    let gradcam = ["gradcam", "--model", "run", "icons/test/disc/4.png", "--out", "heat"];
    sandbox.run(gradcam).ok().says(&[], &["1 image with transparency, laid on #ffee00"]);
    let drawn = image::open(sandbox.path("heat").join(only_png(&sandbox, "heat"))).unwrap();
    assert!(drawn.into_rgb8().pixels().any(|p| p.0 == [255, 238, 0]), "the picture is on it too");

    // It cannot change on the way.
    let resume =
        ["train", "--resume", "--out", "run", "--epochs", "2", "--alpha-background", "white"];
    sandbox.refuses(resume, 2, &["--alpha-background", "began with #ffee00"]);
}

fn only_png(sandbox: &Sandbox, folder: &str) -> String {
    let mut names = sandbox.names(folder);
    names.retain(|name| name.ends_with(".png"));
    assert_eq!(names.len(), 1);
    names.remove(0)
}

#[test]
fn ordinary_images_are_nothing_to_speak_of() {
    let sandbox = Sandbox::with_run();
    let predict = sandbox.run(["predict", "--model", "run", "set/test", "--json"]).ok();
    assert!(!predict.err.contains("read:") && !predict.out.contains("treatment"), "{predict:?}");
    let metrics: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    assert_eq!(metrics["dataset"]["treated"]["alpha_background"], "white");
}

#[test]
fn colours_that_are_none_are_refused() {
    let sandbox = icons();
    for command in [
        &["train", "--data", "icons", "--out", "run"][..],
        &["audit", "icons"],
        &["experiment", "--out", "x"],
        &["predict", "--model", "run", "icons"],
    ] {
        let args = [command, &["--alpha-background", "mauve"]].concat();
        sandbox.refuses(args, 2, &["--alpha-background", "mauve", "#rrggbb"]);
    }
}

/// The pairs of the same pixels that an audit finds.
fn same_pixels(report: &Value) -> &Value {
    &report["summary"]["pixels"]
}

#[test]
fn an_audit_compares_transparency_and_says_what_vanishes() {
    let sandbox = icons();
    // Drawings of discs take more bytes than those of crosses, which is no question here.
    let audit =
        |args: &[&str]| sandbox.run([&["audit", "icons", "--allow-label-leaks"], args].concat());
    let report = audit(&["--json", "--allow", "99"]).json();
    assert_eq!(same_pixels(&report), 0);
    assert_eq!(report["treated"]["transparent"], 12);
    // On black, all of them look the same and still are not.
    let report = audit(&["--json", "--alpha-background", "black", "--html", "page.html"]).json();
    assert_eq!((same_pixels(&report), &report["treated"]["vanished"]), (&json!(0), &json!(12)));
    let odd = &report["odd_images"][0];
    assert_eq!(odd["oddity"], "one_colour");
    let detail = odd["detail"].as_str().unwrap();
    assert!(detail.contains("laid on black nothing of it is seen"), "{detail}");
    let page = sandbox.text("page.html");
    assert!(page.contains("12 images with transparency, laid on black"), "{page}");
    assert!(page.contains("nn-cli audit icons --alpha-background black"), "the commands repeat it");
    audit(&["--alpha-background", "black"])
        .ok()
        .says(&["Read: 12 images with transparency"], &["12 images", "one colour on black"]);
}

#[test]
fn bits_in_use_are_the_range_and_told() {
    let sandbox = Sandbox::new();
    for class in ["a", "b"] {
        for i in 0..4_u32 {
            // Noise in 12 of 16 bits.
            let film = ImageBuffer::from_fn(64, 48, |x, y| {
                let at = (x / 4 + 31 * (y / 4) + 977 * i + u32::from(class.as_bytes()[0])) as u64;
                Luma([(at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as u16])
            });
            sandbox.write(format!("films/{class}/{i}.png"), png(film));
        }
    }
    let report = sandbox.run(["audit", "films", "--json", "--allow", "99"]).json();
    assert_eq!(report["treated"]["bits"], json!({"12": 8}));
    let odd = report["odd_images"].as_array().unwrap();
    assert!(odd.iter().all(|odd| odd["oddity"] != "one_colour"), "{odd:?}");
    let text = sandbox.run(["audit", "films", "--allow", "99"]);
    text.ok().says(&["Read: 8 images of 12 bits in 16"], &[]);
}

#[test]
fn animations_that_begin_alike_are_told_apart() {
    let sandbox = Sandbox::new();
    for class in ["a", "b"] {
        for i in 0..3_u32 {
            let black = RgbaImage::from_pixel(48, 40, Rgba([0, 0, 0, 255]));
            let scene = RgbaImage::from_fn(48, 40, |x, y| {
                let at = x / 4 + 29 * (y / 4) + 1009 * i + 77 * u32::from(class.as_bytes()[0]);
                let grey = (at.wrapping_mul(0x9e37_79b9) >> 24) as u8;
                Rgba([grey, grey, 255 - grey, 255])
            });
            let mut gif = Vec::new();
            let frames = [black, scene].map(Frame::new);
            GifEncoder::new(&mut gif).encode_frames(frames).unwrap();
            sandbox.write(format!("films/{class}/{i}.gif"), gif);
        }
    }
    let ended = sandbox.run(["audit", "films", "--json", "--allow", "99"]).ok();
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((same_pixels(&report), &report["treated"]["animations"]), (&json!(0), &json!(6)));
    ended.says(&[], &["6 animations, of which one frame was taken"]);
}

#[test]
fn pictures_of_formats_that_are_not_read_are_named() {
    let sandbox = Sandbox::with_run();
    for (content, named) in [
        (&b"\0\0\0\x20ftypavif\0\0\0\0avifmif1"[..], "this is an AVIF image, which is not read"),
        (b"%PDF-1.7\n", "this is a PDF document, which is not read"),
        (b"<!DOCTYPE html><title>404</title>", "this is an HTML page, not an image"),
    ] {
        sandbox.write("odd.jpg", content);
        let predict = ["predict", "--model", "run", "odd.jpg"];
        sandbox.refuses(predict, 1, &["odd.jpg", named, "PNG"]);
    }
}
