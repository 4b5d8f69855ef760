//! Which vector units the loops run on: the widest that the machine has, or the one that
//! `FORETASTE_SIMD` names. (Products of a training step in f32 are faer's, which always takes
//! the widest.)

use std::sync::OnceLock;

use pulp::Arch;

use super::tiles;
use crate::error::{Error, Result};

/// The variable that names a form.
pub const VARIABLE: &str = "FORETASTE_SIMD";

/// What it may say, from the plainest on: each form has those before it.
pub const NAMES: [&str; 4] = ["plain", "avx2", "avx512", "amx"];

/// What the variable says, as a position in [`NAMES`]; none where it is not set.
fn wanted() -> Option<usize> {
    let name = std::env::var(VARIABLE).ok()?;
    NAMES.iter().position(|known| *known == name)
}

/// Refuses a name that means nothing.
pub fn check() -> Result<()> {
    match std::env::var(VARIABLE) {
        Ok(name) if !NAMES.contains(&name.as_str()) => {
            Err(Error::usage(format!("{VARIABLE}={name}: there is no such form"))
                .hint(format!("one of {}; without it, the best that there is", NAMES.join(", "))))
        }
        _ => Ok(()),
    }
}

/// Whether a form may be used, as far as the variable has a say.
pub(super) fn allows(name: &str) -> bool {
    let place = NAMES.iter().position(|known| *known == name);
    wanted().is_none_or(|wanted| place.is_some_and(|place| place <= wanted))
}

/// The form that loops run in.
pub fn arch() -> Arch {
    static FORM: OnceLock<Arch> = OnceLock::new();
    *FORM.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            let wide = pulp::x86::V4::try_new().filter(|_| allows("avx512")).map(Arch::V4);
            let narrow = pulp::x86::V3::try_new().filter(|_| allows("avx2")).map(Arch::V3);
            wide.or(narrow).unwrap_or(Arch::Scalar)
        }
        #[cfg(not(target_arch = "x86_64"))]
        if allows("avx2") { Arch::new() } else { Arch::Scalar }
    })
}

/// The forms in use, for people.
pub fn in_words() -> String {
    let vectors = match arch() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "NEON",
        _ => "none",
    };
    let unit = if tiles::is_there() { "AMX" } else { "none" };
    format!("vectors {vectors}, matrix unit for bf16 {unit}")
}
