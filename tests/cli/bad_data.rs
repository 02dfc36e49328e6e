//! Folders and images that cannot be trained on.

use super::support::{Sandbox, picture, png};
use image::ImageFormat;
use std::fs;
use std::io::Cursor;

const TRAIN: [&str; 4] = ["--data", "set", "--out", "runs/run"];

#[test]
fn folders_that_are_no_set() {
    let sandbox = Sandbox::with_set();
    for (data, says) in [
        ("photos", &["there is no folder and no data set photos", "same_backgrounds"][..]),
        ("no/such/folder", &["there is no folder no/such/folder"]),
    ] {
        sandbox.refuses_to_train(&["--data", data, "--out", "runs/run"], 2, says);
    }
    let refuses = |data: &str, says: &[&str]| {
        sandbox.refuses_to_train(&["--data", data, "--out", "runs/run"], 1, says);
    };

    fs::create_dir(sandbox.path("empty")).unwrap();
    refuses("empty", &["empty", "the folder is empty", "one sub-folder per class"]);
    sandbox.images("flat", 3);
    refuses("flat", &["flat", "no class folders", "one sub-folder per class"]);
    refuses("flat/0.png", &["flat/0.png", "expected a folder", "pass the folder"]);
    sandbox.images("single/wolf", 3);
    refuses("single", &["single", "only one class, wolf", "at least two"]);
    for class in ["ash", "oak"] {
        sandbox.images(format!("few/{class}"), 2);
    }
    refuses("few", &["few/ash", "2 images", "at least 3", "add images"]);
    sandbox.write("notes/ash/a.txt", "text");
    sandbox.images("notes/oak", 3);
    refuses("notes", &["notes/ash", "has no images", "jpg"]);
}

#[test]
fn test_folders_that_do_not_fit() {
    let sandbox = Sandbox::with_set();
    fs::remove_dir_all(sandbox.path("set/test/light")).unwrap();
    sandbox.refuses_to_train(&TRAIN, 1, &["set/test", "lacks light", "same class folders"]);
    fs::create_dir(sandbox.path("set/test/light")).unwrap();
    let says = ["set/test/light", "class light has no test images", "put images"];
    sandbox.refuses_to_train(&TRAIN, 1, &says);
    sandbox.images("set/test/light", 1);
    sandbox.images("set/test/grey", 1);
    sandbox.refuses_to_train(&TRAIN, 1, &["set/test", "also has grey"]);
    fs::remove_dir_all(sandbox.path("set/test")).unwrap();
    sandbox.refuses_to_train(&TRAIN, 1, &["set", "no such test/", "set/train"]);
}

/// A PNG that declares this size, without pixel data.
fn claims(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
    png.extend(header);
    png.extend(crc.sum().to_be_bytes());
    png.extend(b"\0\0\0\x10IDATno pixels at all");
    png
}

fn jpeg() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture("light", 9).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

#[test]
fn images_that_are_none_are_named() {
    let (jpeg, png) = (jpeg(), png("light", 9));
    let bad: [(&str, &[u8], &str); 9] = [
        ("text.jpg", b"Dear wolf,", "not an image"),
        ("empty.jpg", b"", "empty"),
        ("half.jpg", &jpeg[..jpeg.len() / 2], "ends early"),
        ("half.png", &png[..png.len() / 2], "ends early"),
        ("noise.png", &[&png[..30], &[0xa5; 300]].concat(), "damaged"),
        ("vast.png", &claims(60_000, 60_000), "too large"),
        ("gigabytes.png", &claims(19_000, 19_000), "too large"),
        ("zero.png", &claims(0, 0), "damaged"),
        ("zero.gif", b"GIF89a\0\0\0\0\0\0\0;", ""),
    ];
    let sandbox = Sandbox::with_set();
    sandbox.train(&["--data", "set", "--out", "model"]).ok();
    for (name, content, problem) in bad {
        for folder in ["set/train/dark", "set/test/light"] {
            let path = format!("{folder}/{name}");
            sandbox.write(&path, content);
            let says = [path.as_str(), problem, "remove", "--skip-unreadable"];
            sandbox.refuses_to_train(&TRAIN, 1, &says);
            let predict = ["predict", "--model", "model", &path];
            sandbox.refuses(predict, 1, &says);
            fs::remove_file(sandbox.path(&path)).unwrap();
        }
        let path = format!("set/test/dark/{name}");
        sandbox.write(&path, content);
        let evaluate = ["evaluate", "--model", "model", "--data", "set"];
        sandbox.refuses(evaluate, 1, &[&path, problem, "--skip-unreadable"]);
        fs::remove_file(sandbox.path(&path)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn files_that_cannot_be_opened_are_named() {
    let sandbox = Sandbox::with_set();
    std::os::unix::fs::symlink("nowhere", sandbox.path("set/train/dark/link.jpg")).unwrap();
    let says = ["set/train/dark/link.jpg", "No such file", "--skip-unreadable"];
    sandbox.refuses_to_train(&TRAIN, 1, &says);
    let args = [&TRAIN[..], &["--skip-unreadable"]].concat();
    sandbox.train(&args).ok().says(&[], &["skipped", "link.jpg"]);
}

#[test]
fn a_class_that_cannot_be_read_at_all_is_not_skipped() {
    let sandbox = Sandbox::with_set();
    for i in 0..4 {
        sandbox.write(format!("set/train/dark/{i}.png"), "no image");
    }
    let args = [&TRAIN[..], &["--skip-unreadable"]].concat();
    let says = ["set/train/dark: class dark has no readable image", "at least 1", ".png"];
    sandbox.refuses_to_train(&args, 1, &says);
}

#[cfg(unix)]
#[test]
fn class_names_must_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::with_set();
    let name = std::ffi::OsStr::from_bytes(b"w\xf6lf");
    sandbox.images(sandbox.path("set/train").join(name), 1);
    sandbox.refuses_to_train(&TRAIN, 1, &["set/train", "not Unicode", "rename"]);
}

#[test]
fn names_in_messages_cannot_steer_a_terminal() {
    let sandbox = Sandbox::with_set();
    sandbox.write("set/train/dark/\u{1b}[31mred.png", "no image");
    let ended = sandbox.refuses_to_train(&TRAIN, 1, &["[31mred.png", "not an image"]);
    assert!(!ended.err.contains('\u{1b}'), "{ended:?}");
}
