//! The forms in which people may write settings: shorter than those that are stored.

use crate::kernels::Padding;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Reads a pair, vertical before horizontal: `[3, 5]`, or one number for both.
pub(super) fn pair<'de, D: Deserializer<'de>>(from: D) -> Result<(usize, usize), D::Error> {
    match from.deserialize_any(Written { padding: false })? {
        Form::Pair(pair) => Ok(pair),
        Form::Padding(_) => Err(de::Error::custom("expected a pair")),
    }
}

/// Like [`pair`], for a setting that may be left out.
pub(super) fn some_pair<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<(usize, usize)>, D::Error> {
    pair(from).map(Some)
}

/// Reads a padding: a name, the amounts, or as PyTorch has it one number, or `[vertical, horizontal]`.
pub(super) fn padding<'de, D: Deserializer<'de>>(from: D) -> Result<Padding, D::Error> {
    Ok(match from.deserialize_any(Written { padding: true })? {
        Form::Pair(pair) => Padding::symmetric(pair),
        Form::Padding(padding) => padding,
    })
}

enum Form {
    Pair((usize, usize)),
    Padding(Padding),
}

struct Written {
    /// Whether the forms of a padding are allowed beside those of a pair.
    padding: bool,
}

impl<'de> Visitor<'de> for Written {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.padding {
            false => "a whole number, or [vertical, horizontal]",
            true => {
                "valid, same, same_lower, a whole number, [vertical, horizontal], or \
                 { explicit = { top, bottom, left, right } }"
            }
        })
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Form, E> {
        let number = usize::try_from(number)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        Ok(Form::Pair((number, number)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Form, E> {
        let fits = u64::try_from(number);
        self.visit_u64(
            fits.map_err(|_| E::invalid_value(Unexpected::Signed(number), &"0 or more"))?,
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Form, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(sequence)).map(Form::Pair)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Form, E> {
        match self.padding {
            true => Padding::deserialize(StrDeserializer::new(name)).map(Form::Padding),
            false => Err(E::invalid_type(Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form, A::Error> {
        match self.padding {
            true => Padding::deserialize(MapAccessDeserializer::new(map)).map(Form::Padding),
            false => Err(de::Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}
