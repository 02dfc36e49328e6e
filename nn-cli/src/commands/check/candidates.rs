//! The ways in which a model may take pixels.

use crate::model::settings::Pixels;
use nn_core::data::{Resampling, Resize, ResizeMode};
use nn_core::model::{Preprocessing, Sequential};

/// One way.
pub struct Candidate {
    /// The preset's name; `None` for what is said of the model already.
    pub preset: Option<&'static str>,
    pub bgr: bool,
    pub resize: Resize,
    /// The network behind it.
    pub model: Sequential,
}

impl Candidate {
    /// All usual ways for the network, which takes no pixels itself.
    pub fn usual(bare: &Sequential) -> Vec<Self> {
        let resizes = [
            Resize::from(ResizeMode::Crop).resampling(Resampling::Bilinear),
            ResizeMode::Squash.into(),
            ResizeMode::Letterbox.into(),
        ];
        let mut found = Vec::new();
        for (preset, _) in Preprocessing::presets() {
            let Ok(pixels) = Pixels::preset(preset) else { continue };
            let own = pixels.preprocessing.bgr;
            for bgr in [own, !own] {
                let mut preprocessing = pixels.preprocessing.clone();
                preprocessing.bgr = bgr;
                // Networks of grey images take no colours in any order.
                let Ok(model) = preprocessing.in_front_of(bare.clone()) else { continue };
                let way =
                    |&resize| Self { preset: Some(preset), bgr, resize, model: model.clone() };
                found.extend(resizes.iter().map(way));
            }
        }
        found
    }

    /// How pixels are scaled; `None` if that is said already.
    pub fn preprocessing(&self) -> Option<Preprocessing> {
        let usual = Pixels::preset(self.preset?).ok()?.preprocessing;
        Some(Preprocessing { bgr: self.bgr, ..usual })
    }

    /// `rgb` or `bgr`.
    pub fn channels(&self) -> &'static str {
        if self.bgr { "bgr" } else { "rgb" }
    }

    /// The options that say it; `None` if it is said already.
    pub fn options(&self) -> Option<String> {
        let preset = self.preset?;
        let usual = Pixels::preset(preset).ok()?;
        let mut options = format!("--preset {preset}");
        let mut option = |differs: bool, name: &str, value: &str| {
            if differs {
                options += &format!(" --{name} {value}");
            }
        };
        option(usual.preprocessing.bgr != self.bgr, "channels", self.channels());
        option(usual.resize.mode != self.resize.mode, "resize", self.resize.mode.name());
        let resampling = self.resize.resampling;
        option(usual.resize.resampling != resampling, "interpolation", resampling.name());
        Some(options)
    }
}
