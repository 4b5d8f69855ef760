//! One state on the web page. Texts from outside come in by [`told_in`] alone.

use super::ending;
use super::scene::cited;
use crate::agent::prompt::{rightness, told as without_place};
use crate::experience::{Branch, Verdict, worth};
use crate::store::{Prediction, Standing, Told};
use crate::text::{Run, apart, clean};

/// A text as it stands between tags: none of it is a tag, and nothing in it drives a reader.
pub(super) fn told_in(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// A state: how one came there, what was expected and seen, what else was executed, and what was
/// written about it.
pub(super) fn section(told: &Told, t: usize) -> String {
    let trajectory = &told.trajectory;
    let before = t.checked_sub(1).and_then(|at| Some((at, trajectory.steps.get(at)?)));
    let mut out = format!("<section class=\"step\" id=\"step-{t}\" tabindex=\"-1\">\n");
    let thought = before.and_then(|(at, _)| told.thought(at));
    if let Some(thought) = thought {
        out += &format!("<p class=\"thought\"><b>thought</b> {}</p>\n", told_in(thought));
    }
    let head = before.map_or_else(
        || "start".to_string(),
        |(_, step)| {
            let worth = worth(step.reward, step.success).map(|worth| format!(" · worth {worth}"));
            let about = format!("{}{}", step.source, worth.unwrap_or_default());
            format!("{} <small>{}</small>", told_in(&step.action), told_in(&about))
        },
    );
    out += &format!("<h2><a class=\"n\" href=\"#step-{t}\">{t}</a> {head}</h2>\n");
    out += &seen(trajectory.observation_at(t));
    if let Some((at, step)) = before {
        out += &pairs(told, (at, &step.action), &step.observation);
    }
    out += &beside(told, t);
    out += &told.reflections_at(t).map(|r| reflection(told, r)).collect::<String>();
    if t > 0 && t == trajectory.steps.len() {
        let class = if trajectory.success() { "end won" } else { "end" };
        out += &format!("<p class=\"{class}\">{}</p>\n", told_in(&ending(trajectory)));
    }
    out + "</section>\n"
}

fn seen(observation: &str) -> String {
    format!("<pre class=\"seen\">{}</pre>\n", told_in(observation.trim()))
}

/// What each model expected of an action beside what came of it.
fn pairs(told: &Told, (t, action): (usize, &str), actual: &str) -> String {
    let actual = without_place(actual).trim();
    let one = |expected: &Prediction| {
        let right = 100.0 * rightness(&expected.text, actual);
        let [left, other] = apart(&expected.text, actual);
        format!(
            "<div class=\"pair\">\n<div><h4>{} predicted</h4><p>{}</p></div>\n\
             <div><h4>actual</h4><p>{}</p></div>\n\
             <p class=\"right\">{right:.0} % of words right</p>\n</div>\n",
            told_in(&expected.model),
            marked(&left, "del"),
            marked(&other, "ins")
        )
    };
    told.expected(t, action).map(one).collect()
}

/// What came of an action, beside what was expected of it where a model was asked.
fn outcome(told: &Told, action: (usize, &str), observation: &str) -> String {
    let pairs = pairs(told, action, observation);
    if pairs.is_empty() { seen(observation) } else { pairs }
}

/// Words, those that only this text has as a deletion or an insertion.
fn marked(runs: &[Run], tag: &str) -> String {
    let one = |run: &Run| {
        let text = told_in(&run.text);
        if run.own { format!("<{tag}>{text}</{tag}>") } else { text }
    };
    runs.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The action that was taken next beside what else was executed there, folded.
fn beside(told: &Told, t: usize) -> String {
    let branches: Vec<&Branch> = told.branches_at(t).collect();
    if branches.is_empty() {
        return String::new();
    }
    let n = branches.len();
    let s = if n == 1 { "" } else { "s" };
    let taken = told.trajectory.steps.get(t).map_or_else(String::new, |step| {
        format!(
            "<div class=\"taken\">\n<h3>{}</h3>\n<p class=\"about\">taken by {} · step {}</p>\n\
             {}</div>\n",
            told_in(&step.action),
            told_in(&step.source),
            t + 1,
            outcome(told, (t, &step.action), &step.observation)
        )
    });
    let others: String = branches.iter().map(|branch| alternative(told, branch)).collect();
    format!(
        "<details class=\"beside\">\n<summary>{n} alternative{s} executed here</summary>\n\
         <div class=\"columns\">\n{taken}<div class=\"others\">\n{others}</div>\n</div>\n</details>\n"
    )
}

fn alternative(told: &Told, branch: &Branch) -> String {
    let worth = worth(branch.reward, branch.success).map(|worth| format!(" · worth {worth}"));
    let won = if branch.success { " · reaches the goal" } else { "" };
    let effect = branch.effect.as_str();
    format!(
        "<div class=\"other\">\n<h3>{}</h3>\n\
         <p class=\"about\">by {} · <b>{effect}</b>{won}{}</p>\n{}</div>\n",
        told_in(&branch.action),
        told_in(&branch.source),
        worth.unwrap_or_default(),
        outcome(told, (branch.t, &branch.action), &branch.observation)
    )
}

fn reflection(told: &Told, reflection: &Standing) -> String {
    let class = match reflection.verdict {
        Verdict::Pending => "pending",
        Verdict::Approved => "approved",
        Verdict::Rejected => "rejected",
    };
    let line = |name: &str, text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("<p class=\"about\"><b>{name}</b> {}</p>\n", told_in(text))
        }
    };
    format!(
        "<details class=\"reflection {class}\" open>\n<summary>Reflection {} {} · \
         <b class=\"verdict\">{}</b></summary>\n<blockquote>{}</blockquote>\n{}{}</details>\n",
        reflection.id,
        told_in(&reflection.provenance()),
        told_in(&reflection.judged()),
        told_in(&reflection.text),
        line("written from", &cited(told, reflection)),
        line("note", reflection.note.as_deref().unwrap_or_default())
    )
}
