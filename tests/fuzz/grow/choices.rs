//! Where the choices of a generator come from: a seed, or the bytes that a coverage-guided fuzzer
//! gives.

use foretaste::rng::Rng;

/// The most parts that an input of a seed is made of.
const MOST: usize = 1 << 14;

enum Source<'a> {
    Random(Rng),
    Bytes(&'a [u8]),
}

/// A stream of choices, and how many parts may still be written. When either ends, every choice is
/// 0, and 0 is always the choice that ends soonest.
pub struct Choices<'a> {
    source: Source<'a>,
    left: usize,
}

impl Choices<'static> {
    /// The choices of a seed. Inputs grow with the seeds: most stay small, a few are as large as is
    /// allowed by then.
    pub fn seeded(target: &str, seed: u64) -> Self {
        let mut rng = Rng::stream(seed, target);
        let cap = usize::try_from(seed).unwrap_or(MOST).saturating_mul(8).clamp(32, MOST);
        let left = (cap as f64).powf(rng.unit()) as usize + 8;
        Self { source: Source::Random(rng), left }
    }
}

impl<'a> Choices<'a> {
    /// The choices that bytes spell out; the longer they are, the larger the input may become.
    #[allow(dead_code)] // the targets of cargo-fuzz use it
    pub fn spelled(bytes: &'a [u8]) -> Self {
        Self { source: Source::Bytes(bytes), left: bytes.len().saturating_mul(4).min(MOST) }
    }

    /// A number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        match &mut self.source {
            Source::Random(rng) => rng.below(n),
            Source::Bytes(bytes) => {
                let width = (n.max(2) - 1).ilog2() as usize / 8 + 1;
                let (now, rest) = bytes.split_at(width.min(bytes.len()));
                *bytes = rest;
                now.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) % n.max(1)
            }
        }
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// True so many times in a hundred; never once the choices have ended.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) + percent >= 100
    }

    /// One of some things.
    pub fn pick<'b, T: ?Sized>(&mut self, items: &[&'b T]) -> &'b T {
        items[self.below(items.len())]
    }

    /// Takes one part from what may still be written; false when nothing is left.
    pub fn spend(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// How many of something: mostly a few, sometimes as many as there is room for, at most `most`.
    pub fn many(&mut self, most: usize) -> usize {
        let top = if self.chance(12) { self.left.min(most) } else { 4.min(most) };
        let count = match self.below(4) {
            3 => top,
            _ => self.below(top + 1),
        };
        self.left -= count.min(self.left);
        count
    }

    /// How deep something is nested, 1 to `most`: deep ones are as likely as shallow ones.
    pub fn depth(&mut self, most: usize) -> usize {
        let depth =
            if self.chance(50) { self.between(1, most) } else { self.between(1, 4.min(most)) };
        self.left -= depth.min(self.left);
        depth
    }

    /// A word, mostly short, sometimes long or odd.
    pub fn text(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "a",
            "mug 1",
            "go to",
            "é",
            "日本",
            "\u{0}",
            "<|end|>",
            "\\n",
            "  ",
            "\u{1b}[31m",
            "e",
            "x",
        ];
        let word = self.pick(&WORDS);
        let count = if self.chance(15) { self.many(2000) } else { 1 };
        word.repeat(count.max(1))
    }

    /// A number as JSON or TOML spell it, or something that is nearly one.
    pub fn odd(&mut self) -> &'static str {
        const ODD: [&str; 26] = [
            "0",
            "1",
            "-1",
            "2",
            "3",
            "7",
            "64",
            "255",
            "65535",
            "65536",
            "1048576",
            "4294967295",
            "4294967296",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e-300",
            "1e308",
            "1e400",
            "-0.0",
            "0.5",
            "NaN",
            "null",
            "true",
            "\"64\"",
        ];
        self.pick(&ODD)
    }

    /// Any JSON value, nested as deep as there is room for.
    pub fn json(&mut self) -> String {
        match self.below(6) {
            0 | 1 => self.odd().to_string(),
            2 => serde_json::Value::from(self.text()).to_string(),
            3 => {
                let (open, close) = [("[", "]"), ("{\"a\":", "}"), ("[1,", "]")][self.below(3)];
                let depth = self.depth(200);
                format!("{}{}{}", open.repeat(depth), self.odd(), close.repeat(depth))
            }
            4 => format!("[{}]", vec![self.odd(); self.many(5000)].join(",")),
            _ => {
                let fields: Vec<String> = (0..self.many(500))
                    .map(|i| format!("\"k{}\":{}", i % 50, self.odd()))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
        }
    }
}
