//! Detection of instruction sets, and the user's choice among them.
//!
//! Decided once per process, at the first use. `NN_KERNEL` (or [`force`], which the command line's
//! `--kernel` calls) restricts the choice to one set. The portable kernels always remain as the
//! fallback where a set has no kernel.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// An instruction set that kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// Portable Rust, for any machine.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AArch64.
    Neon,
}

impl Isa {
    /// Every set, in the order in which they are listed to users.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Neon];

    /// The name for `NN_KERNEL` and [`force`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The entry of `all` for this set: a kernel's name, for example.
    pub(super) fn pick<T>(self, all: PerIsa<T>) -> T {
        match self {
            Self::Portable => all.portable,
            Self::Avx2 => all.avx2,
            Self::Avx512 => all.avx512,
            Self::Neon => all.neon,
        }
    }

    /// Whether this machine has the set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }
}

/// One value for each set.
pub(super) struct PerIsa<T> {
    pub portable: T,
    pub avx2: T,
    pub avx512: T,
    pub neon: T,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|isa| isa.name() == name).ok_or_else(|| {
            Error::setting(
                "kernel",
                "auto, portable, avx2, avx512 or neon",
                format!("\"{name}\""),
                "leave it at auto to use the fastest this machine has",
            )
        })
    }
}

/// The sets that kernels may use.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    forced: Option<Isa>,
}

impl Allowed {
    /// Whether kernels of `isa` may run.
    pub fn contains(self, isa: Isa) -> bool {
        match self.forced {
            Some(forced) => isa == forced || isa == Isa::Portable,
            None => isa.is_available(),
        }
    }
}

static CHOICE: OnceLock<Option<Isa>> = OnceLock::new();

/// The sets allowed in this process. An invalid or unavailable `NN_KERNEL` is ignored here; call
/// [`force`] at start-up to have it reported.
pub fn allowed() -> Allowed {
    let forced = *CHOICE.get_or_init(|| from_environment().ok().flatten());
    Allowed { forced }
}

/// The fastest allowed set with kernels in this build; reports give it as the set used.
pub fn active() -> Isa {
    static ACTIVE: OnceLock<Isa> = OnceLock::new();
    *ACTIVE.get_or_init(|| {
        let allowed = allowed();
        let fastest_first = [Isa::Avx512, Isa::Avx2, Isa::Neon];
        fastest_first
            .into_iter()
            .find(|&isa| allowed.contains(isa) && super::has_kernels(isa))
            .unwrap_or(Isa::Portable)
    })
}

/// Restricts this process to the kernels of one set: a name of [`Isa`], or `auto` to use `NN_KERNEL` if
/// set, and otherwise every set of the machine.
///
/// # Errors
/// If the name is unknown, this machine or build lacks the set, or a different choice was already
/// made (by an earlier call, or because kernels have run).
pub fn force(name: &str) -> Result<()> {
    let wanted = if name == "auto" { from_environment()? } else { Some(parse(name)?) };
    let chosen = *CHOICE.get_or_init(|| wanted);
    if chosen == wanted {
        return Ok(());
    }
    Err(Error::setting(
        "kernel",
        "chosen before the first computation, once",
        format!("\"{name}\""),
        "force it at the start of the program, or set NN_KERNEL",
    ))
}

fn from_environment() -> Result<Option<Isa>> {
    match std::env::var("NN_KERNEL") {
        Ok(name) if !name.is_empty() && name != "auto" => {
            parse(&name).map(Some).map_err(|error| match error {
                Error::Setting { expected, received, remedy, .. } => {
                    Error::Setting { what: "NN_KERNEL".into(), expected, received, remedy }
                }
                other => other,
            })
        }
        _ => Ok(None),
    }
}

fn parse(name: &str) -> Result<Isa> {
    let isa: Isa = name.parse()?;
    if isa.is_available() && super::has_kernels(isa) {
        return Ok(isa);
    }
    let usable: Vec<_> = Isa::ALL
        .into_iter()
        .filter(|&isa| isa.is_available() && super::has_kernels(isa))
        .map(Isa::name)
        .collect();
    let missing =
        if isa.is_available() { "this build has no kernels for" } else { "this machine lacks" };
    Err(Error::setting(
        "kernel",
        format!("one of auto, {}", usable.join(", ")),
        format!("\"{name}\", which {missing}"),
        "leave it at auto to use the fastest there is",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse::<Isa>().unwrap(), isa);
        }
        let message = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert!(message.contains("sse9") && message.contains("auto"), "{message}");
    }

    #[test]
    fn portable_is_everywhere() {
        assert!(Isa::Portable.is_available());
        assert!(allowed().contains(Isa::Portable));
    }
}
