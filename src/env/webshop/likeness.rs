//! How like two texts are, as the shop's reward has it: colours by their first known word, and
//! thefuzz's `token_set_ratio`.

use std::collections::BTreeSet;

/// Colour words: the first in this order that is part of a text stands for it.
const COLOURS: &str = "alabaster apricot aqua ash asphalt azure banana beige black blue blush \
    bordeaux bronze brown burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate \
    christmas coffee cognac copper coral cranberry cream crystal dark denim eggplant elephant \
    espresso fuchsia gold granite grape graphite grass gray green grey heather indigo ivory ivy \
    khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha \
    multicolor mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow \
    red rose royal rust sand sapphire seashell silver skull slate steel stone stonewash sunflower \
    tan taupe teal tiger turquoise violet walnut wheat white wine yellow";

/// A text's colour word, or the text.
pub fn colour(text: &str) -> &str {
    COLOURS.split_whitespace().find(|word| text.contains(word)).unwrap_or(text)
}

/// A pair of a goal's option as the original sees it: a Python tuple, whose colour word has to be
/// one of its elements, and which is compared as Python writes it.
pub fn colour_of_pair((name, value): (&str, &str)) -> String {
    let known = COLOURS.split_whitespace().find(|word| [name, value].contains(word));
    known.map_or_else(|| format!("({}, {})", written(name), written(value)), str::to_string)
}

/// A text as Python's `repr` writes it, without its quotes: they are no word characters.
pub fn written(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let code = u32::from(c);
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_printable(c) => out.push(c),
            _ if code < 0x100 => out.push_str(&format!("\\x{code:02x}")),
            _ if code < 0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
            _ => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

fn is_printable(c: char) -> bool {
    let hidden = matches!(c,
        '\u{a0}' | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}'
    );
    !c.is_control() && !hidden
}

/// A text's words as thefuzz sees them: the upper half of Latin-1 is deleted, and everything but
/// word characters parts words.
fn words(text: &str) -> BTreeSet<String> {
    let kept = text.chars().filter(|c| !('\u{80}'..='\u{ff}').contains(c));
    let plain: String =
        kept.map(|c| if c.is_alphanumeric() || c == '_' { c } else { ' ' }).collect();
    plain.to_lowercase().split_whitespace().map(str::to_string).collect()
}

/// Likeness of two texts by their words, 0 to 100: what both have, against that and what each has
/// beside it. 0 where one has no words.
pub fn token_set_ratio(a: &str, b: &str) -> u32 {
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        return 0;
    }
    let joined = |words: Vec<&String>| -> String {
        words.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    let both = joined(a.intersection(&b).collect());
    let with = |rest: String| format!("{both} {rest}").trim().to_string();
    let of_a = with(joined(a.difference(&b).collect()));
    let of_b = with(joined(b.difference(&a).collect()));
    ratio(&both, &of_a).max(ratio(&both, &of_b)).max(ratio(&of_a, &of_b))
}

/// Twice the longest common subsequence over both lengths, in hundredths.
fn ratio(a: &str, b: &str) -> u32 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() || b.is_empty() {
        return 0;
    }
    let mut row = vec![0_u32; b.len() + 1];
    for x in &a {
        let mut corner = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { corner + 1 } else { above.max(row[j]) };
            corner = above;
        }
    }
    let common = f64::from(row[b.len()]);
    (200.0 * common / (a.len() + b.len()) as f64).round_ties_even() as u32
}
