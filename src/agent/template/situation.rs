//! What a state of a household says to who reads it: what the task asks for, what is in hand, what
//! was seen where. Read from the words of both suites, since that is all that a writer is given.

use crate::experience::State;

/// What a thing is to be done to before it is brought to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    Clean,
    Heat,
    Cool,
}

impl Care {
    /// By a word of a task or an action.
    fn of(word: &str) -> Option<Self> {
        match word {
            "clean" | "wash" | "washed" | "rinse" => Some(Self::Clean),
            "heat" | "hot" | "warm" | "heated" => Some(Self::Heat),
            "cool" | "cold" | "chill" | "chilled" => Some(Self::Cool),
            _ => None,
        }
    }

    /// What the furniture is called where it is done.
    fn tool(self) -> &'static str {
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
    fn of(task: &str) -> Option<Self> {
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

/// One of "mugs".
fn singular(name: &str) -> String {
    match name.strip_suffix("es").filter(|stem| stem.ends_with(['s', 'x', 'h'])) {
        Some(stem) => stem.into(),
        None => name.strip_suffix('s').unwrap_or(name).into(),
    }
}

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
    place: String,
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

/// What is needed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The thing, in hand.
    Thing,
    /// What is in hand is to be cared for.
    Care(Care),
    /// What is in hand is to be brought to its place.
    Place,
    /// What is in hand is to be held in the light.
    Lamp,
}

/// A state as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    pub goal: Goal,
    /// What is in hand.
    pub held: Option<String>,
    pub need: Need,
    /// Where one stands.
    pub here: Option<String>,
    /// Furniture, and what was last seen there.
    seen: Vec<(String, Look)>,
    /// What was put where it belongs.
    placed: Vec<String>,
    /// Where the thing was taken from.
    taken: Vec<String>,
}

impl Situation {
    /// Of a state; none where the task is of another kind, or something else is in hand.
    pub fn of(state: &State) -> Option<Self> {
        let goal = Goal::of(&state.task)?;
        // Another world's task may be worded alike: its furniture has no numbers.
        let room = Look::of(&state.observation, ("", ""));
        let is_there = |place: &String| room.find(place).next().is_some();
        if room.things.is_empty() || !goal.place.iter().all(is_there) {
            return None;
        }
        let mut now = Self {
            goal,
            held: None,
            need: Need::Thing,
            here: None,
            seen: Vec::new(),
            placed: Vec::new(),
            taken: Vec::new(),
        };
        let mut cared = false;
        for (action, observation) in &state.history {
            if observation.starts_with("Nothing happens") {
                continue;
            }
            let name = |(name, number): Named<'_>| format!("{name} {number}");
            match Act::of(action) {
                Act::Walk(place) => {
                    now.here = Some(name(place));
                    now.look(&name(place), Look::of(observation, place));
                }
                Act::Open(place) => now.look(&name(place), Look::of(observation, place)),
                Act::Take(thing, place) => {
                    cared = false;
                    if thing.0 == now.goal.thing {
                        now.taken.push(name(place));
                    }
                    now.placed.retain(|placed| *placed != name(thing));
                    now.seen.iter_mut().for_each(|(_, look)| {
                        look.things.retain(|there| *there != name(thing));
                    });
                    now.held = Some(name(thing));
                }
                Act::Put(thing, place) => {
                    now.held = None;
                    if now.goal.place.as_deref() == Some(place.0) && thing.0 == now.goal.thing {
                        now.placed.push(name(thing));
                    }
                    let at = now.seen.iter_mut().find(|(known, _)| *known == name(place));
                    if let Some((_, look)) = at {
                        look.things.push(name(thing));
                    }
                }
                Act::Care(care, ..) => cared |= now.goal.care == Some(care),
                Act::Shut(_) | Act::Light(_) | Act::Other => {}
            }
        }
        if now.held.as_deref().is_some_and(|held| noun(held) != now.goal.thing) {
            return None;
        }
        now.need = match (&now.held, now.goal.care.filter(|_| !cared), &now.goal.place) {
            (None, ..) => Need::Thing,
            (Some(_), Some(care), _) => Need::Care(care),
            (Some(_), None, Some(_)) => Need::Place,
            (Some(_), None, None) => Need::Lamp,
        };
        Some(now)
    }

    fn look(&mut self, place: &str, look: Look) {
        self.seen.retain(|(known, _)| known != place);
        self.seen.push((place.into(), look));
    }

    /// What was last seen at a piece of furniture.
    pub fn seen(&self, place: &str) -> Option<&Look> {
        self.seen.iter().find(|(known, _)| known == place).map(|(_, look)| look)
    }

    /// Whether something was put where it belongs.
    pub fn is_placed(&self, named: &str) -> bool {
        self.placed.iter().any(|placed| placed == named)
    }

    /// Whether the thing, or one like it, was taken from there.
    pub fn was_taken_from(&self, place: &str) -> bool {
        self.taken.iter().any(|taken| taken == place)
    }

    /// Whether something is, by its name, what is looked for: the thing that is not yet where it
    /// belongs, or with it in hand a lamp.
    pub fn seeks(&self, named: &str) -> bool {
        match self.need {
            Need::Thing => noun(named) == self.goal.thing && !self.is_placed(named),
            Need::Lamp => noun(named).ends_with("lamp"),
            Need::Care(_) | Need::Place => false,
        }
    }

    /// What is looked for, among what one sees. Where it belongs as it is, it is not looked for.
    pub fn found<'a>(&self, look: &'a Look) -> Option<&'a String> {
        let is_home = self.need == Need::Thing
            && self.goal.care.is_none()
            && self.goal.place.as_ref() == Some(&look.place);
        look.things.iter().filter(|_| !is_home).find(|thing| self.seeks(thing))
    }

    /// Whether what is needed next is done at furniture of this name.
    pub fn is_right(&self, place: &str) -> bool {
        match self.need {
            Need::Care(care) => place.starts_with(care.tool()),
            Need::Place => self.goal.place.as_deref() == Some(place),
            Need::Thing | Need::Lamp => false,
        }
    }
}
