use super::*;
use crate::rng::Rng;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

#[derive(Clone, Default)]
struct Bytes(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Random screens one after another look on a terminal as crossterm's backend draws them, for
/// fewer bytes.
#[test]
fn frames_look_as_crossterms_do_and_cost_less() {
    let area = Rect::new(0, 0, 23, 7);
    let mut rng = Rng::new(5);
    let ours = Bytes::default();
    let theirs = Bytes::default();
    let mut compact_backend = CompactBackend::new(ours.clone());
    let mut plain = CrosstermBackend::new(theirs.clone());
    let screen = || vt100::Parser::new(area.height, area.width, 0);
    let mut left = screen();
    let mut right = screen();
    let mut before = Buffer::empty(area);
    let styles = [
        Style::new(),
        Style::new().fg(Color::Cyan),
        Style::new().fg(Color::DarkGray).add_modifier(Modifier::BOLD),
        Style::new().add_modifier(Modifier::REVERSED),
        Style::new().fg(Color::Indexed(208)).bg(Color::Blue).add_modifier(Modifier::UNDERLINED),
        Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::ITALIC),
    ];
    let mut bytes = (0, 0);
    for frame in 0..2000 {
        let mut after = before.clone();
        for _ in 0..rng.below(12) {
            let texts = ["a", "word", "│", "日本", "e\u{301}", "  ", "longer text here", "🎉x"];
            let x = rng.below(23) as u16;
            let y = rng.below(7) as u16;
            after.set_stringn(
                x,
                y,
                texts[rng.below(texts.len())],
                usize::from(23 - x),
                styles[rng.below(6)],
            );
        }
        compact_backend.draw(before.diff(&after).into_iter()).unwrap();
        plain.draw(before.diff(&after).into_iter()).unwrap();
        bytes = (bytes.0 + ours.0.borrow().len(), bytes.1 + theirs.0.borrow().len());
        left.process(&ours.0.take());
        right.process(&theirs.0.take());
        for (y, x) in (0..area.height).flat_map(|y| (0..area.width).map(move |x| (y, x))) {
            let mine = left.screen().cell(y, x).unwrap();
            let meant = right.screen().cell(y, x).unwrap();
            // A blank cell may be written or never touched.
            assert_eq!(mine.contents().trim(), meant.contents().trim(), "frame {frame}, {x} {y}");
            let look = |cell: &vt100::Cell| {
                (
                    cell.fgcolor(),
                    cell.bgcolor(),
                    cell.bold(),
                    cell.italic(),
                    cell.underline(),
                    cell.inverse(),
                )
            };
            assert_eq!(look(mine), look(meant), "frame {frame}, {x} {y} {:?}", meant.contents());
        }
        before = after;
    }
    assert!(bytes.0 * 10 < bytes.1 * 8, "{bytes:?}");
}
