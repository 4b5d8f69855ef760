//! Pages: what the shop shows, as texts, and what can be clicked.

use super::python::strip;

/// A piece of text on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Only read.
    Text(String),
    /// A button.
    Button(String),
    /// A value that can be chosen, and whether it is.
    Value(String, bool),
    /// A product, and whether it was looked at.
    Product(String, bool),
}

/// What a click does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Click {
    /// A button, by its text in lower case.
    Button,
    /// A product, by its place in the catalogue.
    Product(u32),
    /// A value of an option, by the option's name.
    Value(String),
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What stands on it, in order.
    pub pieces: Vec<Piece>,
    /// What can be clicked by name, in the order of the original: buttons, products, values; each
    /// name once, at its first place with its last meaning.
    pub clicks: Vec<(String, Click)>,
    /// Its address.
    pub url: String,
    /// Whether there is a field to search with.
    pub has_search_bar: bool,
}

impl Page {
    /// Of pieces, with the products among them by their places.
    pub fn new(url: String, pieces: Vec<Piece>, values: Vec<(String, Click)>) -> Self {
        let mut page = Self { url, ..Self::default() };
        let buttons = pieces.iter().filter_map(|piece| match piece {
            Piece::Button(text) => Some((text.to_lowercase(), Click::Button)),
            _ => None,
        });
        for (name, click) in buttons.chain(values) {
            match page.clicks.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = click,
                None => page.clicks.push((name, click)),
            }
        }
        // What is only white space is dropped where it has a line's end in it, and one blank else.
        let is_blank =
            |text: &str| text.chars().all(|c| [' ', '\n', '\t', '\u{c}', '\r'].contains(&c));
        let blank = |piece: Piece| match piece {
            Piece::Text(text) if text.is_empty() || is_blank(&text) && text.contains('\n') => None,
            Piece::Text(text) if is_blank(&text) => Some(Piece::Text(" ".into())),
            piece => Some(piece),
        };
        page.pieces = pieces.into_iter().filter_map(blank).collect();
        page
    }

    /// The observation that is called `text`: every piece without white space around it.
    pub fn text(&self) -> String {
        let plain = |piece: &Piece| match piece {
            Piece::Text(text)
            | Piece::Button(text)
            | Piece::Value(text, _)
            | Piece::Product(text, _) => strip(text).to_string(),
        };
        self.pieces.iter().map(plain).collect::<Vec<_>>().join(" [SEP] ")
    }

    /// The observation that is called `text_rich`: a line each, with what can be clicked marked.
    pub fn rich(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            let line = match piece {
                Piece::Text(line) => line.clone(),
                Piece::Button(name) => format!("[button] {name} [button_]"),
                Piece::Value(value, false) => format!("  [button] {value} [button_]"),
                Piece::Value(value, true) => {
                    text = format!("You have clicked {value}.\n{text}");
                    format!("  [clicked button] {value} [clicked button_]")
                }
                Piece::Product(asin, false) => format!("\n[button] {asin} [button_]"),
                Piece::Product(asin, true) => {
                    format!("\n[clicked button] {asin} [clicked button_]")
                }
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}
