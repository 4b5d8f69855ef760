//! What an action of a household is, and what one sees of furniture, by their words.

use super::goal::Care;

/// A thing or a piece of furniture by its name and number: "mug 1".
pub type Named<'a> = (&'a str, &'a str);

/// What an action is, as far as its words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<'a> {
    Walk(Named<'a>),
    Open(Named<'a>),
    Shut(Named<'a>),
    Take(Named<'a>, Named<'a>),
    Put(Named<'a>, Named<'a>),
    Care(Care, Named<'a>, Named<'a>),
    Light(Named<'a>),
    Other,
}

impl<'a> Act<'a> {
    /// Of an action.
    pub fn of(action: &'a str) -> Self {
        let words: Vec<&str> = action.split_whitespace().collect();
        match words[..] {
            ["walk" | "go", "to", name, number] => Self::Walk((name, number)),
            ["open", name, number] => Self::Open((name, number)),
            ["shut" | "close", name, number] => Self::Shut((name, number)),
            ["grab" | "take", thing, n, "from", place, m] => Self::Take((thing, n), (place, m)),
            ["leave" | "move" | "put", thing, n, "at" | "to" | "in" | "on" | "in/on", place, m] => {
                Self::Put((thing, n), (place, m))
            }
            ["switch", "on", name, number] | ["use", name, number] => Self::Light((name, number)),
            [verb, thing, n, "in" | "with", place, m] => {
                Care::of(verb).map_or(Self::Other, |care| Self::Care(care, (thing, n), (place, m)))
            }
            _ => Self::Other,
        }
    }
}

/// What one sees of a piece of furniture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What the furniture is called.
    pub place: String,
    /// The things there, by name and number.
    pub things: Vec<String>,
    /// Whether it is shut, so that nothing is seen.
    pub shut: bool,
}

impl Look {
    /// From what was observed when one got there, or opened it.
    pub fn of(observation: &str, place: Named<'_>) -> Self {
        let words: Vec<&str> = observation
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let numbered = words.windows(2).filter(|pair| {
            pair[1].bytes().all(|b| b.is_ascii_digit()) && (pair[0], pair[1]) != place
        });
        let shut = words.windows(2).any(|pair| matches!(pair, ["is", "closed" | "shut"]));
        let things = numbered.map(|pair| pair.join(" ")).collect();
        Self { place: place.0.into(), things, shut }
    }

    /// What of this name is there.
    pub fn find(&self, name: &str) -> impl Iterator<Item = &String> {
        self.things.iter().filter(move |thing| noun(thing) == name)
    }
}

/// The name without its number.
pub fn noun(named: &str) -> &str {
    named.split(' ').next().unwrap_or_default()
}
