//! What can be said in plain lines, word by word.

use super::super::out::say;

/// The words at the first prompt, and what they do.
const EXPLORING: [(&str, &str); 24] = [
    ("e", "take the expert's action"),
    ("NUMBER", "take that action of the list; an action can be typed as well"),
    ("what NUMBER", "the predicted and the actual next state, without going there"),
    ("what all", "the same of every action"),
    ("look", "say the state again"),
    ("back", "one step back"),
    ("nodes", "every state walked so far, with its number"),
    ("go NUMBER", "to that state"),
    ("name NUMBER WORDS", "call that state so"),
    ("expert", "let the next expert speak"),
    ("next, previous", "the task after this one, or before it"),
    ("open TASK", "that task, like train/12"),
    ("split NAME", "the first task of that split"),
    ("from TRAJECTORY STEP", "go on from that step of something saved"),
    ("keep", "keep a solved episode as a demonstration (keep twice: although it is kept)"),
    ("reflect", "write a reflection about this state, from what was tried here"),
    ("curate", "decide on reflections, one after the other"),
    ("runs", "training runs, and how they stand"),
    ("begin RUN", "let a run that waits or was stopped go on in the background, also after quit"),
    ("follow RUN", "say how far it is until it ends; Ctrl-C follows no longer"),
    ("stop RUN", "end a run in the background cleanly"),
    ("use MODEL", "let embedded, or a checkpoint's number, answer; use alone: the newest"),
    ("help COMMAND", "how a command is written, like: help train"),
    ("quit", "leave"),
];

/// Commands of the program, and what they are for here.
const COMMANDS: [(&str, &str); 8] = [
    ("collect all --games 20", "demonstrations, alternatives and reflections"),
    ("train --objective imitation --steps 200", "train, with a line now and then; Ctrl-C stops"),
    ("train --objective imitation --queue", "write a run down, for begin"),
    ("eval --games 20", "play games with the newest checkpoint"),
    ("replay 3", "something saved, step by step"),
    ("data list demonstrations", "what is in the store"),
    ("data export --set imitation --out FILE", "training sets as files"),
    ("doctor", "what was found, and what to do about it"),
];

/// The words while curating.
const CURATING: [(&str, &str); 11] = [
    ("a", "approve (a sure: although a rule says that it would teach wrong)"),
    ("x CODE", "reject, for that reason"),
    ("codes", "the reasons"),
    ("e TEXT", "write a new version; it stays pending, and is read again with what the rules say"),
    ("s", "skip, undecided"),
    ("u", "take the latest decision back"),
    ("r", "do it again"),
    ("look", "say it again"),
    ("figures", "how the curation stands"),
    ("back", "to exploring"),
    ("quit", "leave"),
];

/// Says what can be said at the first prompt.
pub fn exploring() {
    list(&EXPLORING);
    say("");
    say("Every command of the program can be typed as well, with its options. For instance:");
    list(&COMMANDS);
}

/// Says what can be said while curating.
pub fn curating() {
    list(&CURATING);
}

fn list(rows: &[(&str, &str)]) {
    for (word, what) in rows {
        say(&format!("{word}: {what}."));
    }
}
