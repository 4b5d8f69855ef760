//! Reflections about a shop: what is asked for, and what the executed alternatives showed of it. Each
//! claim is borne out by the page that is open or by what an alternative led to; what only the outcome
//! shows is said as an expectation.

mod page;
#[cfg(test)]
mod tests;
mod words;

use std::mem::discriminant;

use self::page::{Act, Choice, Listed, Page, Wish};
pub use self::page::{is_shop, is_shops};
use super::{ARGUMENTS, Text, words as general};
use crate::agent::Case;
use crate::experience::{ActionEffect, Branch};
use crate::rng::Rng;

/// Why another action is worse.
#[derive(Debug, Clone, PartialEq)]
enum Claim {
    Nothing,
    Refused,
    /// It costs so much.
    TooDear(String),
    /// It chooses this of a group, where another is asked for, or nobody asks for it.
    Unasked {
        group: String,
        value: String,
        wanted: Option<String>,
    },
    /// It buys while these are not chosen.
    Open(Vec<String>),
    /// It buys what has not all that is asked for.
    Short,
    /// It buys what cannot be had as these, which are asked for.
    Without(Vec<String>),
    /// Of the product that it opens this cannot be chosen.
    Lacks(String),
    /// The title does not have these words of what is asked for, and the other has.
    Unsaid(Vec<String>),
    /// It leaves what fits so far.
    Leaves,
    /// It searches while there are results.
    Again,
    /// It passes by what is on this page.
    Passes,
    /// It reads on where all is known that is needed.
    Reads,
    /// It searches without these words.
    Less(Vec<String>),
}

/// A case as it is read.
struct Contrast<'a> {
    wish: Wish,
    page: Page<'a>,
    act: Act<'a>,
    claims: Vec<(&'a Branch, Claim)>,
}

/// Values that are asked for and can be chosen on a page, one a group: of "x-large" and "large" that
/// says more.
fn wanted<'a>(wish: &Wish, page: &Page<'a>) -> Vec<Choice<'a>> {
    let mut found: Vec<Choice<'a>> = Vec::new();
    for choice in page.choices.iter().filter(|choice| wish.names(choice.value)) {
        match found.iter_mut().find(|known| known.group == choice.group) {
            Some(known) if known.value.len() < choice.value.len() => *known = choice.clone(),
            Some(_) => {}
            None => found.push(choice.clone()),
        }
    }
    found
}

impl<'a> Contrast<'a> {
    fn of(case: &'a Case) -> Self {
        let wish = Wish::of(&case.state.task);
        let page = Page::open(&case.state);
        let act = Act::of(&case.action, &page);
        let mut found = Self { wish, page, act, claims: Vec::new() };
        for branch in case.alternatives.iter().filter(|branch| branch.worse()) {
            let claim = match branch.effect {
                ActionEffect::NoOp => Some(Claim::Nothing),
                ActionEffect::Error => Some(Claim::Refused),
                _ => found.claim(case, branch),
            };
            found.claims.extend(claim.map(|claim| (branch, claim)));
        }
        found
    }

    /// Values that are asked for, and that what is open cannot be had in.
    fn lacking(&self) -> Vec<String> {
        let mut groups: Vec<&str> = self.page.choices.iter().map(|choice| choice.group).collect();
        groups.dedup();
        let is_there = |group: &str, value: &str| {
            let of_group = |choice: &&Choice<'_>| choice.group == group;
            self.page.choices.iter().filter(of_group).any(|choice| {
                choice.value.eq_ignore_ascii_case(value) || self.wish.names(choice.value)
            })
        };
        groups
            .into_iter()
            .filter_map(|group| Some((group, self.wish.of_group(group)?)))
            .filter(|(group, value)| !is_there(group, value))
            .map(|(_, value)| value.to_string())
            .collect()
    }

    /// What speaks against an alternative that changed something.
    fn claim(&self, case: &Case, branch: &Branch) -> Option<Claim> {
        // To leave a product speaks against buying it, and against no choice of it.
        let leaves = matches!(self.act, Act::Back) && self.page.price.is_some();
        let decides = matches!(self.act, Act::Choose(_) | Act::Buy | Act::Read);
        let wanted = wanted(&self.wish, &self.page);
        match Act::of(&branch.action, &self.page) {
            Act::Buy if leaves => {
                let lacking = self.lacking();
                Some(if lacking.is_empty() { Claim::Short } else { Claim::Without(lacking) })
            }
            Act::Choose(_) if leaves => None,
            Act::Buy => {
                let open: Vec<String> = wanted
                    .iter()
                    .filter(|choice| !choice.chosen)
                    .map(|choice| choice.value.to_string())
                    .collect();
                Some(if open.is_empty() { Claim::Short } else { Claim::Open(open) })
            }
            Act::Choose(choice) if wanted.contains(&choice) => None,
            Act::Choose(choice) => {
                let of_group = |other: &&Choice<'_>| other.group == choice.group;
                Some(Claim::Unasked {
                    group: choice.group.to_string(),
                    value: choice.value.to_string(),
                    wanted: wanted.iter().find(of_group).map(|wanted| wanted.value.to_string()),
                })
            }
            Act::Product(other) => self.product(case, branch, &other),
            Act::Read if matches!(self.act, Act::Choose(_)) => Some(Claim::Reads),
            Act::Back | Act::Search(_) if decides => Some(Claim::Leaves),
            Act::Search(words) => match self.act {
                Act::Search(better) => {
                    let less = self.missing(better, words);
                    (!less.is_empty()).then_some(Claim::Less(less))
                }
                Act::Product(_) => Some(Claim::Again),
                _ => None,
            },
            Act::Back if matches!(self.act, Act::Product(_)) => Some(Claim::Again),
            Act::Next if matches!(self.act, Act::Product(_)) => Some(Claim::Passes),
            _ => None,
        }
    }

    /// What speaks against opening another product than the one that is opened.
    fn product(&self, case: &Case, branch: &Branch, other: &Listed<'_>) -> Option<Claim> {
        if self.wish.is_too_dear(other.price) {
            let (_, said) = other.price?;
            return Some(Claim::TooDear(said.to_string()));
        }
        let Act::Product(better) = &self.act else { return None };
        let unsaid = self.missing(better.title, other.title);
        if !unsaid.is_empty() {
            return Some(Claim::Unsaid(unsaid));
        }
        let (here, there) = (Page::of(&case.outcome), Page::of(&branch.observation));
        let has = |page: &Page<'_>, value: &str| {
            page.choices.iter().any(|choice| choice.value.eq_ignore_ascii_case(value))
        };
        let lacking =
            wanted(&self.wish, &here).into_iter().find(|choice| !has(&there, choice.value));
        lacking.map(|choice| Claim::Lacks(choice.value.to_string()))
    }

    /// Words of what is asked for that one text has and the other has not.
    fn missing(&self, better: &str, other: &str) -> Vec<String> {
        let there = self.wish.words_in(other);
        self.wish.words_in(better).into_iter().filter(|word| !there.contains(word)).collect()
    }
}

/// Whether anything speaks for the expert's action against the executed alternatives.
pub fn has_contrast(case: &Case) -> bool {
    let found = Contrast::of(case);
    found.act != Act::Other && !found.claims.is_empty()
}

/// The monologue about one case.
pub fn write(case: &Case, seed: u64) -> String {
    let found = Contrast::of(case);
    let mut text = Text { rng: Rng::stream(seed, &case.action), said: String::new() };
    let task = case.state.task.trim().trim_end_matches('.').to_string();
    text.say(words::GOALS, &[("goal", task)]);
    let mut claims: Vec<&(&Branch, Claim)> = found.claims.iter().collect();
    claims.sort_by_key(|(_, claim)| *claim == Claim::Nothing);
    let mut said: Vec<&Claim> = Vec::new();
    for (branch, claim) in claims {
        let is_said = said.iter().any(|known| discriminant(*known) == discriminant(claim));
        if said.len() == ARGUMENTS || is_said || found.act == Act::Other {
            continue;
        }
        text.say(words::against(claim), &of_claim(&found, &branch.action, claim));
        said.push(claim);
    }
    if said.is_empty() {
        text.say(general::NO_CONTRAST, &[]);
    }
    let reason = text.pick(words::reason(&found), &about(&found));
    let names = [("action", case.action.clone()), ("reason", reason)];
    text.say(words::CONCLUSIONS, &names);
    text.said
}

/// "black, white and square".
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What stands in braces about what is done.
fn about(found: &Contrast<'_>) -> Vec<(&'static str, String)> {
    let price = match &found.act {
        Act::Product(product) => product.price,
        _ => found.page.price,
    };
    let value = match &found.act {
        Act::Choose(choice) => choice.value.to_string(),
        _ => String::new(),
    };
    let chosen: Vec<String> = wanted(&found.wish, &found.page)
        .into_iter()
        .filter(|choice| choice.chosen)
        .map(|choice| choice.value.to_string())
        .collect();
    let matched = match &found.act {
        Act::Product(product) => found.wish.words_in(product.title),
        _ => Vec::new(),
    };
    vec![
        ("price", price.map_or(String::new(), |(_, said)| said.to_string())),
        ("limit", found.wish.limit.as_ref().map_or(String::new(), |(_, said)| said.clone())),
        ("value", value),
        ("lacking", listed(&found.lacking())),
        ("are", if chosen.len() > 1 { "are" } else { "is" }.to_string()),
        ("chosen", listed(&chosen)),
        ("matched", matched.join(" ")),
    ]
}

/// What stands in braces about a claim.
fn of_claim(found: &Contrast<'_>, action: &str, claim: &Claim) -> Vec<(&'static str, String)> {
    let mut names = about(found);
    names.push(("action", action.to_string()));
    match claim {
        Claim::TooDear(price) => names.insert(0, ("price", price.clone())),
        Claim::Unasked { group, value, wanted } => {
            names.insert(0, ("value", value.clone()));
            names.push(("group", group.clone()));
            names.push(("wanted", wanted.clone().unwrap_or_default()));
        }
        Claim::Lacks(value) => names.insert(0, ("value", value.clone())),
        Claim::Open(values) | Claim::Without(values) => names.push(("words", listed(values))),
        Claim::Unsaid(words) | Claim::Less(words) => names.push(("words", words.join(" "))),
        _ => {}
    }
    names
}

/// What binds in a case and a text does not speak of: the value that is chosen; what it costs, where
/// it is bought, or left because it is too dear.
pub fn missed(case: &Case, text: &str) -> Option<&'static str> {
    let found = Contrast::of(case);
    // What is quoted as an action is no reason.
    let actions = case.alternatives.iter().map(|branch| &branch.action).chain([&case.action]);
    let text =
        actions.fold(text.to_lowercase(), |text, action| text.replace(&action.to_lowercase(), " "));
    let chosen = match &found.act {
        Act::Choose(choice) if wanted(&found.wish, &found.page).contains(choice) => {
            Some(choice.value)
        }
        _ => None,
    };
    if chosen.is_some_and(|value| !text.contains(&value.to_lowercase())) {
        return Some("the value that is chosen");
    }
    let is_dear = |(_, claim): &(&Branch, Claim)| matches!(claim, Claim::TooDear(_));
    let binds =
        found.wish.limit.is_some() && (found.act == Act::Buy || found.claims.iter().any(is_dear));
    let speaks =
        ["price", "cost", "dollar", "$", "budget", "limit", "cheap", "expensive", "afford"];
    (binds && !speaks.iter().any(|word| text.contains(word))).then_some("what it may cost")
}
