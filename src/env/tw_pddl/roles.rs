//! What the known domains call places, things and their kinds.

use super::facts::{Object, arg};
use super::game::Game;
use super::pddl::{Domain, Pred};

/// What a domain calls the things that a search is about.
#[derive(Debug, Clone, Copy)]
pub struct Roles {
    /// The agent is at a location.
    pub at: Pred,
    /// A place to put things is at a location.
    pub spot: Pred,
    /// A thing is in or on a place.
    pub within: Pred,
    /// A place can be shut.
    pub shuts: Pred,
    /// It is open.
    pub open: Pred,
    /// A place is of a kind.
    pub place_kind: Pred,
    /// A thing is of a kind.
    pub thing_kind: Pred,
    /// The agent holds a thing.
    pub holds: Pred,
}

/// The words of ALFWorld's domain and of the household's, in the order of the fields of [`Roles`].
const WORDS: [[&str; 8]; 2] = [
    [
        "atlocation",
        "receptacleatlocation",
        "inreceptacle",
        "openable",
        "opened",
        "receptacletype",
        "objecttype",
        "holds",
    ],
    ["standing", "spot", "within", "shuts", "ajar", "fkindof", "tkindof", "carries"],
];

impl Roles {
    /// The roles in a domain whose words are known.
    pub fn of(domain: &Domain) -> Option<Self> {
        WORDS.iter().find_map(|words| {
            let found: Option<Vec<Pred>> =
                words.iter().map(|word| domain.predicate(word)).collect();
            let [at, spot, within, shuts, open, place_kind, thing_kind, holds] = found?[..] else {
                return None;
            };
            Some(Self { at, spot, within, shuts, open, place_kind, thing_kind, holds })
        })
    }

    /// The kind of a thing or place.
    pub fn kind(game: &Game, pred: Pred, object: Object) -> Option<Object> {
        game.fixed.of(pred, Some(object)).first().map(|fact| arg(*fact, 1))
    }
}

/// The name of a kind without what the domains add to it ("sinkbasintype" and "sinkkind" are of a
/// sink).
pub fn kind_name(game: &Game, kind: Object) -> &str {
    let id = game.ids[usize::from(kind)].as_str();
    ["type", "kind", "sort"].iter().find_map(|end| id.strip_suffix(end)).unwrap_or(id)
}
