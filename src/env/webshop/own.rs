//! A small catalogue of our own, so that the shop opens with nothing to download: products and wishes
//! are made from the lists here by a seed.

use std::collections::HashMap;

use super::catalog::Product;
use super::goals::Wish;
use crate::rng::Rng;

/// Products of a kind.
const EACH: usize = 40;

/// The seed of the catalogue.
const SEED: u64 = 20;

struct Kind {
    name: &'static str,
    query: &'static str,
    category: &'static str,
    shelves: &'static str,
    /// What may be true of one; each product has three or four of these.
    attributes: &'static [&'static str],
    /// What can be chosen: a name and its values.
    options: &'static [(&'static str, &'static [&'static str])],
    /// What one costs, in dollars.
    price: (u32, u32),
}

const COLOURS: &[&str] = &["black", "white", "navy", "red", "green", "grey", "beige", "teal"];
const SIZES: &[&str] = &["small", "medium", "large", "x-large"];
const PACKS: &[&str] = &["pack of 1", "pack of 2", "pack of 4"];

const KINDS: &[Kind] = &[
    Kind {
        name: "shirt",
        query: "men's shirts",
        category: "fashion",
        shelves: "Clothing › Men › Shirts",
        attributes: &[
            "machine washable",
            "long sleeve",
            "short sleeve",
            "slim fit",
            "quick drying",
            "pure cotton",
            "wrinkle free",
        ],
        options: &[("color", COLOURS), ("size", SIZES)],
        price: (9, 48),
    },
    Kind {
        name: "running shoes",
        query: "running shoes",
        category: "fashion",
        shelves: "Clothing › Shoes › Running",
        attributes: &[
            "light weight",
            "non slip",
            "arch support",
            "water resistant",
            "memory foam",
            "wide fit",
        ],
        options: &[("color", COLOURS), ("size", &["7", "8", "9", "10", "11"])],
        price: (25, 120),
    },
    Kind {
        name: "backpack",
        query: "backpacks",
        category: "fashion",
        shelves: "Luggage › Bags › Backpacks",
        attributes: &[
            "water resistant",
            "laptop compartment",
            "padded straps",
            "light weight",
            "hidden pocket",
            "machine washable",
        ],
        options: &[("color", COLOURS)],
        price: (18, 95),
    },
    Kind {
        name: "table lamp",
        query: "table lamps",
        category: "garden",
        shelves: "Home › Lighting › Table Lamps",
        attributes: &[
            "led bulb",
            "dimmable light",
            "energy saving",
            "wooden base",
            "easy assembly",
            "usb port",
        ],
        options: &[
            ("color", &["white", "black", "bronze", "silver"]),
            ("style", &["round", "square"]),
        ],
        price: (15, 90),
    },
    Kind {
        name: "throw pillow",
        query: "throw pillows",
        category: "garden",
        shelves: "Home › Bedding › Throw Pillows",
        attributes: &[
            "machine washable",
            "double sided",
            "hidden zipper",
            "soft velvet",
            "feather filling",
            "fade resistant",
        ],
        options: &[("color", COLOURS), ("size", &["16 x 16", "18 x 18", "20 x 20"])],
        price: (7, 40),
    },
    Kind {
        name: "blanket",
        query: "blankets",
        category: "garden",
        shelves: "Home › Bedding › Blankets",
        attributes: &[
            "machine washable",
            "super soft",
            "light weight",
            "pure wool",
            "fade resistant",
            "all season",
        ],
        options: &[("color", COLOURS), ("size", &["throw", "twin", "queen"])],
        price: (19, 110),
    },
    Kind {
        name: "bath towel",
        query: "bath towels",
        category: "garden",
        shelves: "Home › Bath › Towels",
        attributes: &[
            "quick drying",
            "pure cotton",
            "super soft",
            "machine washable",
            "extra large",
            "lint free",
        ],
        options: &[("color", COLOURS), ("pack", PACKS)],
        price: (8, 55),
    },
    Kind {
        name: "headphones",
        query: "headphones",
        category: "electronics",
        shelves: "Electronics › Audio › Headphones",
        attributes: &[
            "noise cancelling",
            "wireless bluetooth",
            "long battery life",
            "foldable design",
            "built in microphone",
            "light weight",
        ],
        options: &[("color", &["black", "white", "red", "teal"])],
        price: (20, 240),
    },
    Kind {
        name: "phone charger",
        query: "phone chargers",
        category: "electronics",
        shelves: "Electronics › Phones › Chargers",
        attributes: &[
            "fast charging",
            "wireless charging",
            "travel size",
            "usb port",
            "braided cable",
            "over heat protection",
        ],
        options: &[("color", &["black", "white"]), ("length", &["3 feet", "6 feet", "10 feet"])],
        price: (6, 45),
    },
    Kind {
        name: "coffee mug",
        query: "coffee mugs",
        category: "garden",
        shelves: "Kitchen › Drinkware › Mugs",
        attributes: &[
            "dishwasher safe",
            "microwave safe",
            "double wall",
            "stainless steel",
            "bpa free",
            "spill proof",
        ],
        options: &[("color", COLOURS), ("capacity", &["10 ounce", "14 ounce", "20 ounce"])],
        price: (6, 32),
    },
    Kind {
        name: "water bottle",
        query: "water bottles",
        category: "garden",
        shelves: "Kitchen › Drinkware › Bottles",
        attributes: &[
            "leak proof",
            "bpa free",
            "stainless steel",
            "double wall",
            "dishwasher safe",
            "wide mouth",
        ],
        options: &[("color", COLOURS), ("capacity", &["16 ounce", "24 ounce", "32 ounce"])],
        price: (9, 45),
    },
    Kind {
        name: "herbal tea",
        query: "herbal tea",
        category: "grocery",
        shelves: "Grocery › Beverages › Tea",
        attributes: &[
            "caffeine free",
            "certified organic",
            "gluten free",
            "fair trade",
            "sugar free",
            "individually wrapped",
        ],
        options: &[("flavor", &["mint", "ginger", "chamomile", "lemon", "berry"]), ("pack", PACKS)],
        price: (4, 30),
    },
    Kind {
        name: "granola bars",
        query: "granola bars",
        category: "grocery",
        shelves: "Grocery › Snacks › Granola Bars",
        attributes: &[
            "gluten free",
            "high protein",
            "low sugar",
            "certified organic",
            "nut free",
            "individually wrapped",
        ],
        options: &[("flavor", &["honey", "cocoa", "apple", "coconut"]), ("pack", PACKS)],
        price: (5, 38),
    },
    Kind {
        name: "hand soap",
        query: "hand soap",
        category: "beauty",
        shelves: "Beauty › Bath › Hand Soap",
        attributes: &[
            "cruelty free",
            "plant based",
            "paraben free",
            "sensitive skin",
            "essential oils",
            "refill pouch",
        ],
        options: &[("scent", &["lavender", "citrus", "mint", "unscented"]), ("pack", PACKS)],
        price: (4, 28),
    },
    Kind {
        name: "face cream",
        query: "face creams",
        category: "beauty",
        shelves: "Beauty › Skin Care › Face Creams",
        attributes: &[
            "fragrance free",
            "hyaluronic acid",
            "sensitive skin",
            "cruelty free",
            "oil free",
            "anti aging",
        ],
        options: &[("size", &["1 ounce", "2 ounce", "4 ounce"]), ("pack", PACKS)],
        price: (9, 70),
    },
];

const BRANDS: &[&str] = &[
    "Alderbrook",
    "Brisa",
    "Corvane",
    "Dunmore",
    "Elkin",
    "Fennic",
    "Gorsey",
    "Halvor",
    "Ivett",
    "Junipra",
    "Kestor",
    "Lumira",
    "Marloe",
    "Nordane",
    "Oakling",
    "Pellora",
];

const WISHES: &[&str] = &[
    "i am looking for a {a} {kind} that is {b}",
    "i need {kind}, {a} and {b}",
    "find me {a}, {b} {kind}",
    "i want to buy a {kind} with {a} and {b}",
    "show me a {kind} which is {a} and also {b}",
    "i would like {a} {kind} with {b}",
];

fn capital(text: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What is sold, and what customers say who want one of these.
pub fn catalogue() -> (Vec<Product>, HashMap<String, Wish>) {
    let mut products = Vec::new();
    let mut wishes = HashMap::new();
    for (k, kind) in KINDS.iter().enumerate() {
        for n in 0..EACH {
            let mut rng = Rng::stream(SEED, &format!("{} {n}", kind.name));
            let mut attributes: Vec<&str> = kind.attributes.to_vec();
            rng.shuffle(&mut attributes);
            attributes.truncate(3 + rng.below(2));
            let brand = BRANDS[rng.below(BRANDS.len())];
            let asin = format!("F{k:02}{:07}", rng.below(10_000_000));
            let options = kind.options.iter().map(|(name, values)| {
                let mut values: Vec<String> = values.iter().map(|v| (*v).to_string()).collect();
                rng.shuffle(&mut values);
                values.truncate(2 + rng.below(3));
                values.sort();
                ((*name).to_string(), values)
            });
            let options = options.collect();
            let (low, high) = kind.price;
            let price = f64::from(low) + rng.below((high - low) as usize) as f64 + 0.99;
            // Some come at two prices.
            let range =
                if rng.below(6) == 0 { Some(price + 4.0 + rng.below(9) as f64) } else { None };
            let tag = match range {
                Some(high) => format!("${price:.2} to ${high:.2}"),
                None => format!("${price:.2}"),
            };
            let title = format!(
                "{brand} {} {} with {}, No. {}",
                capital(attributes[0]),
                capital(kind.name),
                capital(attributes[1]),
                rng.below(900) + 100
            );
            let bullets = attributes.iter().map(|own| format!("{}: {}", capital(kind.name), own));
            let wish = WISHES[rng.below(WISHES.len())];
            let instruction = wish
                .replace("{kind}", kind.name)
                .replace("{a}", attributes[0])
                .replace("{b}", attributes[2]);
            let wanted = [attributes[0], attributes[2]].map(str::to_string).to_vec();
            wishes.insert(asin.clone(), Wish { instruction, attributes: wanted });
            products.push(Product {
                title,
                description: format!(
                    "A {} by {brand}. It is {}.",
                    kind.name,
                    attributes.join(", ")
                ),
                bullets: bullets.collect(),
                tag,
                pricing: std::iter::once(price).chain(range).collect(),
                category: kind.category.into(),
                query: kind.query.into(),
                shelves: kind.shelves.into(),
                options,
                attributes: attributes.iter().map(|own| (*own).to_string()).collect(),
                asin,
            });
        }
    }
    (products, wishes)
}
