//! `foretaste study`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Common, interruptible};
use crate::env::open_suite;
use crate::error::Result;
use crate::paths;
use crate::store::Store;
use crate::study::{self, Design, Event};

/// Arguments of `foretaste study`.
#[derive(Debug, Args)]
pub struct StudyArgs {
    /// The study's file (studies/quick.toml is one to begin with)
    file: PathBuf,
    /// The suite's files (alfworld: the folder with train/, valid_seen/, ...; default
    /// $ALFWORLD_DATA)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Say which jobs there are and what they take, and do nothing
    #[arg(long)]
    plan: bool,
    /// Take in what was finished elsewhere
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Where results.jsonl, report.md and report.html are written, with every job that ends
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write them from what is finished, and do nothing else
    #[arg(long)]
    report: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &StudyArgs) -> Result<()> {
    let design = Design::read(&args.file)?;
    let jobs = study::jobs(&design);
    let out = common.out();
    let mut live = common.out();
    let control = interruptible()?;
    if args.plan {
        let suite = open_suite(&design.suite, args.data.as_deref())?;
        let report = &mut |event: Event<'_>| {
            if let Event::Progress(progress) = event {
                live.progress(progress);
            }
        };
        let found = study::forecast(&design, suite.as_ref(), &control, report)?;
        out.line(&json!(found), || found.in_words());
        return Ok(());
    }
    let data_dir = paths::data_dir(common.data_dir.clone())?;
    let mut store = study::begin(&data_dir, &design)?;
    if let Some(path) = &args.results {
        let taken = study::import(&mut store, &jobs, path)?;
        out.line(&json!({"taken": taken}), || format!("{taken} finished jobs taken in"));
    }
    let write = |store: &Store| -> Result<()> {
        let Some(folder) = &args.out else { return Ok(()) };
        study::write(&design, store, &jobs, folder).map(drop)
    };
    // Where the page cannot be written, what is found is in the store all the same.
    let mut failed = None;
    let mut tell = |event: Event<'_>| match event {
        Event::Begun { job, done, of } => {
            let row = json!({"begun": job.name, "done": done, "of": of});
            out.line(&row, || format!("[{done} of {of}] {}", job.name));
        }
        Event::Progress(progress) => live.progress(progress),
        Event::Done { job, result, store } => {
            out.line(&json!({"done": job.name, "result": result}), || said(result));
            failed = failed.take().or(write(store).err());
        }
    };
    if !args.report {
        let suite = open_suite(&design.suite, args.data.as_deref())?;
        study::work(&mut store, suite.as_ref(), &jobs, &control, &mut tell)?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let found = match &args.out {
        Some(folder) => study::write(&design, &store, &jobs, folder)?,
        None => study::report(&design, &study::finished(&store, &jobs)?, jobs.len()),
    };
    out.line(&json!(found), || study::markdown(&found));
    Ok(())
}

/// What came of a job, in a few words.
fn said(result: &serde_json::Value) -> String {
    let seconds = result["seconds"].as_f64().unwrap_or_default();
    let summary = &result["summary"];
    if let (Some(won), Some(n)) = (summary["successes"].as_u64(), summary["n"].as_u64()) {
        let (low, high) = crate::experience::wilson(won, n);
        let rate = 100.0 * won as f64 / n.max(1) as f64;
        let [low, high] = [100.0 * low, 100.0 * high];
        return format!("  {won} of {n} = {rate:.1} % [{low:.1}, {high:.1}], {seconds:.0} s");
    }
    let counts = ["demonstrations", "alternatives", "reflections", "parameters", "updates"];
    let said: Vec<String> = counts
        .iter()
        .filter_map(|name| Some(format!("{} {name}", result[name].as_u64()?)))
        .collect();
    format!("  {}, {seconds:.0} s", said.join(", "))
}
