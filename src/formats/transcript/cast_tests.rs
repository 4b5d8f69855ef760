use serde_json::Value;

use crate::experience::Branch;
use crate::formats::transcript::Transcript;
use crate::formats::transcript::tests::told;
use crate::store::Told;

/// A cast as a player sees it: its size, and what stands on the screen after each frame, with the
/// time until the next event.
fn played(cast: &str) -> ((u16, u16), Vec<(u64, String)>) {
    let mut lines = cast.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    assert_eq!(header["version"], 2);
    let of = |name: &str| u16::try_from(header[name].as_u64().unwrap()).unwrap();
    let (width, height) = (of("width"), of("height"));
    let mut terminal = vt100::Parser::new(height, width, 1000);
    let mut shown: Vec<(u64, String)> = Vec::new();
    let mut last = 0;
    for event in lines {
        let at = event[0].as_u64().unwrap();
        assert!(at >= last, "time goes on");
        if let Some((stays, _)) = shown.last_mut() {
            *stays += at - last;
        }
        last = at;
        if event[1] == "o" {
            terminal.process(event[2].as_str().unwrap().as_bytes());
            let screen = terminal.screen().contents();
            if shown.last().is_none_or(|(_, before)| *before != screen) {
                shown.push((0, screen));
            }
        }
    }
    terminal.screen_mut().set_scrollback(1000);
    assert_eq!(terminal.screen().scrollback(), 0, "no row went out of sight");
    ((width, height), shown)
}

/// With so many alternatives in its first state.
fn crowded(k: usize) -> Told {
    let mut told = told(None);
    let like = told.branches[0].clone();
    let one = |i: usize| Branch {
        id: 100 + i as i64,
        action: format!("try thing number {i}"),
        observation: format!("It is {} nothing {i}.", "a long way to say 日本 of ".repeat(6)),
        ..like.clone()
    };
    told.branches.extend((0..k).map(one));
    told
}

#[test]
fn the_last_frame_stays_as_the_others_do() {
    let (_, shown) = played(&Transcript::Cast.tell(&told(None)));
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[1].1.contains("goal reached in 1 step"), "{}", shown[1].1);
    assert!(shown.iter().all(|(stays, _)| *stays >= 2), "{shown:?}");
}

#[test]
fn every_row_is_seen_in_a_terminal_of_the_size_that_is_said() {
    for k in [0, 3, 30, 80] {
        let told = crowded(k);
        let ((width, height), shown) = played(&Transcript::Cast.tell(&told));
        assert!(width <= 101 && height <= 40, "{k}: {width}x{height}");
        let all: String = shown.iter().map(|(_, screen)| screen.replace(['\n', ' '], "")).collect();
        for row in Transcript::Text.tell(&told).lines() {
            let row = row.replace(' ', "");
            // A page may turn within a row that is broken.
            let head: String = row.chars().take(20).collect();
            let tail: String =
                row.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
            assert!(all.contains(&head) && all.contains(&tail), "{k}: {row}");
        }
        assert!(k < 30 || shown.len() > 2, "what has more rows takes several frames");
    }
}
