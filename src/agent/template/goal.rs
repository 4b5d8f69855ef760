//! What a task of a household asks for, by its words.

use crate::text::singular;

/// What a thing is to be done to before it is brought to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    Clean,
    Heat,
    Cool,
}

impl Care {
    /// By a word of a task or an action.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "clean" | "wash" | "washed" | "rinse" => Some(Self::Clean),
            "heat" | "hot" | "warm" | "heated" => Some(Self::Heat),
            "cool" | "cold" | "chill" | "chilled" => Some(Self::Cool),
            _ => None,
        }
    }

    /// What the furniture is called where it is done.
    pub fn tool(self) -> &'static str {
        match self {
            Self::Clean => "sink",
            Self::Heat => "microwave",
            Self::Cool => "fridge",
        }
    }

    /// "… is not {} yet".
    pub fn done(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Heat => "warm",
            Self::Cool => "cold",
        }
    }

    /// "… has to be {}".
    pub fn to_be(self) -> &'static str {
        match self {
            Self::Clean => "washed",
            Self::Heat => "warmed",
            Self::Cool => "chilled",
        }
    }
}

/// What a task asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// What the thing is called ("mug").
    pub thing: String,
    /// What is done to it first.
    pub care: Option<Care>,
    /// What the furniture is called where it goes; none where it is to be held in the light.
    pub place: Option<String>,
    /// Whether two of them are asked for.
    pub two: bool,
}

impl Goal {
    /// From a task's wording; none where it is of another kind.
    pub fn of(task: &str) -> Option<Self> {
        let words: Vec<String> = task
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let is = |word: &str, any: &[&str]| any.contains(&word);
        let opens = |word: &String| is(word, &["a", "an", "some", "the", "two", "both", "at"]);
        let passes = |word: &String| opens(word) || word == "freshly" || Care::of(word).is_some();
        let first = words.iter().position(opens)?;
        let thing = words[first..].iter().find(|word| !passes(word))?;
        let two = words.iter().any(|word| is(word, &["two", "both"]));
        let light = words.iter().any(|word| is(word, &["look", "hold", "examine"]))
            && words.iter().any(|word| word.ends_with("lamp"));
        let last = words.last().filter(|last| *last != thing);
        Some(Self {
            thing: if two { singular(thing) } else { thing.clone() },
            care: words.iter().find_map(|word| Care::of(word)).filter(|_| !light),
            place: if light { None } else { Some(last?.clone()) },
            two,
        })
    }
}
