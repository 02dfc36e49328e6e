//! The common parts of all pages: title, style, script and the built-in fonts.

use crate::ImageSet;
use crate::Kind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The common parts of a page, as used by `base.html`.
pub struct Base {
    /// The kind of the page, shown above the title.
    pub kicker: String,
    pub title: String,
    /// The result in one or two sentences, shown below the title; empty if it is elsewhere on the page.
    pub lede: String,
    /// An important notice, such as that the images are drawings.
    pub notice: Option<String>,
    /// The sections' ids and names.
    pub sections: Vec<(&'static str, &'static str)>,
    pub version: &'static str,
    pub style: &'static str,
    pub script: &'static str,
    /// `@font-face` rules with embedded fonts.
    pub fonts: String,
}

/// The sections of a page about trained models: ids and names.
const RESULT: [(&str, &str); 7] = [
    ("result", "Result"),
    ("training", "Training"),
    ("answers", "Confusion matrix"),
    ("heat", "Heat maps"),
    ("errors", "Worst errors"),
    ("images", "Images and network"),
    ("repeat", "Repeat it"),
];

impl Base {
    /// The common parts of a page about trained models; other pages replace the sections.
    pub fn new(kicker: &str, title: String, lede: String) -> Self {
        Self {
            kicker: kicker.to_string(),
            title,
            lede,
            notice: None,
            sections: RESULT.to_vec(),
            version: env!("CARGO_PKG_VERSION"),
            style: include_str!("../../templates/style.css"),
            script: include_str!("../../templates/script.js"),
            fonts: fonts(),
        }
    }

    /// Adds a notice if any of `sets` is synthetic.
    pub fn about(self, sets: &[&ImageSet]) -> Self {
        let sets: Vec<_> = sets.iter().map(|set| (set.name.as_str(), set.kind)).collect();
        self.about_kinds(&sets)
    }

    /// [`Base::about`], by names and kinds.
    pub fn about_kinds(mut self, sets: &[(&str, Kind)]) -> Self {
        let drawn: Vec<&str> =
            sets.iter().filter(|set| set.1 == Kind::StandIn).map(|set| set.0).collect();
        if !drawn.is_empty() {
            self.notice = Some(format!(
                "Stand-in data: the images of {} are drawn, not photographed.",
                drawn.join(", ")
            ));
        }
        self
    }
}

/// The credit for the photographs, if images of this kind are photographs.
pub fn credit_for(kind: Kind) -> Option<&'static str> {
    (kind == Kind::Published).then_some(
        "The photographs are those that Shaivi Malik published with the notebook \u{201c}Exploring \
         ConvNet Activations\u{201d}, which does not say who took them.",
    )
}

/// The origin of a set's images, as text for the page.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Published => "published photographs, checksums match",
        Kind::StandIn => "stand-in: drawn animals, not photographs",
        Kind::Folder => "images from your folder, not the published set",
    }
}

/// The credit for the photographs, if any of `sets` contains them.
pub fn credit(sets: &[&ImageSet]) -> Option<&'static str> {
    sets.iter().find_map(|set| credit_for(set.kind))
}

fn fonts() -> String {
    nn_figures::FONTS.iter().fold(String::new(), |rules, (weight, bytes)| {
        rules
            + &format!(
                "@font-face {{ font-family: Inter; font-weight: {weight}; font-display: block; \
                 src: url(data:font/ttf;base64,{}) format(\"truetype\"); }}\n",
                STANDARD.encode(bytes)
            )
    })
}
