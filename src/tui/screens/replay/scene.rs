//! Replay, the state in front: how one came there, what models expected beside what came, what else
//! was executed there, and what was written about it.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::flow::{flow, hung};
use crate::agent::prompt::{rightness, told as without_place};
use crate::experience::{Branch, Purpose, Verdict};
use crate::store::{Standing, Told};
use crate::text::clean;
use crate::train::rl::kept::{Choice, Learnt, signed};
use crate::train::rl::now::Now;
use crate::tui::page;
use crate::tui::text::{difference, one_line};
use crate::tui::theme::Theme;

/// Two texts stand beside each other from this many cells on, else over each other.
const BESIDE: usize = 60;

/// Lines of a panel of so many cells.
struct Scene<'a> {
    told: &'a Told,
    theme: Theme,
    width: usize,
    lines: Vec<Line<'static>>,
}

/// State `t` in lines.
pub(super) fn lines(
    (told, learnt, now): (&Told, Option<&Learnt>, Option<&Now>),
    t: usize,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mut scene = Scene { told, theme, width, lines: Vec::new() };
    scene.arrival(t);
    if let Some(choice) = learnt.and_then(|learnt| learnt.choices.get(t)) {
        scene.choice(choice, t, now);
    }
    scene.others(t);
    told.reflections_at(t).for_each(|reflection| scene.reflection(reflection));
    scene.missing(t);
    scene.lines
}

impl Scene<'_> {
    fn put(&mut self, indent: usize, text: &str, style: Style) {
        for line in text.lines() {
            let span = [Span::styled(line.to_string(), style)];
            self.lines.extend(hung(&span, indent, indent, self.width));
        }
    }

    /// The task, the step that led here, what it showed, and what had been expected of it.
    fn arrival(&mut self, t: usize) {
        let theme = self.theme;
        let trajectory = &self.told.trajectory;
        self.put(0, &clean(&trajectory.task), theme.strong());
        let about = format!(
            "{} / {} · {} · by {}",
            trajectory.suite,
            trajectory.split,
            trajectory.kind,
            trajectory.by()
        );
        self.put(0, &clean(&about), theme.dim());
        let before = t.checked_sub(1).and_then(|at| Some((at, trajectory.steps.get(at)?)));
        if let Some((at, step)) = before {
            if let Some(thought) = self.told.thought(at) {
                self.put(0, &format!("thought: {}", clean(thought)), theme.dim());
            }
            let spans = [
                Span::styled("> ", theme.key()),
                Span::styled(clean(&step.action), theme.strong()),
                Span::styled(format!("  {}", clean(&step.source)), theme.dim()),
            ];
            self.lines.extend(hung(&spans, 0, 2, self.width));
        }
        for line in clean(page::whole(trajectory.observation_at(t)).trim_end()).split('\n') {
            self.lines.extend(hung(&[Span::raw(line.to_string())], 0, 0, self.width));
        }
        if let Some((at, step)) = before {
            self.pairs((at, &step.action), &step.observation, 0);
        }
    }

    /// The likeliest actions of the policy when this was drawn, beside what it would do now where it was
    /// asked, and what they were worth where that is known: at most five, and the one that was taken.
    fn choice(&mut self, choice: &Choice, t: usize, now: Option<&Now>) {
        let theme = self.theme;
        let list = self.told.trajectory.listed_at(t);
        if choice.shares.is_empty() || list.len() != choice.shares.len() {
            return;
        }
        let then = &choice.shares;
        let now = now.and_then(|now| Some((&now.policy, now.shares.get(t)?)));
        let now = now.filter(|(_, shares)| shares.len() == list.len());
        // What either would do most comes first.
        let most = |i: usize| now.map_or(then[i], |(_, now)| then[i].max(now[i]));
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by(|a, b| most(*b).total_cmp(&most(*a)));
        let worth = |action: usize| {
            let tried = choice.others.iter().find(|(other, _)| *other == action);
            let own = choice.advantage.filter(|_| action == choice.chosen);
            own.or(tried.map(|(_, worth)| *worth))
        };
        let arrow = theme.glyph("→", "->");
        let of = now.map_or_else(String::new, |(policy, _)| format!(" {arrow} {policy}"));
        let head = format!("the policy when this was drawn{of} (share, what it was worth):");
        self.put(0, &head, theme.dim());
        let is_told = |(i, action): &(usize, usize)| {
            *i < 5 || *action == choice.chosen || worth(*action).is_some()
        };
        for (_, action) in order.into_iter().enumerate().filter(is_told) {
            let mark = if action == choice.chosen { theme.glyph("▸", ">") } else { " " };
            let worth = worth(action).map_or_else(String::new, |a| format!("  A {}", signed(a)));
            let after = now.map_or_else(String::new, |(_, now)| {
                format!(" {arrow} {:>3.0} %", 100.0 * now[action])
            });
            let share = 100.0 * then[action];
            let text = format!("{mark} {share:>3.0} %{after} {}{worth}", clean(&list[action]));
            let style = if action == choice.chosen { theme.strong() } else { theme.frame() };
            self.put(0, &text, style);
        }
    }

    /// What each model expected of an action beside what came of it; how many there were.
    fn pairs(&mut self, (t, action): (usize, &str), actual: &str, indent: usize) -> usize {
        let theme = self.theme;
        let actual = clean(without_place(actual).trim());
        let told = self.told;
        let asked: Vec<_> = told.expected(t, action).collect();
        for expected in &asked {
            let right = rightness(&expected.text, &actual);
            let shown = |text: &str| clean(&page::brief(text));
            let (left, other) = difference(&shown(&expected.text), &shown(&actual), theme);
            let other = if expected.text.trim() == actual {
                vec![Span::styled("= identical", theme.good())]
            } else {
                other
            };
            let score = format!("{:.0} % of words right", 100.0 * right);
            let model = format!("{} predicted", clean(&expected.model));
            if self.width >= BESIDE {
                self.beside(&[model, format!("actual · {score}")], [&left, &other], indent);
            } else {
                self.put(indent, &format!("{model} · {score}"), theme.dim());
                self.lines.extend(hung(&left, indent + 2, indent + 2, self.width));
                self.put(indent, "actual", theme.dim());
                self.lines.extend(hung(&other, indent + 2, indent + 2, self.width));
            }
        }
        asked.len()
    }

    /// Two texts in two columns.
    fn beside(&mut self, heads: &[String; 2], texts: [&[Span<'static>]; 2], indent: usize) {
        let cells = (self.width.saturating_sub(indent + 3)) / 2;
        let [left, right] = [0, 1].map(|side| {
            let head = [Span::styled(heads[side].clone(), self.theme.dim())];
            [flow(&head, cells), flow(texts[side], cells)].concat()
        });
        let bar = self.theme.glyph(" │ ", " | ");
        for at in 0..left.len().max(right.len()) {
            let mut spans = vec![Span::raw(" ".repeat(indent))];
            let part = left.get(at).cloned().unwrap_or_default();
            let used = Line::from(part.clone()).width();
            spans.extend(part);
            spans.push(Span::raw(" ".repeat(cells.saturating_sub(used))));
            spans.push(Span::styled(bar, self.theme.dim()));
            spans.extend(right.get(at).cloned().unwrap_or_default());
            self.lines.push(Line::from(spans));
        }
    }

    /// The action that was taken here, and what else was executed.
    fn others(&mut self, t: usize) {
        let theme = self.theme;
        let told = self.told;
        if told.branches_at(t).next().is_none() {
            return;
        }
        self.lines.push(Line::default());
        if let Some(step) = told.trajectory.steps.get(t) {
            let about = format!("  {} · taken here, step {}", clean(&step.source), t + 1);
            let mark = Span::styled(theme.glyph("▶ ", "> "), theme.key());
            self.heading(mark, &step.action, about);
        }
        told.branches_at(t).for_each(|branch| self.branch(branch));
    }

    fn heading(&mut self, mark: Span<'static>, action: &str, about: String) {
        let action = Span::styled(clean(action), self.theme.strong());
        let spans = [mark, action, Span::styled(about, self.theme.dim())];
        self.lines.extend(hung(&spans, 0, 2, self.width));
    }

    fn branch(&mut self, branch: &Branch) {
        let won = if branch.success { " · reaches the goal" } else { "" };
        let about = format!("  {} · {}{won}", clean(&self.told.by(branch)), branch.effect.as_str());
        self.heading(Span::styled("- ", self.theme.key()), &branch.action, about);
        if self.pairs((branch.t, &branch.action), &branch.observation, 2) == 0 {
            let came = format!(
                "{} {}",
                self.theme.glyph("→", "->"),
                one_line(&page::brief(&branch.observation))
            );
            self.lines.extend(hung(&[Span::raw(came)], 2, 4, self.width));
        }
    }

    fn reflection(&mut self, reflection: &Standing) {
        let theme = self.theme;
        let style = match reflection.verdict {
            Verdict::Pending => theme.warn(),
            Verdict::Approved => theme.good(),
            Verdict::Rejected => theme.bad(),
        };
        self.lines.push(Line::default());
        let spans = [
            Span::styled(format!("Reflection {} ", reflection.id), theme.strong()),
            Span::styled(format!("{} · ", clean(&reflection.provenance())), theme.dim()),
            Span::styled(clean(&reflection.judged()), style),
        ];
        self.lines.extend(hung(&spans, 0, 2, self.width));
        self.put(2, &clean(&reflection.text), Style::new());
        if let Some(note) = &reflection.note {
            self.put(2, &format!("note: {}", clean(note)), theme.dim());
        }
    }

    /// What this state has none of, and how it would come by it.
    fn missing(&mut self, t: usize) {
        let told = self.told;
        if t >= told.trajectory.steps.len() {
            return;
        }
        let expected = |at: usize| told.predictions.iter().any(|p| p.t == at);
        // Only demonstrations are collected for.
        let collected = told.trajectory.purpose == Purpose::Demonstration;
        let all = [
            (
                collected && told.branches_at(t).next().is_none(),
                "alternatives: c in Explore collects them",
            ),
            (
                !expected(t) && !t.checked_sub(1).is_some_and(expected),
                "predictions: K in Explore keeps them, eval --surprise asks for them",
            ),
            (
                collected && told.reflections_at(t).next().is_none(),
                "reflections: c in Explore collects them",
            ),
        ];
        let missing: Vec<&str> =
            all.iter().filter(|(none, _)| *none).map(|(_, how)| *how).collect();
        if !missing.is_empty() {
            self.lines.push(Line::default());
            for how in &missing {
                self.put(0, &format!("no {how}"), self.theme.dim());
            }
        }
    }
}
