//! The shop: its products, its search engine, and what is known of its titles.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::catalog::Product;
use super::goals::Goal;
use super::kept::{Field, Kept, Rest};
use super::nouns::{From, Nouns};
use super::search::{Indexer, Postings, best};
use crate::digest::Digest;
use crate::env::Form;
use crate::error::Result;

/// See the module.
pub struct Shop {
    shelf: Shelf,
    /// What each product costs, by its place.
    pub prices: Vec<f64>,
    norms: Vec<f32>,
    nouns: Nouns,
    forms: Arc<[Form]>,
    identity: u64,
}

/// Where its products are.
enum Shelf {
    /// In memory.
    Here {
        products: Vec<Arc<Product>>,
        places: HashMap<String, u32>,
        postings: HashMap<String, Postings>,
    },
    /// In a file.
    Kept(Kept),
}

/// What a product and its price are in the shop's identity.
pub fn identify(digest: &mut Digest, product: &Product, price: f64) {
    digest.add(format!("{product:?} {price}").as_bytes());
}

impl Shop {
    /// Of products with what each costs, and the nouns of titles.
    pub fn new(products: Vec<Product>, prices: Vec<f64>, nouns: Nouns) -> Self {
        let mut digest = Digest::default();
        let mut indexer = Indexer::default();
        for (product, price) in products.iter().zip(&prices) {
            identify(&mut digest, product, *price);
            indexer.add(&product.document());
        }
        let (postings, norms) = indexer.finish();
        let places = products.iter().enumerate();
        let places = places.map(|(place, one)| (one.asin.clone(), place as u32)).collect();
        let products = products.into_iter().map(Arc::new).collect();
        let shelf = Shelf::Here { products, places, postings };
        Self { shelf, prices, norms, nouns, forms: forms(), identity: digest.finish() }
    }

    /// Of an index that was made, with what its customers want and the departments of that.
    pub fn kept(at: &Path, nouns: Nouns) -> Result<(Self, Vec<(Goal, String)>)> {
        let (kept, Rest { prices, norms, goals, identity }) = Kept::open(at)?;
        let shelf = Shelf::Kept(kept);
        Ok((Self { shelf, prices, norms, nouns, forms: forms(), identity }, goals))
    }

    /// The same at other prices.
    pub fn costing(&mut self, prices: Vec<f64>) {
        let mut digest = Digest::default();
        digest.add(&self.identity.to_le_bytes());
        for price in &prices {
            digest.add(&price.to_le_bytes());
        }
        (self.identity, self.prices) = (digest.finish(), prices);
    }

    /// What can be typed on every page.
    pub fn forms(&self) -> Arc<[Form]> {
        self.forms.clone()
    }

    /// All that it sells and what it costs, as a number.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// How many products it sells.
    pub fn len(&self) -> usize {
        self.norms.len()
    }

    /// Whether it sells nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The product of a place.
    pub fn product(&self, place: u32) -> Result<Arc<Product>> {
        match &self.shelf {
            Shelf::Here { products, .. } => {
                Ok(products.get(place as usize).cloned().unwrap_or_default())
            }
            Shelf::Kept(kept) => kept.product(place),
        }
    }

    /// The number of the product of a place; empty where there is none.
    pub fn asin(&self, place: u32) -> &str {
        match &self.shelf {
            Shelf::Here { products, .. } => {
                products.get(place as usize).map_or("", |product| &product.asin)
            }
            Shelf::Kept(kept) => kept.asin(place),
        }
    }

    /// Where the product of that number stands.
    pub fn place(&self, asin: &str) -> Option<u32> {
        match &self.shelf {
            Shelf::Here { places, .. } => places.get(asin).copied(),
            Shelf::Kept(kept) => kept.place(asin),
        }
    }

    /// The product of that number.
    pub fn find(&self, asin: &str) -> Result<Option<Arc<Product>>> {
        self.place(asin).map(|place| self.product(place)).transpose()
    }

    /// The best products for some words, by their places.
    pub fn search(&self, words: &str) -> Result<Vec<u32>> {
        let find = |term: &str| match &self.shelf {
            Shelf::Here { postings, .. } => Ok(postings.get(term).map(Cow::Borrowed)),
            Shelf::Kept(kept) => Ok(kept.postings(term)?.map(Cow::Owned)),
        };
        let hits = best(words, &self.norms, find, |a, b| self.asin(a).cmp(self.asin(b)))?;
        Ok(hits.into_iter().map(|(place, _)| place).collect())
    }

    /// Places of the products whose category, or query, is exactly this.
    pub fn with(&self, field: Field, text: &str) -> Result<Vec<u32>> {
        match &self.shelf {
            Shelf::Here { products, .. } => {
                let of = |product: &Product| match field {
                    Field::Category => product.category == text,
                    Field::Query => product.query == text,
                };
                let all = products.iter().enumerate().filter(|(_, product)| of(product));
                Ok(all.map(|(place, _)| place as u32).collect())
            }
            Shelf::Kept(kept) => kept.with(field, text),
        }
    }

    /// The nouns of a title in lower case and in order, and where that is known from.
    pub fn nouns(&self, title: &str) -> (Vec<String>, From) {
        self.nouns.of(title)
    }
}

fn forms() -> Arc<[Form]> {
    Arc::from([Form::new("search[…]")])
}
