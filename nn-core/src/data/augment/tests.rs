use super::*;

fn image(size: Size) -> Vec<f32> {
    let mut rng = Rng::new(3, 0);
    (0..size.iter().product()).map(|_| rng.uniform_in(0.0, 255.0).floor() as f32).collect()
}

fn applied(of: &Augmentation, size: Size, place: (u64, usize, usize)) -> Vec<f32> {
    let mut image = image(size);
    of.apply(&mut image, size, place, &mut Vec::new());
    image
}

#[test]
fn text_says_what_is_on() {
    for text in ["", "flip", "flip,rotate=20", "mixup,cutmix=0.5", "crop=0.25,erase"] {
        assert_eq!(text.parse::<Augmentation>().unwrap().to_string(), text);
    }
    let standard: Augmentation = "standard".parse().unwrap();
    assert_eq!(standard.to_string(), "flip,rotate,zoom,translate,brightness,contrast");
    assert_eq!("standard,rotate=0, flip =1".parse::<Augmentation>().unwrap().kinds().count(), 5);
    assert!(Augmentation::none().is_none() && !standard.is_none() && !standard.mixes());
    for (text, says) in [
        ("blurr", "one of standard, colour, flip"),
        ("rotate=x", "degrees at most"),
        ("rotate=200", "from 0 to 180"),
        ("noise=-1", "from 0 to 255"),
        ("zoom=nan", "from 0 to 0.9"),
        ("mixup=1e-9", "0, or from 0.01 to 2"),
    ] {
        let message = text.parse::<Augmentation>().unwrap_err().to_string();
        assert!(message.contains(says), "{text}: {message}");
    }
    assert!("hue".parse::<Augmentation>().unwrap().check(1).is_err());
    let json = serde_json::to_string(&standard).unwrap();
    assert_eq!(serde_json::from_str::<Augmentation>(&json).unwrap(), standard);
}

#[test]
fn what_is_drawn_for_one_purpose_tells_nothing_of_another() {
    for seed in [0, 27, u64::MAX] {
        let first = |stream: u64| Augmentation::rng((seed, 1, 3), stream).next_u64();
        let all = [stream::AUGMENT, stream::BACKGROUND, stream::MIX].map(first);
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{seed}");
    }
}

#[test]
fn kinds_stand_where_their_numbers_say() {
    for (i, info) in KINDS.iter().enumerate() {
        assert_eq!(info.kind as usize, i);
        assert!(info.usual > 0.0 && info.usual <= info.most, "{}", info.name);
    }
}

#[test]
fn what_is_done_follows_from_seed_epoch_and_index() {
    let size = [12, 10, 3];
    let of: Augmentation = "standard,colour,noise,blur,erase,crop".parse().unwrap();
    let first = applied(&of, size, (27, 1, 5));
    assert_eq!(first, applied(&of, size, (27, 1, 5)));
    for other in [(28, 1, 5), (27, 2, 5), (27, 1, 6)] {
        assert_ne!(first, applied(&of, size, other), "{other:?}");
    }
    assert_eq!(applied(&Augmentation::none(), size, (27, 1, 5)), image(size));
}

#[test]
fn a_slant_moves_rows_sideways() {
    let size = [33, 33, 1];
    let of = Augmentation::none().with(Kind::Shear, 45.0).unwrap();
    for index in 0..8 {
        // An upright line in the middle.
        let mut image: Vec<f32> = (0..33 * 33).map(|i| f32::from(i % 33 == 16)).collect();
        of.apply(&mut image, size, (27, 1, index), &mut Vec::new());
        let at = |y: usize| {
            let row = &image[y * 33..][..33];
            (0..33).map(|x| x as f32 * row[x]).sum::<f32>() / row.iter().sum::<f32>()
        };
        // It stays in the middle row, and moves as far to one side above as to the other below.
        assert!((at(16) - 16.0).abs() < 1e-3, "{index}: {}", at(16));
        let slope = (at(24) - at(8)) / 16.0;
        assert!(slope.abs() <= 1.001 && (at(8) + at(24) - 32.0).abs() < 1e-2, "{index}: {slope}");
        for y in 8..25 {
            let expected = 16.0 + slope * (y as f32 - 16.0);
            assert!((at(y) - expected).abs() < 0.05, "{index}, row {y}: {} {expected}", at(y));
        }
    }
    // A line that lies stays where it is: only places within rows change.
    let lying: Vec<f32> = (0..33 * 33).map(|i| f32::from(i / 33 == 5)).collect();
    let mut image = lying.clone();
    of.apply(&mut image, size, (27, 1, 3), &mut Vec::new());
    assert!(image.iter().zip(&lying).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn a_flip_is_its_own_inverse_and_exact() {
    let size = [5, 7, 3];
    for kind in [Kind::Flip, Kind::FlipVertical] {
        let of = Augmentation::none().with(kind, 1.0).unwrap();
        let (mut flipped, mut spare) = (image(size), Vec::new());
        of.apply(&mut flipped, size, (1, 1, 1), &mut spare);
        assert_ne!(flipped, image(size));
        of.apply(&mut flipped, size, (1, 1, 1), &mut spare);
        assert_eq!(flipped, image(size));
    }
}

#[test]
fn each_kind_changes_images_and_keeps_their_range() {
    for info in KINDS.into_iter().filter(|info| info.kind < Kind::Mixup) {
        for strength in [info.usual, info.most] {
            let of = Augmentation::none().with(info.kind, strength).unwrap();
            for size in [[9, 16, 3], [1, 1, 3], [2, 31, 3], [7, 1, 1]] {
                let mut changed = 0;
                for index in 0..40 {
                    let new = applied(&of, size, (27, 1, index));
                    assert!(
                        new.iter().all(|value| (0.0..=255.0).contains(value)),
                        "{} {strength} {size:?}",
                        info.name
                    );
                    changed += usize::from(new != image(size));
                }
                assert!(size != [9, 16, 3] || changed >= 10, "{} {strength}: {changed}", info.name);
            }
        }
    }
}

#[test]
fn a_mean_colour_survives_what_only_moves_things() {
    let size = [16, 16, 3];
    let flat = [10.0, 20.0, 30.0].repeat(256);
    let of: Augmentation = "flip,rotate=180,zoom=0.5,translate=0.5,crop".parse().unwrap();
    for index in 0..20 {
        let mut image = flat.clone();
        of.apply(&mut image, size, (1, 1, index), &mut Vec::new());
        for (a, b) in image.iter().zip(&flat) {
            approx::assert_abs_diff_eq!(a, b, epsilon = 1e-4);
        }
    }
}
