//! What a page of the shop says to who reads it, and what a customer asks for. Read from the words of
//! `text_rich`, since that is all that a writer is given.

use crate::agent::Case;
use crate::experience::State;
use crate::text::button;

/// A product of a list of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<'a> {
    /// As it is clicked on.
    pub name: &'a str,
    pub title: &'a str,
    /// The least that it costs, in dollars, and how that is written.
    pub price: Option<(f64, &'a str)>,
}

/// What can be chosen of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<'a> {
    /// What is chosen ("color").
    pub group: &'a str,
    pub value: &'a str,
    /// Whether it is.
    pub chosen: bool,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page<'a> {
    /// What was found, on a page of results.
    pub products: Vec<Listed<'a>>,
    /// What can be chosen, on a product's page.
    pub choices: Vec<Choice<'a>>,
    /// A product's title.
    pub title: Option<&'a str>,
    /// The least that it costs, in dollars, and how that is written.
    pub price: Option<(f64, &'a str)>,
}

/// The first amount in dollars of a text, with how the whole is written.
fn price(text: &str) -> Option<(f64, &str)> {
    let at = text.find('$')?;
    let digits = text[at + 1..].split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    Some((digits.trim_end_matches('.').parse().ok()?, text[at..].trim()))
}

impl<'a> Page<'a> {
    /// From its text.
    pub fn of(text: &'a str) -> Self {
        let mut page = Self::default();
        let is_results = text.contains("(Total results:");
        let mut group = "";
        let mut last = "";
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        while let Some(line) = lines.next() {
            match button(line) {
                // A product is its name, its title and its price, in three lines.
                Some((name, _)) if is_results => {
                    let Some(title) = lines.next_if(|next| button(next).is_none()) else {
                        continue;
                    };
                    let cost = lines.next_if(|next| next.starts_with('$'));
                    if let Some(cost) = cost {
                        page.products.push(Listed { name, title, price: price(cost) });
                    }
                }
                Some((value, chosen)) if line.starts_with(' ') => {
                    page.choices.push(Choice { group, value, chosen });
                }
                Some(_) => {}
                None if line.starts_with("Price: ") => {
                    page.title = Some(last);
                    page.price = price(line);
                }
                None => {
                    let is_group = lines.peek().is_some_and(|next| next.starts_with("  ["));
                    if is_group {
                        group = line;
                    }
                    last = line;
                }
            }
        }
        page
    }

    /// The one that is open in a state.
    pub fn open(state: &'a State) -> Self {
        Self::of(state.history.last().map_or(&state.observation, |(_, page)| page))
    }
}

/// What an action does on a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Act<'a> {
    Search(&'a str),
    /// Opens a product.
    Product(Listed<'a>),
    Choose(Choice<'a>),
    /// Reads what more is said of a product.
    Read,
    Buy,
    /// Goes back to what was before.
    Back,
    /// To the next results.
    Next,
    Other,
}

impl<'a> Act<'a> {
    /// By its words.
    pub fn of(action: &'a str, page: &Page<'a>) -> Self {
        let inside =
            |word: &str| action.trim().strip_prefix(word).and_then(|rest| rest.strip_suffix(']'));
        if let Some(words) = inside("search[") {
            return Self::Search(words);
        }
        let Some(name) = inside("click[") else { return Self::Other };
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        if let Some(product) = page.products.iter().find(|product| is(product.name)) {
            return Self::Product(product.clone());
        }
        if let Some(choice) = page.choices.iter().find(|choice| is(choice.value)) {
            return Self::Choose(choice.clone());
        }
        match name.to_ascii_lowercase().as_str() {
            "description" | "features" | "reviews" | "attributes" => Self::Read,
            "buy now" => Self::Buy,
            "< prev" | "back to search" => Self::Back,
            "next >" => Self::Next,
            _ => Self::Other,
        }
    }
}

/// Words of a wish that say nothing of the thing.
const SAID: [&str; 34] = [
    "a", "an", "and", "any", "also", "am", "are", "be", "buy", "can", "find", "for", "get", "give",
    "i", "in", "is", "it", "looking", "lower", "me", "need", "of", "or", "price", "show", "than",
    "that", "the", "to", "want", "which", "with", "dollars",
];

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// In lower case, what is no letter or digit as one space, with one at each end.
    said: String,
    /// What it may cost at most, and how that is written.
    pub limit: Option<(f64, String)>,
    /// What is asked for by name: "color: black" of "with color: black, and size: m, and price …".
    groups: Vec<(String, String)>,
}

fn spaced(text: &str) -> String {
    // "6.5" is one word, and no 6.
    let words =
        text.split(|c: char| !c.is_alphanumeric() && c != '.').map(|word| word.trim_matches('.'));
    let words = words.filter(|word| !word.is_empty());
    format!(" {} ", words.map(str::to_lowercase).collect::<Vec<_>>().join(" "))
}

impl Wish {
    /// From a task.
    pub fn of(task: &str) -> Self {
        let lower = task.to_lowercase();
        let limit = ["lower than ", "less than ", "under $", "under "].iter().find_map(|before| {
            let rest = lower.split(before).nth(1)?.trim_start_matches('$');
            let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
            let digits = digits.trim_end_matches('.');
            Some((digits.parse().ok()?, digits.to_string()))
        });
        let part = |part: &str| {
            let (name, value) = part.split_once(": ")?;
            let name = name.rsplit(' ').next()?;
            Some((name.to_string(), value.trim().trim_end_matches('.').to_string()))
        };
        let groups = lower.split(", and ").filter_map(part).collect();
        // What it may cost is no size.
        let thing =
            lower.find("price lower than").map_or(task, |at| task.get(..at).unwrap_or(task));
        Self { said: spaced(thing), limit, groups }
    }

    /// Whether a value that can be chosen is named.
    pub fn names(&self, value: &str) -> bool {
        let value = spaced(value);
        value.len() > 2 && self.said.contains(&value)
    }

    /// What is asked for of a group of choices, where that is said so ("color: black").
    pub fn of_group(&self, group: &str) -> Option<&str> {
        let (_, value) = self.groups.iter().find(|(name, _)| name.eq_ignore_ascii_case(group))?;
        Some(value)
    }

    /// The words of the thing that a text has: what is asked for, without what is in every wish.
    pub fn words_in(&self, text: &str) -> Vec<String> {
        let text = spaced(text);
        let mut found: Vec<String> = Vec::new();
        for word in self.said.split_whitespace().filter(|word| !SAID.contains(word)) {
            let is_new = !found.iter().any(|known| known == word);
            if is_new && word.parse::<f64>().is_err() && text.contains(&format!(" {word} ")) {
                found.push(word.to_string());
            }
        }
        found
    }

    /// Whether something costs more than it may.
    pub fn is_too_dear(&self, price: Option<(f64, &str)>) -> bool {
        let over = |limit: &(f64, String)| price.is_some_and(|(least, _)| least > limit.0);
        self.limit.as_ref().is_some_and(over)
    }
}

/// Whether a case is one of a shop: by its words, which are all that is known of it.
pub fn is_shop(case: &Case) -> bool {
    is_shops(&case.state)
        && (case.action.starts_with("search[") || case.action.starts_with("click["))
}

/// The same of a state.
pub fn is_shops(state: &State) -> bool {
    state.observation.contains("[button] ") && state.observation.contains("Instruction:")
}
