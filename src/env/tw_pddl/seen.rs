//! What the texts of an episode have told so far: the objects they named, and the places whose
//! contents they listed. An expert that plays fair knows this and nothing else.

use std::sync::Arc;

use super::facts::Object;

/// Two sets of objects; copied only when something new is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The first half has a bit for each object named, the second for each object whose contents
    /// were listed.
    bits: Arc<[u64]>,
}

impl Seen {
    /// Nothing seen, among that many objects.
    pub fn nothing(objects: usize) -> Self {
        Self { bits: vec![0; 2 * objects.div_ceil(64)].into() }
    }

    /// The same and some more.
    #[must_use]
    pub fn with(&self, named: &[Object], listed: &[Object]) -> Self {
        let half = self.bits.len() / 2;
        let at = |object: &Object| (usize::from(*object) / 64, 1 << (object % 64));
        let places =
            named.iter().map(at).chain(listed.iter().map(at).map(|(word, bit)| (half + word, bit)));
        let mut bits: Option<Vec<u64>> = None;
        for (word, bit) in places {
            if self.bits[word] & bit == 0 {
                bits.get_or_insert_with(|| self.bits.to_vec())[word] |= bit;
            }
        }
        bits.map_or_else(|| self.clone(), |bits| Self { bits: bits.into() })
    }

    /// Whether a text named the object.
    pub fn named(&self, object: Object) -> bool {
        self.bits[usize::from(object) / 64] >> (object % 64) & 1 == 1
    }

    /// Whether a text listed what is in or on the object.
    pub fn listed(&self, object: Object) -> bool {
        self.bits[self.bits.len() / 2 + usize::from(object) / 64] >> (object % 64) & 1 == 1
    }
}
