//! The program's own commands, typed at the prompt: the same functions, in this process.

use clap::{CommandFactory, Parser};

use super::super::out::say;
use super::super::{Cli, Common, SuiteArgs, run};
use crate::budget;
use crate::control::Cancel;
use crate::ends;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::text::words;

/// Commands that would read the lines that are meant for the prompt.
const READING: [(&[&str], &str); 2] = [
    (&["env", "step"], "here the first prompt steps a task: open TASK"),
    (&["curate", "apply"], "here decisions are typed one by one: curate"),
];

/// Whether a word begins a command.
pub fn is_one(word: &str) -> bool {
    Cli::command().find_subcommand(word).is_some() || word == "help"
}

/// Carries a typed command out, and says what it says. Whether it was one that could run.
pub fn carry_out(common: &Common, opening: &SuiteArgs, line: &str) -> Result<bool> {
    let typed = words(line)
        .ok_or_else(|| Error::new("a quote is not closed").hint("type the line again"))?;
    for (path, instead) in READING {
        if typed.iter().map(String::as_str).take(path.len()).eq(path.iter().copied()) {
            return Err(
                Error::new(format!("`{}` reads lines of its own", path.join(" "))).hint(instead)
            );
        }
    }
    let cli = match Cli::try_parse_from(whole(common, opening, typed)) {
        Ok(cli) => cli,
        Err(error) => {
            // How it is written, or what is wrong with it; never another attempt at the task.
            say(error.to_string().trim_end());
            return Ok(false);
        }
    };
    if cli.command.is_none() {
        return Err(
            Error::new("that opens the program itself").hint("help lists what can be typed")
        );
    }
    let ended = guarded("the command", || run(cli));
    // A Ctrl-C that ended it is over with it.
    budget::obey(&Cancel::default());
    ends::at_rest();
    match ended {
        Err(error) if error.is_cancelled() => {
            say("Stopped. What was acknowledged is saved; train --resume RUN goes on with a run.");
            Ok(true)
        }
        ended => ended.map(|()| true),
    }
}

/// The words with this session's data directory, and with its suite where none is named.
fn whole(common: &Common, opening: &SuiteArgs, typed: Vec<String>) -> Vec<String> {
    let mut all = vec!["foretaste".to_string()];
    if let Some(dir) = &common.data_dir {
        all.extend(["--data-dir".to_string(), dir.display().to_string()]);
    }
    let mut command = &Cli::command();
    for word in &typed {
        let Some(below) = command.find_subcommand(word) else { break };
        command = below;
    }
    let takes_suite = command
        .get_arguments()
        .any(|arg| arg.get_id() == "suite" && !arg.get_default_values().is_empty());
    let named = typed.iter().any(|word| word == "--suite" || word.starts_with("--suite="));
    let asked = typed.iter().any(|word| ["help", "--help", "-h"].contains(&word.as_str()));
    all.extend(typed);
    if takes_suite && !named && !asked {
        all.extend(["--suite".to_string(), opening.suite.clone()]);
        if let Some(files) = &opening.data {
            all.extend(["--data".to_string(), files.display().to_string()]);
        }
    }
    all
}
