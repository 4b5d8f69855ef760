//! JSON as Python's `json.dumps(…, ensure_ascii=False)` writes it, which is how the templates of chat
//! models were rendered when these were trained: `{"a": 1, "b": [2, 3]}`.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// A value in one line, with a space after each comma and colon; or, with an indent, a line for each
/// item.
pub fn written<T: Serialize>(value: &T, indent: Option<usize>) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    match indent {
        None => write(value, &mut bytes, Python { form: CompactFormatter, lines: false }),
        Some(indent) => {
            let indent = vec![b' '; indent];
            let form = PrettyFormatter::with_indent(&indent);
            write(value, &mut bytes, Python { form, lines: true })
        }
    }?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

fn write<T: Serialize>(
    value: &T,
    bytes: &mut Vec<u8>,
    form: impl Formatter,
) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(bytes, form))
}

/// A form of `serde_json` with Python's numbers and, in one line, its spaces.
struct Python<F> {
    form: F,
    lines: bool,
}

impl<F: Formatter> Formatter for Python<F> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.form.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.form.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.form.begin_array_value(writer, first)?;
        writer.write_all(if first || self.lines { b"" } else { b" " })
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.form.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.form.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.form.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.form.begin_object_key(writer, first)?;
        writer.write_all(if first || self.lines { b"" } else { b" " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.form.end_object_value(writer)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        // Python's exponents have two digits and a sign: 1e-07, 1e+16.
        let size = value.abs();
        if value == 0.0 || (1e-4..1e16).contains(&size) {
            return self.form.write_f64(writer, value);
        }
        let text = format!("{value:e}");
        let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(writer, "{number}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What Python 3 prints for the same.
    #[test]
    fn it_is_what_python_writes() {
        let value = json!({"b": [1, 2.5, 1e-7, 2e16, 0.001, -0.0, true, null], "a": {}, "ü": "ä\n\"\u{7f}", "l": []});
        assert_eq!(
            written(&value, None).unwrap(),
            r#"{"b": [1, 2.5, 1e-07, 2e+16, 0.001, -0.0, true, null], "a": {}, "ü": "ä\n\""#
                .to_string()
                + "\u{7f}\", \"l\": []}"
        );
        assert_eq!(
            written(&json!({"a": [1e-7, 1], "b": {}}), Some(4)).unwrap(),
            "{\n    \"a\": [\n        1e-07,\n        1\n    ],\n    \"b\": {}\n}"
        );
    }
}
