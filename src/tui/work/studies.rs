//! Studies: looking at all of them, and working at one.

use std::path::{Path, PathBuf};

use super::{Mailbox, Worker};
use crate::control::{Control, Progress};
use crate::env::{Suite, open_suite};
use crate::error::Result;
use crate::formats::transcript::Transcript;
use crate::guard::guarded;
use crate::store::Store;
use crate::study::{self, Design, Event, Shelf};
use crate::tui::effect::{Notice, StudyCmd};
use crate::tui::msg::{JobMsg, Msg};
use crate::tui::screens::study::Msg as Told;

/// Works at a study until it is finished: its data directory and page are below `root`.
pub(super) fn work_at(
    root: &Path,
    suite: &dyn Suite,
    design: &Design,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
) -> Result<String> {
    let mut store = study::begin(root, design)?;
    let jobs = study::jobs(design);
    let folder = study::place(root, &design.name).join("report");
    let mut failed = None;
    let mut doing = String::new();
    let each = &mut |event: Event<'_>| match event {
        Event::Begun { job, done, of } => doing = format!("[{done}/{of}] {}", job.name),
        Event::Progress(progress) => {
            let doing = format!("{doing} {}", progress.doing);
            tell(JobMsg::Progress(Progress { doing, ..progress.clone() }));
        }
        Event::Done { job, store, .. } => {
            failed = failed.take().or(study::write(design, store, &jobs, &folder).err());
            tell(JobMsg::Saved(job.name.clone()));
        }
    };
    // The suite that is open has its files; another is found where it usually is.
    if suite.name() == design.suite {
        study::work(&mut store, suite, &jobs, control, each)?;
    } else {
        study::work(&mut store, open_suite(&design.suite, None)?.as_ref(), &jobs, control, each)?;
    }
    failed.map_or(Ok(()), Err)?;
    Ok(format!("the study {} is finished: {}", design.name, folder.join("report.md").display()))
}

/// Starts the thread that looks at studies. It is one of its own: intervals take a moment, and the
/// store's thread has decisions to write.
pub fn start(root: PathBuf, mail: Mailbox) -> Worker<StudyCmd> {
    let own = mail.clone();
    let mut shelf = Shelf::default();
    Worker::start("the studies", &own, move |command| {
        guarded("the studies", || match command {
            StudyCmd::Look => {
                mail.send(Msg::from(Told::Studies(shelf.look(&root)?)));
                Ok(())
            }
            StudyCmd::Add(path) => {
                let design = Design::read(Path::new(&path))?;
                study::begin(&root, &design)?;
                mail.send(Msg::from(Told::Added(design.name)));
                Ok(())
            }
            StudyCmd::Episodes(behind) => {
                let store = Store::open(&study::place(&root, &behind.study))?;
                let (_, games) = store.evaluation(behind.evaluation)?;
                mail.send(Msg::from(Told::Episodes(behind, games)));
                Ok(())
            }
            StudyCmd::Episode(name, trajectory) => {
                let told = Store::open(&study::place(&root, &name))?.told(trajectory)?;
                let text = Transcript::Text.tell(&told);
                let lines = text.lines().map(str::to_string).collect();
                mail.send(Msg::from(Told::Episode(trajectory, lines)));
                Ok(())
            }
            StudyCmd::Report(name) => {
                let all = shelf.look(&root)?;
                let Some(one) = all.into_iter().find(|one| one.design.name == name) else {
                    return Ok(());
                };
                let folder = one.folder.join("report");
                let store = Store::open(&one.folder)?;
                study::write(&one.design, &store, &one.jobs, &folder)?;
                mail.send(Msg::Notice(Notice::info(format!("written: {}", folder.display()))));
                Ok(())
            }
        })
    })
}
