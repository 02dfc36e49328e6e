//! What is said of a network's input and classes beside the network itself: on the command line, in a file beside the
//! model, in the model's metadata. The first that says a thing counts.

use crate::args::{ChannelOrder, ElsewhereArgs};
use crate::failure::Failure;
use crate::hints;
use nn_core::data::{Resampling, Resize, ResizeMode};
use nn_core::model::Preprocessing;
use std::path::PathBuf;

/// A setting, and what says it, in words for people.
#[derive(Debug, Clone)]
pub struct Said<T> {
    pub value: T,
    pub by: String,
}

impl<T> Said<T> {
    pub fn new(value: T, by: impl Into<String>) -> Self {
        Self { value, by: by.into() }
    }
}

/// How pixels become what a network takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    pub preprocessing: Preprocessing,
    /// How images are resized for it unless something else is said.
    pub resize: Resize,
}

/// The names of classes, or a file of them.
#[derive(Debug, Clone)]
pub enum Classes {
    File(PathBuf),
    Names(Vec<String>),
}

/// What is said by one source, or by several.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub pixels: Option<Said<Pixels>>,
    pub channels: Option<Said<ChannelOrder>>,
    pub mode: Option<Said<ResizeMode>>,
    pub resampling: Option<Said<Resampling>>,
    pub crop_pct: Option<Said<f64>>,
    /// Height and width.
    pub input_size: Option<Said<(usize, usize)>>,
    /// The same, only for a model that takes any.
    pub usual_size: Option<(usize, usize)>,
    pub classes: Option<Said<Classes>>,
    /// What a source says and is not done.
    pub warnings: Vec<String>,
}

impl Pixels {
    /// A preset. That of ImageNet resizes as torchvision does: the middle, antialiased.
    ///
    /// # Errors
    /// If there is none of this name; the text says which there are.
    pub fn preset(name: &str) -> Result<Self, String> {
        let preprocessing = Preprocessing::preset(name).map_err(|error| {
            let known = Preprocessing::presets().map(|(name, _)| name);
            format!("{error}{}", hints::did_you_mean(name, known))
        })?;
        let resize = match name {
            "imagenet" => Resize::from(ResizeMode::Crop).resampling(Resampling::Bilinear),
            _ => Resize::default(),
        };
        Ok(Self { preprocessing, resize })
    }

    /// What numbers say; `None` without any. Pixels are from 0 to 1 where none is above 1, unless a scale is given.
    ///
    /// # Errors
    /// If they do not say whether pixels are from 0 to 255 or from 0 to 1.
    pub fn of_numbers(
        mean: Option<Vec<f64>>,
        std: Option<Vec<f64>>,
        scale: Option<f64>,
    ) -> Result<Option<Self>, &'static str> {
        if mean.is_none() && std.is_none() && scale.is_none() {
            return Ok(None);
        }
        let (mean, std) = (mean.unwrap_or_else(|| vec![0.0]), std.unwrap_or_else(|| vec![1.0]));
        let all = |of: fn(f64) -> bool| mean.iter().chain(&std).all(|&number| of(number));
        let changes_nothing =
            mean.iter().all(|&mean| mean == 0.0) && std.iter().all(|&std| std == 1.0);
        let scale = match scale {
            Some(scale) => scale,
            None if changes_nothing => {
                return Err(
                    "a mean of 0 and a std of 1 do not say whether pixels are from 0 to 255 or from 0 to 1; \
                            add a scale of 1 or 1/255",
                );
            }
            None if all(|number| number.abs() <= 1.0) => 1.0 / 255.0,
            None => 1.0,
        };
        let preprocessing = Preprocessing { scale, mean, std, bgr: false };
        Ok(Some(Self { preprocessing, resize: Resize::default() }))
    }
}

impl Settings {
    /// What the command line says.
    ///
    /// # Errors
    /// If a name is unknown, or numbers leave open what they mean.
    pub fn of_args(args: &ElsewhereArgs) -> Result<Self, Failure> {
        let numbers =
            |given: &Option<crate::args::PerChannel>| given.as_ref().map(|given| given.0.clone());
        let pixels = match &args.preset {
            Some(name) => {
                let preset = Pixels::preset(name)
                    .map_err(|told| Failure::usage(format!("--preset: {told}")))?;
                Some(Said::new(preset, format!("--preset {name}")))
            }
            None => {
                let given = [
                    ("--mean", args.mean.is_some()),
                    ("--std", args.std.is_some()),
                    ("--scale", args.scale.is_some()),
                ];
                let given: Vec<_> =
                    given.into_iter().filter(|given| given.1).map(|given| given.0).collect();
                let pixels =
                    Pixels::of_numbers(numbers(&args.mean), numbers(&args.std), args.scale);
                let pixels = pixels.map_err(|told| {
                    Failure::usage(format!("{}: {told} (--scale 1/255)", given.join(" and ")))
                })?;
                pixels.map(|pixels| Said::new(pixels, given.join(", ")))
            }
        };
        let crop_pct = args.crop_pct.map(|share| Said::new(share, "--crop-pct"));
        Ok(Self {
            pixels,
            channels: args.channels.map(|order| Said::new(order, "--channels")),
            mode: args.resize.map(|mode| Said::new(mode, "--resize")),
            resampling: args
                .interpolation
                .map(|resampling| Said::new(resampling, "--interpolation")),
            crop_pct,
            input_size: args
                .input_size
                .map(|size| Said::new((size.height, size.width), "--input-size")),
            classes: args.classes.clone().map(|path| Said::new(Classes::File(path), "--classes")),
            ..Self::default()
        })
    }

    /// These, and of what they leave open what `lower` says.
    pub fn or(self, lower: Self) -> Self {
        Self {
            pixels: self.pixels.or(lower.pixels),
            channels: self.channels.or(lower.channels),
            mode: self.mode.or(lower.mode),
            resampling: self.resampling.or(lower.resampling),
            crop_pct: self.crop_pct.or(lower.crop_pct),
            input_size: self.input_size.or(lower.input_size),
            usual_size: self.usual_size.or(lower.usual_size),
            classes: self.classes.or(lower.classes),
            warnings: [self.warnings, lower.warnings].concat(),
        }
    }

    /// What a model remembers of resizing, said by `by`.
    pub fn of_resize(resize: Resize, by: &str) -> Self {
        Self {
            mode: Some(Said::new(resize.mode, by)),
            resampling: Some(Said::new(resize.resampling, by)),
            crop_pct: Some(Said::new(resize.kept(), by)),
            ..Self::default()
        }
    }

    /// How pixels are prepared, with the order of channels; and what says so.
    pub fn preprocessing(&self) -> Option<(Preprocessing, String)> {
        let Said { value: Pixels { preprocessing, .. }, by } = self.pixels.clone()?;
        Some(match &self.channels {
            None => (preprocessing, by),
            Some(order) => {
                let bgr = order.value == ChannelOrder::Bgr;
                let by = if order.by == by { by } else { format!("{by}, {}", order.by) };
                (Preprocessing { bgr, ..preprocessing }, by)
            }
        })
    }

    /// How images are resized: `usual` where neither a setting nor the pixels' preset says it; and what says so, which
    /// is empty then.
    ///
    /// # Errors
    /// If a share is out of range, or is given where images are not cropped.
    pub fn resize(&self, usual: Resize) -> Result<(Resize, String), Failure> {
        let usual = self.pixels.as_ref().map_or(usual, |pixels| pixels.value.resize);
        let mut by: Vec<&str> = Vec::new();
        let mut resize = usual;
        if let Some(mode) = &self.mode {
            resize.mode = mode.value;
            by.push(&mode.by);
        }
        if let Some(resampling) = &self.resampling {
            resize.resampling = resampling.value;
            by.push(&resampling.by);
        }
        if let Some(share) = &self.crop_pct {
            if resize.mode != ResizeMode::Crop && share.by == "--crop-pct" {
                return Err(Failure::usage(format!(
                    "--crop-pct {}: images are not cropped but resized by {}; add --resize crop",
                    share.value, resize.mode
                )));
            }
            resize = resize.crop_pct(share.value)?;
            by.push(&share.by);
        }
        by.dedup();
        Ok((resize, by.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_pixels(name: &str) -> Settings {
        let pixels = Some(Said::new(Pixels::preset(name).unwrap(), name));
        Settings { pixels, ..Settings::default() }
    }

    #[test]
    fn the_first_that_says_a_thing_counts() {
        let mode = Some(Said::new(ResizeMode::Letterbox, "file"));
        let file = Settings { mode, ..of_pixels("lite") };
        let metadata = Settings::of_resize("crop bicubic 0.9".parse().unwrap(), "metadata");
        let merged = of_pixels("caffe").or(file).or(metadata);
        assert_eq!(merged.preprocessing().unwrap().1, "caffe");
        let (resize, by) = merged.resize(Resize::default()).unwrap();
        assert_eq!((resize.to_string(), &*by), ("letterbox bicubic 0.9".into(), "file, metadata"));
        let order = Some(Said::new(ChannelOrder::Rgb, "file"));
        let rgb = Settings { channels: order, ..of_pixels("caffe") };
        let (preprocessing, by) = rgb.preprocessing().unwrap();
        assert_eq!((preprocessing.bgr, &*by), (false, "caffe, file"));
    }

    #[test]
    fn a_preset_says_how_its_networks_saw_images() {
        let resize =
            |settings: &Settings| settings.resize(Resize::default()).unwrap().0.to_string();
        assert_eq!(resize(&of_pixels("imagenet")), "crop bilinear");
        assert_eq!(resize(&of_pixels("lite")), "squash");
        let mode = Some(Said::new(ResizeMode::Squash, "--resize"));
        assert_eq!(resize(&Settings { mode, ..of_pixels("imagenet") }), "squash bilinear");
    }
}
