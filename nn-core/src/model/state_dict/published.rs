//! What torchvision and timm call the parameters of networks that this crate has by name.

/// A network as a library publishes it.
#[derive(Debug)]
pub struct Published {
    /// Its name here.
    pub network: &'static str,
    /// Whose names its parameters have.
    pub library: &'static str,
    /// What makes them the names here; without rules they are the same.
    pub rules: &'static [Rule],
    /// The library's name of the layer of the logits, and the numbers that it takes.
    pub classifier: (&'static str, usize),
    /// Mean and standard deviation of pixels from 0 to 1 that the usual weights were trained with.
    pub pixels: [[f64; 3]; 2],
}

/// The beginning of names: `*` stands for a number, `{2}` for that number and 2. What follows is renamed by the
/// rules `within`, if there are any.
#[derive(Debug)]
pub struct Rule {
    theirs: &'static str,
    ours: &'static str,
    within: &'static [Rule],
}

const fn rule(theirs: &'static str, ours: &'static str) -> Rule {
    Rule { theirs, ours, within: &[] }
}

const fn block(theirs: &'static str, ours: &'static str, within: &'static [Rule]) -> Rule {
    Rule { theirs, ours, within }
}

/// Of ImageNet's photographs.
const IMAGENET: [[f64; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// From -1 to 1.
const SYMMETRIC: [[f64; 3]; 2] = [[0.5; 3], [0.5; 3]];

const fn published(
    network: &'static str,
    library: &'static str,
    rules: &'static [Rule],
    classifier: (&'static str, usize),
    pixels: [[f64; 3]; 2],
) -> Published {
    Published { network, library, rules, classifier, pixels }
}

/// All of them.
pub const PUBLISHED: [Published; 10] = [
    published("resnet18", "torchvision and timm", &[], ("fc", 512), IMAGENET),
    published("resnet34", "torchvision and timm", &[], ("fc", 512), IMAGENET),
    published("resnet50", "torchvision and timm", &[], ("fc", 2048), IMAGENET),
    published("mobilenetv2", "torchvision", &[], ("classifier.1", 1280), IMAGENET),
    published("mobilenetv2", "timm", MOBILENETV2, ("classifier", 1280), IMAGENET),
    published("efficientnet_b0", "torchvision", &[], ("classifier.1", 1280), IMAGENET),
    published("efficientnet_b0", "timm", EFFICIENTNET_B0, ("classifier", 1280), IMAGENET),
    published("efficientnet_lite0", "timm", &[], ("classifier", 1280), IMAGENET),
    published("tf_efficientnet_b0", "timm", &[], ("classifier", 1280), IMAGENET),
    published("tf_efficientnet_lite0", "timm", &[], ("classifier", 1280), SYMMETRIC),
];

const MOBILENETV2: &[Rule] = &[
    rule("conv_stem", "features.0.0"),
    rule("bn1", "features.0.1"),
    block("blocks.0.0", "features.1.conv", SEPARABLE),
    block("blocks.1.*", "features.{2}.conv", INVERTED),
    block("blocks.2.*", "features.{4}.conv", INVERTED),
    block("blocks.3.*", "features.{7}.conv", INVERTED),
    block("blocks.4.*", "features.{11}.conv", INVERTED),
    block("blocks.5.*", "features.{14}.conv", INVERTED),
    block("blocks.6.*", "features.{17}.conv", INVERTED),
    rule("conv_head", "features.18.0"),
    rule("bn2", "features.18.1"),
    rule("classifier", "classifier.1"),
];

const SEPARABLE: &[Rule] =
    &[rule("conv_dw", "0.0"), rule("bn1", "0.1"), rule("conv_pw", "1"), rule("bn2", "2")];

const INVERTED: &[Rule] = &[
    rule("conv_pw", "0.0"),
    rule("bn1", "0.1"),
    rule("conv_dw", "1.0"),
    rule("bn2", "1.1"),
    rule("conv_pwl", "2"),
    rule("bn3", "3"),
];

const EFFICIENTNET_B0: &[Rule] = &[
    rule("conv_stem", "features.0.0"),
    rule("bn1", "features.0.1"),
    block("blocks.0.*", "features.1.{0}.block", SEPARABLE_SQUEEZED),
    block("blocks.1.*", "features.2.{0}.block", INVERTED_SQUEEZED),
    block("blocks.2.*", "features.3.{0}.block", INVERTED_SQUEEZED),
    block("blocks.3.*", "features.4.{0}.block", INVERTED_SQUEEZED),
    block("blocks.4.*", "features.5.{0}.block", INVERTED_SQUEEZED),
    block("blocks.5.*", "features.6.{0}.block", INVERTED_SQUEEZED),
    block("blocks.6.*", "features.7.{0}.block", INVERTED_SQUEEZED),
    rule("conv_head", "features.8.0"),
    rule("bn2", "features.8.1"),
    rule("classifier", "classifier.1"),
];

const SEPARABLE_SQUEEZED: &[Rule] = &[
    rule("conv_dw", "0.0"),
    rule("bn1", "0.1"),
    rule("se.conv_reduce", "1.fc1"),
    rule("se.conv_expand", "1.fc2"),
    rule("conv_pw", "2.0"),
    rule("bn2", "2.1"),
];

const INVERTED_SQUEEZED: &[Rule] = &[
    rule("conv_pw", "0.0"),
    rule("bn1", "0.1"),
    rule("conv_dw", "1.0"),
    rule("bn2", "1.1"),
    rule("se.conv_reduce", "2.fc1"),
    rule("se.conv_expand", "2.fc2"),
    rule("conv_pwl", "3.0"),
    rule("bn3", "3.1"),
];

impl Published {
    /// The name here of a parameter; `None` if no rule knows it.
    pub fn ours(&self, theirs: &str) -> Option<String> {
        renamed(self.rules, theirs)
    }

    /// The library's name of a parameter here; `None` if no rule knows it.
    pub fn theirs(&self, ours: &str) -> Option<String> {
        original(self.rules, ours)
    }
}

fn renamed(rules: &[Rule], name: &str) -> Option<String> {
    if rules.is_empty() {
        return Some(name.to_owned());
    }
    rules.iter().find_map(|rule| {
        let (number, rest) = begins(name, rule.theirs)?;
        Some(format!("{}.{}", filled(rule.ours, number), renamed(rule.within, rest)?))
    })
}

/// The opposite of [`renamed`]. Of the rules that count on from each other, the last that can be is meant.
fn original(rules: &[Rule], name: &str) -> Option<String> {
    if rules.is_empty() {
        return Some(name.to_owned());
    }
    rules.iter().rev().find_map(|rule| {
        let (number, rest) = begins(name, rule.ours)?;
        Some(format!("{}.{}", filled(rule.theirs, number), original(rule.within, rest)?))
    })
}

/// The number that a beginning of a name has at `*` or `{n}`, less that `n`, and what follows the beginning.
fn begins<'a>(name: &'a str, pattern: &str) -> Option<(usize, &'a str)> {
    let (mut number, mut rest) = (0, name);
    for part in pattern.split('.') {
        let (own, after) = rest.split_once('.')?;
        match counted_from(part) {
            Some(first) => number = written(own)?.checked_sub(first)?,
            None if own == part => {}
            None => return None,
        }
        rest = after;
    }
    Some((number, rest))
}

/// A pattern with the number in its place.
fn filled(pattern: &str, number: usize) -> String {
    let part = |part: &str| match counted_from(part) {
        Some(first) => number.saturating_add(first).to_string(),
        None => part.to_owned(),
    };
    pattern.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// What `*` or `{n}` adds to the number that it stands for; `None` for any other part of a pattern.
fn counted_from(part: &str) -> Option<usize> {
    match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(first) => first.parse().ok(),
        None => (part == "*").then_some(0),
    }
}

/// A number as names have it: without zeros or a sign in front.
fn written(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number: &usize| number.to_string() == text)
}
