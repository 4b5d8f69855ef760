//! What a state of a household says to who reads it: what the task asks for, what is in hand, what
//! was seen where. Read from the words of both suites, since that is all that a writer is given.

use super::act::{Act, Look, Named, noun};
use super::goal::{Care, Goal};
use super::shop::is_shops;
use crate::experience::State;

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
        if is_shops(state) {
            return None;
        }
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
