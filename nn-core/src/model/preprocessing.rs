//! How pixels become what a network was trained on.

use super::Model;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Gather, Layer, Normalization, Rescaling};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// `(pixel * scale - mean) / std` for each channel of a pixel from 0 to 255, and the order of the channels: what
/// frameworks do to images before their networks see them, and files of networks do not say.
///
/// ```
/// use nn_core::layers::{Dense, Flatten};
/// use nn_core::model::{Model, Preprocessing, Sequential};
/// use nn_core::Tensor;
/// let bare: Model =
///     Sequential::builder([1, 1, 3]).layer(Flatten::new()).layer(Dense::new(2)).build(27)?;
/// let model = Preprocessing::preset("tf")?.in_front_of(bare.clone())?;
/// // From -1 to 1.
/// assert_eq!(
///     model.predict(Tensor::full([1, 1, 1, 3], 255.0))?,
///     bare.predict(Tensor::full([1, 1, 1, 3], 1.0))?
/// );
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// What pixels are multiplied by: 1/255 makes them numbers from 0 to 1.
    pub scale: f64,
    /// What is subtracted then: one number, or those of red, green and blue.
    pub mean: Vec<f64>,
    /// What the difference is divided by: one number, or those of red, green and blue.
    pub std: Vec<f64>,
    /// Whether the network takes blue, green, red.
    #[serde(default)]
    pub bgr: bool,
}

/// A layer with its name.
type Named<T> = (String, Arc<dyn Layer<T>>);

/// A preprocessing by its name.
struct Preset {
    name: &'static str,
    about: &'static str,
    /// What pixels are divided by.
    divisor: f64,
    mean: &'static [f64],
    std: &'static [f64],
    bgr: bool,
}

const PRESETS: [Preset; 6] = [
    Preset {
        name: "imagenet",
        about: "torchvision and most of timm",
        divisor: 255.0,
        mean: &[0.485, 0.456, 0.406],
        std: &[0.229, 0.224, 0.225],
        bgr: false,
    },
    Preset {
        name: "caffe",
        about: "Caffe; VGG and ResNet of Keras",
        divisor: 1.0,
        mean: &[123.68, 116.779, 103.939],
        std: &[1.0],
        bgr: true,
    },
    Preset {
        name: "tf",
        about: "MobileNet, Inception and Xception of Keras",
        divisor: 127.5,
        mean: &[1.0],
        std: &[1.0],
        bgr: false,
    },
    Preset {
        name: "0-1",
        about: "pixels from 0 to 1, as ToTensor gives them",
        divisor: 255.0,
        mean: &[0.0],
        std: &[1.0],
        bgr: false,
    },
    Preset {
        name: "lite",
        about: "EfficientNet-Lite and others for TensorFlow Lite",
        divisor: 1.0,
        mean: &[127.0],
        std: &[128.0],
        bgr: false,
    },
    Preset {
        name: "none",
        about: "pixels from 0 to 255 as they are: the network scales them itself",
        divisor: 1.0,
        mean: &[0.0],
        std: &[1.0],
        bgr: false,
    },
];

impl Preprocessing {
    /// The names of the presets, each with whose networks it belongs to.
    pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
        PRESETS.iter().map(|preset| (preset.name, preset.about))
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// If there is none: the error lists them.
    pub fn preset(name: &str) -> Result<Self> {
        let preset = PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
            let known: Vec<_> = Self::presets().map(|(name, _)| name).collect();
            Error::setting("the preset", format!("one of {}", known.join(", ")), name, "choose one")
        })?;
        Ok(Self {
            scale: 1.0 / preset.divisor,
            mean: preset.mean.to_vec(),
            std: preset.std.to_vec(),
            bgr: preset.bgr,
        })
    }

    /// A network of images that takes pixels from 0 to 255, as this brings them to `model`.
    ///
    /// # Errors
    /// If the model takes no images; if there is neither one number nor one for each channel, a number is not
    /// finite or divides by 0, or the order of channels is to change where there are not three.
    pub fn in_front_of<T: Kernels>(&self, model: Model<T>) -> Result<Model<T>> {
        let &[_, _, channels] = model.input_shape().dims() else {
            return Err(Error::shape(
                "preprocessing",
                "a network of images [height, width, channels]",
                model.input_shape(),
                "leave preprocessing away",
            ));
        };
        let layers = self.layers(channels)?;
        model.behind(layers)
    }

    fn layers<T: Kernels>(&self, channels: usize) -> Result<Vec<Named<T>>> {
        let numbers = [&self.mean, &self.std];
        if !numbers.iter().all(|numbers| numbers.len() == 1 || numbers.len() == channels) {
            return Err(Error::setting(
                "mean and std of pixels",
                format!("one number, or one for each of the {channels} channels"),
                format!("{} and {}", self.mean.len(), self.std.len()),
                "give as many as the network's images have channels",
            ));
        }
        let usable = |number: &f64| number.is_finite() && *number != 0.0;
        if !usable(&self.scale)
            || !self.mean.iter().all(|mean| mean.is_finite())
            || !self.std.iter().all(usable)
        {
            return Err(Error::setting(
                "scale, mean and std of pixels",
                "finite numbers, and neither scale nor std 0",
                format!("{}, {:?} and {:?}", self.scale, self.mean, self.std),
                "a scale of 1/255, a mean of 0 and a std of 1 bring pixels to 0 to 1",
            ));
        }
        if self.bgr && channels != 3 {
            return Err(Error::setting(
                "the order of channels",
                format!("that of the network, which has {channels}"),
                "blue, green, red",
                "leave it away: only colours have an order",
            ));
        }
        let mut layers: Vec<Named<T>> = Vec::new();
        if let ([mean], [std]) = (&self.mean[..], &self.std[..]) {
            let rescaling = Rescaling::new(self.scale / std).offset(-mean / std);
            if (rescaling.scale, rescaling.offset) != (1.0, 0.0) {
                layers.push(("rescaling".into(), Arc::new(rescaling)));
            }
        } else {
            let [mean, std] = numbers.map(|numbers| {
                let of = |channel: usize| numbers[channel % numbers.len()] / self.scale;
                (0..channels).map(of).collect::<Vec<_>>()
            });
            layers.push(("normalization".into(), Arc::new(Normalization::new(mean, std))));
        }
        if self.bgr {
            layers.push(("channel_order".into(), Arc::new(Gather::new(2, [2, 1, 0]))));
        }
        Ok(layers)
    }
}

impl fmt::Display for Preprocessing {
    /// `(pixel / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |numbers: &[f64]| match numbers {
            [one] => one.to_string(),
            several => format!("{several:?}"),
        };
        let divisor = 1.0 / self.scale;
        // 1 / (1 / 255) is not quite 255.
        let nearest = (divisor * 1e6).round() / 1e6;
        let pixel = match (self.scale, 1.0 / nearest == self.scale) {
            (1.0, _) => "pixel".to_string(),
            (_, true) => format!("pixel / {nearest}"),
            (scale, false) => format!("pixel * {scale}"),
        };
        let no_mean = self.mean.iter().all(|&mean| mean == 0.0);
        let no_std = self.std.iter().all(|&std| std == 1.0);
        let moved = match no_mean {
            true => pixel,
            false => format!("{pixel} - {}", list(&self.mean)),
        };
        match (no_mean, no_std) {
            (_, true) => f.write_str(&moved)?,
            (true, false) => write!(f, "{moved} / {}", list(&self.std))?,
            (false, false) => write!(f, "({moved}) / {}", list(&self.std))?,
        }
        f.write_str(if self.bgr { ", blue first" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Flatten};
    use crate::model::Sequential;
    use crate::tensor::Tensor;

    fn bare(channels: usize) -> Sequential {
        let chain = Sequential::builder([1, 2, channels]);
        chain.layer(Flatten::new()).layer(Dense::new(3)).build(27).unwrap()
    }

    #[test]
    fn presets_are_the_formulas_of_their_frameworks() {
        let pixels = [12.0, 200.0, 255.0, 0.0, 127.0, 64.0f32];
        let rgb = |i: usize| f64::from(pixels[i]);
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let caffe = [103.939, 116.779, 123.68];
        let by_hand: [(&str, &dyn Fn(usize) -> f64); 6] = [
            ("imagenet", &|i| (rgb(i) / 255.0 - mean[i % 3]) / std[i % 3]),
            ("caffe", &|i| rgb(i / 3 * 3 + 2 - i % 3) - caffe[i % 3]),
            ("tf", &|i| rgb(i) / 127.5 - 1.0),
            ("0-1", &|i| rgb(i) / 255.0),
            ("lite", &|i| (rgb(i) - 127.0) / 128.0),
            ("none", &rgb),
        ];
        assert!(Preprocessing::presets().map(|(name, _)| name).eq(by_hand.iter().map(|p| p.0)));
        for (name, formula) in by_hand {
            let preset = Preprocessing::preset(name).unwrap();
            let model = preset.in_front_of(bare(3)).unwrap();
            let ours = model.predict(Tensor::from_fn([1, 1, 2, 3], |i| pixels[i])).unwrap();
            let theirs = Tensor::from_fn([1, 1, 2, 3], |i| formula(i) as f32);
            let theirs = bare(3).predict(theirs).unwrap();
            for (a, b) in ours.as_slice().iter().zip(theirs.as_slice()) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{name}: {a} {b}");
            }
        }
    }

    #[test]
    fn they_are_told_as_formulas() {
        let told = |name: &str| Preprocessing::preset(name).unwrap().to_string();
        let imagenet = "(pixel / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]";
        assert_eq!(told("imagenet"), imagenet);
        assert_eq!(told("caffe"), "pixel - [123.68, 116.779, 103.939], blue first");
        assert_eq!((told("tf"), told("0-1")), ("pixel / 127.5 - 1".into(), "pixel / 255".into()));
        assert_eq!((told("lite"), told("none")), ("(pixel - 127) / 128".into(), "pixel".into()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = Preprocessing::preset("torch").unwrap_err().to_string();
        assert!(message.contains("imagenet, caffe, tf, 0-1, lite, none"), "{message}");
        let usual = Preprocessing::preset("0-1").unwrap();
        for (wrong, channels, says) in [
            (Preprocessing { mean: vec![0.5; 2], ..usual.clone() }, 3, "3 channels"),
            (Preprocessing { std: vec![0.0], ..usual.clone() }, 3, "nor std 0"),
            (Preprocessing { scale: f64::NAN, ..usual.clone() }, 3, "finite"),
            (Preprocessing { bgr: true, ..usual.clone() }, 1, "the network, which has 1"),
            (Preprocessing::preset("imagenet").unwrap(), 1, "1 channels"),
        ] {
            let message = wrong.in_front_of(bare(channels)).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
        assert!(usual.in_front_of(bare(1)).is_ok());
        let flat: Sequential = Sequential::builder([4]).layer(Dense::new(2)).build(27).unwrap();
        assert!(usual.in_front_of(flat).unwrap_err().to_string().contains("images"));
    }
}
