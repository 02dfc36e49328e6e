//! The background colour for transparent pixels.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The background colour for transparent pixels: red, green and blue, 0 to 255.
///
/// It is formatted as a name (`white`, `black`, `grey`) or as `#rrggbb`; `#rgb` and `r,g,b` are
/// parsed, too.
///
/// ```
/// use nn_core::data::AlphaBackground;
/// let background: AlphaBackground = "255, 0, 128".parse()?;
/// assert_eq!(background.to_string(), "#ff0080");
/// assert_eq!(AlphaBackground::default(), "white".parse()?);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlphaBackground(pub [u8; 3]);

/// The named colours; the first name of a colour is used for formatting.
const NAMES: [(&str, [u8; 3]); 4] =
    [("white", [255; 3]), ("black", [0; 3]), ("grey", [128; 3]), ("gray", [128; 3])];

impl AlphaBackground {
    /// White, the default.
    pub const WHITE: Self = Self([255; 3]);

    /// One channel of a pixel composited on the background; an `alpha` of 255 is opaque. As in
    /// browsers, the stored (gamma-encoded) values are mixed.
    pub(super) fn under(self, channel: usize, value: u8, alpha: u8) -> u8 {
        let alpha = u32::from(alpha);
        let mixed = u32::from(value) * alpha + u32::from(self.0[channel]) * (255 - alpha);
        ((mixed + 127) / 255) as u8
    }
}

impl Default for AlphaBackground {
    fn default() -> Self {
        Self::WHITE
    }
}

impl fmt::Display for AlphaBackground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, colour)| *colour == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.iter().try_fold(f.write_str("#")?, |(), v| write!(f, "{v:02x}")),
        }
    }
}

impl FromStr for AlphaBackground {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        colour(text.trim()).map(Self).ok_or_else(|| {
            Error::setting(
                "the background of transparent images",
                "white, black, grey, #rrggbb, or red,green,blue from 0 to 255",
                format!("{text:?}"),
                "choose a colour such as white, #808080 or 128,128,128",
            )
        })
    }
}

fn colour(text: &str) -> Option<[u8; 3]> {
    if let Some((_, colour)) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some(*colour);
    }
    if let Some(digits) = text.strip_prefix('#') {
        let digits: Vec<u8> =
            digits.chars().map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<_>>()?;
        return match digits[..] {
            [r, g, b] => Some([r, g, b].map(|v| v * 17)),
            [r, s, g, h, b, c] => Some([r << 4 | s, g << 4 | h, b << 4 | c]),
            _ => None,
        };
    }
    let values: Vec<u8> = text.split(',').map(|v| v.trim().parse().ok()).collect::<Option<_>>()?;
    values.try_into().ok()
}

impl TryFrom<String> for AlphaBackground {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<AlphaBackground> for String {
    fn from(background: AlphaBackground) -> Self {
        background.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_people_write_them() {
        for (text, colour, written) in [
            ("white", [255; 3], "white"),
            ("Black", [0; 3], "black"),
            ("gray", [128; 3], "grey"),
            ("#808080", [128; 3], "grey"),
            ("#0aF", [0, 170, 255], "#00aaff"),
            (" 1, 2,3 ", [1, 2, 3], "#010203"),
        ] {
            let read: AlphaBackground = text.parse().unwrap();
            assert_eq!((read.0, read.to_string().as_str()), (colour, written));
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<AlphaBackground>(&json).unwrap(), read);
        }
        for text in ["", "mauve", "#12", "#gggggg", "#é1", "1,2", "1,2,3,4", "256,0,0", "-1,0,0"] {
            let message = text.parse::<AlphaBackground>().unwrap_err().to_string();
            assert!(message.contains("red,green,blue"), "{text}: {message}");
        }
    }

    #[test]
    fn pixels_are_mixed_with_the_background_by_their_opacity() {
        let background: AlphaBackground = "255,0,100".parse().unwrap();
        let laid = |value, alpha| [0, 1, 2].map(|c| background.under(c, value, alpha));
        assert_eq!(laid(7, 255), [7; 3]);
        assert_eq!(laid(7, 0), [255, 0, 100]);
        assert_eq!(laid(100, 51), [224, 20, 100]);
    }
}
