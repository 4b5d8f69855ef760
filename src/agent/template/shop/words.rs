//! How reflections about a shop are worded. What stands in braces is filled in by [`super`].

use super::super::words::Forms;
use super::page::Act;
use super::{Claim, Contrast};

/// What is asked for.
pub const GOALS: Forms = &[
    "The customer says: {goal}.",
    "What is asked for: {goal}.",
    "I shop for somebody who says: {goal}.",
];

/// The end: why, and what.
pub const CONCLUSIONS: Forms =
    &["{reason}, so I {action}.", "{reason}: I {action}.", "{reason}. So I {action}."];

/// What speaks against an action.
pub fn against(claim: &Claim) -> Forms {
    match claim {
        Claim::Nothing => &[
            "If I {action}, nothing will have changed.",
            "It is of no use to {action}: all would stay as it is.",
        ],
        Claim::Refused => &[
            "This page does not let me {action}.",
            "I do not think that I can {action} from here.",
        ],
        Claim::TooDear(_) => &[
            "At {price} it costs more than the {limit} dollars that may be spent, so I need not {action}.",
            "I could {action}, but {price} is above the limit of {limit} dollars.",
            "To {action} would be of no use: {price} is over the price limit of {limit} dollars.",
        ],
        Claim::Unasked { wanted: Some(_), .. } => &[
            "To {action} would choose {value} as {group}, and {wanted} is asked for.",
            "I could {action}, but the {group} that is asked for is {wanted}, not {value}.",
        ],
        Claim::Unasked { wanted: None, .. } => &[
            "Nobody asks for {value}, so I need not {action}.",
            "To {action} would choose {value}, which is not asked for.",
        ],
        Claim::Open(_) => &[
            "It is too early to {action}: {words} would not be chosen yet.",
            "To {action} now would leave out what is asked for: {words}.",
        ],
        Claim::Short => &[
            "If I {action} now, I doubt that it has all that is asked for.",
            "I would not {action} yet: this may well lack something that is asked for.",
        ],
        Claim::Without(_) => &[
            "If I {action}, it is not {words}, and that is asked for.",
            "To {action} would buy it without {words}, which it cannot be had in.",
        ],
        Claim::Lacks(_) => &[
            "I could {action}, but I doubt that it can be had in {value}.",
            "If I {action}, I expect not to find {value} there.",
        ],
        Claim::Unsaid(_) => &[
            "Its title says nothing of {words}, so I would not {action} first.",
            "I could {action}, but I do not read {words} in its title.",
        ],
        Claim::Leaves => &[
            "To {action} would lead away from this product before I am done with it.",
            "If I {action}, I leave this product behind, and I do not know yet that it is wrong.",
        ],
        Claim::Again => &[
            "There are results before me, so I need not {action}.",
            "To {action} would give up these results before I have looked at any of them closely.",
        ],
        Claim::Passes => &[
            "I could {action}, but on this page there is one to be looked at.",
            "To {action} would pass by what this page has.",
        ],
        Claim::Reads => &[
            "To {action} would only tell me more, and choosing is still to be done.",
            "I could {action}, but reading on does not choose anything.",
        ],
        Claim::Less(_) => &[
            "To {action} would leave out {words}, and that is asked for.",
            "I could {action}, but then {words} would not be searched for.",
        ],
    }
}

/// What the expert's action is for.
pub fn reason(found: &Contrast<'_>) -> Forms {
    let has_price = found.page.price.is_some() && found.wish.limit.is_some();
    let has_chosen = super::wanted(&found.wish, &found.page).iter().any(|choice| choice.chosen);
    match &found.act {
        Act::Search(_) => &[
            "These words say what is asked for",
            "I want to see what there is of what is asked for",
        ],
        Act::Product(product) => {
            let fits = product.price.is_some() && found.wish.limit.is_some();
            match (
                fits && !found.wish.is_too_dear(product.price),
                found.wish.words_in(product.title).is_empty(),
            ) {
                (true, false) => &[
                    "Its title says {matched}, and {price} is within the limit of {limit} dollars",
                    "For {price}, below {limit} dollars, there is one whose title says {matched}",
                ],
                (true, true) => &["{price} is within the limit of {limit} dollars"],
                (false, false) => &["Its title says {matched}"],
                (false, true) => &["It may be what is asked for"],
            }
        }
        Act::Choose(choice) if super::wanted(&found.wish, &found.page).contains(choice) => {
            &["{value} is asked for", "The customer wants {value}"]
        }
        Act::Choose(_) => &["Of what can be chosen {value} comes nearest"],
        Act::Read => &[
            "Whether it has all that is asked for is not known yet",
            "I want to know whether it has what is asked for",
        ],
        Act::Buy if has_price && has_chosen => &[
            "{chosen} {are} chosen, and {price} is within the limit of {limit} dollars",
            "It costs {price}, no more than {limit} dollars, and {chosen} {are} chosen",
        ],
        Act::Buy if has_price => &["{price} is within the limit of {limit} dollars"],
        Act::Buy => &["It has what is asked for, as far as I can see"],
        Act::Back if found.page.price.is_some() && !found.lacking().is_empty() => &[
            "It cannot be had in {lacking}",
            "{lacking} is asked for, and is not among what can be chosen",
        ],
        Act::Back if found.page.price.is_some() => {
            &["Others may fit better", "I want to look at others"]
        }
        Act::Back => &["I have read this", "There is no more to be read here"],
        Act::Next => &["I want to see more results"],
        Act::Other => &["This is what is to be done next"],
    }
}
