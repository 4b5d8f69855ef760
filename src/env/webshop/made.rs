//! A catalogue of any size in the original's files, made from a seed: what shows that a large one can
//! be kept. Its words are invented, as often as words are (the share of the n-th is 1/n).

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::budget;
use crate::error::{Error, Result};
use crate::paths::write_whole;
use crate::rng::Rng;

/// The files of a catalogue.
const NAMES: [&str; 3] = ["items_shuffle.json", "items_ins_v2.json", "items_human_ins.json"];

/// Different words.
const WORDS: f64 = 200_000.0;

/// Products that somebody wants in words of their own, about.
const WANTED: usize = 13_000;

const KINDS: [(&str, &str, &str); 5] = [
    ("fashion", "men's shirts", "Clothing › Men › Shirts"),
    ("garden", "table lamps", "Home › Lighting › Table Lamps"),
    ("electronics", "headphones", "Electronics › Audio › Headphones"),
    ("grocery", "herbal tea", "Grocery › Beverages › Tea"),
    ("beauty", "face creams", "Beauty › Skin Care › Face Creams"),
];

const COLOURS: [&str; 8] = ["black", "white", "navy", "red", "green", "grey", "beige", "teal"];
const SIZES: [&str; 4] = ["small", "medium", "large", "x-large"];

/// The word of a rank: syllables of a consonant and a vowel, two at least.
fn word(rank: usize) -> String {
    const CONSONANTS: &[u8] = b"bcdfghlmnprst";
    const VOWELS: &[u8] = b"aeo";
    let syllables = CONSONANTS.len() * VOWELS.len();
    let mut word = String::new();
    let mut left = rank + syllables;
    while left > 0 {
        let (consonant, vowel) = (left % CONSONANTS.len(), left / CONSONANTS.len() % VOWELS.len());
        word.push(char::from(CONSONANTS[consonant]));
        word.push(char::from(VOWELS[vowel]));
        left /= syllables;
    }
    word + "x"
}

fn text(rng: &mut Rng, words: usize) -> String {
    let one = |_| word(WORDS.powf(rng.unit()) as usize - 1);
    (0..words).map(one).collect::<Vec<_>>().join(" ")
}

/// Product `n`, what is said to be true of it, and what somebody wants who wants it.
fn product(seed: u64, n: usize) -> (String, Value, Value) {
    let mut rng = Rng::stream(seed, &n.to_string());
    // Numbers in another order than places, each once.
    let asin = format!("M{:09}", n as u64 * 387_420_489 % 1_000_000_000);
    let (category, query, shelves) = KINDS[rng.below(KINDS.len())];
    let attributes: Vec<String> = (0..3).map(|_| text(&mut rng, 2)).collect();
    let price = 4.0 + rng.below(160) as f64 + 0.99;
    let pricing = match rng.below(8) {
        0 => String::new(),
        1 => format!("${price:.2} - ${:.2}", price + 7.0),
        _ => format!("${price:.2}"),
    };
    let values = |all: &[&str], count: usize| -> Vec<Value> {
        all.iter().take(count).map(|value| json!({"value": value})).collect()
    };
    let options = match rng.below(3) {
        0 => json!({}),
        1 => json!({"color": values(&COLOURS, 2 + rng.below(4))}),
        _ => json!({"color": values(&COLOURS, 2), "size": values(&SIZES, 3)}),
    };
    let title_words = 6 + rng.below(9);
    let title = format!("{} {}", text(&mut rng, title_words), attributes[0]);
    let bullets: Vec<String> =
        attributes.iter().map(|own| format!("{}, {own}", text(&mut rng, 11))).collect();
    let said = 40 + rng.below(50);
    let record = json!({
        "asin": asin, "name": title, "full_description": text(&mut rng, said),
        "small_description": bullets, "pricing": pricing, "category": category, "query": query,
        "product_category": shelves, "customization_options": options,
    });
    let wish = format!("i am looking for {} that is {}", attributes[0], attributes[1]);
    let known = json!({
        "attributes": attributes, "instruction": wish, "instruction_attributes": attributes[..2],
    });
    (asin, record, known)
}

/// Writes so many products; `report` is told how many are written.
pub fn write(folder: &Path, products: usize, seed: u64, report: &mut dyn FnMut(u64)) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("making", folder, &e))?;
    // Said before an hour is spent: a person's own catalogue may be there.
    if let Some(there) = NAMES.iter().map(|name| folder.join(name)).find(|path| path.exists()) {
        return Err(Error::new(format!("{}: already there", there.display()))
            .hint("name another folder, or move it away first"));
    }
    let every = (products / WANTED).max(1);
    let text = |out: &mut BufWriter<NamedTempFile>, at: &Path, text: &str| {
        out.write_all(text.as_bytes()).map_err(|e| Error::io("writing", at, &e))
    };
    let put = |out: &mut BufWriter<NamedTempFile>, at: &Path, value: &Value| {
        serde_json::to_writer(&mut *out, value).map_err(|e| Error::io("writing", at, &e.into()))
    };
    let begin = |n: usize, open: &'static str| if n == 0 { open } else { ",\n" };
    let [all, known, human] = NAMES.map(|name| folder.join(name));
    write_whole(&all, false, |all_out| {
        write_whole(&known, false, |known_out| {
            write_whole(&human, false, |human_out| {
                for n in 0..products {
                    if n.is_multiple_of(1024) {
                        budget::cancel().check()?;
                        report(n as u64);
                    }
                    let (asin, record, wish) = product(seed, n);
                    text(all_out, &all, begin(n, "["))?;
                    put(all_out, &all, &record)?;
                    let key = format!("{}\"{asin}\": ", begin(n, "{"));
                    text(known_out, &known, &key)?;
                    put(known_out, &known, &wish)?;
                    if n.is_multiple_of(every) {
                        text(human_out, &human, &key)?;
                        let wish = json!([{
                            "instruction": wish["instruction"],
                            "instruction_attributes": wish["instruction_attributes"],
                            "instruction_options": [],
                        }]);
                        put(human_out, &human, &wish)?;
                    }
                }
                text(all_out, &all, "]\n")?;
                text(known_out, &known, "}\n")?;
                text(human_out, &human, "}\n")
            })
        })
    })?;
    report(products as u64);
    Ok(())
}
