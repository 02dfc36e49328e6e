//! What was changed in images when they were read, as text.

use crate::format;
use nn_core::data::{AlphaBackground, Treated};

/// The changes: `12 images with transparency, laid on white; 30 images of 12 bits in 16`.
pub fn done(treated: &Treated) -> Option<String> {
    let images = |n: usize| format::plural(n as u64, "image");
    let mut parts = Vec::new();
    let mut say = |n: usize, text: String| {
        if n > 0 {
            parts.push(text);
        }
    };
    let n = treated.transparent;
    say(n, format!("{} with transparency, laid on {}", images(n), treated.alpha_background));
    for (&bits, &n) in &treated.bits {
        let what = if bits < 16 { "in 16" } else { "brought to 8" };
        say(n, format!("{} of {bits} bits {what}", images(n)));
    }
    let n = treated.spread;
    say(n, format!("{} in a small part of 16 bits, spread from least to largest value", images(n)));
    let n = treated.floating_point;
    say(n, format!("{} of floating-point numbers", images(n)));
    let n = treated.animations;
    let animations = format::plural(n as u64, "animation");
    say(n, format!("{animations}, of which one frame was taken"));
    let n = treated.multi_page;
    let files = format::plural(n as u64, "file");
    say(n, format!("{files} of several pages, of which the first was taken"));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A warning if images become invisible on their background.
pub fn warning(treated: &Treated) -> Option<String> {
    let n = treated.vanished;
    let background = treated.alpha_background;
    let other = if background == AlphaBackground([0; 3]) { "white" } else { "black" };
    (n > 0).then(|| {
        format!(
            "{} with transparency {} one colour on {background}, so that nothing is seen of what \
             they show; choose another background, say --alpha-background {other}",
            format::plural(n as u64, "image"),
            if n == 1 { "is" } else { "are" },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::data::{Depth, Treatment};

    #[test]
    fn what_was_done_is_said_and_nothing_else() {
        let mut treated = Treated::on("#102030".parse().unwrap());
        assert_eq!((done(&treated), warning(&treated)), (None, None));
        treated.add(&Treatment::default());
        assert_eq!(done(&treated), None);
        for depth in [Depth::Bits(12), Depth::Bits(12), Depth::Bits(16), Depth::Spread] {
            treated.add(&Treatment { depth: Some(depth), ..Treatment::default() });
        }
        treated.add(&Treatment { transparent: true, vanished: true, ..Treatment::default() });
        treated.add(&Treatment { animation: true, pages: true, ..Treatment::default() });
        assert_eq!(
            done(&treated).unwrap(),
            "1 image with transparency, laid on #102030; 2 images of 12 bits in 16; 1 image of 16 \
             bits brought to 8; 1 image in a small part of 16 bits, spread from least to largest \
             value; 1 animation, of which one frame was taken; 1 file of several pages, of which \
             the first was taken"
        );
        let warning = warning(&treated).unwrap();
        assert!(
            warning.contains("1 image with transparency is one colour on #102030"),
            "{warning}"
        );
    }
}
