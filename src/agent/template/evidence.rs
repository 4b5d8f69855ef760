//! What executing them showed against other actions: claims, each of which the outcomes or the
//! history bear out, and none against an action that is as good.

use super::act::{Act, Look, Named, noun};
use super::goal::Care;
use super::situation::{Need, Situation};
use crate::agent::Case;
use crate::experience::{ActionEffect, Branch};

/// What the expert's action does for the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gain {
    /// What is looked for is where it leads, or inside.
    Finds,
    /// It looks where nothing is found.
    Searches,
    /// It takes what the task asks for: this.
    Takes(String),
    /// It leads to, or opens, what is needed next.
    Reaches,
    /// It does what the task asks to be done first.
    Cares,
    /// It puts the thing where it belongs.
    Puts,
    /// It lights the lamp with the thing in hand.
    Lights,
    /// It lights the lamp before the thing is in hand.
    Prepares,
    /// Nothing that can be read.
    Unclear,
}

/// Why another action is worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It changes nothing.
    Nothing,
    /// It is refused.
    Refused,
    /// It ends the episode, unsolved.
    Over,
    /// It leads to these things, by their names, and what is looked for is not among them.
    Others(Vec<String>),
    /// It leads to nothing at all.
    Empty,
    /// It leads to furniture that is shut.
    Shut,
    /// It leads back to where one has looked, and what is looked for was not there.
    Back,
    /// It leads back to where the thing was taken, and no other was there.
    Taken,
    /// It leads to where the thing belongs, which is not in hand.
    Home,
    /// It leads away from this, which is within reach.
    Leaves(String),
    /// It leads away from this, where what is needed is done.
    Away(String),
    /// It takes back what was put where it belongs.
    Undoes,
    /// It does again what is done.
    Again,
    /// It shuts away this, which is needed.
    Hides(String),
    /// It takes what the task does not name.
    Wrong,
    /// It leads to where the thing belongs, or puts it there, but that is not cared for yet.
    Early(Care),
    /// It leads to where what is needed next is not done.
    Elsewhere,
    /// It puts down what is needed.
    PutsDown,
    /// It does what the task does not ask for.
    Unasked(Care),
    /// It opens or shuts, or lights, what is of no use for what is needed next.
    Idle,
}

/// A case as it is read: the situation, what the expert's action does, and the executed
/// alternatives with what speaks against them.
#[derive(Debug, Clone)]
pub struct Contrast<'a> {
    /// None where the task is not one that can be read.
    pub situation: Option<Situation>,
    pub gain: Gain,
    pub claims: Vec<(&'a Branch, Claim)>,
}

impl<'a> Contrast<'a> {
    /// Of a case.
    pub fn of(case: &'a Case) -> Self {
        let situation = Situation::of(&case.state);
        let gain = match &situation {
            Some(now) if !walks_away(now, &case.action) => {
                gain(now, Act::of(&case.action), &case.outcome)
            }
            _ => Gain::Unclear,
        };
        let mut claims = Vec::new();
        for branch in case.alternatives.iter().filter(|branch| branch.worse()) {
            let claim = match (branch.effect, &situation) {
                (ActionEffect::NoOp, Some(now)) if is_again(now, Act::of(&branch.action)) => {
                    Some(Claim::Again)
                }
                (ActionEffect::NoOp, _) => Some(Claim::Nothing),
                (ActionEffect::Error, _) => Some(Claim::Refused),
                (ActionEffect::Ends, _) => Some(Claim::Over),
                (_, Some(now)) => claim(now, &gain, case, branch),
                (_, None) => None,
            };
            claims.extend(claim.map(|claim| (branch, claim)));
        }
        Self { situation, gain, claims }
    }

    /// Whether it tells the actions apart. That looking around changes nothing speaks for no other
    /// way, where the expert's finds nothing either; and of an expert whose action cannot be
    /// understood nothing is to be learnt.
    pub fn tells(&self) -> bool {
        let is_idle = |claim: &Claim| matches!(claim, Claim::Nothing | Claim::Refused);
        match (&self.situation, &self.gain) {
            (Some(_), Gain::Unclear) => false,
            (Some(_), Gain::Searches) => !self.claims.iter().all(|(_, claim)| is_idle(claim)),
            _ => !self.claims.is_empty(),
        }
    }
}

/// Whether an action cares for what is in hand and cared for.
fn is_again(now: &Situation, act: Act<'_>) -> bool {
    let cared = now.goal.care.filter(|_| now.need == Need::Place);
    matches!((act, cared), (Act::Care(care, ..), Some(done)) if care == done)
}

fn name((noun, number): Named<'_>) -> String {
    format!("{noun} {number}")
}

/// What an action does for the task, by its words and its outcome.
fn gain(now: &Situation, act: Act<'_>, outcome: &str) -> Gain {
    match act {
        Act::Walk(place) | Act::Open(place) if now.is_right(place.0) => Gain::Reaches,
        Act::Walk(place) | Act::Open(place) if matches!(now.need, Need::Thing | Need::Lamp) => {
            let found = now.found(&Look::of(outcome, place)).is_some();
            if found { Gain::Finds } else { Gain::Searches }
        }
        Act::Take(thing, _) if now.need == Need::Thing && now.seeks(&name(thing)) => {
            Gain::Takes(name(thing))
        }
        Act::Care(care, ..) if now.need == Need::Care(care) => Gain::Cares,
        Act::Put(_, place) if now.need == Need::Place && now.is_right(place.0) => Gain::Puts,
        Act::Light(_) if now.need == Need::Lamp => Gain::Lights,
        Act::Light(_) if now.goal.place.is_none() => Gain::Prepares,
        _ => Gain::Unclear,
    }
}

/// What speaks against an alternative that changed the world.
fn claim(now: &Situation, gain: &Gain, case: &Case, branch: &Branch) -> Option<Claim> {
    if *gain == Gain::Unclear {
        return None;
    }
    let act = Act::of(&branch.action);
    // Furniture may stand together: where one is, is told by what can be done.
    let here = match (gain, Act::of(&case.action)) {
        (Gain::Puts, Act::Put(_, place)) | (Gain::Cares, Act::Care(_, _, place)) => Some(place),
        _ => None,
    };
    match act {
        Act::Walk(_) if here.is_some() => here.map(name).map(Claim::Away),
        Act::Walk(place) if now.held.is_none() || now.need == Need::Lamp => {
            search(now, gain, case, branch, place)
        }
        Act::Open(place) if now.need == Need::Thing => search(now, gain, case, branch, place),
        Act::Walk(place) => match now.need {
            _ if now.is_right(place.0) => None,
            Need::Care(care) if now.goal.place.as_deref() == Some(place.0) => {
                Some(Claim::Early(care))
            }
            _ => Some(Claim::Elsewhere),
        },
        Act::Open(place) => (!now.is_right(place.0)).then_some(Claim::Idle),
        Act::Shut(place) => match (gain, Act::of(&case.action)) {
            (Gain::Takes(thing), Act::Take(_, from)) if from == place => {
                Some(Claim::Hides(thing.clone()))
            }
            _ => Some(Claim::Idle),
        },
        Act::Take(thing, _) if now.need == Need::Thing && now.is_placed(&name(thing)) => {
            Some(Claim::Undoes)
        }
        Act::Take(thing, _) => {
            (now.need == Need::Thing && thing.0 != now.goal.thing).then_some(Claim::Wrong)
        }
        Act::Put(_, place) => match now.need {
            Need::Care(care) if now.goal.place.as_deref() == Some(place.0) => {
                Some(Claim::Early(care))
            }
            Need::Place if now.is_right(place.0) => None,
            _ => Some(Claim::PutsDown),
        },
        Act::Care(care, ..) => (now.need != Need::Care(care)).then_some(Claim::Unasked(care)),
        Act::Light(_) => (now.need != Need::Lamp).then_some(Claim::Idle),
        Act::Other => None,
    }
}

/// What speaks against looking somewhere, by walking there or opening it.
fn search(
    now: &Situation,
    gain: &Gain,
    case: &Case,
    branch: &Branch,
    place: Named<'_>,
) -> Option<Claim> {
    let look = Look::of(&branch.observation, place);
    if now.found(&look).is_some() {
        return None; // as good a way as any
    }
    let before = now.seen(&name(place)).filter(|seen| !seen.shut && now.found(seen).is_none());
    // Where the expert goes back as well, going back is nothing that speaks against another.
    let returns = match Act::of(&case.action) {
        Act::Walk(there) => now.seen(&name(there)).is_some(),
        _ => false,
    };
    let is_home = now.need == Need::Thing && now.goal.place.as_deref() == Some(place.0);
    // What is to be found at one table, and not at another, nobody could know.
    let is_alike = match Act::of(&case.action) {
        Act::Walk(there) | Act::Open(there) => there.0 == place.0,
        _ => false,
    };
    match gain {
        Gain::Takes(thing) => match Act::of(&branch.action) {
            Act::Walk(_) => Some(Claim::Leaves(thing.clone())),
            _ => Some(Claim::Idle),
        },
        Gain::Lights | Gain::Prepares => match (Act::of(&branch.action), Act::of(&case.action)) {
            (Act::Walk(_), Act::Light(lamp)) => Some(Claim::Leaves(name(lamp))),
            _ => Some(Claim::Idle),
        },
        // Where the thing was taken it was seen: that there was none would not be true.
        Gain::Finds if before.is_some() && now.was_taken_from(&name(place)) => Some(Claim::Taken),
        Gain::Finds | Gain::Searches
            if before.is_some()
                && !now.was_taken_from(&name(place))
                && (*gain == Gain::Finds || !returns) =>
        {
            Some(Claim::Back)
        }
        Gain::Finds if is_home => Some(Claim::Home),
        Gain::Finds if is_alike => None,
        Gain::Finds if look.shut => Some(Claim::Shut),
        Gain::Finds if look.things.is_empty() => Some(Claim::Empty),
        Gain::Finds => {
            let mut names: Vec<String> = Vec::new();
            for thing in look.things.iter().map(|thing| noun(thing).to_string()) {
                if !names.contains(&thing) {
                    names.push(thing);
                }
            }
            // One that was put there already is of the same name.
            let is_clear = !names.contains(&now.goal.thing) || now.need == Need::Lamp;
            is_clear.then_some(Claim::Others(names))
        }
        _ => None,
    }
}

/// The alternatives that lead to what is looked for where the expert's action does not. Read in
/// ALFWorld: an expert that does not know better walks past it, and nothing true can be said
/// against the other way.
pub fn promising(case: &Case) -> Vec<&Branch> {
    let Some(now) = Situation::of(&case.state).filter(|now| now.need == Need::Thing) else {
        return Vec::new();
    };
    let finds = |action: &str, outcome: &str| match Act::of(action) {
        Act::Walk(place) | Act::Open(place) => now.found(&Look::of(outcome, place)).is_some(),
        _ => false,
    };
    let walks = matches!(Act::of(&case.action), Act::Walk(_) | Act::Open(_));
    if !walks || finds(&case.action, &case.outcome) {
        return Vec::new();
    }
    case.alternatives.iter().filter(|other| finds(&other.action, &other.observation)).collect()
}

/// Whether what is done in a case can be read: a household's, by its words.
pub fn is_read(case: &Case) -> bool {
    Situation::of(&case.state).is_some()
}

/// Whether the expert's action walks away from what is looked for and within reach.
pub fn leaves_behind(case: &Case) -> bool {
    Situation::of(&case.state).is_some_and(|now| walks_away(&now, &case.action))
}

fn walks_away(now: &Situation, action: &str) -> bool {
    let look = now.here.as_ref().and_then(|here| now.seen(here));
    now.need == Need::Thing
        && matches!(Act::of(action), Act::Walk(_))
        && look.is_some_and(|look| now.found(look).is_some())
}
