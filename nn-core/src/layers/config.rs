//! Layers as data, to be stored and read.

use serde::de::{self, DeserializeOwned, MapAccess};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

/// A layer as data: its kind and its settings. In JSON, `{"kind": "Conv2D", "filters": 64, ..}`.
///
/// [`LayerSpec::config`](super::LayerSpec::config) gives it, [`LayerKinds`](super::LayerKinds) makes a
/// layer of it.
///
/// ```
/// use nn_core::layers::{Dense, LayerConfig, LayerKinds, LayerSpec};
/// let dense = Dense::new(3).config().unwrap();
/// let text = serde_json::to_string(&dense).unwrap();
/// assert!(text.starts_with(r#"{"kind":"Dense","units":3,"#));
/// let read: LayerConfig = serde_json::from_str(&text).unwrap();
/// let layer = LayerKinds::<f32>::built_in().layer(read)?;
/// assert_eq!(layer.config(), Some(dense));
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerConfig {
    kind: String,
    /// In the order in which the layer declares them.
    settings: Vec<(String, Value)>,
}

/// In whatever order the settings are.
impl PartialEq for LayerConfig {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |of: &Self| {
            let mut settings: Vec<_> = of.settings.clone();
            settings.sort_by(|a, b| a.0.cmp(&b.0));
            settings
        };
        self.kind == other.kind && sorted(self) == sorted(other)
    }
}

impl LayerConfig {
    /// The configuration of a layer with these settings, a struct; `None` if they are not a list of
    /// names and values, or one of them is named `kind`.
    pub fn new(kind: &str, settings: &impl Serialize) -> Option<Self> {
        // Through text, because a JSON map of values would not keep the order of the names.
        let text = serde_json::to_string(settings).ok()?;
        let Settings(settings) = serde_json::from_str(&text).ok()?;
        let clash = settings.iter().any(|(name, _)| name == KIND);
        (!clash).then(|| Self { kind: kind.into(), settings })
    }

    /// The layer's kind: `Conv2D`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The names and values of its settings, in their order.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same layer without one of its settings, which then has its usual value.
    pub fn without(mut self, setting: &str) -> Self {
        self.settings.retain(|(name, _)| name != setting);
        self
    }

    /// The same layer with another value of one of its settings.
    pub fn with(mut self, setting: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        match self.settings.iter_mut().find(|(name, _)| name == setting) {
            Some((_, old)) => *old = value,
            None => self.settings.push((setting.into(), value)),
        }
        self
    }

    /// The settings as a struct.
    pub(super) fn read<L: DeserializeOwned>(self) -> serde_json::Result<L> {
        L::deserialize(Value::Object(Map::from_iter(self.settings)))
    }
}

const KIND: &str = "kind";

impl Serialize for LayerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.settings.len() + 1))?;
        map.serialize_entry(KIND, &self.kind)?;
        for (name, value) in &self.settings {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for LayerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Settings(mut settings) = Settings::deserialize(deserializer)?;
        let Some(at) = settings.iter().position(|(name, _)| name == KIND) else {
            return Err(de::Error::missing_field(KIND));
        };
        match settings.remove(at).1 {
            Value::String(kind) => Ok(Self { kind, settings }),
            other => Err(de::Error::custom(format!("kind must be a text, but is {other}"))),
        }
    }
}

/// The most settings that a layer may have. The built-in ones have fewer than ten; a file with many would
/// take long to search.
const MOST_SETTINGS: usize = 64;

/// Names and values in their order.
struct Settings(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Settings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names and values")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Settings, M::Error> {
                let mut settings: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    if settings.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom(format!("{name} stands twice")));
                    }
                    if settings.len() == MOST_SETTINGS {
                        let most = format!("a layer has more than {MOST_SETTINGS} settings");
                        return Err(de::Error::custom(most));
                    }
                    settings.push((name, value));
                }
                Ok(Settings(settings))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// The names of the fields of a struct; empty for what is no struct.
pub(super) fn field_names<L: DeserializeOwned>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    // It fails on purpose: only the names are asked for.
    let _ = L::deserialize(FieldNames(&mut found));
    found
}

/// Takes note of the fields that a struct asks for, and gives it none.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("no value"))
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
