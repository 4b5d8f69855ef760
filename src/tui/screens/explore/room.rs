//! Explore, how the room of What if is shared out: as many what-ifs whole as fit, the others as
//! long as there is room for.

/// How much of a what-if is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Everything.
    Whole,
    /// Its first line, and at most so many lines of what came of it.
    Brief(usize),
}

/// The lines that a what-if takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Whole.
    pub whole: usize,
    /// The most that it can use in brief, its first line not counted.
    pub brief: usize,
}

/// What each is given of so many lines: the one under the cursor is whole, then in two lines
/// whoever comes first, then whole whoever still fits, and what is left lengthens the brief ones.
pub(super) fn forms(sizes: &[Size], cursor: usize, height: usize) -> Vec<Form> {
    let mut forms = vec![Form::Brief(0); sizes.len()];
    let mut left = height.saturating_sub(sizes.len());
    let order: Vec<usize> = std::iter::once(cursor)
        .chain((0..sizes.len()).filter(|at| *at != cursor))
        .filter(|at| *at < sizes.len())
        .collect();
    for (place, at) in order.iter().enumerate() {
        if place == 0 {
            forms[*at] = Form::Whole;
            left = left.saturating_sub(sizes[*at].whole - 1);
        } else if left > 0 {
            forms[*at] = Form::Brief(1);
            left -= 1;
        }
    }
    for at in order.iter().skip(1) {
        let more = sizes[*at].whole.saturating_sub(2);
        if forms[*at] == Form::Brief(1) && more <= left {
            forms[*at] = Form::Whole;
            left -= more;
        }
    }
    for at in order {
        if let Form::Brief(rows) = &mut forms[at] {
            let more = sizes[at].brief.saturating_sub(*rows).min(left);
            *rows += more;
            left -= more;
        }
    }
    forms
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
