//! What every page has: title, style, script and the fonts that are built in.

use crate::ImageSet;
use crate::Kind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The head of a page, as `base.html` shows it.
pub struct Base {
    /// Above the title: what kind of page this is.
    pub kicker: String,
    pub title: String,
    /// Below it: the result in one or two sentences; empty where the page says it elsewhere.
    pub lede: String,
    /// What nobody may overlook, such as that the images are drawings.
    pub notice: Option<String>,
    /// The sections' ids and names.
    pub sections: Vec<(&'static str, &'static str)>,
    pub version: &'static str,
    pub style: &'static str,
    pub script: &'static str,
    /// `@font-face` rules with the fonts in them.
    pub fonts: String,
}

/// The sections of a page about trained models.
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
    /// The head of the page `title` about trained models; other pages set their own sections.
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

    /// Says so if any of `sets` is drawn.
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

/// Who published the photographs, if images of this kind are shown.
pub fn credit_for(kind: Kind) -> Option<&'static str> {
    (kind == Kind::Published).then_some(
        "The photographs are those that Shaivi Malik published with the notebook \u{201c}Exploring \
         ConvNet Activations\u{201d}, which does not say who took them.",
    )
}

/// What a set's images are, in the page's words.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Published => "published photographs, checksums match",
        Kind::StandIn => "stand-in: drawn animals, not photographs",
        Kind::Folder => "images from your folder, not the published set",
    }
}

/// Who published the photographs, if they are shown.
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
