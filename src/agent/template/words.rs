//! How reflections are worded: a few ways for everything that is said. What stands in braces is
//! filled in by [`super::Template`]: `{action}` as it is sent, `{place}` and `{thing}` with their
//! numbers, `{others}` ("pots and a pan" without numbers, since nobody can know those yet),
//! `{sought}` and `{one}` ("mug", "a mug"), `{held}` ("the mug 1"), `{home}` ("shelf"), `{done}`
//! and `{cared}` ("clean", "washed"), `{help}` ("to find a mug").

use super::act::Act;
use super::evidence::{Claim, Gain};
use super::situation::{Need, Situation};

/// Ways to say one thing.
pub type Forms = &'static [&'static str];

/// What the task is.
pub const GOALS: Forms = &[
    "The task is to {goal}.",
    "I need to {goal}.",
    "My goal is to {goal}.",
    "I am asked to {goal}.",
];

/// The same where the task is no command ("a mug belongs on the shelf").
pub const STATED_GOALS: Forms =
    &["The task says: {goal}.", "What is asked for: {goal}.", "The goal: {goal}."];

/// What is in hand.
pub const HELD: Forms = &["I hold {held}.", "{held} is in my hand.", "I have {held} with me."];

/// The conclusion; what it is for follows.
pub const CONCLUSIONS: Forms = &[
    "So I {action}{purpose}.",
    "So I should {action}{purpose}.",
    "Better to {action}{purpose}.",
    "I will {action}{purpose}.",
    "The next step is to {action}{purpose}.",
];

/// What is said where nothing tells the actions apart.
pub const NO_CONTRAST: Forms = &[
    "Nothing tells me yet that another way would be worse.",
    "I know of nothing that speaks against the other ways.",
    "From here one way looks as good as another.",
];

/// What speaks against an action.
pub fn against(claim: &Claim) -> Forms {
    match claim {
        Claim::Nothing => &[
            "If I {action}, nothing will have changed.",
            "To {action} would leave everything as it is.",
            "I could {action}, but that would change nothing.",
            "It is of no use to {action}: all would stay as it is.",
            "To {action} would not change a thing here.",
        ],
        Claim::Refused => &[
            "To {action} should not work from here.",
            "I do not think that I can {action} from here.",
            "If I {action}, I expect to be refused.",
            "It should not be possible here to {action}.",
        ],
        Claim::Over => &[
            "To {action} would end it all before the task is done.",
            "If I {action}, it is over and the task is not done.",
        ],
        Claim::Others(_) => &[
            "If I {action}, I expect {others} there and no {sought}.",
            "To {action} would lead me to {others} sooner than to {one}.",
            "The {place} is a place for {others} rather than for {one}, so I need not {action}.",
            "I could {action}, but among {others} I would look for {one} in vain.",
            "To {action} would show me {others} at best, and I need {one}.",
        ],
        Claim::Empty => &[
            "If I {action}, I expect to find nothing there.",
            "To {action} may well show me an empty place.",
            "I could {action}, but {one} is hardly there, nor is anything else.",
            "The {place} may well be empty, so I need not {action}.",
        ],
        Claim::Shut => &[
            "If I {action}, I expect to stand before something shut.",
            "To {action} would not show me {one} at once: it should be shut.",
            "I could {action}, but I would have to open it before I see anything.",
        ],
        Claim::Back => &[
            "To {action} would lead back to where I have looked already.",
            "If I {action}, I see again what I have seen, and there was no {sought}.",
            "I have been at the {place} and saw no {sought}, so I need not {action}.",
            "There was no {sought} at the {place}, so it is of no use to {action}.",
        ],
        Claim::Taken => &[
            "I took the {sought} from the {place} and saw no other, so I need not {action}.",
            "To {action} would lead back to where I took the {sought} that was there.",
            "If I {action}, I come back to where no other {sought} was.",
        ],
        Claim::Home => &[
            "It is too soon to {action}: that comes once I hold {one}.",
            "To {action} is for later, when I have {one} to bring there.",
            "I need not {action} before I have found {one}.",
        ],
        Claim::Away(_) => &[
            "I am at the {thing} already, so I need not {action}.",
            "To {action} would lead away from the {thing}, where I have to be now.",
            "If I {action}, I leave the {thing} before I am done here.",
        ],
        Claim::Undoes => &[
            "To {action} would take back what I have put where it belongs.",
            "If I {action}, I undo what is done already.",
        ],
        Claim::Again => &[
            "{held} has been {cared} already, so I need not {action}.",
            "To {action} would change nothing: {held} has been {cared} already.",
        ],
        Claim::Leaves(_) => &[
            "To {action} would lead away from the {thing}, which is right here.",
            "If I {action}, I leave the {thing} behind, and I need it.",
            "I could {action}, but the {thing} is within reach already.",
            "There is no reason to {action} while the {thing} is before me.",
        ],
        Claim::Hides(_) => &[
            "If I {action}, the {thing} is shut away.",
            "To {action} would put the {thing} out of my reach.",
            "I must not {action} while the {thing} is still inside.",
        ],
        Claim::Wrong => &[
            "If I {action}, my hands are full of what the task does not ask for.",
            "The task asks for {one}, so it is of no use to {action}.",
            "To {action} would give me something else than {one}.",
            "I could {action}, but I would have to get rid of it again to take {one}.",
        ],
        Claim::Early(_) => &[
            "To {action} would be too early: {held} is not {done} yet.",
            "{held} has to be {cared} before I {action}.",
            "If I {action} now, {held} gets there without being {cared}.",
            "I should not {action} before {held} is {done}.",
        ],
        Claim::Elsewhere | Claim::PutsDown | Claim::Unasked(_) | Claim::Idle => &[
            "To {action} would not help {help}.",
            "If I {action}, that does not help {help}.",
            "I could {action}, but I would be no nearer to my aim, {help}.",
        ],
    }
}

/// More of what speaks against an action, by what is needed next.
pub fn against_now(claim: &Claim, need: Need) -> Forms {
    match (claim, need) {
        (Claim::Elsewhere, Need::Care(_)) => &[
            "{held} has to be {cared} first, and the {place} is not where I can do that.",
            "To {action} would be a detour while {held} is not {done} yet.",
            "At the {place} {held} cannot be {cared}, so I should not {action}.",
        ],
        (Claim::Elsewhere, _) => &[
            "{held} belongs at the {home}, so to {action} would be a detour.",
            "To {action} would carry {held} past the {home}, where it belongs.",
            "The {place} is not where {held} belongs, so I need not {action}.",
        ],
        (Claim::PutsDown, Need::Care(_)) => &[
            "If I {action}, I let go of {held} before it is {done}.",
            "To {action} would put down {held}, which has to be {cared} first.",
        ],
        (Claim::PutsDown, Need::Lamp) => &[
            "If I {action}, I let go of {held} before I have held it in the light.",
            "To {action} would put down what I need in my hand under the lamp.",
        ],
        (Claim::PutsDown, _) => &[
            "If I {action}, I leave it where it does not belong: {held} goes to the {home}.",
            "To {action} would put {held} somewhere else than at the {home}.",
        ],
        (Claim::Unasked(_), _) => &[
            "Nothing asks me to {action}.",
            "To {action} is not what the task needs now.",
            "I could {action}, but that is not asked for now.",
        ],
        _ => &[],
    }
}

/// What the action is for.
pub fn purpose(now: &Situation, gain: &Gain, act: Act<'_>, has_seen: bool) -> Forms {
    match (gain, act) {
        (Gain::Finds, _) if has_seen => {
            &[", since I saw the {thing} there", ", where I have seen the {thing}"]
        }
        (Gain::Finds, Act::Open(_)) => &[
            ", since {one} may well be inside",
            ", where {one} could be kept",
            " to look for {one} inside",
        ],
        (Gain::Finds, _) => &[
            ", where {one} may well be",
            ", which is a likely place for {one}",
            " and look for {one} there",
        ],
        (Gain::Searches, Act::Open(_)) => {
            &[" to see what is inside", ", since I have not seen inside"]
        }
        (Gain::Searches, Act::Walk(place)) => {
            if now.seen(&format!("{} {}", place.0, place.1)).is_some() {
                &[" to look there once more", ", since {one} may be there after all"]
            } else {
                &[", since I have not looked there yet", " to see what is there"]
            }
        }
        (Gain::Takes(_), _) => &[
            ", because it is what the task asks for",
            ", which is what I have been looking for",
            ", the very thing that I need",
        ],
        (Gain::Reaches, Act::Open(_)) => match now.need {
            Need::Care(_) => {
                &[", so that {held} can be {cared} in it", ", which has to be open for that"]
            }
            _ => &[", so that {held} can go in", ", since {held} belongs inside"],
        },
        (Gain::Reaches, _) => match now.need {
            Need::Care(_) => {
                &[", where {held} can be {cared}", ", since {held} has to be {cared} there first"]
            }
            _ => &[", where {held} belongs", ", since that is where {held} is to be brought"],
        },
        (Gain::Cares, _) => &[
            ", because the task asks for that first",
            ", so that it is {done} before I bring it to the {home}",
            ", since it is not {done} yet",
        ],
        (Gain::Puts, _) => &[
            ", because that is where it belongs",
            ", which is what the task asks for",
            ", as I was asked to",
        ],
        (Gain::Lights, _) => &[
            ", which should finish the task",
            ", so that the light falls on {held}",
            ", with {held} in my hand, as the task asks for",
        ],
        (Gain::Prepares, _) => {
            &[", so that there is light once I hold {one}", ", since I need its light later"]
        }
        (Gain::Unclear | Gain::Searches, _) => &[""],
    }
}
