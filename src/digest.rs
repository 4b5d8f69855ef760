//! A small hash whose value is the same on every platform and in every release: what is recorded of
//! worlds, of data and of which games are held out must mean the same next year.

/// FNV-1a over 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv, section 2). Not for keeping
/// secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Digest {
    /// Takes in some bytes, and that they end here: `ab`, `c` is not `a`, `bc`.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xFF]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// The hash so far, its bits mixed once more so that all of them depend on every byte.
    pub fn finish(&self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD); // MurmurHash3's finaliser
        z = (z ^ (z >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        z ^ (z >> 33)
    }
}

/// The hash of some strings in order.
pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut digest = Digest::default();
    parts.into_iter().for_each(|part| digest.add(part.as_bytes()));
    digest.finish()
}

/// A name, and what tells one version of its texts from another.
pub fn versioned<'a>(name: &str, texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("{name}#{}", &hex(of(texts))[..4])
}

/// As it is written in records: sixteen hexadecimal digits.
pub fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

/// Whether a hash is among the lowest share of all: a smaller share is part of every larger one.
pub fn is_within(hash: u64, share: f64) -> bool {
    (hash as f64) < share * (u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_same_for_ever_and_knows_where_strings_end() {
        assert_eq!(hex(of(["put a mug on the shelf."])), hex(of(vec!["put a mug on the shelf."])));
        assert_eq!(hex(of([])), "efd01f60ba992926");
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }
}
