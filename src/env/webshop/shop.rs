//! The shop: its products, its search engine, and what is known of its titles.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::Product;
use super::nouns::{From, Nouns};
use super::search::Index;
use crate::digest::Digest;
use crate::env::Form;

/// See the module.
pub struct Shop {
    /// What it sells.
    pub products: Vec<Product>,
    /// What each costs.
    pub prices: Vec<f64>,
    places: HashMap<String, u32>,
    index: Index,
    nouns: Nouns,
    forms: Arc<[Form]>,
    identity: u64,
}

impl Shop {
    /// Of products with what each costs, and the nouns of titles.
    pub fn new(products: Vec<Product>, prices: Vec<f64>, nouns: Nouns) -> Self {
        let mut digest = Digest::default();
        for (product, price) in products.iter().zip(&prices) {
            digest.add(format!("{product:?} {price}").as_bytes());
        }
        let documents: Vec<String> = products.iter().map(Product::document).collect();
        let index = Index::of(documents.iter().map(String::as_str));
        let places = products.iter().enumerate();
        let places = places.map(|(place, one)| (one.asin.clone(), place as u32)).collect();
        let forms = Arc::from([Form::new("search[…]")]);
        Self { products, prices, places, index, nouns, forms, identity: digest.finish() }
    }

    /// What can be typed on every page.
    pub fn forms(&self) -> Arc<[Form]> {
        self.forms.clone()
    }

    /// All that it sells and what it costs, as a number.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The product of that number.
    pub fn find(&self, asin: &str) -> Option<&Product> {
        self.products.get(*self.places.get(asin)? as usize)
    }

    /// The best products for some words, by their places.
    pub fn search(&self, words: &str) -> Vec<u32> {
        let asin = |place: u32| &self.products[place as usize].asin;
        let hits = self.index.search(words, |a, b| asin(a).cmp(asin(b)));
        hits.into_iter().map(|(place, _)| place).collect()
    }

    /// The nouns of a title in lower case and in order, and where that is known from.
    pub fn nouns(&self, title: &str) -> (Vec<String>, From) {
        self.nouns.of(title)
    }
}
