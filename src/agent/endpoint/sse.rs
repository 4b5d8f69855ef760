//! Server-sent events, as they are and not as they should be.
//!
//! Bytes come in pieces of any size and go out as events: lines end in LF, CRLF or CR, a byte order
//! mark may come first, a character may be cut by the edge of a piece, `data:` may have no space
//! after it, and lines that begin with a colon only keep the connection awake.

use crate::error::{Error, Kind, Result};

/// Bytes of one line at most.
pub(super) const LINE: usize = 4 << 20;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// What kind the server says that it is; mostly nothing.
    pub name: String,
    /// Its lines of data.
    pub data: String,
}

/// Takes a stream of bytes apart.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// The last byte was a CR: an LF after it ends no line of its own.
    after_cr: bool,
    /// The byte order mark can only be before the first line.
    begun: bool,
    event: Event,
    any_data: bool,
    id: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// The events that are whole with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ if self.line.len() < LINE => self.line.push(byte),
                _ => {
                    return Err(Error::new(format!(
                        "a line of the stream is longer than {} MiB",
                        LINE >> 20
                    ))
                    .of(Kind::Remote { retry: false }));
                }
            }
        }
        Ok(events)
    }

    /// The event that was not ended by an empty line when the stream did end.
    pub fn finish(&mut self) -> Result<Option<Event>> {
        let last = if self.line.is_empty() { None } else { self.end_line()? };
        Ok(last.or_else(|| self.end_event()))
    }

    fn end_line(&mut self) -> Result<Option<Event>> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = std::str::from_utf8(&bytes).map_err(|_| {
            Error::new("the stream has bytes in it that are not UTF-8")
                .of(Kind::Remote { retry: false })
        })?;
        if !std::mem::replace(&mut self.begun, true) {
            line = line.trim_start_matches('\u{feff}');
        }
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.any_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.name = value.into(),
            "id" => self.id = Some(value.into()),
            // A comment has no name; what has another is to be ignored.
            _ => {}
        }
        Ok(None)
    }

    /// An event with an id that was just seen is the same once more. Without ids nobody can tell:
    /// "ha" may follow "ha".
    fn end_event(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        let id = self.id.take();
        if !std::mem::take(&mut self.any_data) {
            return None;
        }
        let again = id.is_some() && id == self.last_id;
        self.last_id = id;
        (!again).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut parser = Parser::default();
        let mut events: Vec<Event> =
            bytes.chunks(piece).flat_map(|bytes| parser.push(bytes).unwrap()).collect();
        events.extend(parser.finish().unwrap());
        events.into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn events_are_read_as_they_come() {
        for end in ["\n", "\r\n", "\r"] {
            let text = [
                "\u{feff}data: é1",
                "",
                ": ping",
                "",
                "data:2",
                "",
                "event: x",
                "data: 3",
                "data: 4",
                "",
                "id: 7",
                "data: 5",
                "",
                "id: 7",
                "data: 5",
                "",
                "",
                "data",
                "",
                "retry: 10",
                "data: last",
            ]
            .join(end);
            for piece in 1..20 {
                let found = all(text.as_bytes(), piece);
                assert_eq!(found, ["é1", "2", "3\n4", "5", "", "last"], "{end:?} {piece}");
            }
        }
    }

    #[test]
    fn the_same_text_twice_without_an_id_is_two_events() {
        assert_eq!(all(b"data: ha\n\ndata: ha\n\n", 3), ["ha", "ha"]);
    }

    #[test]
    fn a_line_without_end_and_bytes_that_are_no_text_are_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1 << 20];
        let mut refused = None;
        for _ in 0..5 {
            refused = refused.or(parser.push(&piece).err());
        }
        assert!(refused.unwrap().message().contains("4 MiB"));
        assert!(Parser::default().push(b"data: \xff\n").is_err());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            text in "((data: ?[a-zé]{0,5}|: c|id: [12]|)(\n|\r\n|\r){1,3}){0,8}",
            piece in 1_usize..9,
        ) {
            prop_assert_eq!(all(text.as_bytes(), piece), all(text.as_bytes(), usize::MAX));
        }
    }
}
