//! Renders single pictures and whole sets.

use crate::marker::Marker;
use crate::picture::{self, Picture};
use crate::sets::{Spec, SyntheticSet, specs};
use image::codecs::png::PngEncoder;
use nn_core::{Error, Result};
use nn_staging::{Policy, Stage, StagedFolder};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The default seed.
pub const DEFAULT_SEED: u64 = 27;

/// The default width and height of a picture: the input size of the network.
pub const DEFAULT_SIZE: u32 = 256;

/// Incremented whenever the same seed would give different pictures.
pub const RENDERER_VERSION: u32 = 3;

/// Renders one picture of `size` x `size` pixels, with the animal's mask. The same arguments always give
/// the same picture.
pub fn render_image(spec: &Spec, seed: u64, size: u32) -> Picture {
    let ground = spec.set.ground(spec.species);
    picture::compose(spec.species, spec.coat_quantile(seed), ground, seed, spec.stream(), size)
}

/// Renders `set` into the new folder `dir`, on all threads of the current rayon pool. `progress` is called,
/// from any thread, with the number of finished pictures; [`ControlFlow::Break`] stops the work.
///
/// The pictures are staged (see `nn_staging`), so `dir` is either complete or missing.
///
/// # Errors
/// If `size` is not between 32 and 4096, `dir` exists and is not empty, something cannot be
/// written, or `progress` stopped the work ([`Error::Interrupted`]).
pub fn render(
    set: SyntheticSet,
    seed: u64,
    dir: &Path,
    size: u32,
    progress: &(dyn Fn(usize) -> ControlFlow<()> + Sync),
) -> Result<Marker> {
    if !(32..=4096).contains(&size) {
        return Err(Error::setting(
            "the picture size",
            "between 32 and 4096",
            size,
            format!("the network reads {DEFAULT_SIZE}"),
        ));
    }
    let stage = Stage::open(dir, Policy::NewFolder, "choose another folder")?;
    let done = AtomicUsize::new(0);
    specs(set).par_iter().try_for_each(|spec| {
        write_picture(stage.folder(), spec, seed, size)?;
        match progress(done.fetch_add(1, Ordering::Relaxed) + 1) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    })?;
    let marker =
        Marker { kind: "stand-in".into(), set, seed, size, renderer_version: RENDERER_VERSION };
    marker.write(stage.folder())?;
    stage.commit()?;
    Ok(marker)
}

fn write_picture(folder: &StagedFolder, spec: &Spec, seed: u64, size: u32) -> Result<()> {
    let path = folder.path().join(spec.path());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    let picture = render_image(spec, seed, size);
    let mut png = Vec::new();
    let encoded = picture.rgb.write_with_encoder(PngEncoder::new(&mut png));
    encoded.map_err(|error| Error::file(&path, error, "try another picture size"))?;
    std::fs::write(&path, png).map_err(Error::io("write", &path))
}
