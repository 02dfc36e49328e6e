use super::*;
use std::ffi::OsStr;
use tempfile::TempDir;

/// A folder with these empty files, and folders where a name ends in `/`.
fn folder(names: &[&str]) -> TempDir {
    let root = TempDir::new().unwrap();
    for name in names {
        let path = root.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
    }
    root
}

fn scan(names: &[&str]) -> (TempDir, ImageFolder) {
    let root = folder(names);
    let scanned = ImageFolder::scan(root.path()).unwrap();
    (root, scanned)
}

/// Checks that training on this folder is rejected with a message that contains these words.
fn refused(names: &[&str], says: &[&str]) {
    let root = folder(names);
    let message = match ImageFolder::scan(root.path()) {
        Ok(scanned) => scanned.split(0.0, 27).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    for part in says {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

fn listed(samples: &[Sample], root: &Path) -> Vec<(String, usize)> {
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
    samples.iter().map(|s| (name(&s.path).replace('\\', "/"), s.label)).collect()
}

fn passed_over(all: &[PassedOver]) -> Vec<(&str, String)> {
    all.iter().map(|one| (one.path.as_str(), one.reason.to_string())).collect()
}

/// The split that each folder was recognised as: `train=train valid=validation`.
fn parts(folder: &ImageFolder) -> String {
    let part = |part: &PartFolder| format!("{}={}", part.folder, part.part.name());
    folder.parts().iter().map(part).collect::<Vec<_>>().join(" ")
}

#[test]
fn split_folders_are_sorted_as_bytes_and_filtered() {
    let (root, scanned) = scan(&[
        "train/wolf/w2.JPG",
        "train/wolf/w10.jpeg",
        "train/wolf/notes.txt",
        "train/wolf/.hidden.jpg",
        "train/wolf/a-deeper/w1.jpg",
        "train/husky/B.png",
        "train/husky/a.webp",
        "train/.cache/x.jpg",
        "train/readme.md",
        "test/husky/1.bmp",
        "test/wolf/1.GIF",
        "test/wolf/Thumbs.db",
        "validation/husky/v.jpg",
    ]);
    assert_eq!(scanned.classes, ["husky", "wolf"]);
    assert_eq!(parts(&scanned), "train=train validation=validation test=test");
    let expected = [
        ("train/husky/B.png", 0),
        ("train/husky/a.webp", 0),
        ("train/wolf/w10.jpeg", 1),
        ("train/wolf/w2.JPG", 1),
        ("train/wolf/a-deeper/w1.jpg", 1),
        ("validation/husky/v.jpg", 0),
        ("test/husky/1.bmp", 0),
        ("test/wolf/1.GIF", 1),
    ];
    assert_eq!(listed(&scanned.samples(), root.path()), expected.map(|(f, l)| (f.to_string(), l)));
    let expected = [
        ("train/readme.md", "not an image".to_string()),
        ("train/wolf/notes.txt", "not an image".into()),
    ];
    assert_eq!(passed_over(&scanned.passed_over), expected);
    assert_eq!(scanned.remarks.len(), 1);
    let says = "1 image lies deeper than a class folder, the first in train/wolf/a-deeper/";
    assert!(scanned.remarks[0].starts_with(says), "{:?}", scanned.remarks);
}

#[test]
fn the_users_folders_are_the_split_whatever_they_are_called() {
    for (train, validation, test) in [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "valid", "Test"),
        ("training_set", "dev", "test_set"),
        ("train", "eval", "test2017"),
        ("seg_train", "seg_dev", "seg_test"),
    ] {
        let mut names = Vec::new();
        for (part, n) in [(train, 4), (validation, 2), (test, 1)] {
            for class in ["husky", "wolf"] {
                names.extend((0..n).map(|i| format!("{part}/{class}/{i}.jpg")));
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (root, scanned) = scan(&names);
        let expected = format!("{train}=train {validation}=validation {test}=test");
        assert_eq!(parts(&scanned), expected);
        let split = scanned.split(0.5, 27).unwrap();
        let sizes = (split.train.len(), split.validation.len(), split.test.len());
        assert_eq!(sizes, (8, 4, 2), "nothing is drawn from {train}/");
        let lies_in = |samples: &[Sample], part: &str| {
            samples.iter().all(|sample| sample.path.starts_with(root.path().join(part)))
        };
        assert!(lies_in(&split.train, train) && lies_in(&split.validation, validation));
        assert!(scanned.no_share_for_validation().is_some_and(|why| why.contains(validation)));
        assert!(!scanned.is_usual());
    }
}

#[test]
fn without_a_test_the_validation_stands_in() {
    let (_root, scanned) = scan(&["train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg", "val/b/2.jpg"]);
    let split = scanned.split(0.125, 27).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (2, 2, 0));
    // But not if it lacks a class.
    refused(&["train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg"], &["val", "lacks b"]);
    let (_root, scanned) =
        scan(&["train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg", "test/a/2.jpg", "test/b/2.jpg"]);
    assert!(scanned.split(0.125, 27).is_ok());
}

#[test]
fn parts_can_be_asked_for_where_training_is_impossible() {
    let (_root, scanned) =
        scan(&["train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg", "test/b/1.jpg"]);
    assert!(scanned.ready_to_train().is_err());
    let test = scanned.samples_for(Part::Test, 0.1, 27).unwrap();
    assert_eq!(test.iter().map(|sample| sample.label).collect::<Vec<_>>(), [1]);
    let (_root, scanned) = scan(&["Test/a/1.jpg", "test/b/1.jpg"]);
    assert_eq!(scanned.remarks.len(), 1, "{:?}", scanned.remarks);
    let message = scanned.samples_for(Part::Test, 0.1, 27).unwrap_err().to_string();
    assert!(message.contains("Test/ and test/ are both for the test"), "{message}");
    let (_root, scanned) = scan(&["test/a/1.jpg"]);
    assert_eq!(scanned.samples_for(Part::Test, 0.1, 27).unwrap().len(), 1);
    assert!(scanned.samples_for(Part::Train, 0.1, 27).unwrap().is_empty());
}

#[test]
fn class_folders_may_be_called_like_a_split() {
    let (_root, scanned) = scan(&["bus/1.jpg", "train/1.jpg", "test/1.png", ".git/x.jpg"]);
    assert_eq!(scanned.classes, ["bus", "test", "train"]);
    assert!(scanned.layout == Layout::Bare && scanned.samples().len() == 3);
    // There is a remark on it.
    assert_eq!(scanned.remarks.len(), 2);
    assert!(scanned.remarks[1].starts_with("train/ is taken for a class"), "{:?}", scanned.remarks);
    let (_root, scanned) = scan(&["valid/1.jpg", "invalid/1.jpg"]);
    assert_eq!((scanned.classes.len(), scanned.layout), (2, Layout::Bare));
}

#[test]
fn folders_that_look_like_a_split_and_cannot_be_used_are_named() {
    let twice = ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg", "Test/a/1.jpg"];
    refused(&twice, &["Test/ and test/ are both for the test", "rename"]);
    refused(
        &["cat/1.jpg", "dog/1.jpg", "test/cat/1.jpg", "test/dog/1.jpg"],
        &["test/ for the test", "cat/", "beside it"],
    );
    let (_root, scanned) = scan(&[
        "train/a/1.jpg",
        "train/b/1.jpg",
        "test/a/1.jpg",
        "test/b/1.jpg",
        "valid/a/",
        "new/1.jpg",
        "train2/a/1.jpg",
        "train2/b/1.jpg",
    ]);
    let expected = [
        ("new/1.jpg", "beside train/ and test/".to_string()),
        ("train2/a/1.jpg", "beside train/ and test/".into()),
        ("train2/b/1.jpg", "beside train/ and test/".into()),
        ("valid/", "looks like the folder for validation, but has no images".into()),
    ];
    assert_eq!(passed_over(&scanned.passed_over), expected);
    let told = crate::data::summary(&scanned.passed_over).unwrap();
    assert!(told.starts_with("3 in new/, train2/, beside train/ and test/"), "{told}");
    assert_eq!(scanned.split(0.5, 27).unwrap().validation.len(), 1);
}

#[test]
fn a_set_for_object_detection_is_named_as_such() {
    let export = ["train/images/1.jpg", "train/labels/1.txt", "test/images/2.jpg"];
    refused(&export, &["train: holds images/ and no class folders", "object detection"]);
}

#[test]
fn images_without_a_class_are_found_and_not_trained_on() {
    let (_root, scanned) =
        scan(&["train/a/1.jpg", "train/b/1.jpg", "test/1.jpg", "test/2.jpg", "0.jpg"]);
    let without: Vec<_> = scanned
        .images
        .iter()
        .filter(|image| image.label.is_none())
        .map(|image| image.part)
        .collect();
    assert_eq!(without, [Some(Part::Test), Some(Part::Test), None]);
    let expected = [
        ("0.jpg", "in no class folder".to_string()),
        ("test/1.jpg", "in test/ without a class".into()),
        ("test/2.jpg", "in test/ without a class".into()),
    ];
    assert_eq!(passed_over(&scanned.passed_over_in_training()), expected);
    assert!(scanned.passed_over.is_empty());
    let names = ["train/a/1.jpg", "train/b/1.jpg", "test/1.jpg", "test/2.jpg"];
    refused(&names, &["test/ has 2 images but no class folders"]);
    refused(&["train/1.jpg", "test/2.jpg"], &["train/ has 1 image but no class folders"]);
    let (_root, scanned) = scan(&["1.jpg", "2.jpg"]);
    assert_eq!((scanned.layout, scanned.images.len()), (Layout::Flat, 2));
}

#[test]
fn stray_folders_are_named_and_change_nothing() {
    let split = ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"];
    let stray =
        ["__MACOSX/", ".git/x.jpg", "runs/", "labels/a.txt", "train/empty/", "empty/deep/er/"];
    let (_root, scanned) = scan(&[&split[..], &stray].concat());
    assert_eq!((scanned.classes.len(), parts(&scanned).as_str()), (2, "train=train test=test"));
    assert!(scanned.split(0.0, 27).is_ok());
    let expected = [
        ("empty/", "a folder without images".to_string()),
        ("labels/", "a folder without images".into()),
        ("labels/a.txt", "not an image".into()),
        ("runs/", "a folder without images".into()),
        ("train/empty/", "a folder without images".into()),
    ];
    assert_eq!(passed_over(&scanned.passed_over), expected);
    let (_root, scanned) = scan(&["a/1.jpg", "b/1.jpg", "c/"]);
    assert_eq!(scanned.classes, ["a", "b"]);
}

#[test]
fn what_this_program_wrote_is_no_data() {
    let root = folder(&[
        "a/1.jpg",
        "b/1.jpg",
        "runs/a/config.toml",
        "runs/a/metrics.json",
        "runs/a/gradcam/1.a.png",
        "runs/all/experiment.json",
        "runs/all/runs/leaky-27/gradcam/1.a.png",
        "repaired/split.csv",
        "repaired/train/a/1.jpg",
        "repaired/test/a/1.jpg",
        "v1.2.png/",
    ]);
    let mut picture = Vec::new();
    picture.extend(
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\0\0\0\0\0\0\0\x0f",
    );
    picture.truncate(33);
    picture.extend([&b"\0\0\0\x0ftEXt"[..], crate::data::SIGNATURE].concat());
    for name in ["heat/1.a.png", "heat/grid.png", "a/2.b.png", "a/3.png"] {
        fs::create_dir_all(root.path().join("heat")).unwrap();
        fs::write(root.path().join(name), &picture).unwrap();
    }
    fs::write(root.path().join("a/v1.2.png"), "a photograph").unwrap();
    let scanned = ImageFolder::scan(root.path()).unwrap();
    assert_eq!(scanned.classes, ["a", "b"]);
    // `nn-cli` gives no such name to its pictures, so the file is not opened.
    let files: Vec<String> =
        listed(&scanned.samples(), root.path()).into_iter().map(|s| s.0).collect();
    assert_eq!(files, ["a/1.jpg", "a/3.png", "a/v1.2.png", "b/1.jpg"]);
    let told = crate::data::summary(&scanned.passed_over).unwrap();
    for part in
        ["3 heat maps that nn-cli drew", "runs/a/ (a run's folder", "runs/all/", "repaired/"]
    {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_folder_around_the_data_is_named() {
    let inner = ["data/train/a/1.jpg", "data/train/b/1.jpg", "data/test/a/1.jpg"];
    refused(&inner, &["holds one folder", "test/, train/", "pass", "data as the data folder"]);
    refused(&["x/y/a/1.jpg", "x/y/b/1.jpg", "x/read.me"], &["a/, b/", "x/y as the data folder"]);
    // Several data sets, and classes that are split one by one.
    let sets = ["one/train/a/1.jpg", "one/test/a/1.jpg", "two/a/1.jpg"];
    refused(&sets, &["one: lies beside", "holds test/ and train/", "one as the data folder"]);
    let classes = ["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/2.jpg"];
    refused(&classes, &["cat: holds test/ and train/", "above the classes", "test/cat/"]);
    // One more nested folder within the folders of a split is accepted.
    let (_root, scanned) = scan(&[
        "seg_train/seg_train/a/1.jpg",
        "seg_train/seg_train/b/1.jpg",
        "seg_test/seg_test/a/1.jpg",
        "seg_test/seg_test/b/1.jpg",
    ]);
    assert_eq!(
        (scanned.classes.len(), parts(&scanned).as_str()),
        (2, "seg_train=train seg_test=test")
    );
    assert!(scanned.split(0.0, 27).is_ok() && scanned.remarks.len() == 2, "{:?}", scanned.remarks);
    refused(&["__MACOSX/", "x/Train/a/1.jpg"], &["x as the data folder"]);
    // Folds are taken for classes, with a remark.
    let both = ["fold1/a/1.jpg", "fold1/b/1.jpg", "fold2/a/2.jpg", "fold2/b/2.jpg"];
    let (_root, scanned) = scan(&both);
    assert_eq!(scanned.classes, ["fold1", "fold2"]);
    let says = "fold1/ and fold2/ hold the same folders, a/ and b/, and are taken for classes";
    assert!(scanned.remarks[0].starts_with(says), "{:?}", scanned.remarks);
    for others in
        [&["fold1/a/1.jpg", "fold1/b/1.jpg", "fold2/a/2.jpg"][..], &["x/a/1.jpg", "y/a/1.jpg"]]
    {
        assert!(!scan(others).1.remarks.iter().any(|remark| remark.contains("the same folders")));
    }
    // One class whose images lie deeper is one class.
    refused(&["husky/day1/1.jpg"], &["only one class, husky"]);
}

#[test]
fn what_is_wrong_is_said() {
    refused(&[], &["the folder is empty", "one sub-folder per class"]);
    refused(
        &["a.txt"],
        &["no images in it (not looked at: 1 other file)", "one sub-folder per class"],
    );
    refused(&["a.jpg"], &["no class folders"]);
    refused(&["husky/a.jpg"], &["only one class, husky", "at least two"]);
    refused(&["husky/a.jpg", "wolf/"], &["wolf", "class wolf has no images", "jpg"]);
    refused(&["husky/a.jpg", "wolf/a.txt"], &["class wolf has no images"]);
    refused(
        &["train/husky/a.jpg", "train/wolf/a.jpg", "test/husky/a.jpg", "test/wolf/"],
        &["test", "class wolf has no test images"],
    );
    refused(
        &["train/husky/a.jpg", "train/wolf/a.jpg", "test/husky/a.jpg", "test/fox/a.jpg"],
        &["differ", "(husky, wolf)", "lacks wolf", "also has fox"],
    );
    refused(
        &["train/a/a.jpg", "train/b/a.jpg", "test/a/a.jpg", "test/b/a.jpg", "val/fox/a.jpg"],
        &["val", "also has fox"],
    );
    refused(&["train/husky/a.jpg", "train/wolf/a.jpg"], &["no such test/", "train itself"]);
    refused(&["test/husky/a.jpg", "test/wolf/a.jpg"], &["no such train/"]);
    refused(&["train/husky/a.jpg", "test/husky/a.jpg"], &["train", "only one class"]);
}

#[test]
fn missing_folders_and_files_are_refused() {
    let root = folder(&["a.jpg"]);
    let missing = ImageFolder::scan(&root.path().join("nowhere")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("nowhere"));
    let file = ImageFolder::scan(&root.path().join("a.jpg")).unwrap_err().to_string();
    assert!(file.contains("expected a folder"), "{file}");
}

#[cfg(unix)]
#[test]
fn odd_names_and_looping_links_do_no_harm() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let root = folder(&["a/1.jpg", "b/1.jpg", "b/named_like_an_image.jpg/"]);
    symlink(root.path(), root.path().join("a/up")).unwrap();
    symlink(root.path(), root.path().join("self")).unwrap();
    symlink("loop.jpg", root.path().join("a/loop.jpg")).unwrap();
    symlink("loop", root.path().join("loop")).unwrap();
    symlink(root.path().join("b"), root.path().join("c")).unwrap();
    symlink(root.path().join("b"), root.path().join("a/more")).unwrap();
    fs::write(root.path().join("b").join(OsStr::from_bytes(b"\xff\xfe.jpg")), b"").unwrap();
    let scanned = ImageFolder::scan(root.path()).unwrap();
    assert_eq!(scanned.classes, ["a", "b", "c"]);
    // a: 1 and the link to itself, which the decoder rejects; b and its link c: 1 and the odd one.
    let labels: Vec<_> = scanned.samples().iter().map(|s| s.label).collect();
    assert_eq!(labels, [0, 0, 1, 1, 2, 2]);
    let links: Vec<&str> = scanned
        .passed_over
        .iter()
        .filter(|one| one.reason == Reason::Link)
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(links, ["a/more/", "a/up/", "self/"]);
    let told = crate::data::summary(&scanned.passed_over).unwrap();
    assert!(told.contains("loop (a link that leads nowhere)"), "{told}");

    let odd = root.path().join(OsStr::from_bytes(b"\xff"));
    fs::create_dir(&odd).unwrap();
    assert!(ImageFolder::scan(root.path()).is_ok(), "an empty folder is no class");
    fs::write(odd.join("1.jpg"), b"").unwrap();
    let message = ImageFolder::scan(root.path()).unwrap_err().to_string();
    assert!(message.contains("not Unicode"), "{message}");
}

#[cfg(unix)]
#[test]
fn split_and_class_folders_may_be_links() {
    use std::os::unix::fs::symlink;
    let root =
        folder(&["store/husky/1.jpg", "store/wolf/1.jpg", "set/test/husky/1.jpg", "set/train/"]);
    let set = root.path().join("set");
    symlink(root.path().join("store/husky"), set.join("train/husky")).unwrap();
    symlink(root.path().join("store/wolf"), set.join("train/wolf")).unwrap();
    symlink(root.path().join("store"), set.join("val")).unwrap();
    let scanned = ImageFolder::scan(&set).unwrap();
    assert_eq!(parts(&scanned), "train=train val=validation test=test");
    assert_eq!(scanned.samples().len(), 5);
}

#[test]
fn the_published_sets_are_found_whole_and_split_as_the_reference_does() {
    let Some(root) = crate::data::photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    for set in ["same_backgrounds", "different_backgrounds"] {
        let folder = ImageFolder::scan(&root.join(set)).unwrap();
        assert_eq!(folder.classes, ["husky", "wolf"]);
        assert!(folder.is_usual() && folder.passed_over_in_training().is_empty());
        let split = folder.split(0.125, 27).unwrap();
        let sizes = (split.train.len(), split.validation.len(), split.test.len());
        assert_eq!(sizes, (70, 10, 20));
        let stem = |sample: &Sample| sample.path.file_stem().unwrap().to_os_string();
        let validation: Vec<_> = split.validation.iter().map(stem).collect();
        assert_eq!(validation[..3], ["husky_12", "husky_23", "husky_35"]);
        assert_eq!(stem(&split.train[0]), "wolf_14");
    }
    let swap = ImageFolder::scan(&root.join("background_swap")).unwrap();
    assert!(swap.layout == Layout::Bare && swap.samples().len() == 40);
    let names: Vec<_> =
        swap.samples()[..3].iter().map(|s| s.path.file_name().unwrap().to_os_string()).collect();
    assert_eq!(names, ["husky_1.jpg", "husky_10.jpg", "husky_11.jpg"]);
}
