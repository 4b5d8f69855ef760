use super::*;

fn lines(sizes: &[Size], forms: &[Form]) -> usize {
    let line = |(size, form): (&Size, &Form)| match form {
        Form::Whole => size.whole,
        Form::Brief(rows) => 1 + rows,
    };
    sizes.iter().zip(forms).map(line).sum()
}

#[test]
fn as_many_as_fit_are_whole_in_order_of_importance_and_the_rest_take_two_lines() {
    use Form::{Brief, Whole};
    let size = |whole| Size { whole, brief: 3 };
    let all = [5, 6, 4, 5].map(size);
    let of = |cursor, height| forms(&all, cursor, height);
    assert_eq!(of(0, 20), [Whole; 4]);
    assert_eq!(of(0, 17), [Whole, Whole, Whole, Brief(1)]);
    assert_eq!(of(2, 17), [Whole, Whole, Whole, Brief(1)]);
    assert_eq!(of(3, 17), [Whole, Brief(2), Whole, Whole]);
    // What fits is whole even where one before it does not fit.
    assert_eq!(of(0, 13), [Whole, Brief(1), Whole, Brief(1)]);
    assert_eq!(of(0, 12), [Whole, Brief(2), Brief(1), Brief(1)]);
    assert_eq!(of(0, 10), [Whole, Brief(1), Brief(1), Brief(0)]);
    assert_eq!(of(3, 3), [Brief(0), Brief(0), Brief(0), Whole]);
    assert!(forms(&[], 0, 9).is_empty());
}

#[test]
fn no_line_is_left_while_something_is_cut() {
    for seed in 0..200usize {
        let sizes: Vec<Size> = (0..=(seed % 9))
            .map(|i| Size { whole: 3 + (seed * 7 + i * 5) % 9, brief: 1 + (seed + i * 3) % 4 })
            .collect();
        for height in 1..60 {
            for cursor in 0..sizes.len() {
                let forms = forms(&sizes, cursor, height);
                let taken = lines(&sizes, &forms);
                let least = sizes[cursor].whole + sizes.len() - 1;
                assert!(taken <= height.max(least), "{sizes:?} {cursor} {height}");
                let cut = sizes
                    .iter()
                    .zip(&forms)
                    .any(|(size, form)| matches!(form, Form::Brief(rows) if *rows < size.brief));
                assert!(!cut || taken >= height, "{sizes:?} {cursor} {height} {forms:?}");
            }
        }
    }
}
