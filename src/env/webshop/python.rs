//! Texts as Python writes them: the shop's addresses and its last page are made of these.

/// `repr(text)`.
pub fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let body = super::likeness::written(text);
    let body = if quote == '\'' { body.replace('\'', "\\'") } else { body };
    format!("{quote}{body}{quote}")
}

/// `str(dict)` of texts.
pub fn dict(pairs: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}: {}", repr(name), repr(value));
    format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
}

/// `json.dumps(dict)` of texts.
pub fn json(pairs: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}: {}", quoted(name), quoted(value));
    format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
}

/// The same as a page has it: sorted by name, and nothing in it that HTML could take for its own.
pub fn json_in_page(pairs: &[(String, String)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort();
    let mut safe = String::new();
    for c in json(&sorted).chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\'' => safe.push_str("\\u0027"),
            _ => safe.push(c),
        }
    }
    safe
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

/// `text.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}
