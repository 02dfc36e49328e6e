//! `nn-cli model export`: writes a model as ONNX, or as our own file.

use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::model::preprocessing::{Prepared, bare};
use crate::model::{self, Opened};
use crate::ui::Console;
use nn_core::Error;
use nn_core::data::Resize;
use nn_core::model::{Preprocessing, save_with};
use nn_onnx::Export;
use nn_study::run_folder::RESIZE_NOTE;
use serde::Serialize;
use std::path::Path;

/// The result, as printed by `--json`.
#[derive(Serialize)]
struct Written<'a> {
    onnx: Option<&'a Path>,
    safetensors: Option<&'a Path>,
    /// How pixels from 0 to 255 become what the network takes, in words.
    preprocessing: Option<String>,
    classes: Option<&'a [String]>,
}

pub fn run(args: &ExportArgs, console: &Console) -> Result<(), Failure> {
    let (opened, settings) = model::opened(&args.model, &args.elsewhere, console)?;
    for path in [&args.onnx, &args.safetensors].into_iter().flatten() {
        if path.exists() && !args.overwrite {
            let remedy = "choose another name, or replace it with --overwrite";
            return Err(Failure::usage(Error::file(path, "exists already", remedy)));
        }
    }
    let classes = model::class_names(&opened, &settings)?;
    // An ONNX file need not say how pixels become its input; ours takes pixels.
    let is_silent = opened.onnx.is_some() && settings.preprocessing().is_none();
    let may_be_silent = args.safetensors.is_none() && !args.with_preprocessing;
    let prepared = match is_silent && may_be_silent {
        true => None,
        false => Some(Prepared::of(&opened, &settings)?),
    };
    match &prepared {
        None => console.warn(
            "the file will not say how pixels become its input, as this one does not; say it with --preset, which \
             `nn-cli model check` finds out",
        ),
        Some(prepared) => prepared.told.iter().for_each(|told| console.note(told)),
    }
    if classes.is_none() {
        console.note("without names of classes; say them with --classes");
    }
    if let Some(path) = &args.onnx {
        write_onnx(path, &opened, prepared.as_ref(), classes.as_deref(), args.with_preprocessing)?;
        console.note(&format!("written to {}", path.display()));
    }
    if let (Some(path), Some(Prepared { model, resize, .. })) = (&args.safetensors, &prepared) {
        let mut notes = opened.notes.clone();
        notes.remove(RESIZE_NOTE);
        if *resize != Resize::default() {
            notes.insert(RESIZE_NOTE.into(), resize.to_string());
        }
        save_with(path, model, classes.as_deref(), &notes)?;
        console.note(&format!("written to {}", path.display()));
    }
    let preprocessing = prepared.and_then(|prepared| prepared.preprocessing);
    console.json(&Written {
        onnx: args.onnx.as_deref(),
        safetensors: args.safetensors.as_deref(),
        preprocessing: preprocessing.map(|preprocessing| preprocessing.to_string()),
        classes: classes.as_deref(),
    })?;
    Ok(())
}

/// Writes the network as it takes numbers, and as metadata what is done to pixels before; or all of it as nodes.
fn write_onnx(
    path: &Path,
    opened: &Opened,
    prepared: Option<&Prepared>,
    classes: Option<&[String]>,
    with_preprocessing: bool,
) -> Result<(), Failure> {
    let bare = bare(opened);
    let mut export = match prepared {
        None => Export::new(&bare),
        Some(prepared) => {
            let export = match (&prepared.preprocessing, with_preprocessing) {
                (Some(known), false) => Export::new(&bare).preprocessing(known),
                (Some(known), true) => {
                    Export::new(&bare).preprocessing(known).preprocessing_in_graph()
                }
                // Layers of its own file.
                (None, false) => Export::new(&prepared.model).front_as_preprocessing(),
                (None, true) => {
                    Export::new(&prepared.model).preprocessing(&Preprocessing::preset("none")?)
                }
            };
            export.resize(prepared.resize)
        }
    };
    if let Some(names) = classes {
        export = export.class_names(names);
    }
    Ok(export.write(path)?)
}
