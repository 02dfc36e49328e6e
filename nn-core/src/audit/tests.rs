//! Copies of pictures, labels that mean nothing, and splits that must hold.

use super::file_facts::{Encoding, FileFacts};
use super::*;
use crate::data::{Rgb8, decode_file, photographs};
use crate::rng::Rng;
use image::imageops::{FilterType, crop_imm, flip_horizontal, resize, rotate90};
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

fn save(image: &RgbImage, root: &Path, name: &str, quality: u8) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    image::codecs::jpeg::JpegEncoder::new_with_quality(file, quality).encode_image(image).unwrap();
}

fn report(root: &Path) -> Report {
    let listing = Listing::scan(root, 0.125, 27).unwrap();
    audit(&listing, &AuditOptions::default(), |_, _, _| Ok(())).unwrap()
}

fn brighter(image: &RgbImage) -> RgbImage {
    let mut copy = image.clone();
    copy.pixels_mut().for_each(|p| p.0.iter_mut().for_each(|v| *v = 20 + *v / 4 * 3));
    copy
}

fn written_over(image: &RgbImage) -> RgbImage {
    let mut copy = image.clone();
    let (width, height) = copy.dimensions();
    for (x, y, pixel) in copy.enumerate_pixels_mut() {
        let in_letter = x / 6 % 3 == 0 || y / 4 % 4 == 0;
        if y * 2 > height && y * 8 < height * 5 && x * 2 < width && in_letter {
            pixel.0.iter_mut().for_each(|v| *v = (*v / 2).saturating_add(110));
        }
    }
    copy
}

/// Every kind of copy, by name.
fn copies(image: &RgbImage) -> [(&'static str, RgbImage); 7] {
    let (width, height) = image.dimensions();
    let (left, top) = (width / 17, height / 29);
    [
        ("encoded", image.clone()),
        ("resized", resize(image, width * 2 / 3, height * 2 / 3, FilterType::Triangle)),
        ("mirrored", flip_horizontal(image)),
        ("turned", rotate90(image)),
        ("cropped", crop_imm(image, left, top, width * 9 / 10, height * 9 / 10).to_image()),
        ("brighter", brighter(image)),
        ("written", written_over(image)),
    ]
}

/// Saves `images` and every kind of copy of each; the recall of each kind, and false pairs.
fn recall(images: &[RgbImage]) -> (Vec<(String, usize)>, Vec<String>) {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for kind in 0..7 {
        let root = TempDir::new().unwrap();
        for (i, image) in images.iter().enumerate() {
            save(image, root.path(), &format!("a/{i}.jpg"), 90);
            save(&copies(image)[kind].1, root.path(), &format!("b/{i}.jpg"), 75);
        }
        let report = report(root.path());
        let number = |file: &str| file[2..].to_string();
        let right = report.pairs.iter().filter(|p| number(&p.a) == number(&p.b)).count();
        let name = copies(&images[0])[kind].0;
        found.push((name.to_string(), right));
        let others = report.pairs.iter().filter(|p| number(&p.a) != number(&p.b));
        wrong.extend(others.map(|p| format!("{name}: {} {}", p.a, p.b)));
    }
    (found, wrong)
}

#[test]
fn every_kind_of_copy_is_found_and_nothing_else() {
    let images: Vec<RgbImage> = (0..20).map(picture).collect();
    let (found, wrong) = recall(&images);
    assert!(found.iter().all(|(_, right)| *right >= 19), "{found:?}");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Takes a minute: 240 photographs, seven kinds of copy of each.
#[test]
#[ignore = "long; run with --ignored where the photographs are"]
fn copies_of_the_photographs_are_found_and_nothing_else() {
    let Some(root) = photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    let mut seen = std::collections::HashSet::new();
    let mut images = Vec::new();
    for set in ["same_backgrounds", "different_backgrounds", "background_swap"] {
        for item in Listing::scan(&root.join(set), 0.125, 27).unwrap().items {
            if seen.insert(std::fs::read(&item.path).unwrap()) {
                let image: Rgb8 = decode_file(&item.path).unwrap();
                let size = (image.width() as u32, image.height() as u32);
                images.push(RgbImage::from_raw(size.0, size.1, image.pixels().to_vec()).unwrap());
            }
        }
    }
    assert_eq!(images.len(), 230);
    let (found, wrong) = recall(&images);
    println!("of {}: {found:?}; wrong: {wrong:?}", images.len());
    assert!(found.iter().all(|(_, right)| right * 100 >= images.len() * 95), "{found:?}");
    assert_eq!(wrong, Vec::<String>::new());
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

/// Facts that have nothing to do with anything.
fn facts(rng: &mut Rng) -> FileFacts {
    let mut byte = || rng.below(256) as f64;
    FileFacts {
        width: 100 + byte() as usize,
        height: 100 + byte() as usize,
        bytes: 1000 + byte() as usize,
        encoding: Encoding { quality: byte() as u32 / 64, ..Encoding::default() },
        mean: [byte(), byte(), byte()],
        ring: [byte(), byte(), byte(), byte(), byte(), byte()],
    }
}

#[test]
fn permuted_labels_raise_no_alarm_and_a_telling_border_does() {
    let mut rng = Rng::new(5, 0);
    let mut all: Vec<FileFacts> = (0..60).map(|_| facts(&mut rng)).collect();
    let classes = ["a".to_string(), "b".to_string()];
    let mut labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let run = |all: &[FileFacts], labels: &[usize], seed| {
        label_leak::test(&all.iter().collect::<Vec<_>>(), labels, &classes, seed)
    };
    let mut alarms = 0;
    for draw in 0..200 {
        rng.shuffle(&mut labels);
        alarms += usize::from(run(&all, &labels, draw).iter().any(|leak| leak.alarm));
    }
    println!("{alarms} alarms in 200 draws");
    assert!(alarms <= 10, "{alarms} alarms in 200 draws");

    for (facts, &label) in all.iter_mut().zip(&labels) {
        facts.ring[1] = facts.ring[1] / 4.0 + 100.0 * label as f64;
    }
    let leaks = run(&all, &labels, 1);
    let alarms: Vec<_> = leaks.iter().filter(|leak| leak.alarm).map(|leak| leak.group).collect();
    assert_eq!(alarms, ["border"]);
    assert!(
        leaks.iter().any(|leak| leak.reason.starts_with("green of the border: a")),
        "{leaks:?}"
    );
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
fn a_repaired_split_divides_no_twins_and_keeps_its_sizes() {
    let root = TempDir::new().unwrap();
    for class in 0..2_u64 {
        for i in 0..12 {
            // The last two are the first two again.
            let name = format!("{class}/{i}.jpg");
            save(&picture(100 * class + i % 10), root.path(), &name, 80);
        }
    }
    for seed in 0..20 {
        let listing = Listing::scan(root.path(), 0.125, seed).unwrap();
        let options = AuditOptions { seed, memory_bound: 0 };
        let found = audit(&listing, &options, |_, _, _| Ok(())).unwrap();
        assert_eq!((found.pairs.len(), found.summary.groups), (4, 4));
        let parts = repaired(&listing.items, &found.pairs, seed);
        assert_eq!(parts, repaired(&listing.items, &found.pairs, seed));
        let group = groups(parts.len(), &found.pairs);
        assert!((0..parts.len()).all(|i| parts[i] == parts[group[i]]));
        let count = |part| parts.iter().filter(|&&p| p == Some(part)).count();
        let before = |part| listing.items.iter().filter(|i| i.part == Some(part)).count();
        for part in Part::ALL {
            assert_eq!(count(part), before(part), "{part:?}, seed {seed}");
        }
    }
}
