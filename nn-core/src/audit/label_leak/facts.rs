//! Computes the facts of a set of images, in groups.

use super::fact::{Fact, GROUPS, Values, Word, days};
use super::file_names::Names;
use crate::audit::file_facts::FileFacts;
use crate::audit::file_facts::tones::{CORNER_NAMES, CORNERS};

/// The mean saturation, in grey levels, below which an image is grey up to rounding.
const GREY: f64 = 0.5;

/// The facts of `images`, and those derived from their `names`.
pub fn facts(images: &[&FileFacts], names: &Names) -> Vec<Fact> {
    let mut facts = Vec::new();
    let place = |name| GROUPS.iter().position(|group| group.name == name).unwrap_or_default();
    let mut number = |group, name: &str, unit, value: &dyn Fn(&FileFacts) -> f64| {
        let values = Values::Numbers(images.iter().map(|facts| value(facts)).collect());
        facts.push(Fact { group: place(group), name: name.to_string(), unit, values });
    };
    number("image size", "width", " px", &|f| f.width as f64);
    number("image size", "height", " px", &|f| f.height as f64);
    number("image size", "aspect", "", &|f| f.width as f64 / f.height as f64);
    number("format", "JPEG quality", "", &|f| f64::from(f.encoding.quality));
    number("file size", "file size", " bytes", &|f| f.bytes as f64);
    number("file size", "bytes per pixel", "", &|f| f.bytes as f64 / (f.width * f.height) as f64);
    number("file size", "bytes after the picture's end", "", &|f| f.encoding.trailing as f64);
    let colours = ["red", "green", "blue"];
    for (c, colour) in colours.into_iter().enumerate() {
        number("mean colour", &format!("mean {colour}"), "", &|f| f.tones.mean[c]);
        number("border", &format!("{colour} of the border"), "", &|f| f.tones.ring[c]);
        let name = format!("range of {colour} in the border");
        number("border", &name, "", &|f| f.tones.ring[c + 3]);
        number("tone", &format!("darkest {colour}"), "", &|f| f.tones.darkest[c]);
        number("tone", &format!("brightest {colour}"), "", &|f| f.tones.brightest[c]);
    }
    let opposed = |rgb: &[f64]| [rgb[0] - rgb[1], rgb[2] - (rgb[0] + rgb[1]) / 2.0];
    for (i, name) in ["red minus green", "blue minus yellow"].into_iter().enumerate() {
        number("mean colour", &format!("mean {name}"), "", &|f| opposed(&f.tones.mean)[i]);
        number("border", &format!("{name} of the border"), "", &|f| opposed(&f.tones.ring)[i]);
    }
    number("border", "plain frame", " px", &|f| f.tones.frame as f64);
    let most = "outermost line of the most uneven side, spread of grey";
    number("border", most, "", &|f| f.tones.line_spread[0]);
    let least = "outermost line of the most even side, spread of grey";
    number("border", least, "", &|f| f.tones.line_spread[1]);
    number("border", "outermost line minus the third, grey", "", &|f| f.tones.line_step);
    number("tone", "saturation", "", &|f| f.tones.saturation);
    number("tone", "saturation for its contrast", "", &|f| {
        f.tones.saturation / (f.tones.contrast + 1.0)
    });
    number("tone", "contrast", "", &|f| f.tones.contrast);
    number("sharpness", "sharpness", "", &|f| f.tones.sharpness);
    number("sharpness", "fine detail", "", &|f| f.tones.fine_detail);
    number("sharpness", "steps between 8 x 8 blocks", "", &|f| f.tones.blocks);
    for (corner, place) in CORNER_NAMES.into_iter().enumerate() {
        for (s, side) in CORNERS.into_iter().enumerate() {
            let square = match side {
                1 => format!("{place} pixel"),
                _ => format!("{place} {side} x {side} px"),
            };
            let name = format!("{square}, grey");
            number("corners", &name, "", &|f| f.tones.corner[corner][s]);
            let name = format!("{square} minus what is around, grey");
            number("corners", &name, "", &|f| f.tones.corner_step[corner][s]);
            if side > 1 {
                let name = format!("{square}, spread of grey");
                number("corners", &name, "", &|f| f.tones.corner_spread[corner][s]);
            }
        }
    }
    facts.push(Fact {
        group: place("format"),
        name: "day in EXIF".into(),
        unit: "",
        values: Values::Days(images.iter().map(|f| days(&f.encoding.date)).collect()),
    });
    let mut word = |group, name: &str, value: &dyn Fn(&FileFacts) -> String| {
        let word = |is: String| Word { shown: is.clone(), is };
        let values = Values::Words(images.iter().map(|facts| word(value(facts))).collect());
        facts.push(Fact { group: place(group), name: name.to_string(), unit: "", values });
    };
    word("image size", "size", &|f| format!("{} x {} px", f.width, f.height));
    word("format", "format", &|f| f.encoding.format.clone());
    word("format", "chroma subsampling", &|f| f.encoding.sampling.clone());
    word("format", "progressive or interlaced", &|f| yes(f.encoding.progressive));
    word("format", "transparency", &|f| yes(f.encoding.alpha));
    word("format", "grey image", &|f| yes(f.tones.saturation < GREY));
    word("format", "pixels", &|f| f.encoding.pixels.clone());
    word("format", "camera", &|f| f.encoding.camera.clone());
    word("format", "software", &|f| f.encoding.software.clone());
    word("format", "day in EXIF", &|f| f.encoding.date.chars().take(10).collect());
    word("format", "colour profile", &|f| f.encoding.profile.clone());
    word("format", "comment", &|f| f.encoding.comment.clone());
    word("format", "resolution", &|f| f.encoding.density.clone());
    // Of equal facts the first is reported, so the more specific ones come first.
    word("format", "EXIF", &|f| yes(f.encoding.exif));
    word("format", "parts of the file", &|f| f.encoding.parts.clone());
    let tables = |f: &&FileFacts| Word {
        is: f.encoding.tables.to_string(),
        shown: f.encoding.compression(),
    };
    facts.push(Fact {
        group: place("format"),
        name: "compression".into(),
        unit: "",
        values: Values::Words(images.iter().map(tables).collect()),
    });
    facts.extend(names.facts(place("file name")));
    facts
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.into()
}
