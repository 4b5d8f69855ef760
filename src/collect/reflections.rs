//! Reflections in bulk: a text for every state of the demonstrations that has executed alternatives
//! (`D_refl`), pending review.

use serde_json::json;

use super::{Report, covered};
use crate::agent::{Case, REFLECTING, Reflector};
use crate::control::{Control, Meter};
use crate::env::Suite;
use crate::episode::Scope;
use crate::error::{Error, Result};
use crate::experience::{Branch, POLICY, Trajectory, UNIFORM};
use crate::model::sampler::Sampling;
use crate::rng::Rng;
use crate::store::{NewReflection, PoolCount, Store};

/// Which alternatives reflections are written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contrast {
    /// The pool; without a name the policy's, or where that is empty the uniform one.
    pub pool: Option<String>,
    /// At most so many alternatives a state, the first ones drawn. The paper's reflections are best
    /// with 2 to 4, and below imitation with 8 (figure 4b).
    pub k: usize,
    /// Whether each of them is written about by itself, and not all of a state together.
    pub each: bool,
    /// Only for demonstrations by this expert.
    pub expert: Option<String>,
    /// Also about states that this writer has written about from other alternatives.
    pub anew: bool,
}

impl Default for Contrast {
    fn default() -> Self {
        Self { pool: None, k: 3, each: false, expert: None, anew: true }
    }
}

/// Who writes, and how often it is tried.
pub struct Writing<'a> {
    /// The writer.
    pub reflector: &'a mut dyn Reflector,
    /// How words are drawn, by a writer that draws them.
    pub how: Sampling,
    /// Attempts at a text at most. All are kept: the first without faults stands, else the one with
    /// the fewest, and the others are versions beside it.
    pub attempts: usize,
    /// Texts at most, of different demonstrations as far as there are as many: a sample, to be read
    /// before all are paid for (`method.md` 6.4). None writes all.
    pub sample: Option<usize>,
    /// Faults of a text about a case, as the rules of curation count them.
    pub faults: Faults<'a>,
}

/// States that are written about before what came of it is kept.
const KEPT_AT_ONCE: usize = 8;

/// Counts the faults of a text about a case.
pub type Faults<'a> = &'a dyn Fn(&str, &Case) -> usize;

impl<'a> Writing<'a> {
    /// Each text once, as it comes.
    pub fn once(reflector: &'a mut dyn Reflector) -> Self {
        Self { reflector, how: REFLECTING, attempts: 1, sample: None, faults: &|_, _| 0 }
    }

    /// All attempts at each text, the one that stands first; none where none came to its end. What
    /// was written before something failed is there too.
    fn attempts(&mut self, asked: &[Asked], control: &Control) -> (Vec<Vec<String>>, Result<()>) {
        let mut written: Vec<Vec<(usize, String)>> = vec![Vec::new(); asked.len()];
        // The likeliest words are the same every time.
        let attempts = if self.how.temperature > 0.0 { self.attempts.max(1) } else { 1 };
        let mut ended = Ok(());
        for attempt in 0..attempts {
            let is_open = |i: &usize| written[*i].iter().all(|(faults, _)| *faults > 0);
            let open: Vec<usize> = (0..asked.len()).filter(is_open).collect();
            if open.is_empty() {
                break;
            }
            let cases: Vec<(&Case, u64)> =
                open.iter().map(|i| (&asked[*i].case, asked[*i].seed(attempt))).collect();
            let texts = match self.reflector.reflect(&cases, self.how, &control.cancel) {
                Ok(texts) => texts,
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            };
            for (i, text) in open.into_iter().zip(texts).filter(|(_, text)| !text.is_empty()) {
                written[i].push(((self.faults)(&text, &asked[i].case), text));
            }
        }
        let best_first = |mut texts: Vec<(usize, String)>| {
            texts.sort_by_key(|(faults, _)| *faults); // of equals, the earlier
            texts.into_iter().map(|(_, text)| text).collect()
        };
        (written.into_iter().map(best_first).collect(), ended)
    }
}

/// A state that is to be written about.
struct Asked {
    t: usize,
    case: Case,
    seed: u64,
}

impl Asked {
    /// The seed of an attempt: the first has the state's own.
    fn seed(&self, attempt: usize) -> u64 {
        match attempt {
            0 => self.seed,
            _ => Rng::stream(self.seed, &format!("attempt {attempt}")).next_u64(),
        }
    }

    fn cites(&self) -> Vec<i64> {
        self.case.alternatives.iter().map(|branch| branch.id).collect()
    }
}

/// What a demonstration has to be written about.
#[derive(Default)]
struct Open {
    asked: Vec<Asked>,
    /// States with worse alternatives, whether they are written about already or not.
    found: usize,
    without_contrast: usize,
}

/// A reflection for every state of the demonstrations that has executed alternatives (`D_refl`), or
/// for each alternative; pending review. Before the first question that is paid for, what all of it
/// may come to is told; what was spent, with every demonstration.
pub fn reflections(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    contrast: &Contrast,
    mut writing: Writing<'_>,
    control: &Control,
    report: Report<'_>,
) -> Result<()> {
    let demos = covered(store, suite, scope, contrast.expert.as_deref())?;
    let meter = Meter::new("reflections", 0, demos.len() as u64);
    let generator = writing.reflector.generator();
    let expert = contrast.expert.as_deref();
    let pools = store.pools(Some(suite.name()), Some(&scope.split), expert, false)?;
    let there = |name: &&str| pools.iter().any(|count| count.pool == **name);
    let usual = [POLICY, UNIFORM].into_iter().find(there).unwrap_or(POLICY);
    let mut pool = contrast.pool.as_deref().unwrap_or(usual);
    let mut found_any = false;
    let mut told = false;
    let mut sample = Sample::of(writing.sample, demos.len(), scope.seed);
    for (i, demo) in demos.iter().enumerate() {
        control.checkpoint()?;
        let trajectory = store.trajectory(demo.id)?;
        if contrast.pool.is_none() {
            // Each demonstration by what it has.
            let policy = !store.drawn(demo.id, Some(POLICY))?.is_empty();
            pool = if policy { POLICY } else { UNIFORM };
        }
        let open =
            open(store, &trajectory, pool, (contrast, scope.seed), writing.reflector, control)?;
        found_any |= open.found > 0;
        let asked = sample.draw(open.asked);
        let cases: Vec<&Case> = asked.iter().map(|asked| &asked.case).collect();
        if !told
            && !cases.is_empty()
            && let Some(one) = writing.reflector.expects(&cases)
        {
            told = true;
            let left = match writing.sample {
                Some(texts) => texts.div_ceil(cases.len()),
                None => demos.len() - i,
            };
            let all = one.times(left as u64);
            let expected = json!({"texts": cases.len() * left, "at_most": all});
            report(json!({"expected": expected}), meter.at(i as u64));
        }
        let mut ids = Vec::new();
        let (mut unfinished, mut others) = (0, 0);
        // In parts that are kept as they come: each may be paid for.
        for part in asked.chunks(KEPT_AT_ONCE) {
            let (written, ended) = writing.attempts(part, control);
            if ended.is_ok() {
                unfinished += written.iter().filter(|texts| texts.is_empty()).count();
            }
            let sees = writing.reflector.sees_outcomes();
            let fresh = part.iter().zip(written).filter_map(|(asked, texts)| {
                let mut texts = texts.into_iter();
                let text = texts.next()?;
                let cites = if sees { asked.cites() } else { Vec::new() };
                let (t, generator) = (asked.t, generator.clone());
                let new = NewReflection { trajectory: demo.id, t, generator, cites, text };
                Some((new, texts.collect()))
            });
            let fresh: Vec<(NewReflection, Vec<String>)> = fresh.collect();
            others += fresh.iter().map(|(_, others)| others.len()).sum::<usize>();
            ids.extend(store.add_attempts(fresh.iter().map(|(new, o)| (new, o.as_slice())))?);
            ended?;
        }
        let mut row = json!({"trajectory": demo.id, "pool": pool, "by": generator, "reflections": ids,
            "states_without_contrast": open.without_contrast, "unfinished": unfinished});
        if writing.attempts > 1 {
            row["other_attempts"] = json!(others);
        }
        let mut progress = meter.at(i as u64 + 1);
        if let Some(spent) = writing.reflector.spent() {
            row["spent"] = json!(spent);
            progress.doing = format!("reflections ({spent})");
        }
        report(row, progress);
        if sample.is_whole() {
            break;
        }
    }
    if found_any { Ok(()) } else { Err(nothing(suite, &scope.split, pool, &pools)) }
}

/// What is left of a sample to be drawn.
struct Sample {
    /// Texts that are still wanted; none where all are.
    left: Option<usize>,
    /// Of one demonstration at most.
    each: usize,
    rng: Rng,
}

impl Sample {
    fn of(texts: Option<usize>, demonstrations: usize, seed: u64) -> Self {
        let each = texts.map_or(0, |texts| texts.div_ceil(demonstrations.max(1)));
        Self { left: texts, each, rng: Rng::stream(seed, "a sample of reflections") }
    }

    /// Those of a demonstration's states that are written about.
    fn draw(&mut self, mut asked: Vec<Asked>) -> Vec<Asked> {
        let Some(left) = &mut self.left else { return asked };
        self.rng.shuffle(&mut asked);
        asked.truncate(self.each.min(*left));
        asked.sort_by_key(|asked| asked.t);
        *left -= asked.len();
        asked
    }

    fn is_whole(&self) -> bool {
        self.left == Some(0)
    }
}

/// What a demonstration has to be written about by this writer, from a pool.
fn open(
    store: &Store,
    trajectory: &Trajectory,
    pool: &str,
    (contrast, seed): (&Contrast, u64),
    reflector: &dyn Reflector,
    control: &Control,
) -> Result<Open> {
    let drawn = store.drawn(trajectory.id, Some(pool))?.into_iter();
    let cited = drawn.filter(|drawn| drawn.place.rank < contrast.k);
    let cited: Vec<i64> = cited.map(|drawn| drawn.branch.id).collect();
    let branches = store.branches(trajectory.id)?;
    let written = store.reflected(trajectory.id, &reflector.generator())?;
    let mut open = Open::default();
    for t in 0..trajectory.steps.len() {
        control.cancel.check()?;
        let Some(whole) = case_at(trajectory, &branches, &cited, t) else { continue };
        open.found += 1;
        let cases = if contrast.each { apart(&whole) } else { vec![whole] };
        for (n, case) in cases.into_iter().enumerate() {
            if !reflector.has_contrast(&case) {
                open.without_contrast += 1;
                continue;
            }
            let mut place = format!("reflection {} {} {t}", trajectory.task_id, trajectory.actor);
            if n > 0 {
                place.push_str(&format!(" {n}"));
            }
            let asked = Asked { t, case, seed: Rng::stream(seed, &place).next_u64() };
            let seen = asked.cites();
            let same = |cites: &Vec<i64>| !contrast.anew || cites.is_empty() || *cites == seen;
            // By this writer, from this very contrast (or any).
            if !written.iter().any(|(at, cites)| *at == t && same(cites)) {
                open.asked.push(asked);
            }
        }
    }
    Ok(open)
}

/// A case for each of the alternatives; the others are what else was executed.
fn apart(case: &Case) -> Vec<Case> {
    let one = |at: usize| {
        let mut others = case.alternatives.clone();
        let alternative = others.remove(at);
        others.extend(case.others.iter().cloned());
        Case { alternatives: vec![alternative], others, ..case.clone() }
    };
    (0..case.alternatives.len()).map(one).collect()
}

/// That there is nothing to write about, and what to do.
fn nothing(suite: &dyn Suite, split: &str, pool: &str, pools: &[PoolCount]) -> Error {
    let proposer = if pool == POLICY { " --proposer policy -k 3" } else { "" };
    let mut there: Vec<&str> = pools.iter().map(|count| count.pool.as_str()).collect();
    there.dedup();
    let there = if there.is_empty() {
        "no pools yet".to_string()
    } else {
        format!("pools here: {}", there.join(", "))
    };
    Error::new(format!(
        "no state has worse executed alternatives in the pool `{pool}`, so there is nothing to \
         reflect on"
    ))
    .hint(format!(
        "run: foretaste collect branches --suite {} --split {split} --games N{proposer} ({there})",
        suite.name(),
    ))
}

/// What there is to reflect on at a state, from the alternatives with these ids; none where no
/// worse one is among them.
pub fn case_at(
    trajectory: &Trajectory,
    branches: &[Branch],
    cited: &[i64],
    t: usize,
) -> Option<Case> {
    let step = trajectory.steps.get(t)?;
    let here = branches.iter().filter(|branch| branch.t == t).cloned();
    let (alternatives, others): (Vec<Branch>, Vec<Branch>) =
        here.partition(|branch| branch.worse() && cited.contains(&branch.id));
    if alternatives.is_empty() {
        return None;
    }
    let action = step.action.clone();
    let outcome = step.observation.clone();
    let admissible = trajectory.listed_at(t).to_vec();
    Some(Case { state: trajectory.state(t), action, outcome, alternatives, others, admissible })
}

#[cfg(test)]
#[path = "reflections_tests.rs"]
mod tests;
