//! What Train asks of the store.

use std::path::PathBuf;

use super::{Mailbox, aside, evaluating};
use crate::error::{Error, Result};
use crate::formats::curves;
use crate::guard::guarded;
use crate::selection::ALL;
use crate::store::{RunStatus, Store, now_ms};
use crate::text::counted;
use crate::train as train_room;
use crate::train::alerts::alerts;
use crate::train::{Plan, Stage, checkpoint, trainer};
use crate::tui::effect::{Notice, RunCmd};
use crate::tui::msg::Msg;
use crate::tui::screens::train::{self, About};

/// What Train asks for.
pub(super) fn obey(store: &mut Store, command: RunCmd, mail: &Mailbox) -> Result<()> {
    match command {
        RunCmd::Forecast(plan, start) => {
            forecast(store.root().to_path_buf(), plan, start, mail.clone());
        }
        RunCmd::Choices(suite, split, expert) => {
            let suite = suite.as_deref();
            let split = split.as_deref();
            let experts = store.actors(suite, split)?;
            let expert = expert.as_deref().filter(|name| *name != ALL);
            let pools = store.pools(suite, split, expert, false)?;
            let origins = store.demonstrated()?;
            let choices = train::Choices { origins, experts, pools };
            mail.send(Msg::from(train::Msg::Choices(choices)));
        }
        RunCmd::StopElsewhere(run) => stop_elsewhere(store, run, mail)?,
        RunCmd::Queue(plan, start) => {
            let run = trainer::queue(store, &plan, &start)?;
            mail.send(Msg::Notice(Notice::info(format!(
                "run {run} waits; it starts when the one before it ends"
            ))));
            mail.send(Msg::Changed);
        }
        RunCmd::Unqueue(run) => {
            // Another program may have begun it since it was listed.
            match store.lock_run(run)? {
                Some(_lock) if store.run(run)?.status == RunStatus::Queued => {
                    store.set_run(run, RunStatus::Stopped, 0, None)?;
                    mail.send(Msg::Notice(Notice::info(format!(
                        "run {run} no longer waits; r starts it"
                    ))));
                }
                Some(_lock) => {}
                None => stop_elsewhere(store, run, mail)?,
            }
            mail.send(Msg::Changed);
        }
        RunCmd::Next => {
            if let Some(run) = store.next_queued()? {
                mail.send(Msg::from(train::Msg::Next(run)));
            }
        }
        RunCmd::List => {
            let runs = store.runs()?;
            let alive =
                runs.iter().filter(|run| store.is_alive(run.id)).map(|run| run.id).collect();
            let checkpoints = store.checkpoints()?;
            let evaluations = store.evaluations()?;
            mail.send(Msg::from(train::Msg::Runs(runs, alive, checkpoints, evaluations)));
        }
        RunCmd::Curve(run, name, after) => {
            let points = store.metric_after(run, &name, after)?;
            mail.send(Msg::from(train::Msg::Curve(run, name, after, points)));
        }
        RunCmd::Eval(command) => evaluating::obey(store, command, mail)?,
        RunCmd::Figures => {
            let (runs, checkpoints) = train_room::figures(store)?;
            let deleted = store.deleted_checkpoints()?;
            mail.send(Msg::from(train::Msg::Figures(runs, checkpoints, deleted)));
        }
        RunCmd::Write(about, text) => {
            write_down(store, about, &text)?;
            mail.send(Msg::Changed);
        }
        RunCmd::DeleteCheckpoints(ids) => {
            delete(store, &ids, mail)?;
            mail.send(Msg::Changed);
        }
        RunCmd::BringBack(ids) => {
            for id in &ids {
                store.set_checkpoint_deleted(*id, None)?;
            }
            let back: Vec<String> = ids.iter().map(ToString::to_string).collect();
            say(mail, format!("back again: checkpoint {}", back.join(", ")));
            mail.send(Msg::Changed);
        }
        RunCmd::Prune(run) => {
            let unneeded = checkpoint::unneeded(store, run, &train_room::stage_ends(store, run)?)?;
            let ids: Vec<i64> = unneeded.iter().map(|saved| saved.id).collect();
            delete(store, &ids, mail)?;
            mail.send(Msg::Changed);
        }
        RunCmd::Curves(run) => {
            let folder = store.root().join("exports");
            let lines = curves::write(store, run, &folder)?;
            say(
                mail,
                format!("{lines} values in {}/run-{run}.csv, events beside it", folder.display()),
            );
        }
        RunCmd::About(run) => {
            let config: serde_json::Value =
                serde_json::from_str(&store.run(run)?.config).unwrap_or_default();
            let stages: Vec<Stage> =
                serde_json::from_value(config["stages"].clone()).unwrap_or_default();
            let held_out = config["data"]["held_out_games"].as_u64().unwrap_or_default() as usize;
            let alerts = alerts(|name| store.metric(run, name), &stages, held_out)?;
            mail.send(Msg::from(train::Msg::About(run, store.metric_names(run)?, alerts)));
        }
    }
    Ok(())
}

fn say(mail: &Mailbox, text: String) {
    mail.send(Msg::Notice(Notice::info(text)));
}

/// Writes down what a person says of a run or a checkpoint.
fn write_down(store: &Store, about: About, text: &str) -> Result<()> {
    match about {
        About::RunName(run) => store.describe_run(run, Some(text), None, None),
        About::RunNote(run) => store.describe_run(run, None, Some(text), None),
        About::RunTags(run) => store.describe_run(run, None, None, Some(text)),
        About::Label(id) => store.label_checkpoint(id, Some(text)),
        About::Note(id) => store.note_checkpoint(id, text),
    }
}

/// Deletes checkpoints; what is needed stays, and is said.
fn delete(store: &Store, ids: &[i64], mail: &Mailbox) -> Result<()> {
    let there = store.checkpoints()?;
    let chosen: Vec<_> = there.iter().filter(|saved| ids.contains(&saved.id)).collect();
    let mut needed = None;
    let mut deleted = 0;
    let when = now_ms();
    for saved in chosen {
        match checkpoint::delete(store, saved, when) {
            Ok(()) => deleted += 1,
            Err(error) => needed = Some(error),
        }
    }
    let said = match deleted {
        0 => "no checkpoint was deleted: each is needed".to_string(),
        n => format!("{} deleted; files stay for a day, u brings back", counted(n, "checkpoint")),
    };
    say(mail, said);
    needed.map_or(Ok(()), Err::<(), Error>)
}

/// Reading the data of a run takes seconds on a large store: a thread of its own.
fn forecast(root: PathBuf, plan: Box<Plan>, start: String, mail: Mailbox) {
    let own = mail.clone();
    aside("the forecast", &own, move || {
        let found = guarded("looking at what it would train on", || {
            crate::train::forecast(&Store::open(&root)?, &plan, Some(&start))
        });
        let found = found.map(Box::new).map_err(|error| Notice::error(&error).text);
        mail.send(Msg::from(train::Msg::Forecast(plan, start, found)));
        Ok(())
    });
}

/// Asks the process that trains a run to stop cleanly.
fn stop_elsewhere(store: &Store, run: i64, mail: &Mailbox) -> Result<()> {
    store.request_stop(run)?;
    mail.send(Msg::Notice(Notice::info(format!(
        "run {run} was asked to stop; it saves a checkpoint first"
    ))));
    Ok(())
}
