//! Safetensors files: a header, and zeros as data.

use foretaste::model::files::Tensors;

use super::choices::Choices;

/// A file.
pub fn make(c: &mut Choices<'_>) -> Vec<u8> {
    let flawed = c.chance(40);
    let mut fields = Vec::new();
    let mut at = 0u64;
    for i in 0..c.many(4000) {
        let (dtype, width) =
            [("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("F8_E4M3", 1)][c.below(5)];
        let mut shape: Vec<String> = (0..c.below(4)).map(|_| c.below(6).to_string()).collect();
        if c.chance(3) {
            shape = vec!["1".into(); c.many(5000)];
        }
        let values: u64 = shape.iter().filter_map(|side| side.parse::<u64>().ok()).product();
        let mut start = at.to_string();
        let mut end = (at + values * width).to_string();
        at += values * width;
        if flawed && c.chance(10) {
            match c.below(4) {
                0 => start = c.odd().into(),
                1 => end = c.odd().into(),
                2 => shape.push(c.odd().into()),
                _ => fields.push(format!("\"t{i}\":{}", c.json())),
            }
        }
        fields.push(format!(
            "\"t{i}\":{{\"dtype\":\"{dtype}\",\"shape\":[{}],\"data_offsets\":[{start},{end}]}}",
            shape.join(",")
        ));
    }
    if c.chance(30) {
        fields.push(format!("\"__metadata__\":{}", c.json()));
    }
    let header = format!("{{{}}}", fields.join(","));
    let mut length = header.len() as u64;
    if flawed && c.chance(20) {
        length = [0, u64::MAX, length + 1, length.saturating_sub(1), 100 << 20, (100 << 20) + 1]
            [c.below(6)];
    }
    let mut bytes = [&length.to_le_bytes(), header.as_bytes()].concat();
    let data = if flawed && c.chance(30) { at / 2 } else { at };
    bytes.resize(bytes.len() + data.min(1 << 20) as usize, 0);
    bytes
}

/// Reads it, and asks for every tensor in some shapes.
pub fn feed(bytes: &[u8]) -> bool {
    let Ok(tensors) = Tensors::from_bytes(bytes, "m") else { return false };
    for name in tensors.names().take(64) {
        for shape in [&[][..], &[0], &[4, 3], &[usize::MAX, 2]] {
            _ = tensors.numbers(name, shape);
        }
    }
    true
}
