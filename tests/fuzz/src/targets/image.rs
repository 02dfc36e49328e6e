//! Image files: decoding, and operations on the pixels.

use nn_core::data::{decode_bytes, foreground, resize_bilinear};
use std::path::Path;

/// The number of pixels up to which images are processed further; larger ones only cost time.
const CLOSELY: usize = 1 << 14;

pub fn run(data: &[u8]) {
    let Ok(image) = decode_bytes(data, Path::new("image")) else { return };
    let (height, width) = (image.height(), image.width());
    assert_eq!(image.pixels().len(), height * width * 3);
    if height * width > CLOSELY {
        return;
    }
    for (height, width) in [(height, width), (1, 1), (22, 22)] {
        let resized = resize_bilinear(&image, height, width).expect("any size will do");
        assert_eq!(resized.len(), height * width * 3);
        assert!(resized.iter().all(|v| (0.0..=255.0).contains(v)));
    }
    let _ = foreground(&image);
}
