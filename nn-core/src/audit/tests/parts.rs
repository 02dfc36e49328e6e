//! The components of the audit, each against a simpler implementation.

use super::picture;
use crate::audit::descriptor_index::DescriptorIndex;
use crate::audit::file_facts::FileFacts;
use crate::audit::luma::Luma;
use crate::audit::patch::{Descriptor, POINT, Places, bins, descriptor, moved, poses};
use crate::audit::placement::Placement;
use crate::audit::shrink::Small;
use crate::audit::symmetry::Symmetry;
use crate::data::Rgb8;
use crate::rng::Rng;
use std::io::Cursor;

/// Random descriptors, with each bit set with probability one half.
fn descriptors(n: usize, rng: &mut Rng) -> Vec<Descriptor> {
    let mut byte = || rng.below(256) as Descriptor;
    (0..n).map(|_| (0..16).fold(0, |descriptor, _| descriptor << 8 | byte())).collect()
}

#[test]
fn an_index_finds_what_differs_in_few_bits_and_tells_the_distance() {
    let mut rng = Rng::new(3, 0);
    let descriptors = descriptors(5_000, &mut rng);
    let index = DescriptorIndex::new(&descriptors);
    let mut found = 0;
    for (i, &descriptor) in descriptors.iter().enumerate() {
        let changed = (0..8).fold(descriptor, |descriptor, _| descriptor ^ 1 << rng.below(128));
        let mut hit = false;
        for near in index.near(changed, 12, 0) {
            assert_eq!(
                near.distance,
                (descriptors[near.descriptor as usize] ^ changed).count_ones()
            );
            assert!(near.distance <= 12);
            hit |= near.descriptor as usize == i;
        }
        assert!(index.near(changed, 12, i + 1).iter().all(|near| near.descriptor as usize > i));
        found += usize::from(hit);
    }
    assert!(found >= 4_500, "{found} of 5000");
    assert_eq!(DescriptorIndex::new(&[]).near(0, 128, 0), []);
}

#[test]
fn a_crowd_of_equal_codes_is_passed_over() {
    let descriptors = vec![7; 1_000];
    assert_eq!(DescriptorIndex::new(&descriptors).near(7, 0, 0), []);
    assert!(DescriptorIndex::new(&descriptors[..20]).near(7, 0, 0).len() >= 20);
}

#[test]
fn shrinking_takes_the_mean_of_each_area() {
    let mut rng = Rng::new(4, 0);
    // Four times the width and height of its small picture.
    let (width, height) = (400, 400);
    let bytes: Vec<u8> = (0..width * height * 3).map(|_| rng.below(256) as u8).collect();
    let small = Small::new(&Rgb8::new(height, width, bytes.clone()).unwrap());
    assert_eq!((small.width, small.height), (100, 100));
    for (x, y) in [(0, 0), (99, 99), (5, 77)] {
        for c in 0..3 {
            let pixels = (0..16).map(|i| (4 * y + i / 4) * width + 4 * x + i % 4);
            let sum: u32 = pixels.map(|i| u32::from(bytes[3 * i + c])).sum();
            let mean = sum as f32 / 16.0;
            assert!((small.planes[c][y * 100 + x] - mean).abs() < 1e-3);
        }
    }
    // Odd sizes, and images smaller than the small picture, keep their brightness.
    for (width, height) in [(1, 1), (3, 700), (333, 217), (2_000, 3)] {
        let grey = Rgb8::new(height, width, vec![200; width * height * 3]).unwrap();
        let luma = Small::new(&grey).luma();
        assert!(luma.pixels.iter().all(|&value| value == 200.0), "{width} x {height}");
    }
}

#[test]
fn blurring_is_a_weighted_mean_with_the_border_continued() {
    let mut rng = Rng::new(5, 0);
    let (width, height, sigma) = (37, 19, 1.7_f64);
    let mut picture = Luma::zeros(width, height);
    picture.pixels.iter_mut().for_each(|value| *value = rng.below(256) as f32);
    let blurred = picture.blurred(sigma as f32);
    let radius = (2.6 * sigma).ceil() as i64;
    let weight = |d: i64| (-0.5 * (d as f64 / sigma).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    for y in 0..height as i64 {
        for x in 0..width as i64 {
            let mut sum = 0.0;
            for dy in -radius..=radius {
                for dx in -radius..=radius {
                    let row = (y + dy).clamp(0, height as i64 - 1) as usize;
                    let column = (x + dx).clamp(0, width as i64 - 1) as usize;
                    let value = f64::from(picture.pixels[row * width + column]);
                    sum += weight(dx) * weight(dy) * value / (total * total);
                }
            }
            let found = f64::from(blurred.pixels[y as usize * width + x as usize]);
            assert!((found - sum).abs() < 1e-3, "{x} {y}: {found} {sum}");
        }
    }
}

#[test]
fn a_description_turns_and_mirrors_with_its_patch() {
    let mut rng = Rng::new(6, 0);
    // Smooth, so that no direction is on the boundary between two bins.
    let waves: Vec<[f32; 4]> = (0..12)
        .map(|_| [0.3, 0.3, 3.0, 9.0].map(|most| rng.uniform_in(-most, most) as f32))
        .collect();
    let sample = |x: f32, y: f32| -> f32 {
        waves
            .iter()
            .map(|[across, down, shift, height]| (across * x + down * y + shift).sin() * height)
            .sum()
    };
    let at = |symmetry: Symmetry| {
        let from = symmetry.inverse();
        let mut picture = Luma::zeros(20, 20);
        for (i, value) in picture.pixels.iter_mut().enumerate() {
            let (x, y) = from.apply((i % 20) as f32 - 9.5, (i / 20) as f32 - 9.5);
            *value = sample(x, y);
        }
        let places = || Places::around(9.5, 1.0, 20);
        bins(&picture, &places(), &places(), &POINT).unwrap()
    };
    let plain = at(Symmetry::ALL[0]);
    for symmetry in Symmetry::ALL {
        let (before, after) = (descriptor(&plain), descriptor(&at(symmetry)));
        let laid = moved(before, symmetry);
        assert_eq!(moved(laid, symmetry.inverse()), before);
        let differing = (laid ^ after).count_ones();
        assert!(differing <= 2, "{symmetry:?}: {differing} bits");
        let other = Symmetry::ALL.into_iter().find(|other| *other != symmetry).unwrap();
        assert!((laid ^ descriptor(&at(other))).count_ones() > 20, "{symmetry:?}");
        // In its best pose a descriptor is the same, whatever the orientation of its patch.
        let posed = |bins| moved(descriptor(bins), Symmetry::ALL[poses(bins)[0] as usize]);
        let differing = (posed(&plain) ^ posed(&at(symmetry))).count_ones();
        assert!(differing <= 4, "{symmetry:?}: {differing} bits");
    }
    let flat = Luma { width: 20, height: 20, pixels: vec![3.0; 400] };
    let places = || Places::over(20);
    assert_eq!(bins(&flat, &places(), &places(), &POINT), None);
}

#[test]
fn ways_to_lay_a_picture_follow_each_other() {
    for one in Symmetry::ALL {
        assert_eq!(Symmetry::ALL[one.number()], one);
        assert_eq!(one.then(one.inverse()), Symmetry::ALL[0]);
        for next in Symmetry::ALL {
            let (x, y) = one.apply(3.0, 1.0);
            assert_eq!(one.then(next).apply(3.0, 1.0), next.apply(x, y), "{one:?} {next:?}");
        }
        let placement = Placement::of_frames(one, (120.0, 80.0), (80.0, 120.0));
        assert_eq!(placement.symmetry(), one);
    }
}

#[test]
fn compression_is_told_as_people_know_it() {
    let image = picture(1);
    let rgb = Rgb8::new(180, 240, image.as_raw().clone()).unwrap();
    let small = Small::new(&rgb);
    let facts = |bytes: &[u8]| FileFacts::new(bytes, &rgb, &small).encoding.compression();
    for quality in [30, 75, 92] {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode_image(&image)
            .unwrap();
        let words = facts(&bytes);
        assert!(words.starts_with(&format!("JPEG quality about {quality}, 4:")), "{words}");
    }
    let mut grey = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut grey, 80);
    encoder.encode_image(&image::DynamicImage::from(image.clone()).to_luma8()).unwrap();
    assert_eq!(facts(&grey), "JPEG quality about 80, grey");
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).unwrap();
    assert_eq!(facts(png.get_ref()), "no JPEG");
}
