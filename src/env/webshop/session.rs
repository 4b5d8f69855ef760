//! A visit to the shop: what is looked at, what was chosen, and what every action leads to.

use std::sync::Arc;

use super::catalog::{Product, float};
use super::goals::Goal;
use super::kept::Field;
use super::page::{Click, Page, Piece};
use super::python::{dict, json, json_in_page};
use super::reward::{Reward, reward};
use super::search::MOST;
use super::shop::Shop;
use crate::digest::Digest;
use crate::error::Result;
use crate::rng::Rng;

/// Where the original's pages seem to be.
const BASE: &str = "http://127.0.0.1:3000";

/// Results on a page.
const WINDOW: usize = 10;

/// Pages about a product.
const SUB_PAGES: [&str; 4] = ["Description", "Features", "Reviews", "Attributes"];

/// A visit. Copying it is cheap: what does not change is shared.
#[derive(Clone)]
pub struct Session {
    shop: Arc<Shop>,
    /// What the customer wants.
    pub goal: Arc<Goal>,
    /// What the session goes by in addresses.
    id: Arc<str>,
    keywords: Arc<[String]>,
    /// What was found by them.
    found: Arc<[u32]>,
    page: usize,
    /// The product that is looked at.
    product: Option<(u32, Arc<Product>)>,
    /// Products that were looked at.
    seen: Vec<(u32, Arc<Product>)>,
    /// What was chosen, by option.
    options: Vec<(String, String)>,
    /// What is shown.
    pub shown: Arc<Page>,
    /// Products whose features were read.
    read: Vec<u32>,
    /// What the last purchase was worth, once there is one.
    pub bought: Option<Arc<Reward>>,
    /// Purchases so far.
    pub purchases: u32,
    /// Searches so far: random products are drawn by it.
    searches: u64,
}

impl Session {
    /// At its beginning.
    pub fn new(shop: Arc<Shop>, goal: Arc<Goal>, id: &str) -> Self {
        let mut session = Self {
            shop,
            goal,
            id: id.into(),
            keywords: Arc::from([]),
            found: Arc::from([]),
            page: 1,
            product: None,
            seen: Vec::new(),
            options: Vec::new(),
            shown: Arc::default(),
            read: Vec::new(),
            bought: None,
            purchases: 0,
            searches: 0,
        };
        session.begin();
        session
    }

    /// The shop that is visited.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// The product that is looked at.
    pub fn product(&self) -> Option<&Product> {
        self.product.as_ref().map(|(_, product)| product.as_ref())
    }

    /// Products that were looked at since the last search page, in order.
    pub fn seen(&self) -> impl Iterator<Item = &Product> {
        self.seen.iter().map(|(_, product)| product.as_ref())
    }

    /// Whether a product's features were read.
    pub fn has_read(&self, asin: &str) -> bool {
        self.read.iter().any(|place| self.shop.asin(*place) == asin)
    }

    /// The page of results that is shown, or was last.
    pub fn page_number(&self) -> usize {
        self.page
    }

    /// On a page of results: how many pages on (or back) a product of that number stands.
    pub fn pages_to(&self, asin: &str) -> Option<isize> {
        let is_it = |place: &u32| self.shop.asin(*place) == asin;
        let at = self.found.iter().position(is_it).filter(|_| self.product.is_none())?;
        Some((at / WINDOW + 1) as isize - self.page as isize)
    }

    /// What was chosen, by option.
    pub fn chosen(&self) -> &[(String, String)] {
        &self.options
    }

    /// A hash of all that what follows depends on.
    pub fn fingerprint(&self) -> u64 {
        let mut digest = Digest::default();
        digest.add(self.shown.url.as_bytes());
        let seen: Vec<u32> = self.seen.iter().map(|(place, _)| *place).collect();
        for list in [&seen[..], &self.found[..]] {
            let bytes: Vec<u8> = list.iter().flat_map(|place| place.to_le_bytes()).collect();
            digest.add(&bytes);
        }
        let numbers = [
            self.product.as_ref().map_or(u64::MAX, |(place, _)| u64::from(*place)),
            self.purchases.into(),
        ];
        digest.add(&numbers.map(u64::to_le_bytes).concat());
        for (name, value) in &self.options {
            digest.add(name.as_bytes());
            digest.add(value.as_bytes());
        }
        // Random products are drawn by the number of searches.
        if self.keywords.first().is_some_and(|word| word == "<r>") {
            digest.add(&self.searches.to_le_bytes());
        }
        digest.finish()
    }

    /// Does what an action says; false where it says nothing that can be done, and nothing changes.
    ///
    /// # Errors
    /// Where a kept catalogue cannot be read.
    pub fn act(&mut self, action: &str) -> Result<bool> {
        let Some((verb, argument)) = parsed(action) else { return Ok(false) };
        let argument = argument.to_lowercase();
        match verb {
            "search" => self.search(&argument),
            "click" if argument != "search" => {
                let shown = self.shown.clone();
                let found = shown.clicks.iter().find(|(name, _)| *name == argument);
                found.map_or(Ok(false), |(name, click)| self.click(name, click))
            }
            _ => Ok(false),
        }
    }

    fn search(&mut self, words: &str) -> Result<bool> {
        let keywords: Vec<String> = words.split(' ').map(str::to_string).collect();
        self.searches += 1;
        let found = match keywords[0].as_str() {
            "<r>" => {
                let mut all: Vec<u32> = (0..self.shop.len() as u32).collect();
                Rng::stream(self.searches, &self.id).shuffle(&mut all);
                all.truncate(MOST);
                all
            }
            // The original fails at both: nothing is done.
            "<a>" => return Ok(false),
            "<c>" if keywords.len() < 2 => return Ok(false),
            "<c>" => self.shop.with(Field::Category, keywords[1].trim())?,
            "<q>" => {
                let query = keywords[1..].join(" ");
                self.shop.with(Field::Query, query.trim())?
            }
            _ => self.shop.search(&keywords.join(" "))?,
        };
        self.keywords = keywords.into();
        self.found = found.into();
        self.results(1)
    }

    /// What the page is taken for, by words in its address.
    fn place(&self) -> &'static str {
        let names = ["search_results", "item_page", "item_sub_page", "done"];
        names.into_iter().find(|name| self.shown.url.contains(name)).unwrap_or("")
    }

    fn click(&mut self, name: &str, click: &Click) -> Result<bool> {
        match (name, self.place()) {
            ("buy now", _) => Ok(self.buy()),
            ("back to search", _) => {
                self.begin();
                Ok(true)
            }
            ("next >", "search_results") => self.results(self.page + 1),
            ("< prev", "search_results") => self.results(self.page.saturating_sub(1)),
            ("< prev", "item_sub_page") => self.item(click, name),
            ("< prev", "item_page") => self.results(self.page),
            _ => match SUB_PAGES.iter().find(|page| page.to_lowercase() == name) {
                Some(page) => Ok(self.about(page)),
                None => self.item(click, name),
            },
        }
    }

    /// The page to search from; nothing is looked at or chosen any more.
    fn begin(&mut self) {
        self.keywords = Arc::from([]);
        self.found = Arc::from([]);
        self.page = 1;
        self.product = None;
        self.seen.clear();
        self.options.clear();
        let pieces = vec![
            Piece::Text("WebShop".into()),
            Piece::Text("Instruction: ".into()),
            Piece::Text(self.goal.instruction.clone()),
            Piece::Button("Search".into()),
        ];
        let url = format!("{BASE}/{}", self.id);
        self.shown = Arc::new(Page { has_search_bar: true, ..Page::new(url, pieces, Vec::new()) });
    }

    /// What every other page begins with.
    fn head(&self) -> Vec<Piece> {
        vec![
            Piece::Text("Instruction:".into()),
            Piece::Text(self.goal.instruction.clone()),
            Piece::Button("Back to Search".into()),
        ]
    }

    /// A page of results.
    fn results(&mut self, page: usize) -> Result<bool> {
        self.page = page;
        self.product = None;
        self.options.clear();
        let mut pieces = self.head();
        let total = self.found.len();
        pieces.push(Piece::Text(format!("Page {page} (Total results: {total})")));
        if page > 1 {
            pieces.push(Piece::Button("< Prev".into()));
        }
        pieces.push(Piece::Button("Next >".into()));
        let from = page.saturating_sub(1).saturating_mul(WINDOW);
        let mut products = Vec::new();
        for &place in self.found.iter().skip(from).take(WINDOW) {
            let product = self.shop.product(place)?;
            let Product { asin, title, tag, .. } = product.as_ref();
            let is_seen = self.seen.iter().any(|(seen, _)| *seen == place);
            pieces.push(Piece::Product(asin.clone(), is_seen));
            pieces.push(Piece::Text(title.clone()));
            pieces.push(Piece::Text(tag.clone()));
            products.push((asin.to_lowercase(), Click::Product(place)));
        }
        let url = format!("{BASE}/search_results/{}/{}/{page}", self.id, self.keywords.join("+"));
        self.shown = Arc::new(Page::new(url, pieces, products));
        Ok(true)
    }

    /// A product's page, after a click on it, on a value, or on the way back to it.
    fn item(&mut self, click: &Click, name: &str) -> Result<bool> {
        match click {
            Click::Product(place) => {
                let product = self.shop.product(*place)?;
                if self.seen.iter().all(|(seen, _)| seen != place) {
                    self.seen.push((*place, product.clone()));
                }
                self.product = Some((*place, product));
            }
            Click::Value(option) => match self.options.iter_mut().find(|(own, _)| own == option) {
                Some((_, value)) => *value = name.to_string(),
                None => self.options.push((option.clone(), name.to_string())),
            },
            Click::Button => {}
        }
        let Some((_, product)) = self.product.clone() else { return Ok(false) };
        let url = format!(
            "{BASE}/item_page/{}/{}/{}/{}/{}",
            self.id,
            product.asin,
            self.keywords.join("+"),
            self.page,
            json(&self.options)
        );
        let mut pieces = self.head();
        pieces.push(Piece::Button("< Prev".into()));
        let mut values = Vec::new();
        for (option, all) in &product.options {
            pieces.push(Piece::Text(option.clone()));
            for value in all {
                let is_chosen = url.contains(&format!("\"{value}\""));
                pieces.push(Piece::Value(value.clone(), is_chosen));
                values.push((value.clone(), Click::Value(option.clone())));
            }
        }
        pieces.push(Piece::Text(product.title.clone()));
        pieces.push(Piece::Text(format!("Price: {}", product.tag)));
        pieces.push(Piece::Text("Rating: N.A.".into()));
        pieces.extend(SUB_PAGES[..3].iter().map(|page| Piece::Button((*page).into())));
        pieces.push(Piece::Button("Buy Now".into()));
        self.shown = Arc::new(Page::new(url, pieces, values));
        Ok(true)
    }

    /// A page about the product.
    fn about(&mut self, page: &str) -> bool {
        let Some((place, product)) = self.product.clone() else { return false };
        let url = format!(
            "{BASE}/item_sub_page/{}/{}/{}/{}/{page}/{}",
            self.id,
            product.asin,
            self.keywords.join("+"),
            self.page,
            dict(&self.options)
        );
        let mut pieces = self.head();
        pieces.push(Piece::Button("< Prev".into()));
        match page {
            "Description" => pieces.push(Piece::Text(product.description.clone())),
            "Features" => {
                if !self.read.contains(&place) {
                    self.read.push(place);
                }
                let bullets = product.bullets.iter();
                pieces.extend(bullets.map(|bullet| Piece::Text(format!(" {bullet}"))));
            }
            _ => {}
        }
        self.shown = Arc::new(Page::new(url, pieces, Vec::new()));
        true
    }

    fn buy(&mut self) -> bool {
        let Some((place, product)) = self.product.clone() else { return false };
        let price = self.shop.prices[place as usize];
        let nouns = |title: &str| self.shop.nouns(title).0;
        let worth = reward(&product, &self.goal, price, &self.options, &nouns);
        let url = format!("{BASE}/done/{}/{}/{}", self.id, product.asin, dict(&self.options));
        let options = json_in_page(&self.options);
        let lines = [
            "Thank you for shopping with us!",
            "Your code: ",
            "None",
            " (Paste it in your MTurk interface.)",
            "Purchased",
            "asin",
            &product.asin,
            "options",
            &options,
            "attrs",
            "None",
            "category",
            "None",
            "query",
            "None",
            "product category",
            "None",
            "Target",
            "asin",
            "options",
            "attrs",
            "price upper",
            "instuction text",
            "category",
            "product category",
            "query",
            "Goal ",
            "None",
            "Reward",
            "Your score (min 0.0, max 1.0)",
            &float(worth.total),
            "Reward Details ",
            "None",
        ];
        let pieces = lines.iter().map(|line| Piece::Text((*line).to_string())).collect();
        self.shown = Arc::new(Page::new(url, pieces, Vec::new()));
        self.bought = Some(Arc::new(worth));
        self.purchases += 1;
        true
    }
}

/// The verb and the argument of an action: what stands before the last `[` that still leaves an
/// argument, and between it and the last `]` of the first line.
fn parsed(action: &str) -> Option<(&str, &str)> {
    let line = action.split('\n').next()?;
    let end = line.rfind(']')?;
    // Both have a letter at least; the first takes as much as it can.
    let open = line[..end].rmatch_indices('[').map(|(at, _)| at);
    let at = open.into_iter().find(|at| *at > 0 && at + 1 < end)?;
    Some((&line[..at], &line[at + 1..end]))
}
