//! The text of an audit, on a terminal of 80 columns and on its page: the worst findings come
//! first, and nothing is overstated.

use super::audit::blocks;
use super::support::Sandbox;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};

/// The maximum line width, except for tables of long names.
const WIDTH: usize = 80;

fn png(picture: GrayImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A form: the printed part is the same on all, the filled-in part differs.
fn form(number: u32) -> Vec<u8> {
    let printed = image::load_from_memory(&blocks("light", 1)).unwrap().to_luma8();
    let filled_in = image::load_from_memory(&blocks("light", 50 + number)).unwrap().to_luma8();
    png(GrayImage::from_fn(288, 240, |x, y| {
        let inside = (96..216).contains(&x) && (72..168).contains(&y);
        let Luma([value]) = if inside {
            *filled_in.get_pixel(x / 3, y / 3)
        } else {
            *printed.get_pixel(x / 3, y / 3)
        };
        Luma([value])
    }))
}

/// Forms without copies, in both splits and two classes.
fn forms() -> Sandbox {
    let sandbox = Sandbox::new();
    for i in 0..16 {
        let half = if i % 4 == 0 { "test" } else { "train" };
        let class = if i % 8 < 4 { "a" } else { "b" };
        sandbox.write(format!("set/{half}/{class}/{i}.png"), form(i));
    }
    sandbox
}

/// No line is wider than a terminal.
fn fits(text: &str) {
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
    assert_eq!(wide, [""; 0], "{text}");
}

/// A text as one line.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn forms_are_told_as_a_template_and_not_as_copies() {
    let sandbox = forms();
    let args = ["audit", "set", "--validation-split", "0", "--html", "page.html"];
    let text = sandbox.run(args).ok().out.clone();
    fits(&text);
    let said = unwrapped(&text);
    for words in [
        "Copies: none found",
        "Same scene or template: 16 images in 1 group, across splits; the gate counts such groups only with --strict",
        "no leak by themselves. Frames of one film or burst are a leak",
        "These are examples",
    ] {
        assert!(said.contains(words), "{words} in {text}");
    }
    let examples = text.lines().filter(|line| line.contains(".png")).count();
    assert!((1..=5).contains(&examples), "{text}");
    assert!(text.find("Copies") < text.find("Same scene"), "{text}");

    let page = sandbox.text("page.html");
    assert!(page.contains("<h1>set: no leak found</h1>"), "{page}");
    assert!((2..=12).contains(&page.matches("<img").count()));
    for words in ["16 images in 1 group", "with --strict", "keep each group", "nn-cli train --data"]
    {
        assert!(unwrapped(&page).contains(words), "{words}");
    }
    assert!(!page.contains("--repair"));

    let strict = sandbox.run(["audit", "set", "--validation-split", "0", "--strict"]);
    assert_eq!(strict.status, 3, "{strict:?}");
}

#[test]
fn a_crowd_of_copies_is_told_as_one_group() {
    let sandbox = Sandbox::new();
    for i in 0..40 {
        let half = if i % 4 == 0 { "test" } else { "train" };
        sandbox.write(format!("set/{half}/a/{i}.png"), blocks("light", 1));
        sandbox.write(format!("set/{half}/b/{i}.png"), blocks("dark", 100 + i));
    }
    let args = ["audit", "set", "--validation-split", "0", "--allow", "999", "--allow-label-leaks"];
    let text = sandbox.run([&args[..], &["--html", "page.html"]].concat()).ok().out.clone();
    fits(&text);
    let said = unwrapped(&text);
    // Of 30 images for training and 10 for the test.
    let words = "300 pairs across splits, of 780 pairs among 40 images in 1 group (all with the same bytes)";
    assert!(said.contains(words), "{text}");
    assert!(said.contains("6 of 780 pairs are shown; --json lists up to 100"), "{text}");
    let page = sandbox.text("page.html");
    assert!(page.contains("<h1>set: copies across splits</h1>"), "{page}");
    assert_eq!(page.matches("<img").count(), 12);
    for words in
        ["300 pairs of copies lie across splits", "6 of 780 pairs are shown", "--split split.csv"]
    {
        assert!(unwrapped(&page).contains(words), "{words}");
    }
}

#[test]
fn nothing_wrong_is_said_in_few_words() {
    let sandbox = Sandbox::new();
    for i in 0..12 {
        let half = if i % 4 == 0 { "test" } else { "train" };
        for (class, more) in [("a", 0), ("b", 100)] {
            sandbox.write(format!("set/{half}/{class}/{i}.png"), blocks("light", more + i));
        }
    }
    let args = ["audit", "set", "--validation-split", "0", "--html", "page.html"];
    let text = sandbox.run(args).ok().out.clone();
    fits(&text);
    assert!(text.lines().count() < 16, "{text}");
    for words in [
        "Copies: none found",
        "file alone): none found",
        "The same in all images: image size",
        "Nothing beyond chance in: ",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains("scene"), "{text}");
    let page = sandbox.text("page.html");
    for words in [
        "<h1>set: no leak found</h1>",
        "What this audit does not find",
        "Nothing needs to be changed before training.",
        "nn-cli train --data set",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("--repair"));
}

#[test]
fn a_folder_without_a_split_is_not_told_of_splits_of_its_own() {
    let sandbox = Sandbox::new();
    for i in 0..12 {
        for (class, more) in [("a", 0), ("b", 100)] {
            sandbox.write(format!("set/{class}/{i}.png"), blocks("light", more + i));
        }
    }
    sandbox.write("set/a/again.png", blocks("light", 3));
    let args = ["audit", "set", "--allow", "1", "--html", "page.html"];
    let said = unwrapped(&sandbox.run(args).ok().out);
    let words =
        "1 pair among 2 images in 1 group (with the same bytes); the folder is not split yet";
    assert!(said.contains(words), "{said}");
    let page = sandbox.text("page.html");
    assert!(
        page.contains("<h1>set: copies</h1>") && page.contains("There is 1 group of copies"),
        "{page}"
    );
}
