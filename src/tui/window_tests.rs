use super::*;

/// What the store would answer for a list of the numbers below `total`.
fn page(total: usize, near: Near) -> Page<usize> {
    let Near::Position(position) = near else { panic!("{near:?}") };
    let from = position.saturating_sub(LENGTH / 2).min(total.saturating_sub(LENGTH));
    Page { total, from, rows: (from..total.min(from + LENGTH)).collect() }
}

#[test]
fn a_million_rows_are_walked_through_with_every_row_there_when_it_is_shown() {
    let total = 1_000_000;
    let mut list = Window::default();
    assert_eq!(list.take(page(total, Near::Position(0)), |a, b| a == b), None);
    let mut fetched = 0;
    for direction in [Direction::PageDown, Direction::Down, Direction::PageUp] {
        for _ in 0..300 {
            let before = list.at();
            if let Some(near) = list.go(direction) {
                fetched += 1;
                assert!(
                    list.view(40).all(|(i, row)| row == Some(&i)),
                    "shown before the answer, at {before}"
                );
                assert_eq!(list.take(page(total, near), |a, b| a == b), None);
            }
            assert!(list.view(40).all(|(i, row)| row == Some(&i)));
        }
    }
    assert!((10..100).contains(&fetched), "{fetched}");
    let near = list.go(Direction::Last).unwrap();
    assert_eq!(list.current(), None);
    assert_eq!(list.go(Direction::First), None, "one question at a time");
    let near = list.take(page(total, near), |a, b| a == b).expect("the person went on");
    assert_eq!(list.take(page(total, near), |a, b| a == b), None);
    assert_eq!(list.current(), Some(&0));
}

#[test]
fn the_cursor_stays_on_its_row_when_others_come_or_go() {
    let mut list = Window::default();
    _ = list.take(Page { total: 3, from: 0, rows: vec![30, 20, 10] }, |a, b| a == b);
    _ = list.go(Direction::Down);
    _ = list.take(Page { total: 4, from: 0, rows: vec![40, 30, 20, 10] }, |a, b| a == b);
    assert_eq!(list.current(), Some(&20));
    _ = list.take(Page { total: 1, from: 0, rows: vec![40] }, |a, b| a == b);
    assert_eq!(list.current(), Some(&40));
    _ = list.take(Page::default(), |a, b| a == b);
    assert_eq!((list.current(), list.view(5).count()), (None, 0));
}
