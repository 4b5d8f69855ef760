//! Text grammars in twl2.

use serde_json::{Map, Value, json};

use super::choices::Choices;
use super::pddl::Words;

/// Rules of a domain's texts.
struct Rules<'a> {
    words: &'a Words,
    /// How many rules there are beside the ones that every grammar has.
    count: usize,
    flawed: bool,
}

impl Rules<'_> {
    fn variable(&self, c: &mut Choices<'_>) -> String {
        format!("v{}:{}", c.below(8), self.words.kind(c))
    }

    /// A query; many atoms over variables that are bound nowhere else, or a few over some that are.
    fn query(&self, c: &mut Choices<'_>) -> String {
        let not = |c: &mut Choices<'_>| if c.chance(15) { "not_" } else { "" };
        let (name, arity) = &self.words.predicates[c.below(self.words.predicates.len())];
        let atoms: Vec<String> = if c.chance(40) {
            let kind = self.words.kind(c);
            let atom = |i: usize| {
                let args: Vec<String> = (0..*arity).map(|k| format!("v{}:{kind}", i + k)).collect();
                format!("{name}({})", args.join(", "))
            };
            (0..c.many(64).max(1)).map(atom).collect()
        } else {
            let atom = |_| {
                let args: Vec<String> = (0..*arity).map(|_| self.variable(c)).collect();
                format!("{}{name}({})", not(c), args.join(", "))
            };
            (0..2).map(atom).collect()
        };
        if self.flawed && c.chance(10) { "q0(v0".into() } else { atoms.join(" & ") }
    }

    fn symbol(&self, c: &mut Choices<'_>) -> String {
        if self.count == 0 { "#intro#".into() } else { format!("#s{}#", c.below(self.count)) }
    }

    fn what(&self, c: &mut Choices<'_>) -> String {
        match c.below(5) {
            0 | 1 => format!("v{}", c.below(3)),
            2 => "'some ' + v0.id or v0".into(),
            3 => "'a thing'".into(),
            _ => self.symbol(c),
        }
    }

    /// A right-hand side that may refer to any rule.
    fn free(&self, c: &mut Choices<'_>) -> String {
        let mut out = String::new();
        for _ in 0..c.many(1000) {
            let piece = match c.below(6) {
                0 | 1 => "There is nothing. ".into(),
                2 => self.symbol(c),
                3 => format!("{{{} | {}}}", self.what(c), self.query(c)),
                4 => format!("[{{{} | {}}}]", self.what(c), self.query(c)),
                _ if self.flawed && c.chance(20) => {
                    ["{v0", "[v0]", "#open", "{a b c}"][c.below(4)].into()
                }
                _ => format!("{{'x' | {}}}", self.query(c)),
            };
            out.push_str(&piece);
        }
        out
    }

    fn rule(rhs: &str, condition: Option<String>) -> Value {
        condition.map_or_else(
            || json!({"rhs": rhs}),
            |condition| json!({"rhs": rhs, "condition": condition}),
        )
    }

    /// Rules that each refer to the next one several times.
    fn chain(&self, c: &mut Choices<'_>, rules: &mut Map<String, Value>) {
        let times = c.between(1, 9);
        let text = c.pick(&["", "", "x", "a longer text. "]);
        let wrapped = c.chance(25).then(|| self.query(c));
        for i in 0..self.count {
            let next = match (&wrapped, i + 1 < self.count) {
                (_, false) => text.to_string(),
                (None, true) => format!("#s{}#", i + 1),
                (Some(query), true) => format!("{{#s{}# | {query}}}", i + 1),
            };
            rules
                .insert(format!("s{i}"), json!([{"rhs": format!("{text}{}", next.repeat(times))}]));
        }
    }
}

/// A grammar for the actions of a domain.
pub fn grammar(c: &mut Choices<'_>, words: &Words) -> String {
    let count = if c.chance(50) { c.depth(40) } else { c.many(3000) };
    let rules = Rules { words, count, flawed: c.chance(10) };
    let mut map = Map::new();
    if c.chance(40) {
        rules.chain(c, &mut map);
    } else {
        for i in 0..count {
            let mut list = Vec::new();
            for _ in 0..c.many(20) {
                list.push(Rules::rule(&rules.free(c), Some(rules.query(c))));
            }
            let last =
                if c.chance(95) { Rules::rule(&rules.free(c), None) } else { json!({"rsh": 3}) };
            list.push(last);
            map.insert(format!("s{i}"), Value::Array(list));
        }
    }
    let intro = if count > 0 && c.chance(80) { "#s0#".into() } else { rules.free(c) };
    map.insert("intro".into(), json!([{"rhs": format!("Welcome. {intro}")}]));
    map.insert("task".into(), json!([{"rhs": c.text()}]));
    for name in ["list_empty", "list_separator", "list_last_separator"] {
        map.insert(name.into(), json!([{"rhs": ", "}]));
    }
    let mut out = format!("grammar :: \"\"\"{}\"\"\";\n", Value::Object(map));
    for (name, params) in &words.actions {
        let shown: String = params.iter().map(|param| format!(" {{{param}}}")).collect();
        let feedback = if c.chance(30) { rules.free(c) } else { "You did it.".into() };
        let feedback = feedback.replace('"', "'");
        out.push_str(&format!(
            "action {name} {{ template :: \"{name}{shown}\"; feedback :: \"{feedback}\"; }}\n"
        ));
    }
    out
}
