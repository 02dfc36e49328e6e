//! In what a file's tensors are not those of a network.

use crate::model::safetensors::list;
use std::fmt;

/// In what a file's tensors are not those of a network, as PyTorch's `load_state_dict` lists it. Names are those
/// of the file's library.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Misfit {
    /// Parameters of the network that the file does not have.
    pub missing: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub unexpected: Vec<String>,
    /// Name, shape in the file, and shape in the network.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// The name of the layer of the logits.
    pub classifier: String,
}

impl Misfit {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of tensors that do not fit.
    pub fn len(&self) -> usize {
        self.missing.len() + self.unexpected.len() + self.mismatched.len()
    }

    /// Whether only the number of classes differs.
    pub fn is_of_classes(&self) -> bool {
        self.classes().is_some() && self.len() <= 2
    }

    /// The classes of the file and of the network, if they differ.
    fn classes(&self) -> Option<(usize, usize)> {
        let logits = format!("{}.weight", self.classifier);
        let (_, file, network) = self.mismatched.iter().find(|(name, ..)| *name == logits)?;
        match (file.as_slice(), network.as_slice()) {
            (&[classes, inputs], &[own, expected]) if inputs == expected => Some((classes, own)),
            _ => None,
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, network)) = self.classes() {
            write!(
                f,
                "\n  another number of classes: {file} in the file, {network} in the network"
            )?;
        }
        for (what, names) in [("missing", &self.missing), ("unexpected", &self.unexpected)] {
            if !names.is_empty() {
                write!(f, "\n  {what}: {}", list(names))?;
            }
        }
        for (name, file, network) in self.mismatched.iter().take(SHOWN) {
            write!(
                f,
                "\n  other shape: {name} is {file:?} in the file, {network:?} in the network"
            )?;
        }
        let more = self.mismatched.len().saturating_sub(SHOWN);
        if more > 0 { write!(f, "\n  other shape: {more} more") } else { Ok(()) }
    }
}

/// How many shapes are shown.
const SHOWN: usize = 12;
