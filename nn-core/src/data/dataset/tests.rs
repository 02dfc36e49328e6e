use super::*;
use crate::data::ImageFolder;
use crate::data::decode_file;
use crate::data::{ResizeMode, network_input, one_hot, resize_bilinear};
use image::{Rgb, RgbImage};
use std::fs;
use tempfile::TempDir;

/// A folder with two class folders of six images each, of different sizes.
fn folder() -> TempDir {
    let root = TempDir::new().unwrap();
    for (label, class) in ["circle", "square"].iter().enumerate() {
        fs::create_dir(root.path().join(class)).unwrap();
        for i in 0..6 {
            let (width, height) = (8 + 7 * i, 9 + 5 * i);
            let image = RgbImage::from_fn(width, height, |x, y| {
                Rgb([(x * 5) as u8, (y * 7) as u8, (label as u32 * 100 + i) as u8])
            });
            image.save(root.path().join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    root
}

fn options() -> DatasetOptions {
    DatasetOptions { height: 12, width: 10, ..DatasetOptions::default() }
}

fn load(root: &Path, options: &DatasetOptions) -> Result<Dataset> {
    let folder = ImageFolder::scan(root)?;
    Dataset::load(folder.samples(), folder.classes, options)
}

#[test]
fn a_batch_holds_the_images_asked_for() {
    let root = folder();
    let dataset = load(root.path(), &options()).unwrap();
    assert_eq!((dataset.len(), dataset.is_empty()), (12, false));
    assert_eq!(dataset.class_counts(), [6, 6]);
    assert_eq!(dataset.classes(), ["circle", "square"]);
    let (batch, labels) = dataset.batch(&[7, 0, 7], &BufferPool::new()).unwrap();
    assert_eq!(batch.dims(), [3, 12, 10, 3]);
    assert_eq!(labels, [1, 0, 1]);
    for (row, index) in [7, 0, 7].into_iter().enumerate() {
        let image = decode_file(&dataset.samples()[index].path).unwrap();
        assert_eq!(batch.row(row), resize_bilinear(&image, 12, 10).unwrap());
    }
    // The blue channel encodes class and number.
    assert_eq!(batch.row(0)[2], 101.0);
}

#[test]
fn grey_images_are_the_same_wherever_they_are_kept() {
    let root = folder();
    let all: Vec<usize> = (0..12).collect();
    let resize = ResizeMode::Letterbox.into();
    let grey = DatasetOptions { channels: Channels::Grey, resize, ..options() };
    let nowhere = DatasetOptions { memory_bound: 0, disk_bound: 0, ..grey.clone() };
    let on_disk = DatasetOptions { memory_bound: 0, ..grey.clone() };
    for (options, streamed) in [(grey, 0), (on_disk, 0), (nowhere, 12)] {
        let dataset = load(root.path(), &options).unwrap();
        assert_eq!((dataset.streamed(), dataset.channels()), (streamed, Channels::Grey));
        let (batch, _) = dataset.batch(&all, &BufferPool::new()).unwrap();
        assert_eq!(batch.dims(), [12, 12, 10, 1]);
        for (index, sample) in dataset.samples().iter().enumerate() {
            let image = decode_file(&sample.path).unwrap();
            let expected = network_input(&image, Channels::Grey, resize, 12, 10).unwrap();
            assert_eq!(batch.row(index), expected);
        }
    }
}

#[test]
fn memory_stays_in_its_bound_and_does_not_change_the_bits() {
    let root = folder();
    let all: Vec<usize> = (0..12).collect();
    let pool = BufferPool::new();
    let free = load(root.path(), &options()).unwrap();
    let expected = free.batch(&all, &pool).unwrap();
    assert_eq!(free.streamed(), 0);
    // Per class, 8x9, 15x14 and 22x19 are kept as decoded, three resized.
    let resized = 12 * 10 * 3 * 4;
    let per_class = 3 * (8 * 9 + 15 * 14) + 22 * 19 * 3 + 3 * resized;
    assert_eq!(free.bytes(), 2 * per_class);

    let bounds = [0, 215, 216, 5_000, per_class, 2 * per_class - 1, 2 * per_class];
    for (memory, disk) in bounds.into_iter().flat_map(|memory| bounds.map(|disk| (memory, disk))) {
        let bounded = DatasetOptions { memory_bound: memory, disk_bound: disk as u64, ..options() };
        let dataset = load(root.path(), &bounded).unwrap();
        let (kept, spilled) = (dataset.bytes(), dataset.spilled_bytes() as usize);
        assert!(kept <= memory && spilled <= disk, "{kept} of {memory}, {spilled} of {disk}");
        assert_eq!(kept == 0, memory < 216);
        assert_eq!(dataset.streamed() == 0, kept + spilled == 2 * per_class);
        assert_eq!(
            dataset.streamed() == 0,
            memory == 2 * per_class || disk + kept >= 2 * per_class
        );
        assert_eq!(dataset.batch(&all, &pool).unwrap(), expected, "bounds {memory}, {disk}");
    }
}

#[test]
fn unreadable_images_stop_or_are_skipped_as_asked() {
    let root = folder();
    let broken = ["circle/2.png", "square/0.png"].map(|name| root.path().join(name));
    fs::write(&broken[0], b"not an image").unwrap();
    let whole = fs::read(&broken[1]).unwrap();
    fs::write(&broken[1], &whole[..whole.len() / 2]).unwrap();

    let message = load(root.path(), &options()).unwrap_err().to_string();
    assert!(message.contains("2.png") && message.contains("not an image"), "{message}");

    let skipping = DatasetOptions { skip_unreadable: true, ..options() };
    let dataset = load(root.path(), &skipping).unwrap();
    assert_eq!(dataset.class_counts(), [5, 5]);
    assert_eq!(dataset.skipped().len(), 2);
    for (skipped, path) in dataset.skipped().iter().zip(&broken) {
        assert_eq!(&skipped.path, path);
        assert!(skipped.reason.contains(path.to_str().unwrap()), "{}", skipped.reason);
    }
    // Labels and images still belong together.
    let (batch, labels) = dataset.batch(&[2, 5], &BufferPool::new()).unwrap();
    assert_eq!((labels, batch.row(0)[2], batch.row(1)[2]), (vec![0, 1], 3.0, 101.0));

    for i in 0..6 {
        fs::write(root.path().join(format!("circle/{i}.png")), b"").unwrap();
    }
    let message = load(root.path(), &skipping).unwrap_err().to_string();
    assert!(message.contains("class circle") && message.contains("0.png"), "{message}");
}

#[test]
fn a_file_that_vanishes_while_streaming_is_named() {
    let root = folder();
    let streaming = DatasetOptions { memory_bound: 0, disk_bound: 0, ..options() };
    let dataset = load(root.path(), &streaming).unwrap();
    let pool = BufferPool::new();
    assert!(dataset.batch(&[1], &pool).is_ok());
    fs::remove_file(&dataset.samples()[1].path).unwrap();
    let message = dataset.batch(&[0, 1], &pool).unwrap_err().to_string();
    assert!(message.contains("1.png"), "{message}");
    fs::write(&dataset.samples()[0].path, b"else").unwrap();
    let message = dataset.batch(&[0], &pool).unwrap_err().to_string();
    assert!(message.contains("0.png"), "{message}");
}

#[test]
fn what_lies_in_the_temporary_file_needs_no_image_file() {
    let root = folder();
    let spilling = DatasetOptions { memory_bound: 0, ..options() };
    let dataset = load(root.path(), &spilling).unwrap();
    let (pool, all) = (BufferPool::new(), (0..12).collect::<Vec<_>>());
    let expected = dataset.batch(&all, &pool).unwrap();
    fs::remove_dir_all(root.path()).unwrap();
    assert_eq!(dataset.batch(&all, &pool).unwrap(), expected);
}

#[test]
fn bad_settings_are_refused() {
    let root = folder();
    for (height, width) in [(0, 8), (8, 0), (usize::MAX, 2), (30_000, 30_000)] {
        let size = DatasetOptions { height, width, ..options() };
        let message = load(root.path(), &size).unwrap_err().to_string();
        assert!(message.starts_with("image size must be"), "{message}");
    }
    let dataset = load(root.path(), &options()).unwrap();
    let pool = BufferPool::new();
    assert!(dataset.batch(&[], &pool).is_err());
    let message = dataset.batch(&[3, 12], &pool).unwrap_err().to_string();
    assert!(message.contains("below the number of images, 12, received 12"), "{message}");
    let sample = Sample { path: "x.png".into(), label: 2 };
    let classes = vec!["a".to_string(), "b".to_string()];
    let message = Dataset::load(vec![sample], classes, &options()).unwrap_err().to_string();
    assert!(message.contains("label must be below"), "{message}");
}

#[test]
fn no_samples_make_an_empty_dataset() {
    let dataset = Dataset::load(Vec::new(), vec!["a".into()], &options()).unwrap();
    assert!(dataset.is_empty());
    assert_eq!(dataset.class_counts(), [0]);
    assert!(dataset.shuffled_order(1, 1).is_empty());
}

#[test]
fn loading_reports_and_can_be_stopped() {
    let root = folder();
    let folder = ImageFolder::scan(root.path()).unwrap();
    let samples = vec![folder.samples(); 4].concat();
    let mut reports = Vec::new();
    let report = |done, total| {
        reports.push((done, total));
        Ok(())
    };
    let classes = folder.classes.clone();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
    threads.install(|| Dataset::load_with(samples.clone(), classes, &options(), report)).unwrap();
    assert_eq!(reports, [(20, 48), (40, 48), (48, 48)], "four images a thread");
    let stop = |_, _| Err(Error::Interrupted);
    let stopped = Dataset::load_with(samples, folder.classes, &options(), stop);
    assert!(matches!(stopped, Err(Error::Interrupted)));
}

#[test]
fn orders_are_permutations_that_differ() {
    let first = shuffled_order(70, 27, 1);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..70).collect::<Vec<_>>());
    assert_eq!(shuffled_order(70, 27, 1), first);
    assert_ne!(shuffled_order(70, 27, 2), first);
    assert_ne!(shuffled_order(70, 28, 1), first);
    // Over many epochs every image comes first about equally often: 6,000 / 6, within 5 sigma.
    let mut firsts = [0; 6];
    (1..=6000).for_each(|epoch| firsts[shuffled_order(6, 27, epoch)[0]] += 1);
    assert!(firsts.iter().all(|&n: &i32| (n - 1000).abs() < 145), "{firsts:?}");
    // These values must never change: a seed must reproduce an old run.
    assert_eq!(shuffled_order(6, 27, 1), [2, 0, 1, 3, 4, 5]);
}

#[test]
fn one_hot_marks_the_label() {
    let targets = one_hot::<f64>(&[2, 0], 3).unwrap();
    assert_eq!(targets.dims(), [2, 3]);
    assert_eq!(targets.as_slice(), [0., 0., 1., 1., 0., 0.]);
    assert!(one_hot::<f32>(&[3], 3).is_err());
    assert!(one_hot::<f32>(&[], 0).unwrap().is_empty());
}
