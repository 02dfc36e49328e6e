use super::animal::Animal;
use super::marker::NOTE_FILE;
use super::*;
use nn_core::Error;
use nn_core::rng::Rng;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Small pictures keep the tests fast; the tested properties hold at any size.
const SIZE: u32 = 64;

fn quiet(_: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The first `count` pictures of each class of `set`.
fn some(set: SyntheticSet, count: usize) -> Vec<(Spec, Picture)> {
    let mut taken = Vec::new();
    for species in [Species::Husky, Species::Wolf] {
        let own = specs(set).into_iter().filter(|spec| spec.species == species).take(count);
        taken.extend(own);
    }
    taken.into_par_iter().map(|spec| (spec, render_image(&spec, DEFAULT_SEED, SIZE))).collect()
}

/// The mean colour of the outermost pixels, below any horizon, that the animal does not touch.
fn ring(picture: &Picture) -> [f64; 3] {
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for (x, y, pixel) in picture.rgb.enumerate_pixels() {
        let rim = x < 3 || y < 3 || x >= SIZE - 3 || y >= SIZE - 3;
        if rim && y > SIZE * 45 / 100 && picture.mask.get_pixel(x, y).0[0] == 0 {
            for (total, value) in sum.iter_mut().zip(pixel.0) {
                *total += f64::from(value);
            }
            count += 1.0;
        }
    }
    assert!(count > 40.0, "the animal fills the picture");
    sum.map(|total| total / count)
}

#[test]
fn sets_have_the_published_tree_and_numbers() {
    for set in SyntheticSet::ALL {
        assert_eq!(SyntheticSet::from_name(set.name()), Some(set));
        let paths: BTreeSet<PathBuf> = specs(set).iter().map(Spec::path).collect();
        let count = |prefix: &str| paths.iter().filter(|path| path.starts_with(prefix)).count();
        if set == SyntheticSet::BackgroundSwap {
            assert_eq!((paths.len(), count("husky"), count("wolf")), (40, 20, 20));
            assert!(paths.contains(Path::new("wolf/wolf_20.png")));
        } else {
            assert_eq!(paths.len(), 100);
            assert_eq!((count("train/husky"), count("train/wolf")), (40, 40));
            assert_eq!((count("test/husky"), count("test/wolf")), (10, 10));
            assert!(paths.contains(Path::new("train/husky/husky_10.png")));
            assert!(paths.contains(Path::new("test/wolf/wolf_0.png")));
        }
    }
    assert_eq!(SyntheticSet::from_name("no_backgrounds"), None);
}

#[test]
fn no_two_pictures_share_their_randomness() {
    let mut streams = HashSet::new();
    for spec in SyntheticSet::ALL.into_iter().flat_map(specs) {
        assert!(streams.insert(spec.stream()), "{spec:?} repeats a stream");
    }
}

#[test]
fn a_folder_has_the_same_bytes_whatever_the_threads() {
    let root = tempfile::tempdir().unwrap();
    let set = SyntheticSet::BackgroundSwap;
    let dirs = [1, 3].map(|threads| {
        let dir = root.path().join(format!("with-{threads}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let marker = pool.install(|| render(set, 5, &dir, SIZE, &quiet)).unwrap();
        assert_eq!(Marker::read(&dir).unwrap(), Some(marker));
        dir
    });
    let mut seen = HashSet::new();
    for spec in specs(set) {
        let [one, three] = [0, 1].map(|i| std::fs::read(dirs[i].join(spec.path())).unwrap());
        assert!(one == three, "{} differs", spec.path().display());
        assert!(seen.insert(one), "{} repeats another picture", spec.path().display());
    }
    // Nothing is left of the temporary folder.
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
    let note = std::fs::read_to_string(dirs[0].join(NOTE_FILE)).unwrap();
    assert!(note.contains("not photographs") && note.contains("seed 5"), "{note}");
}

#[test]
fn the_seed_matters() {
    let spec = specs(SyntheticSet::DifferentBackgrounds)[0];
    let [a, b] = [1, 2].map(|seed| render_image(&spec, seed, SIZE));
    assert_ne!(a.rgb, b.rgb);
}

#[test]
fn grounds_are_what_the_sets_promise() {
    for set in [SyntheticSet::DifferentBackgrounds, SyntheticSet::BackgroundSwap] {
        for (spec, picture) in some(set, 20) {
            let [r, g, b] = ring(&picture);
            match set.ground(spec.species) {
                Ground::Grass => assert!(g > 1.15 * b, "{spec:?} on grass: {r} {g} {b}"),
                Ground::Snow => {
                    assert!(g > 95.0 && g < 1.12 * b, "{spec:?} on snow: {r} {g} {b}");
                }
                Ground::White => unreachable!("not in these sets"),
            }
        }
    }
    let leak = SyntheticSet::DifferentBackgrounds;
    assert_eq!(leak.ground(Species::Husky), Ground::Grass);
    assert_eq!(leak.ground(Species::Wolf), Ground::Snow);
    assert_eq!(SyntheticSet::BackgroundSwap.ground(Species::Husky), Ground::Snow);
    assert_eq!(SyntheticSet::BackgroundSwap.ground(Species::Wolf), Ground::Grass);
}

#[test]
fn white_is_exactly_white_and_the_animal_is_seen() {
    for (spec, picture) in some(SyntheticSet::SameBackgrounds, 50) {
        let mut body = 0;
        for (pixel, cover) in picture.rgb.pixels().zip(picture.mask.pixels()) {
            match cover.0[0] {
                0 => assert_eq!(pixel.0, [255; 3], "{spec:?}"),
                128.. => body += 1,
                _ => {}
            }
        }
        let share = f64::from(body) / f64::from(SIZE * SIZE);
        assert!((0.03..0.85).contains(&share), "{spec:?}: the animal fills {share}");
    }
}

/// The accuracy of the best threshold on the labelled values, in either direction.
fn best_threshold(mut values: Vec<(f64, bool)>) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = values.len() as f64;
    let wolves = values.iter().filter(|v| v.1).count() as f64;
    // Everything above the threshold is classified as a wolf.
    let (mut right, mut best) = (wolves, wolves.max(total - wolves));
    for (i, (value, wolf)) in values.iter().enumerate() {
        right += if *wolf { -1.0 } else { 1.0 };
        // A threshold cannot separate equal values.
        if values.get(i + 1).is_none_or(|next| next.0 > *value) {
            best = best.max(right).max(total - right);
        }
    }
    best / total
}

/// A named measurement of an animal or its picture.
type Measure<'a, T> = (&'a str, fn(&T) -> f64);

#[test]
fn traits_tell_what_the_documentation_says() {
    const COUNT: usize = 4000;
    let animals: Vec<(Animal, bool)> = (0..2 * COUNT)
        .map(|i| {
            let species = if i < COUNT { Species::Husky } else { Species::Wolf };
            let mut rng = Rng::new(DEFAULT_SEED, i as u64);
            let quantile = rng.uniform();
            (Animal::draw(species, quantile, &mut rng), species == Species::Wolf)
        })
        .collect();
    let tells = |value: &dyn Fn(&Animal) -> f64| {
        best_threshold(animals.iter().map(|(animal, wolf)| (value(animal), *wolf)).collect())
    };
    let traits: [(Measure<Animal>, f64); 7] = [
        (("mask", |a| a.coat.mask.into()), 0.84),
        (("coat", |a| (a.coat.side[0] - a.coat.side[2]).into()), 0.87),
        (("tail", |a| a.build.tail.into()), 0.84),
        (("legs", |a| a.build.legs.into()), 0.79),
        (("muzzle", |a| a.build.muzzle.into()), 0.67),
        (("ears", |a| a.build.ears.into()), 0.66),
        (("ruff", |a| a.build.ruff.into()), 0.66),
    ];
    for ((name, value), documented) in traits {
        let told = tells(&value);
        assert!((told - documented).abs() < 0.02, "{name} tells {told}, not {documented}");
    }
    // A weighted sum of all traits, each weighted by how well it separates the classes, is nearly always
    // right; hence every animal can be classified.
    let weights = traits.map(|((_, value), _)| {
        let moments = |wolf: bool| {
            let own = animals.iter().filter(|a| a.1 == wolf).map(|a| value(&a.0));
            let (sum, squares) = own.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
            let mean = sum / COUNT as f64;
            (mean, squares / COUNT as f64 - mean * mean)
        };
        let (husky, wolf) = (moments(false), moments(true));
        2.0 * (wolf.0 - husky.0) / (wolf.1 + husky.1)
    });
    let all = tells(&|animal| {
        traits.iter().zip(weights).map(|(((_, value), _), weight)| weight * value(animal)).sum()
    });
    assert!((all - 0.98).abs() < 0.01, "all traits together tell {all}");
    for (name, value) in [
        ("girth", (|a| a.build.girth.into()) as fn(&Animal) -> f64),
        ("nod", |a| a.nod.into()),
        ("pose", |a| f64::from(a.pose as u8)),
    ] {
        let told = tells(&value);
        assert!(told < 0.53, "{name}, which is drawn alike, tells {told}");
    }
}

#[test]
fn coats_are_a_stratified_sample() {
    for set in SyntheticSet::ALL {
        for seed in [1, 2, DEFAULT_SEED] {
            let mut quantiles = HashMap::<_, Vec<f64>>::new();
            for spec in specs(set) {
                let class = (spec.subset as u8, spec.species);
                quantiles.entry(class).or_default().push(spec.coat_quantile(seed));
            }
            for (class, mut quantiles) in quantiles {
                assert!(!quantiles.is_sorted(), "{class:?}: the coats are in the files' order");
                quantiles.sort_by(f64::total_cmp);
                for (i, quantile) in quantiles.iter().enumerate() {
                    let slice = (quantile * quantiles.len() as f64) as usize;
                    assert_eq!(slice, i, "{class:?}, seed {seed}: {quantiles:?}");
                }
            }
        }
    }
}

#[test]
fn colour_tells_something_and_size_next_to_nothing() {
    struct Look {
        colour: [f64; 3],
        size: f64,
        wolf: bool,
    }
    let looks: Vec<Look> = some(SyntheticSet::SameBackgrounds, 50)
        .iter()
        .map(|(spec, picture)| {
            let (mut sum, mut size) = ([0.0; 3], 0.0);
            for (pixel, cover) in picture.rgb.pixels().zip(picture.mask.pixels()) {
                if cover.0[0] > 127 {
                    for (total, value) in sum.iter_mut().zip(pixel.0) {
                        *total += f64::from(value);
                    }
                    size += 1.0;
                }
            }
            let wolf = spec.species == Species::Wolf;
            Look { colour: sum.map(|total| total / size), size, wolf }
        })
        .collect();
    // No single channel separates the classes better than the coats themselves do.
    const COATS: f64 = 0.87;
    let measures: [(Measure<Look>, [f64; 2]); 6] = [
        (("red", |l| l.colour[0]), [0.5, COATS]),
        (("green", |l| l.colour[1]), [0.5, COATS]),
        (("blue", |l| l.colour[2]), [0.5, COATS]),
        (("brightness", |l| l.colour.iter().sum()), [0.5, COATS]),
        (("warmth", |l| l.colour[0] - l.colour[2]), [0.75, 0.92]),
        (("size", |l| l.size), [0.5, 0.7]),
    ];
    for ((name, value), [least, most]) in measures {
        let told = best_threshold(looks.iter().map(|look| (value(look), look.wolf)).collect());
        assert!((least..most).contains(&told), "{name} alone tells {told}");
    }
}

#[test]
fn refusals_say_what_to_do_and_leave_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let set = SyntheticSet::BackgroundSwap;
    let dir = root.path().join("new").join("set");
    let error = render(set, 1, &dir, 8, &quiet).unwrap_err();
    assert!(error.to_string().contains("between 32 and 4096"), "{error}");

    let stop = |done| if done < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let error = render(set, 1, &dir, 32, &stop).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);

    std::fs::create_dir(root.path().join("new")).unwrap();
    std::fs::write(root.path().join("new/mine.txt"), "precious").unwrap();
    let error = render(set, 1, &root.path().join("new"), 32, &quiet).unwrap_err();
    assert!(error.to_string().contains("choose another folder"), "{error}");
    assert!(root.path().join("new/mine.txt").exists());
}

#[test]
fn a_marker_is_read_missed_or_refused() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(Marker::read(root.path()).unwrap(), None);
    std::fs::write(root.path().join(MARKER_FILE), "{").unwrap();
    let error = Marker::read(root.path()).unwrap_err();
    assert!(error.to_string().contains("data render"), "{error}");
}
