//! Long work: collecting, training, evaluating. Each on a thread and a store connection of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Mailbox;
use super::agents::listen;
use super::blaming::{ask_policy, find_blame};
use super::evaluating::evaluate_all;
use super::studies::work_at;
use crate::agent;
use crate::budget;
use crate::collect::{self, By, Wanted};
use crate::control::{Control, Progress};
use crate::curation::faults;
use crate::env::{Only, Suite};
use crate::episode::Teacher;
use crate::error::{Error, Result};
use crate::formats::import::import;
use crate::formats::{Order, Set, export_file};
use crate::guard::guarded;
use crate::model::team::Priority;
use crate::paths;
use crate::store::{Intake, Store};
use crate::surprise::{Surprises, surprises};
use crate::train::goes_on_apart;
use crate::train::trainer::{self, Event};
use crate::tui::effect::{CollectOrder, JobCmd, JobKind, Notice, OpenSuite, TEMPLATE};
use crate::tui::msg::{JobMsg, Msg};
use crate::tui::screens::{data, explore};

/// Demonstrations that are looked at for surprises, and states that are listed.
const LOOKED_AT: usize = 40;
const LISTED: usize = 200;

/// How long a run may take to end: it finishes its update and saves a checkpoint.
const SAVING: Duration = Duration::from_mins(1);

/// How long other jobs may take: they look up after every game or line.
const ENDING: Duration = Duration::from_secs(6);

/// The running jobs.
pub struct Jobs {
    suite: Arc<dyn Suite>,
    root: PathBuf,
    mail: Mailbox,
    running: HashMap<JobKind, (Control, JoinHandle<()>)>,
    /// The run that trains here; 0 for none.
    run: Arc<AtomicI64>,
    detach: bool,
}

impl Jobs {
    /// None yet.
    pub fn new(suite: Arc<dyn Suite>, root: PathBuf, mail: Mailbox) -> Self {
        Self { suite, root, mail, running: HashMap::new(), run: Arc::default(), detach: false }
    }

    /// Jobs that begin from now on are about another suite.
    pub fn turn_to(&mut self, suite: OpenSuite) {
        self.suite = suite.0;
    }

    /// Starts, pauses or ends a job.
    pub fn obey(&mut self, command: JobCmd) {
        match command {
            JobCmd::Pause(kind) => {
                if let Some((control, _)) = self.running.get(&kind) {
                    self.mail.send(Msg::Job(kind, JobMsg::Paused(control.toggle_pause())));
                }
            }
            JobCmd::Detach => self.detach = true,
            JobCmd::Stop(kind) => {
                if let Some((control, _)) = self.running.get(&kind) {
                    control.cancel.cancel();
                }
            }
            JobCmd::Collect(order) => {
                self.spawn(JobKind::Collect, move |root, suite, control, tell| {
                    collect_all(root, suite, &order, control, tell)
                });
            }
            JobCmd::Train(plan, start) => {
                let here = Arc::clone(&self.run);
                self.spawn(JobKind::Train, move |root, suite, control, tell| {
                    let mut store = Store::open(root)?;
                    let (parts, source) =
                        agent::find(&store, Some(&start), plan.data.suite.as_deref())?;
                    let weights = plan.start(&parts, &source)?;
                    let each = &mut |event: Event<'_>| tell_training(&event, &here, tell);
                    let open = Some(suite);
                    let run = trainer::train_in(
                        &mut store, open, &plan, weights, &source, control, each,
                    )?;
                    Ok(format!("run {run} is finished"))
                });
            }
            JobCmd::Resume(run) => {
                let here = Arc::clone(&self.run);
                self.spawn(JobKind::Train, move |root, suite, control, tell| {
                    let each = &mut |event: Event<'_>| tell_training(&event, &here, tell);
                    trainer::resume_in(&mut Store::open(root)?, Some(suite), run, control, each)?;
                    Ok(format!("run {run} is finished"))
                });
            }
            JobCmd::Survey(split) => {
                let mail = self.mail.clone();
                self.spawn(JobKind::Survey, move |root, suite, control, tell| {
                    survey(root, suite, &split, control, tell, &mail)
                });
            }
            JobCmd::Export(orders) => {
                self.spawn(JobKind::Export, move |root, _, control, tell| {
                    export_all(root, &orders, control, tell)
                });
            }
            JobCmd::Import(path, write) => {
                if self.is_running(JobKind::Import) {
                    let why =
                        Err("another file is still being read; try again in a moment".to_string());
                    return self
                        .mail
                        .send(Msg::from(data::Msg::Looked(path.display().to_string(), why)));
                }
                let mail = self.mail.clone();
                self.spawn(JobKind::Import, move |root, _, control, tell| {
                    take_in(root, &path, write, control, tell, &mail)
                });
            }
            JobCmd::Study(design) => {
                self.spawn(JobKind::Study, move |root, suite, control, tell| {
                    work_at(root, suite, &design, control, tell)
                });
            }
            JobCmd::Blame(_) if self.is_running(JobKind::Blame) => {
                if let Some((control, _)) = self.running.get(&JobKind::Blame) {
                    control.cancel.cancel();
                }
            }
            JobCmd::Blame(id) => {
                let mail = self.mail.clone();
                self.spawn(JobKind::Blame, move |root, suite, control, tell| {
                    find_blame(root, suite, id, control, tell, &mail)
                });
            }
            JobCmd::Policy(id) => self.ask_policy(id),
            JobCmd::Gateway => {
                let mail = self.mail.clone();
                self.spawn(JobKind::Gateway, move |root, _, control, tell| {
                    listen(root, control, tell, &mail)
                });
            }
            JobCmd::Evaluate(order) => {
                let mail = self.mail.clone();
                self.spawn(JobKind::Evaluate, move |root, suite, control, tell| {
                    evaluate_all(root, suite, &order, control, tell, &mail)
                });
            }
        }
    }

    fn ask_policy(&mut self, id: i64) {
        if self.is_running(JobKind::Policy) {
            let said = "a policy is still being asked what it would do now";
            return self.mail.failed(&Error::new(said).hint("try again in a moment"));
        }
        let mail = self.mail.clone();
        self.spawn(JobKind::Policy, move |root, _, control, _| {
            ask_policy(root, id, control, &mail)
        });
    }

    fn is_running(&self, kind: JobKind) -> bool {
        self.running.get(&kind).is_some_and(|(_, thread)| !thread.is_finished())
    }

    fn spawn(
        &mut self,
        kind: JobKind,
        body: impl FnOnce(&Path, &dyn Suite, &Control, &mut dyn FnMut(JobMsg)) -> Result<String>
        + Send
        + 'static,
    ) {
        if self.is_running(kind) {
            return;
        }
        if kind == JobKind::Train {
            self.run.store(0, Ordering::Release); // the one before has ended
        }
        let control = Control::default();
        let mail = self.mail.clone();
        let suite = Arc::clone(&self.suite);
        let root = self.root.clone();
        let own = control.clone();
        let work = move || {
            let mut last: Option<Instant> = None;
            let mut tell = |msg: JobMsg| {
                // Progress is a latest value: ten a second are plenty.
                if matches!(msg, JobMsg::Progress(_))
                    && last.is_some_and(|at| at.elapsed() < Duration::from_millis(100))
                {
                    return;
                }
                last = Some(Instant::now());
                mail.send(Msg::Job(kind, msg));
            };
            budget::obey(&own.cancel);
            let ended =
                guarded(&format!("{kind:?}"), || body(&root, suite.as_ref(), &own, &mut tell));
            mail.send(Msg::Job(kind, JobMsg::Ended(ended)));
        };
        tracing::info!("{kind:?} begins");
        // Said before it can say anything itself: a job that ended before it started would be shown
        // for ever.
        self.mail.send(Msg::Job(kind, JobMsg::Started));
        match std::thread::Builder::new().name(format!("{kind:?}")).spawn(work) {
            Ok(thread) => _ = self.running.insert(kind, (control, thread)),
            Err(error) => {
                let ended = Err(Error::new(format!("no thread could be started: {error}")));
                self.mail.send(Msg::Job(kind, JobMsg::Ended(ended)));
            }
        }
    }

    /// Asks everything to end cleanly.
    pub fn cancel(&self) {
        self.running.values().for_each(|(control, _)| control.cancel.cancel());
    }

    /// Ends everything cleanly and waits for it, though not for ever: a stopping run saves a
    /// checkpoint. If a run is to go on in the background, a process of its own takes over from
    /// there; its number is returned.
    pub fn finish(self) -> Result<Option<i64>> {
        let training = self.is_running(JobKind::Train);
        let run = self.run.load(Ordering::Acquire);
        self.cancel();
        let began = Instant::now();
        let patience = |kind: JobKind| if kind == JobKind::Train { SAVING } else { ENDING };
        while self
            .running
            .keys()
            .any(|kind| self.is_running(*kind) && began.elapsed() < patience(*kind))
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        let left: Vec<String> = self
            .running
            .keys()
            .filter(|kind| self.is_running(**kind))
            .map(|kind| format!("{kind:?}"))
            .collect();
        let gone_on = match run {
            _ if !self.detach || !training || self.is_running(JobKind::Train) => Ok(None),
            0 => Err(Error::new("the run had not begun yet: nothing goes on in the background")
                .hint("start it again: Train lists it, if it was written down")),
            run => goes_on_apart(&self.root, run).map(|()| Some(run)),
        };
        if left.is_empty() {
            return gone_on;
        }
        let stuck = Error::new(format!(
            "{} did not end in {} s",
            left.join(", "),
            began.elapsed().as_secs()
        ))
        .hint("what was acknowledged is saved; a run goes on from its last checkpoint");
        gone_on.and(Err(stuck))
    }
}

/// Looks for surprises with the newest checkpoint.
fn survey(
    root: &Path,
    suite: &dyn Suite,
    split: &str,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
    mail: &Mailbox,
) -> Result<String> {
    let mut store = Store::open(root)?;
    let mut agent = agent::open(&store, None, Some(suite.name()), Priority::Background)?;
    let report = &mut |progress| tell(JobMsg::Progress(progress));
    let of = (suite.name(), split);
    let found = surprises(&mut store, of, LOOKED_AT, agent.as_mut(), control, report)?;
    let Surprises { mut states, unread, .. } = found;
    let looked_at = states.len();
    states.truncate(LISTED);
    mail.send(Msg::from(explore::Msg::Surprises(states)));
    let long = match unread {
        0 => String::new(),
        unread => format!(", {unread} demonstrations are too long for it"),
    };
    Ok(format!("{looked_at} states of demonstrations looked at{long}; S lists the most surprising"))
}

/// Takes in what is new in a file, or only says what that is.
fn take_in(
    root: &Path,
    path: &Path,
    write: bool,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
    mail: &Mailbox,
) -> Result<String> {
    let report = &mut |progress| tell(JobMsg::Progress(progress));
    let found = import(&Store::open(root)?, (&paths::at_home(path), None), write, control, report);
    let name = path.display();
    if !write {
        let said = found.as_ref().map(|intake| *intake).map_err(|error| Notice::error(error).text);
        mail.send(Msg::from(data::Msg::Looked(name.to_string(), said)));
    }
    let intake = found?;
    let Intake { trajectories, reflections, .. } = intake;
    let new = if write {
        format!("took in {trajectories} trajectories and {reflections} reflections")
    } else {
        format!("{name}: {trajectories} trajectories are new")
    };
    Ok(std::iter::once(new).chain(intake.of_known()).collect::<Vec<_>>().join("; "))
}

/// Writes exports into the data directory, each under a name of its own.
fn export_all(
    root: &Path,
    orders: &[Order],
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
) -> Result<String> {
    let store = Store::open(root)?;
    let folder = root.join("exports");
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("creating", &folder, &e))?;
    let stamp = crate::store::now_ms() / 1000;
    let mut written = Vec::new();
    for order in orders {
        let name =
            Set::ALL.iter().find(|(set, _)| *set == order.set).map_or("export", |(_, name)| *name);
        let report = &mut |progress: Progress| {
            tell(JobMsg::Progress(Progress { doing: name.into(), ..progress }));
        };
        let extent = export_file(
            &store,
            order,
            &folder.join(format!("{name}-{stamp}.{}", order.layout.extension())),
            control,
            report,
        )?;
        written.push(format!("{name} {}", extent.lines));
    }
    Ok(format!("in {}: {} lines", folder.display(), written.join(", ")))
}

fn tell_training(event: &Event<'_>, here: &AtomicI64, tell: &mut dyn FnMut(JobMsg)) {
    match event {
        Event::Begun { run, .. } => {
            here.store(*run, Ordering::Release);
            tell(JobMsg::Run(*run));
        }
        Event::Update { progress, .. } | Event::Doing(progress) => {
            tell(JobMsg::Progress(progress.clone()));
        }
        Event::Saved { step, whole, .. } => {
            let said = format!("checkpoint saved at step {step}{}", event.besides());
            tell(if *whole { JobMsg::Saved(said) } else { JobMsg::SavedAdapter(said) });
        }
    }
}

/// Collects what was ordered; returns what was found, in words.
fn collect_all(
    root: &Path,
    suite: &dyn Suite,
    order: &CollectOrder,
    control: &Control,
    tell: &mut dyn FnMut(JobMsg),
) -> Result<String> {
    let CollectOrder { scope, kinds, expert, k, asked, think, .. } = order;
    let mut store = Store::open(root)?;
    let model = Some(order.policy.as_str());
    let of = Some(suite.name());
    // Who is not there is said before anything is collected.
    if *asked > 0 {
        agent::check(&store, model, of)?;
    }
    if let Some(writer) = order.writer.as_deref().filter(|name| *name != TEMPLATE) {
        agent::check(&store, Some(writer), of)?;
    }
    let policy = |store: &Store| agent::open(store, model, of, Priority::Background);
    let writer =
        |store: &Store| agent::open(store, order.writer.as_deref(), of, Priority::Background);
    let by = order.writer.as_deref().map(|name| match name {
        TEMPLATE => By::Template,
        _ => By::Mind {
            open: &writer,
            attempts: order.attempts,
            sample: order.sample,
            faults: &faults,
        },
    });
    let wanted = Wanted {
        scope,
        teacher: Teacher::Suite(expert.as_deref()),
        k: *k,
        asked: if agent::knows(&store, model, suite.name())? { *asked } else { 0 },
        think: *think,
        reflections: by,
    };
    let report = &mut |_, progress| tell(JobMsg::Progress(progress));
    let suite = &Only { kinds, ..Only::of(suite) };
    let found = collect::all(&mut store, suite, wanted, &policy, control, report)?;
    Ok(found.to_string())
}
