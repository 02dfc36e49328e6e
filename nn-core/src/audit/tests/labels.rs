//! The test for label leakage on random labels, and on labels with a planted leak.

use crate::audit::file_facts::FileFacts;
use crate::audit::label_leak::{self, Image, LabelLeak, Strength};
use crate::audit::luma::Luma;
use crate::audit::{Listing, survey};
use crate::data::photographs;
use crate::rng::Rng;
use rayon::prelude::*;
use std::collections::HashSet;

/// The maximum number of false alarms in a hundred random labellings.
const MOST_OF_A_HUNDRED: usize = 5;

/// The numbers of images of the classes: balanced, and imbalanced.
const SIZES: [&[usize]; 8] = [
    &[100; 2],
    &[190, 10],
    &[1000, 30],
    &[50; 4],
    &[100, 60, 30, 10],
    &[30; 10],
    &[120, 60, 40, 30, 20, 15, 12, 10, 8, 6],
    &[12; 38],
];

/// A set with classes of these sizes, in random order.
struct Set {
    facts: Vec<FileFacts>,
    labels: Vec<usize>,
    classes: Vec<String>,
    files: Vec<String>,
    pictures: Vec<Luma>,
}

impl Set {
    fn new(sizes: &[usize], seed: u64) -> Self {
        let mut rng = Rng::new(seed, 0);
        let mut labels: Vec<usize> =
            sizes.iter().enumerate().flat_map(|(class, &n)| vec![class; n]).collect();
        rng.shuffle(&mut labels);
        Self {
            facts: labels.iter().map(|_| facts(&mut rng)).collect(),
            classes: (0..sizes.len()).map(|class| format!("class {class}")).collect(),
            files: labels.iter().map(|_| format!("{:09}.jpg", rng.below(1_000_000_000))).collect(),
            pictures: labels.iter().map(|_| clouds(&mut rng)).collect(),
            labels,
        }
    }

    fn test(&self, seed: u64) -> Vec<LabelLeak> {
        let images: Vec<Image> = (0..self.labels.len())
            .map(|i| Image { facts: &self.facts[i], file: &self.files[i], label: self.labels[i] })
            .collect();
        label_leak::test(&images, &self.classes, |i| Some(self.pictures[i].clone()), seed)
    }

    /// Changes all images of these classes.
    fn plant(&mut self, classes: std::ops::Range<usize>, change: impl Fn(&mut FileFacts)) {
        for (facts, label) in self.facts.iter_mut().zip(&self.labels) {
            if classes.contains(label) {
                change(facts);
            }
        }
    }

    /// Draws a mark into a share of the pictures of a class.
    fn mark(&mut self, class: usize, share: f64, mut draw: impl FnMut(&mut Luma)) {
        let mut rng = Rng::new(9, 9);
        for (picture, &label) in self.pictures.iter_mut().zip(&self.labels) {
            if label == class && rng.uniform() < share {
                draw(picture);
            }
        }
    }
}

/// Random facts: numbers of several distributions, many of them equal, and words.
fn facts(rng: &mut Rng) -> FileFacts {
    let mut facts = FileFacts {
        width: [640, 640, 640, 800, 1024][rng.below(5)],
        height: [480, 480, 600][rng.below(3)],
        bytes: 10_000 + rng.below(90_000),
        ..FileFacts::default()
    };
    facts.encoding.format = "jpeg".into();
    facts.encoding.quality = [75, 88, 88, 92][rng.below(4)];
    facts.encoding.tables = facts.encoding.quality;
    facts.encoding.camera = ["", "", "A", "B"][rng.below(4)].into();
    // A rare comment.
    facts.encoding.comment = if rng.below(60) == 0 { "hello".into() } else { String::new() };
    let tones = &mut facts.tones;
    let scene = 40.0 * rng.normal();
    for colour in &mut tones.mean {
        *colour = 120.0 + scene + 15.0 * rng.normal();
    }
    for colour in &mut tones.ring {
        *colour = (60.0 + scene + 20.0 * rng.normal()).max(0.0);
    }
    tones.contrast = 50.0 + scene / 4.0 + 9.0 * rng.normal();
    tones.saturation = (30.0 + 20.0 * rng.normal()).max(0.0);
    tones.sharpness = rng.uniform();
    facts
}

/// A picture of large and small clouds.
fn clouds(rng: &mut Rng) -> Luma {
    let mut picture = Luma::zeros(48, 36);
    for (cell, height) in [(12, 60.0), (6, 30.0), (3, 15.0), (1, 6.0)] {
        let (across, down) = (48 / cell + 1, 36 / cell + 1);
        let values: Vec<f64> = (0..across * down).map(|_| height * rng.normal()).collect();
        for y in 0..36 {
            for x in 0..48 {
                picture.pixels[y * 48 + x] += values[y / cell * across + x / cell] as f32;
            }
        }
    }
    picture.pixels.iter_mut().for_each(|v| *v = (*v + 128.0).clamp(0.0, 255.0).round());
    picture
}

pub fn group<'a>(leaks: &'a [LabelLeak], name: &str) -> &'a LabelLeak {
    leaks.iter().find(|leak| leak.group == name).unwrap()
}

pub fn alarms(leaks: &[LabelLeak]) -> Vec<&str> {
    leaks.iter().filter(|leak| leak.alarm).map(|leak| leak.group).collect()
}

/// The number of random labellings for which any leak is reported.
fn told_of_shuffled(set: &mut Set, draws: u64) -> usize {
    let mut rng = Rng::new(7, 0);
    let mut told = |draw| {
        rng.shuffle(&mut set.labels);
        set.test(draw).iter().any(|leak| leak.strength != Strength::None)
    };
    (0..draws).filter(|&draw| told(draw)).count()
}

#[test]
fn permuted_labels_are_told_to_be_chance() {
    for sizes in [&[60; 2][..], &[57, 6], &[12; 10]] {
        let told = told_of_shuffled(&mut Set::new(sizes, 1), 40);
        assert!(told <= 2, "{sizes:?}: {told} of 40");
    }
}

/// Takes half a minute for each set on two cores.
#[test]
#[ignore = "takes minutes; run with --ignored"]
fn two_hundred_permutations_of_every_balance_are_told_to_be_chance() {
    for sizes in SIZES {
        let told = told_of_shuffled(&mut Set::new(sizes, 1), 200);
        println!(
            "{} classes of {} to {}: {told} of 200",
            sizes.len(),
            sizes[0],
            sizes[sizes.len() - 1]
        );
        assert!(told <= 2 * MOST_OF_A_HUNDRED, "{sizes:?}: {told} of 200");
    }
}

#[test]
fn permuted_labels_of_the_photographs_are_told_to_be_chance() {
    let Some(root) = photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    for name in ["same_backgrounds", "different_backgrounds", "background_swap"] {
        let listing = Listing::scan(&root.join(name), 0.125, 27).unwrap();
        let looked: Vec<_> = listing
            .items
            .par_iter()
            .map(|item| (survey::extract(&item.path, Default::default()).unwrap(), item))
            .collect();
        let mut hashes = HashSet::new();
        let mut set = Set::new(&[], 0);
        set.classes = listing.classes.clone();
        for (seen, item) in looked {
            if hashes.insert(seen.picture_hash) {
                set.pictures.push(survey::picture(&seen, &item.path).unwrap());
                set.facts.push(seen.facts);
                set.labels.extend(item.label);
                set.files.push(item.file.clone());
            }
        }
        let told = told_of_shuffled(&mut set, 100);
        assert!(told <= MOST_OF_A_HUNDRED, "{name}: {told} of 100");
    }
}

#[test]
fn a_class_that_is_given_away_is_named_among_any_number() {
    for (sizes, leaky) in [
        (&[60; 2][..], 1..2),
        (&[190, 10], 1..2),
        (&[1000, 30], 1..2),
        (&[1000, 30], 0..1),
        (&[50; 4], 2..3),
        (&[30; 10], 0..5),
        (&[20; 38], 37..38),
        (&[6; 60], 3..4),
    ] {
        let mut set = Set::new(sizes, 3);
        set.plant(leaky.clone(), |facts| facts.encoding.camera = "EOS".into());
        let leaks = set.test(27);
        let format = group(&leaks, "format");
        assert_eq!(alarms(&leaks), ["format"], "{sizes:?}: {leaks:?}");
        assert!(format.gate && format.strength == Strength::Strong && format.p <= 0.01);
        let named: HashSet<&str> = format.classes.iter().map(String::as_str).collect();
        let expected = set.classes[leaky.clone()].iter().map(String::as_str);
        if sizes.len() > 2 && leaky.len() == 1 {
            assert_eq!(named, expected.clone().collect(), "{format:?}");
        }
        assert!(expected.clone().all(|class| named.contains(class)), "{format:?}");
        if leaky.start > 0 || sizes.len() > 2 {
            let told = format.reason.starts_with("camera EOS: 100 % of class ");
            let named = expected.clone().any(|class| format.class.as_deref() == Some(class));
            assert!(told && named, "{format:?}");
        }
        assert!(format.interval[0] < format.effect && format.effect <= format.interval[1]);
    }
}

#[test]
fn a_leak_in_some_images_of_a_class_is_found() {
    for sizes in [&[100; 2][..], &[100; 10], &[1000, 100]] {
        let mut set = Set::new(sizes, 4);
        let mut rng = Rng::new(4, 4);
        for (facts, &label) in set.facts.iter_mut().zip(&set.labels) {
            if label == 1 && rng.uniform() < 0.3 {
                facts.encoding.trailing = 2_048;
            }
        }
        let leaks = set.test(27);
        assert_eq!(alarms(&leaks), ["file size"], "{leaks:?}");
        let leak = group(&leaks, "file size");
        assert!(leak.reason.starts_with("bytes after the picture's end 2048"), "{}", leak.reason);
        assert_eq!(leak.class.as_deref(), Some("class 1"));
    }
}

#[test]
fn what_is_weak_but_no_chance_is_called_weak() {
    let mut set = Set::new(&[500; 2], 5);
    let mut count = 0;
    for (facts, &label) in set.facts.iter_mut().zip(&set.labels) {
        facts.encoding.camera = "A".into();
        count += label;
        if label == 1 && count.is_multiple_of(10) {
            facts.encoding.camera = "B".into();
        }
    }
    let leaks = set.test(27);
    let format = group(&leaks, "format");
    assert_eq!(format.strength, Strength::Weak, "{format:?}");
    assert!(format.p <= 0.01 && !format.alarm && !format.gate);
    assert_eq!(format.reason, "camera B: 10 % of class 1, 0 % of class 0");
    assert_eq!(alarms(&leaks), [""; 0]);
}

#[test]
fn what_several_classes_have_in_common_is_told_of_them_as_a_set() {
    for (sizes, leaky, reason) in [
        (
            &[20; 10][..],
            0..5,
            "software scan: 100 % of class 0, class 1 and 3 more, 0 % of the others",
        ),
        (&[30; 5], 1..3, "software scan: 100 % of class 1 and class 2, 0 % of the others"),
        (
            &[90, 60, 40, 20, 10, 8],
            3..6,
            "software scan: 100 % of class 3, class 4 and class 5, 0 % of the others",
        ),
    ] {
        let mut set = Set::new(sizes, 14);
        set.plant(leaky.clone(), |facts| facts.encoding.software = "scan".into());
        let leaks = set.test(27);
        let format = group(&leaks, "format");
        assert!(format.gate && format.as_set && format.strength == Strength::Strong, "{format:?}");
        assert_eq!((format.reason.as_str(), &format.classes[..]), (reason, &set.classes[leaky]));
        assert_eq!((format.shares, format.effect), ([1.0, 0.0], 1.0));
    }
    // A single class is no set, nor are classes that all differ from each other.
    let mut set = Set::new(&[20; 10], 14);
    set.plant(4..5, |facts| facts.encoding.software = "scan".into());
    assert!(!group(&set.test(27), "format").as_set);
    for class in 0..10 {
        set.plant(class..class + 1, |facts| facts.encoding.software = format!("scan {class}"));
    }
    assert!(!group(&set.test(27), "format").as_set);
    // A property that is slightly more frequent in half of the classes is a small effect.
    let mut set = Set::new(&[200; 10], 15);
    let mut rng = Rng::new(16, 0);
    for (facts, &label) in set.facts.iter_mut().zip(&set.labels) {
        let share = if label < 5 { 0.12 } else { 0.02 };
        facts.encoding.software = if rng.uniform() < share { "scan" } else { "" }.into();
    }
    let leaks = set.test(27);
    let format = group(&leaks, "format");
    assert_eq!((format.strength, format.gate), (Strength::Weak, false), "{format:?}");
}

#[test]
fn what_is_the_same_in_all_images_tells_nothing() {
    for classes in [2, 4, 38] {
        let mut set = Set::new(&vec![12; classes], 6);
        set.plant(0..classes, |facts| (facts.width, facts.height) = (64, 48));
        let leaks = set.test(27);
        let size = group(&leaks, "image size");
        assert!(size.constant && !size.alarm && size.p == 1.0, "{size:?}");
        assert_eq!(size.accuracy, size.chance);
        assert_eq!(size.reason, "");
    }
}

#[test]
fn numbers_are_told_apart_in_words() {
    let mut set = Set::new(&[100; 2], 7);
    set.plant(0..1, |facts| (facts.width, facts.height) = (256, 192));
    set.plant(1..2, |facts| (facts.width, facts.height) = (307, 230));
    let leaks = set.test(27);
    let reason = &group(&leaks, "image size").reason;
    assert_eq!(reason, "width 256 px or less: 100 % of class 0, 0 % of class 1");
}

#[test]
fn colours_must_differ_much_to_be_strong_and_are_no_alarm() {
    for (shift, strength) in [(12.0, Strength::Weak), (160.0, Strength::Strong)] {
        let mut set = Set::new(&[150; 2], 8);
        set.plant(1..2, |facts| facts.tones.mean[0] += shift);
        let leaks = set.test(27);
        let colour = group(&leaks, "mean colour");
        assert_eq!(colour.strength, strength, "{colour:?}");
        assert!(!colour.gate && !colour.alarm);
    }
}

#[test]
fn file_names_are_told_of_but_raise_no_alarm() {
    let named = |name: &dyn Fn(usize, usize) -> String| {
        let mut set = Set::new(&[40; 2], 10);
        set.classes = vec!["husky".into(), "wolf".into()];
        set.files = (0..80).map(|i| name(i, set.labels[i])).collect();
        let leaks = set.test(27);
        assert_eq!(alarms(&leaks), [""; 0], "{leaks:?}");
        group(&leaks, "file name").clone()
    };
    let days =
        named(&|i, label| format!("{}-{:02}.jpg", ["2019-05", "2021-11"][label], i % 28 + 1));
    assert_eq!(days.strength, Strength::Strong, "{days:?}");
    assert!(days.reason.starts_with("day in the file name"), "{}", days.reason);
    let range = named(&|i, label| format!("img_{:04}.jpg", 1_000 * label + i));
    assert_eq!(range.strength, Strength::Strong, "{range:?}");
    let prefix = named(&|i, label| format!("{}{i}.jpg", ["DSC", "IMG"][label]));
    assert_eq!(prefix.strength, Strength::Strong, "{prefix:?}");
    // The class's own name, and a numbering that starts again in each class, carry no information.
    let own = named(&|i, label| format!("{}_{i}.jpg", ["husky", "wolf"][label]));
    assert_eq!(own.strength, Strength::None, "{own:?}");
    let anew = named(&|i, _| format!("{:03}.jpg", i / 2));
    assert_eq!(anew.strength, Strength::None, "{anew:?}");
}

#[test]
fn marks_are_found_and_their_place_is_told() {
    let square = |from: (usize, usize), side: usize, value: f32| {
        move |picture: &mut Luma| {
            for y in from.1..from.1 + side {
                picture.pixels[y * 48 + from.0..][..side].fill(value);
            }
        }
    };
    let stripes = |strength: f32| {
        move |picture: &mut Luma| {
            for y in 14..22 {
                for x in (8..40).filter(|x| (x + y) % 5 < 2) {
                    let pixel = &mut picture.pixels[y * 48 + x];
                    *pixel += strength * (255.0 - *pixel);
                }
            }
        }
    };
    let found = |sizes: &[usize], share: f64, draw: &dyn Fn(&mut Luma)| {
        let mut set = Set::new(sizes, 11);
        set.mark(1, share, draw);
        let leaks = set.test(27);
        let mark = group(&leaks, "mark").clone();
        assert!(mark.alarm && mark.gate, "{sizes:?}, {share}: {mark:?}");
        assert_eq!(mark.class.as_deref(), Some("class 1"));
        mark.reason
    };
    for sizes in [&[100; 2][..], &[40; 10]] {
        let reason = found(sizes, 1.0, &square((42, 30), 6, 255.0));
        assert!(reason.starts_with("a mark at the lower right, about"), "{reason}");
        let reason = found(sizes, 1.0, &square((21, 15), 6, 105.0));
        assert!(reason.starts_with("a mark in the middle, about"), "{reason}");
        let reason = found(sizes, 1.0, &stripes(0.3));
        assert!(reason.starts_with("a mark in the middle, about"), "{reason}");
    }
    found(&[100; 2], 0.4, &stripes(0.6));
}

#[test]
fn a_plain_ground_and_things_in_the_middle_are_no_marks() {
    // Strokes on black, upright in one class and round in the other, with variations.
    let mut set = Set::new(&[100; 2], 12);
    let mut rng = Rng::new(12, 1);
    for (picture, &label) in set.pictures.iter_mut().zip(&set.labels) {
        let (cx, cy) = (24.0 + 1.5 * rng.normal(), 18.0 + 1.5 * rng.normal());
        let (wide, tall) = if label == 0 { (0.5, 10.0) } else { (8.0, 10.0) };
        let (lean, pen) = (0.2 * rng.normal(), 1.5 + 0.5 * rng.uniform());
        for y in 0..36 {
            for x in 0..48 {
                let (u, v) = (x as f64 - cx, y as f64 - cy);
                let around = ((u + lean * v) / wide).hypot(v / tall);
                let near = (around - 1.0).abs() * wide.max(1.0) < pen;
                picture.pixels[y * 48 + x] = if near { 220.0 } else { 0.0 };
            }
        }
    }
    let leaks = set.test(27);
    assert!(!group(&leaks, "mark").alarm, "{leaks:?}");
}

#[test]
fn small_classes_are_kept_whole_where_images_are_many() {
    let mut set = Set::new(&[], 0);
    let mut rng = Rng::new(13, 0);
    set.classes = vec!["many".into(), "few".into()];
    set.labels = (0..6_000).map(|i| usize::from(i % 200 == 0)).collect();
    set.facts = set.labels.iter().map(|_| facts(&mut rng)).collect();
    set.files = vec!["x.jpg".into(); 6_000];
    set.pictures = vec![clouds(&mut rng); 6_000];
    set.plant(1..2, |facts| facts.encoding.alpha = true);
    let leaks = set.test(27);
    let format = group(&leaks, "format");
    assert_eq!(format.reason, "transparency yes: 100 % of few, 0 % of many");
    assert_eq!(set.test(27), leaks);
}
