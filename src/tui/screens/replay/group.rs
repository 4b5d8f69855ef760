//! Replay, the group of a rollout: what a run of reinforcement learning learnt from it, as a tree.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::text::{Line, Span};

use crate::text::clean;
use crate::train::rl::kept::{GroupView, Member, signed};
use crate::tui::keys::selected;
use crate::tui::theme::{Theme, fit};

/// The group over the screen.
#[derive(Debug, Default)]
pub struct Group {
    members: Vec<Member>,
    title: String,
    at: usize,
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub enum Went {
    /// It stays open.
    On,
    /// It is left.
    Away,
    /// A rollout is to be opened, at a state.
    Open(i64, usize),
}

impl Group {
    /// The tree of a group, the cursor on the rollout that is open.
    pub fn new(view: &GroupView, open: i64) -> Self {
        let members = view.members();
        let count = |forked: bool| {
            let of = members.iter().filter(|one| one.fork.is_some() == forked);
            of.fold((0, 0), |(n, won), one| (n + 1, won + usize::from(one.success)))
        };
        let ((roots, won), (forks, won_later)) = (count(false), count(true));
        let forks = match forks {
            0 => String::new(),
            n => format!(", {n} from forks ({won_later} won)"),
        };
        let title = format!(
            "Group of update {} of run {} · {roots} rollouts ({won} won){forks} · ⏎ open · Esc leave",
            view.step, view.run,
        );
        let at = members.iter().position(|one| one.trajectory == open).unwrap_or_default();
        Self { members, title, at }
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Does what a key means here.
    pub fn key(&mut self, key: KeyEvent) -> Went {
        match key.code {
            KeyCode::Enter => {
                let Some(one) = self.members.get(self.at) else { return Went::Away };
                return Went::Open(one.trajectory, one.fork.map_or(0, |(_, at)| at));
            }
            KeyCode::Esc | KeyCode::Char('q') => return Went::Away,
            code => self.at = selected(self.at, self.members.len(), code),
        }
        Went::On
    }

    /// The lines that fit.
    pub fn draw(&self, theme: Theme, width: usize, height: usize) -> Vec<Line<'static>> {
        let from = (self.at + 1).saturating_sub(height);
        let shown = self.members.iter().enumerate().skip(from).take(height);
        shown.map(|(i, one)| row(one, i == self.at, theme, width)).collect()
    }
}

fn row(one: &Member, cursor: bool, theme: Theme, width: usize) -> Line<'static> {
    let mark = if cursor { theme.glyph("▸", ">") } else { " " };
    let (won, style) = if one.success {
        (theme.glyph("✓", "+"), theme.good())
    } else {
        (theme.glyph("✗", "x"), theme.bad())
    };
    let advantage =
        one.advantage.map_or_else(|| "      –".to_string(), |a| format!("{:>7}", signed(a)));
    let worth = format!(" {:>3} steps  worth {:>5.2}  A{advantage}  ", one.steps, one.worth);
    let branch = one.fork.map_or_else(
        || "start".to_string(),
        |(_, at)| format!("{} step {:>2}", theme.glyph("  └", "  `"), at + 1),
    );
    let head = format!("{mark}{branch:<13}");
    let used = head.chars().count() + 2 + worth.chars().count();
    let percent = |share: Option<f32>| {
        share.map_or_else(String::new, |share| format!(" {:.0} %", 100.0 * share))
    };
    let left = one.left.as_ref().map_or_else(String::new, |own| {
        let worth = own.advantage.map_or_else(String::new, |a| format!(" A {}", signed(a)));
        format!(" · not {}{}{worth}", own.action, percent(own.share))
    });
    let action = format!("{}{}{left}", one.action, percent(one.share));
    let action = fit(&clean(&action), width.saturating_sub(used));
    Line::from(vec![
        Span::raw(head),
        Span::styled(won, style),
        Span::styled(worth, theme.dim()),
        Span::styled(action, if cursor { theme.selected() } else { theme.frame() }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::rl::kept::Left;
    use crate::tui::caps::Caps;
    use crate::tui::theme::Palette;
    use crossterm::event::KeyModifiers;

    fn member(trajectory: i64, fork: Option<(usize, usize)>) -> Member {
        let action = format!("go to shelf {trajectory}");
        let advantage = Some(0.5 - trajectory as f64);
        Member {
            trajectory,
            fork,
            action,
            steps: 4,
            success: trajectory == 1,
            worth: 0.0,
            advantage,
            share: Some(0.25),
            left: fork.map(|_| Left {
                action: "look".into(),
                share: None,
                advantage: Some(-0.001),
            }),
        }
    }

    #[test]
    fn a_fork_is_opened_where_it_left() {
        let members = vec![member(1, None), member(2, Some((0, 3)))];
        let mut group = Group { members, title: String::new(), at: 0 };
        let mut press = |code| group.key(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(press(KeyCode::Enter), Went::Open(1, 0));
        assert_eq!(press(KeyCode::Down), Went::On);
        assert_eq!(press(KeyCode::Enter), Went::Open(2, 3));
        assert_eq!(press(KeyCode::Home), Went::On);
        assert_eq!(press(KeyCode::Esc), Went::Away);
        let theme = Theme::new(Caps::FULL, Palette::default());
        let lines: Vec<String> =
            group.draw(theme, 100, 5).iter().map(ToString::to_string).collect();
        assert!(lines[0].contains("start") && lines[0].contains("-0.50"), "{lines:?}");
        assert!(
            lines[1].contains("step  4") && lines[1].contains("go to shelf 2 25 %"),
            "{lines:?}"
        );
        assert!(lines[1].contains("· not look A +0.00"), "{lines:?}");
    }
}
