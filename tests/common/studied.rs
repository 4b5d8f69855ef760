//! A study half done, for the screens: its figures are drawn from a seed.

use foretaste::rng::Rng;
use foretaste::study::{Design, Line, Standing, Task, jobs, report};
use serde_json::json;

/// Two arms and a control, three seeds, of which the third is under way.
pub fn standing() -> Standing {
    let file = "name = \"rooms\"\nabout = \"Does an agent that tried its own alternatives learn more?\"\n\
                suite = \"alfworld\"\ntrain = \"other_rooms\"\nexperts = [\"fair\"]\nseeds = [1, 2, 3]\n\
                arms = [\"IL\", \"K0\", \"IWM\"]\n\
                [model]\nlayers = 4\nhidden = 192\nvocab = 1024\n[training]\nrate = 1e-3\n\
                [[data]]\nshare = 0.25\nupdates = [800]\n\
                [[test]]\nname = \"new rooms\"\nsplit = \"new_rooms\"\ngames = 60\n\
                [[primary]]\narm = \"IWM\"\nover = \"IL\"\ntest = \"new rooms\"\nshare = 0.25\n";
    let design: Design = toml::from_str(file).unwrap();
    design.check().unwrap();
    let all = jobs(&design);
    let mut rng = Rng::new(3);
    // All of two seeds; of the third the first arm, and the training of the second.
    let finished = all.len() - 3;
    let line = |job: &foretaste::study::Job| {
        let result = match &job.task {
            Task::Test { cell, .. } => {
                let chance = match cell.arm.to_string().as_str() {
                    "IL" => 0.4,
                    "K0" => 0.45,
                    _ => 0.6,
                };
                let won: String =
                    (0..60).map(|_| if rng.unit() < chance { '1' } else { '0' }).collect();
                let room = |n: usize| [5, 204, 314, 401, 21, 209][n % 6];
                let lost = won.chars().filter(|c| *c == '0').count();
                json!({
                    "games": (0..60).map(|n| format!("train/k-A-None-B-{}/t{n}", room(n))).collect::<Vec<_>>(),
                    "kinds": (0..60).map(|n| ["look", "pick"][n % 2]).collect::<Vec<_>>(),
                    "won": won, "steps": vec![21; 60],
                    "summary": {"evaluation": 4, "failures": {"loop": lost}},
                })
            }
            Task::Train { cell } => json!({
                "updates": 800, "tokens": {"tokens": 2.2e6}, "training_seconds": 540.0,
                "data": {"demonstrations": 731, "branches": if cell.arm.uses_k() { 20_124 } else { 0 }, "reflections": 0},
                "loss": [[1, 3.0], [800, 0.2]],
            }),
            _ => json!({}),
        };
        Line { job: job.name.clone(), task: job.task.clone(), result, run: None, when_ms: (0, 0) }
    };
    let lines: Vec<Line> = all[..finished].iter().map(line).collect();
    Standing {
        report: report(&design, &lines, all.len()),
        folder: "/data/studies/rooms".into(),
        done: lines.iter().map(|line| line.job.clone()).collect(),
        doing: Some(all[finished].name.clone()),
        failed: Vec::new(),
        jobs: all,
        design,
    }
}
