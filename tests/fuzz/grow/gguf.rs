//! GGUF headers.

use foretaste::model::gguf::Header;

use super::choices::Choices;

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A count or a length, which may be a lie.
fn count(c: &mut Choices<'_>, flawed: bool, count: u64) -> Vec<u8> {
    const LIES: [u64; 8] = [0, 1, 1 << 22, (1 << 22) + 1, 1 << 32, 1 << 62, u64::MAX, 1 << 24];
    let lie = flawed && c.chance(5);
    (if lie { LIES[c.below(LIES.len())] } else { count }).to_le_bytes().to_vec()
}

/// A value of a kind of setting.
fn value(c: &mut Choices<'_>, flawed: bool, kind: u32, deep: usize) -> Vec<u8> {
    match kind {
        0 | 1 | 7 => vec![c.below(256) as u8],
        2 | 3 => (c.below(65_536) as u16).to_le_bytes().to_vec(),
        4 | 5 => (c.below(1 << 32) as u32).to_le_bytes().to_vec(),
        6 => [0.0f32, 1e-5, f32::NAN, f32::INFINITY, -1.0, f32::MIN_POSITIVE][c.below(6)]
            .to_le_bytes()
            .to_vec(),
        8 => {
            let word = c.text();
            [count(c, flawed, word.len() as u64), word.into_bytes()].concat()
        }
        9 => {
            let nested = flawed && deep > 0 && c.chance(30);
            let kind = if nested { 9 } else { [0, 4, 6, 8, 12][c.below(5)] };
            let items = c.many(4000);
            let values: Vec<u8> = if nested {
                (0..items.min(2)).flat_map(|_| value(c, flawed, kind, deep - 1)).collect()
            } else {
                value(c, flawed, kind, deep).repeat(items)
            };
            [kind.to_le_bytes().to_vec(), count(c, flawed, items as u64), values].concat()
        }
        _ => (c.below(usize::MAX) as u64).to_le_bytes().to_vec(),
    }
}

/// A file: settings, tensors, and zeros as data.
pub fn make(c: &mut Choices<'_>) -> Vec<u8> {
    let flawed = c.chance(40);
    let mut settings =
        vec![[text("general.architecture"), 8u32.to_le_bytes().to_vec(), text("llama")].concat()];
    let sizes = [
        "block_count",
        "embedding_length",
        "feed_forward_length",
        "context_length",
        "attention.head_count",
    ];
    for name in sizes {
        let size = [1u32, 2, 4, 64, 0, u32::MAX][c.below(if flawed { 6 } else { 4 })];
        settings.push(
            [
                text(&format!("llama.{name}")),
                4u32.to_le_bytes().to_vec(),
                size.to_le_bytes().to_vec(),
            ]
            .concat(),
        );
    }
    for i in 0..c.many(3000) {
        let kind = if flawed && c.chance(3) { 99 } else { c.below(13) as u32 };
        settings.push(
            [text(&format!("x.{i}")), kind.to_le_bytes().to_vec(), value(c, flawed, kind, 40)]
                .concat(),
        );
    }
    if c.chance(20) {
        let align = [1u32, 8, 32, 64, 1 << 20, 0, 3, u32::MAX][c.below(if flawed { 8 } else { 4 })];
        settings.push(
            [text("general.alignment"), 4u32.to_le_bytes().to_vec(), align.to_le_bytes().to_vec()]
                .concat(),
        );
    }
    let mut tensors = Vec::new();
    let mut at = 0u64;
    for i in 0..c.many(3000) {
        // The kind, values of a block, and bytes of one.
        let (kind, values, size) =
            [(0u32, 1u64, 4u64), (1, 1, 2), (8, 32, 34), (2, 32, 18)][c.below(4)];
        let width = values * c.between(1, 8) as u64;
        let rows = c.between(1, 4) as u64;
        let name = if i == 0 { "token_embd.weight".to_string() } else { format!("t{i}") };
        let sides = if flawed && c.chance(3) { c.below(5) as u32 } else { 2 };
        let offset = if flawed && c.chance(5) { u64::MAX - c.below(64) as u64 } else { at };
        let shape = [count(c, flawed, width), count(c, flawed, rows)].concat();
        tensors.push(
            [
                text(&name),
                sides.to_le_bytes().to_vec(),
                shape,
                kind.to_le_bytes().to_vec(),
                offset.to_le_bytes().to_vec(),
            ]
            .concat(),
        );
        at += width / values * rows * size;
    }
    let version = if flawed && c.chance(5) { 1u32 } else { c.between(2, 3) as u32 };
    let counts =
        [count(c, flawed, tensors.len() as u64), count(c, flawed, settings.len() as u64)].concat();
    let mut bytes = [
        b"GGUF".to_vec(),
        version.to_le_bytes().to_vec(),
        counts,
        settings.concat(),
        tensors.concat(),
    ]
    .concat();
    if flawed && c.chance(30) {
        bytes.truncate(c.below(bytes.len()));
    } else {
        bytes.resize(bytes.len().next_multiple_of(64) + at.min(1 << 20) as usize, 0);
    }
    bytes
}

/// Reads the header, and the model's shape from it.
pub fn feed(bytes: &[u8]) -> bool {
    Header::read(bytes, bytes.len() as u64)
        .map(|header| _ = header.config().map(|config| config.tensors()))
        .is_ok()
}
