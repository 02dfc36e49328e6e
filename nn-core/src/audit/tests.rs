//! Whole audits of small folders: their reports, and the splits after repair.

mod copies;
mod framed;
mod inks;
mod label_files;
mod labels;
mod parts;
mod scenes;

use super::*;
use crate::data::{decode_file, photographs};
use crate::rng::Rng;
use image::{Rgb, RgbImage};
use std::path::Path;
use tempfile::TempDir;

/// A picture of blobs on white, different for each number.
fn picture(number: u64) -> RgbImage {
    let mut rng = Rng::new(number, 1);
    let mut image = RgbImage::from_pixel(240, 180, Rgb([255, 255, 255]));
    for _ in 0..60 {
        let (x, y) = (rng.uniform_in(50.0, 190.0), rng.uniform_in(40.0, 140.0));
        let (wide, tall) = (rng.uniform_in(4.0, 22.0), rng.uniform_in(4.0, 22.0));
        let colour = Rgb([rng.below(220) as u8, rng.below(220) as u8, rng.below(220) as u8]);
        for (u, v, pixel) in image.enumerate_pixels_mut() {
            let (dx, dy) = ((f64::from(u) - x) / wide, (f64::from(v) - y) / tall);
            if dx * dx + dy * dy < 1.0 {
                *pixel = colour;
            }
        }
    }
    image
}

/// A picture of soft clouds, different for each number, with contrast everywhere.
fn noisy(number: u64, width: u32, height: u32) -> RgbImage {
    let mut rng = Rng::new(number, 7);
    let waves: Vec<[f64; 6]> = (0..40)
        .map(|_| {
            let length = rng.uniform_in(12.0, 90.0);
            let angle = rng.uniform_in(0.0, std::f64::consts::TAU);
            let mut tint = || rng.uniform_in(-1.0, 1.0) * length.sqrt() * 2.2;
            let (red, green, blue) = (tint(), tint(), tint());
            [angle.cos() / length, angle.sin() / length, rng.uniform_in(0.0, 6.3), red, green, blue]
        })
        .collect();
    RgbImage::from_fn(width, height, |x, y| {
        let mut rgb = [128.0; 3];
        for [across, down, phase, tints @ ..] in &waves {
            let turns = f64::from(x) * across + f64::from(y) * down;
            let wave = (std::f64::consts::TAU * turns + phase).sin();
            rgb.iter_mut().zip(tints).for_each(|(value, tint)| *value += tint * wave);
        }
        Rgb(rgb.map(|value| value.clamp(0.0, 255.0) as u8))
    })
}

/// The distinct published photographs, if they are available.
fn distinct_photographs() -> Option<Vec<RgbImage>> {
    let root = photographs()?;
    let mut seen = std::collections::HashSet::new();
    let mut images = Vec::new();
    for set in ["same_backgrounds", "different_backgrounds", "background_swap"] {
        for item in Listing::scan(&root.join(set), 0.125, 27).unwrap().items {
            if seen.insert(std::fs::read(&item.path).unwrap()) {
                let image = decode_file(&item.path).unwrap();
                let size = (image.width() as u32, image.height() as u32);
                images.push(RgbImage::from_raw(size.0, size.1, image.pixels().to_vec()).unwrap());
            }
        }
    }
    Some(images)
}

fn save(image: &RgbImage, root: &Path, name: &str, quality: u8) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    image::codecs::jpeg::JpegEncoder::new_with_quality(file, quality).encode_image(image).unwrap();
}

fn report(root: &Path) -> Report {
    let listing = Listing::scan(root, 0.125, 27).unwrap();
    audit(&listing, &AuditOptions::default(), |_, _, _| Ok(())).unwrap()
}

#[test]
fn the_photographs_hold_ten_pairs_and_no_more() {
    let Some(root) = photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    let white = report(&root.join("same_backgrounds"));
    assert_eq!((white.summary.bytes, white.pairs.len()), (10, 10));
    let in_test: Vec<_> = white
        .pairs
        .iter()
        .filter(|p| p.across_splits && p.splits.contains(&Some(Part::Test)))
        .map(|p| (p.a.as_str(), p.b.as_str()))
        .collect();
    assert_eq!(
        in_test,
        [
            ("train/wolf/wolf_31.jpeg", "test/wolf/wolf_4.jpeg"),
            ("train/wolf/wolf_35.jpeg", "test/wolf/wolf_6.jpeg")
        ]
    );
    let alarm = |report: &Report| {
        report.label_leaks.iter().any(|leak| leak.group == "border" && leak.alarm)
    };
    assert!(!alarm(&white), "{:?}", white.label_leaks);
    let leaky = report(&root.join("different_backgrounds"));
    assert!(leaky.pairs.is_empty() && alarm(&leaky), "{:?}", leaky.label_leaks);
}

#[test]
fn a_folder_is_taken_as_it_is() {
    let root = TempDir::new().unwrap();
    for i in 0..4 {
        save(&picture(i), root.path(), &format!("train/wölf 狼/{i}.jpg"), 80);
        save(&picture(10 + i), root.path(), &format!("train/b/{i}.jpg"), 80);
    }
    save(&picture(1), root.path(), "test/b/x.jpg", 80);
    std::fs::copy(root.path().join("train/b/2.jpg"), root.path().join("test/b/y.jpg")).unwrap();
    save(&RgbImage::from_pixel(40, 300, Rgb([9, 9, 9])), root.path(), "test/b/flat.jpg", 80);
    save(&picture(30), root.path(), "test/c/only-here.jpg", 80);
    std::fs::write(root.path().join("train/b/text.jpg"), "Dear wolf,").unwrap();
    let report = report(root.path());
    let pairs: Vec<_> = report.pairs.iter().map(|p| (p.a.as_str(), p.b.as_str(), p.kind)).collect();
    assert_eq!(
        pairs,
        [
            ("train/wölf 狼/1.jpg", "test/b/x.jpg", Kind::Bytes),
            ("train/b/2.jpg", "test/b/y.jpg", Kind::Bytes)
        ]
    );
    assert!(report.pairs[0].across_labels && report.pairs[0].across_splits);
    let odd: Vec<_> = report.odd_images.iter().map(|o| (o.file.as_str(), o.oddity)).collect();
    let expected = [
        ("train/b/text.jpg", Oddity::Unreadable),
        ("test/b/flat.jpg", Oddity::OneColour),
        ("test/b/flat.jpg", Oddity::ExtremeAspect),
    ];
    assert_eq!(odd, expected);
    assert!(report.warnings.iter().any(|w| w.contains("no train images of c")), "{report:?}");
    assert!(Listing::scan(&root.path().join("nowhere"), 0.1, 1).is_err());
}

#[test]
fn files_of_one_length_are_the_same_only_if_all_bytes_are() {
    let root = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    // Bitmaps of one image size have one file size.
    for (i, name) in ["a/0.bmp", "a/1.bmp", "b/2.bmp"].into_iter().enumerate() {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture(i as u64 % 2).write_to(&mut bytes, image::ImageFormat::Bmp).unwrap();
        write(name, bytes.get_ref());
    }
    for name in ["a/3.jpg", "b/4.jpg"] {
        write(name, b"Dear wolf,");
    }
    // Empty files are not duplicates.
    for name in ["a/5.jpg", "b/6.jpg"] {
        write(name, b"");
    }
    let found = report(root.path());
    let pairs: Vec<_> = found.pairs.iter().map(|p| (p.a.as_str(), p.b.as_str(), p.kind)).collect();
    // Also for files that cannot be decoded.
    let expected = [("a/0.bmp", "b/2.bmp", Kind::Bytes), ("a/3.jpg", "b/4.jpg", Kind::Bytes)];
    assert_eq!(pairs, expected);
    let unreadable: Vec<_> =
        found.odd_images.iter().map(|o| (o.file.as_str(), &o.detail)).collect();
    assert_eq!(unreadable.len(), 4, "{unreadable:?}");
    assert!(unreadable.iter().all(|(file, why)| why.contains(file)), "{unreadable:?}");
    // The report does not depend on the memory bound.
    let listing = Listing::scan(root.path(), 0.125, 27).unwrap();
    let options = AuditOptions { memory_bound: 0, ..AuditOptions::default() };
    assert_eq!(audit(&listing, &options, |_, _, _| Ok(())).unwrap(), found);
}

#[test]
fn images_without_a_class_take_part_in_the_search_for_copies() {
    let root = TempDir::new().unwrap();
    for i in 0..4 {
        save(&picture(i), root.path(), &format!("train/a/{i}.jpg"), 80);
        save(&picture(10 + i), root.path(), &format!("train/b/{i}.jpg"), 80);
        save(&picture(20 + i), root.path(), &format!("Test/{i}.jpg"), 80);
    }
    save(&picture(12), root.path(), "Test/copy.jpg", 60);
    let found = report(root.path());
    assert_eq!(found.pairs.len(), 1, "{:?}", found.pairs);
    let pair = &found.pairs[0];
    assert_eq!((pair.a.as_str(), pair.b.as_str()), ("train/b/2.jpg", "Test/copy.jpg"));
    assert_eq!((pair.across_splits, pair.across_labels), (true, false));
    assert_eq!((&pair.labels[0], &pair.labels[1]), (&Some("b".into()), &None));
    assert_eq!((found.summary.divided, found.summary.leaks()), (Divided::Folders, 1));

    // An incomplete split divides nothing.
    let half = TempDir::new().unwrap();
    for (name, number) in
        [("cat/1.jpg", 1), ("dog/1.jpg", 2), ("test/cat/1.jpg", 1), ("test/dog/1.jpg", 3)]
    {
        save(&picture(number), half.path(), name, 80);
    }
    let found = self::report(half.path());
    assert_eq!((found.summary.divided, found.summary.leaks()), (Divided::Nobody, 1));

    // Without class folders there is no split, and copies count in any folder.
    let flat = root.path().join("Test");
    save(&picture(20), &flat, "again.jpg", 60);
    let found = report(&flat);
    assert_eq!((found.pairs.len(), found.summary.across_splits), (1, 0));
    assert_eq!((found.summary.divided, found.summary.leaks()), (Divided::Nobody, 1));
    assert!(found.classes.is_empty() && found.label_leaks.is_empty());
}

#[test]
fn copies_in_class_folders_count_whatever_a_seed_would_draw() {
    let root = TempDir::new().unwrap();
    for (class, first) in [("a", 0), ("b", 20)] {
        for i in 0..6 {
            save(&picture(first + i), root.path(), &format!("{class}/{i}.jpg"), 80);
        }
    }
    save(&picture(3), root.path(), "a/copy.jpg", 60);
    let across: Vec<bool> = (0..12)
        .map(|seed| {
            let listing = Listing::scan(root.path(), 0.125, seed).unwrap();
            let found = audit(&listing, &AuditOptions::default(), |_, _, _| Ok(())).unwrap();
            assert_eq!((found.summary.divided, found.summary.leaks()), (Divided::Drawn, 1));
            found.pairs[0].across_splits
        })
        .collect();
    assert!(across.contains(&true) && across.contains(&false), "a matter of luck: {across:?}");
}

#[test]
fn a_repaired_split_divides_no_twins_and_keeps_its_sizes() {
    let root = TempDir::new().unwrap();
    for class in 0..2_u64 {
        for i in 0..12 {
            // The last two are copies of the first two.
            let name = format!("{class}/{i}.jpg");
            save(&picture(100 * class + i % 10), root.path(), &name, 80);
        }
    }
    for seed in 0..20 {
        let listing = Listing::scan(root.path(), 0.125, seed).unwrap();
        let options = AuditOptions { seed, memory_bound: 0, ..AuditOptions::default() };
        let found = audit(&listing, &options, |_, _, _| Ok(())).unwrap();
        assert_eq!((found.pairs.len(), found.summary.groups), (4, 4));
        let parts = repaired(&listing.items, &found.groups, |_| true, seed);
        assert_eq!(parts, repaired(&listing.items, &found.groups, |_| true, seed));
        let group = &found.groups;
        assert!((0..parts.len()).all(|i| parts[i] == parts[group[i]]));
        let count = |part| parts.iter().filter(|&&p| p == Some(part)).count();
        let before = |part| listing.items.iter().filter(|i| i.part == Some(part)).count();
        for part in Part::ALL {
            assert_eq!(count(part), before(part), "{part:?}, seed {seed}");
        }
    }
}

#[test]
fn what_cannot_be_read_fills_no_place_in_a_repaired_split() {
    let file = |name: &str, part| Item {
        path: name.into(),
        file: name.into(),
        label: Some(0),
        part: Some(part),
    };
    let mut items = vec![file("one", Part::Train), file("its duplicate", Part::Test)];
    items.extend((0..6).map(|i| file(&format!("broken {i}"), Part::Train)));
    items.push(file("readable", Part::Train));
    let groups = [vec![0, 0], (2..items.len()).collect()].concat();
    let is_readable = |item: &Item| !item.file.starts_with("broken");
    for seed in 0..20 {
        let parts = repaired(&items, &groups, is_readable, seed);
        assert_eq!(parts[..2], [Some(Part::Train); 2]);
        assert_eq!(parts[8], Some(Part::Test), "the one that can take the place");
        assert!(parts[2..8].iter().all(Option::is_none));
    }
}
