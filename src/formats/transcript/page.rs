//! The web page: one file that asks for nothing else, to be read with keys, on a phone, in the
//! dark, and without scripts.

use super::facts;
use super::section::{section, told_in};
use crate::store::Told;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing is loaded from anywhere, whatever stands in the texts.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      img-src data:";

/// The keys of the page, for its box.
const KEYS: [(&[&str], &str); 6] = [
    (&["j", "→"], "the next step"),
    (&["k", "←"], "the step before"),
    (&["g", "G"], "the start, the end"),
    (&["Enter", "Space"], "unfold or fold what hangs off this step"),
    (&["e"], "unfold or fold everything"),
    (&["?"], "these keys; Esc leaves"),
];

/// The page of a trajectory.
pub(super) fn page(told: &Told) -> String {
    let steps = 0..=told.trajectory.steps.len();
    let sections: String = steps.map(|t| section(told, t)).collect();
    let task = told_in(&told.trajectory.task);
    let facts = facts(&told.trajectory)
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", told_in(&value)));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{task}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{task}</h1>\n<dl class=\"facts\">\n{}</dl>\n\
         <button id=\"hint\" type=\"button\" hidden><kbd>?</kbd> keys</button>\n</header>\n\
         <div class=\"sheet\">\n{}<main>\n{sections}</main>\n</div>\n{}\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        facts.concat(),
        contents(told),
        keys()
    )
}

/// The steps, to go to one.
fn contents(told: &Told) -> String {
    let one = |t: usize| {
        let step = t.checked_sub(1).and_then(|before| told.trajectory.steps.get(before));
        let name = step.map_or("start", |step| &step.action);
        let mut marks = Vec::new();
        let tried = told.branches_at(t).count();
        if tried > 0 {
            marks.push(format!("<span title=\"alternatives executed\">+{tried}</span>"));
        }
        let written = told.reflections_at(t).count();
        if written > 0 {
            marks.push(format!("<span title=\"reflections\">✎{written}</span>"));
        }
        if step.is_some_and(|step| step.success) {
            marks.push("<span title=\"goal reached\">✓</span>".into());
        }
        let marks = marks.join(" ");
        format!(
            "<li><a href=\"#step-{t}\"><span class=\"n\">{t}</span> <span>{}</span> \
             <span class=\"marks\">{marks}</span></a></li>\n",
            told_in(name)
        )
    };
    let all: String = (0..=told.trajectory.steps.len()).map(one).collect();
    format!("<nav class=\"contents\" aria-label=\"Steps\">\n<ol>\n{all}</ol>\n</nav>\n")
}

fn keys() -> String {
    let row = |(keys, what): &(&[&str], &str)| {
        let keys: Vec<String> = keys.iter().map(|key| format!("<kbd>{key}</kbd>")).collect();
        format!("<div><dt>{}</dt><dd>{what}</dd></div>\n", keys.join(" "))
    };
    format!(
        "<dialog id=\"keys\" aria-labelledby=\"keys-title\">\n<h2 id=\"keys-title\">Keys</h2>\n\
         <dl>\n{}</dl>\n<form method=\"dialog\"><button>close</button></form>\n</dialog>\n",
        KEYS.iter().map(row).collect::<String>()
    )
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
