use super::*;
use crate::rng::Rng;
use crate::train::rl::{Rl, sample::places};

/// A chain of states with two actions in each: the first ends it, the second goes on, and the last one
/// is worth 1. `p[s]` is the probability of going on.
type Chain = &'static [f64];

const SHORT: Chain = &[0.6, 0.5, 0.7];
const LIMIT: usize = 3;

fn visit_of(chain: Chain, state: usize, chosen: usize, reward: f64) -> Visit {
    let logs = vec![(1.0 - chain[state]).ln(), chain[state].ln()];
    Visit { state: state as u64, logs, chosen, reward, ..Visit::default() }
}

fn visit(state: usize, chosen: usize, reward: f64) -> Visit {
    visit_of(SHORT, state, chosen, reward)
}

fn rollout(visits: Vec<Visit>, fork: Option<Fork>) -> Rollout {
    let won = visits.iter().any(|visit| visit.reward > 0.0);
    Rollout { visits, won, fork }
}

/// Plays on from a state, the first action given or drawn.
fn play(chain: Chain, rng: &mut Rng, from: usize, given: Option<usize>) -> Vec<Visit> {
    let mut visits = Vec::new();
    for (state, p) in chain.iter().enumerate().skip(from) {
        let chosen =
            given.filter(|_| state == from).unwrap_or_else(|| usize::from(rng.unit() < *p));
        let won = state + 1 == chain.len() && chosen == 1;
        visits.push(visit_of(chain, state, chosen, f64::from(u8::from(won))));
        if chosen == 0 {
            break;
        }
    }
    visits
}

fn group(chain: Chain, rng: &mut Rng, roots: usize) -> Vec<Rollout> {
    (0..roots).map(|_| rollout(play(chain, rng, 0, None), None)).collect()
}

/// Adds continuations of every rollout where a method forks it: the other action where actions are
/// given, else drawn ones.
fn forked(chain: Chain, rng: &mut Rng, group: &mut Vec<Rollout>, rl: &Rl) {
    for of in 0..group.len() {
        for at in places(rl, &group[of].clone(), rng) {
            let given = rl.method == Method::Forks;
            let other = 1 - group[of].visits[at].chosen;
            for _ in 1..rl.width {
                let mut visits = group[of].visits[..at].to_vec();
                visits.extend(play(chain, rng, at, given.then_some(other)));
                group.push(rollout(visits, Some(Fork { of, at, given })));
            }
        }
    }
}

/// `Σ scale · A · ∇ log π` by the logit of going on in each state, times what the constant divides by.
fn gradient(chain: Chain, group: &[Rollout], method: Method) -> Vec<f64> {
    let how = Estimator { method, gamma: 1.0, limit: LIMIT, holds: false };
    let mut sum = vec![0.0; chain.len()];
    for term in how.terms(&[group.to_vec()]).into_iter().flatten() {
        let state = group[term.rollout].visits[term.t].state as usize;
        let of_log = if term.action == 1 { 1.0 - chain[state] } else { -chain[state] };
        sum[state] += term.scale * term.advantage * of_log * LIMIT as f64;
    }
    sum
}

/// Of `J = Π p`.
fn known(chain: Chain) -> Vec<f64> {
    let all: f64 = chain.iter().product();
    chain.iter().map(|p| all * (1.0 - p)).collect()
}

/// Draws a group.
type Make<'a> = &'a dyn Fn(&mut Rng) -> Vec<Rollout>;

/// Mean and variance of each part over 10,000 draws, and the mean number of steps played.
fn over(chain: Chain, method: Method, make: Make<'_>) -> (Vec<f64>, Vec<f64>, f64) {
    const DRAWS: usize = 10_000;
    let mut rng = Rng::new(7);
    let (mut sum, mut squares) = (vec![0.0; chain.len()], vec![0.0; chain.len()]);
    let mut steps = 0;
    for _ in 0..DRAWS {
        let group = make(&mut rng);
        steps += group.iter().map(|one| one.visits.len() - one.own()).sum::<usize>();
        for (i, part) in gradient(chain, &group, method).into_iter().enumerate() {
            sum[i] += part;
            squares[i] += part * part;
        }
    }
    let n = DRAWS as f64;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
    let variance = squares.iter().zip(&mean).map(|(all, mean)| all / n - mean * mean).collect();
    (mean, variance, steps as f64 / n)
}

/// Holds the mean of 10,000 draws against the gradient times a factor, within four of its errors.
fn hold(chain: Chain, method: Method, factor: f64, make: Make<'_>) {
    let (mean, variance, _) = over(chain, method, make);
    for (i, known) in known(chain).iter().enumerate() {
        let (error, known) = ((variance[i] / 10_000.0).sqrt(), factor * known);
        let off = (mean[i] - known).abs();
        assert!(off < 4.0 * error, "{method:?} {chain:?} state {i}: {} not {known}", mean[i]);
    }
}

/// Chains in which a fork's place, were it chosen by what came after it, would show.
const CHAINS: [Chain; 3] = [SHORT, &[0.9, 0.5, 0.7], &[0.8, 0.9, 0.6, 0.5, 0.9, 0.7]];

#[test]
fn methods_that_claim_it_are_unbiased_over_ten_thousand_draws() {
    for chain in CHAINS {
        hold(chain, Method::Rloo, 1.0, &|rng| group(chain, rng, 4));
        hold(chain, Method::DrGrpo, 0.75, &|rng| group(chain, rng, 4)); // (G - 1) / G
        for method in [Method::VinePpo, Method::Tree, Method::Forks] {
            // As long as the chain, every unsure state may be forked; twice as long, a coin says.
            for (forks, limit) in [(1, chain.len()), (2, chain.len()), (2, 2 * chain.len() + 4)] {
                // Of two actions the rollout's own and the other: the fork covers the list.
                let width = if method == Method::Forks { 2 } else { 3 };
                let rl = Rl { limit, forks, width, ..Rl::new(method) };
                hold(chain, method, 1.0, &|rng| {
                    let mut group = group(chain, rng, 2);
                    forked(chain, rng, &mut group, &rl);
                    group
                });
            }
        }
    }
}

/// A world that one comes back in: the first action changes nothing, the second wins, and there are
/// five steps. `J = 1 - (1 - p)^5`.
fn coming_back(rng: &mut Rng, p: f64, from: usize, given: Option<usize>) -> Vec<Visit> {
    const STEPS: usize = 5;
    let mut visits = Vec::new();
    for t in from..STEPS {
        let chosen = given.filter(|_| t == from).unwrap_or_else(|| usize::from(rng.unit() < p));
        let logs = vec![(1.0 - p).ln(), p.ln()];
        visits.push(Visit { state: 7, logs, chosen, reward: chosen as f64, ..Visit::default() });
        if chosen == 1 {
            break;
        }
    }
    visits
}

#[test]
fn states_that_come_back_bias_nothing() {
    const DRAWS: usize = 10_000;
    for (p, method) in [0.2, 0.4]
        .into_iter()
        .flat_map(|p| [Method::Rloo, Method::VinePpo, Method::Tree, Method::Forks].map(|m| (p, m)))
    {
        let width = if method == Method::Forks { 2 } else { 3 };
        let rl = Rl { limit: 5, forks: 2, width, ..Rl::new(method) };
        let mut rng = Rng::new(11);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..DRAWS {
            let mut group: Vec<Rollout> =
                (0..3).map(|_| rollout(coming_back(&mut rng, p, 0, None), None)).collect();
            for of in 0..if method.forks() { group.len() } else { 0 } {
                for at in places(&rl, &group[of].clone(), &mut rng) {
                    let given = method == Method::Forks;
                    let other = 1 - group[of].visits[at].chosen;
                    for _ in 1..rl.width {
                        let mut visits = group[of].visits[..at].to_vec();
                        visits.extend(coming_back(&mut rng, p, at, given.then_some(other)));
                        group.push(rollout(visits, Some(Fork { of, at, given })));
                    }
                }
            }
            let how = Estimator { method, gamma: rl.gamma, limit: rl.limit, holds: false };
            let part: f64 = how
                .terms(&[group])
                .into_iter()
                .flatten()
                .map(|term| {
                    let of_log = if term.action == 1 { 1.0 - p } else { -p };
                    term.scale * term.advantage * of_log * rl.limit as f64
                })
                .sum();
            sum += part;
            squares += part * part;
        }
        let n = DRAWS as f64;
        let mean = sum / n;
        let error = ((squares / n - mean * mean) / n).sqrt();
        let known = 5.0 * p * (1.0 - p).powi(5);
        assert!(
            (mean - known).abs() < 4.0 * error,
            "{method:?} {p}: {mean} ± {error}, not {known}"
        );
    }
}

#[test]
fn what_forks_cost_in_noise_is_said() {
    // At as many steps the episodes' own estimate, relative to its mean: neither is better by nature.
    let rl = Rl { forks: 3, width: 2, limit: 3, ..Rl::new(Method::Forks) };
    for chain in CHAINS {
        let (mean, noise, steps) = over(chain, Method::Forks, &|rng| {
            let mut group = group(chain, rng, 2);
            forked(chain, rng, &mut group, &rl);
            group
        });
        let each: f64 = (0..chain.len()).map(|i| chain[..i].iter().product::<f64>()).sum();
        let roots = (steps / each).round() as usize;
        let (plain, its, same) = over(chain, Method::DrGrpo, &|rng| group(chain, rng, roots));
        assert!((same - steps).abs() < 0.2 * steps, "{same} and {steps} steps");
        let relative = |mean: &[f64], variance: &[f64]| -> f64 {
            mean.iter().zip(variance).map(|(mean, variance)| variance / (mean * mean)).sum()
        };
        let (ours, theirs) = (relative(&mean, &noise), relative(&plain, &its));
        println!("{chain:?} at {steps:.1} steps: forks {ours:.2}, Dr.GRPO {theirs:.2}");
        assert!(ours > 0.0 && theirs > 0.0);
    }
}

#[test]
fn advantages_of_a_known_group_are_what_the_formulae_say() {
    // Won, lost at the first state, lost at the second.
    let won = vec![visit(0, 1, 0.0), visit(1, 1, 0.0), visit(2, 1, 1.0)];
    let first = vec![visit(0, 0, 0.0)];
    let second = vec![visit(0, 1, 0.0), visit(1, 0, 0.0)];
    let group: Vec<Rollout> = [won, first, second].map(|visits| rollout(visits, None)).to_vec();
    let of = |method: Method, rollout: usize, t: usize| -> (f64, f64) {
        let how = Estimator { method, gamma: 0.5, limit: LIMIT, holds: false };
        let terms = how.terms(std::slice::from_ref(&group)).remove(0);
        let term = terms.iter().find(|term| (term.rollout, term.t) == (rollout, t)).unwrap();
        (term.advantage, term.scale)
    };
    let near = |(a, b): (f64, f64), (c, d): (f64, f64)| {
        assert!((a - c).abs() < 1e-12 && (b - d).abs() < 1e-12, "({a}, {b}) and not ({c}, {d})");
    };
    let deviation = (2.0f64 / 9.0).sqrt();
    near(of(Method::Rloo, 0, 2), (1.0, 1.0 / 9.0));
    near(of(Method::Rloo, 1, 0), (-0.5, 1.0 / 9.0));
    near(of(Method::DrGrpo, 1, 0), (-1.0 / 3.0, 1.0 / 9.0));
    near(of(Method::Grpo, 0, 0), (2.0 / 3.0 / deviation, 1.0 / 9.0));
    near(of(Method::Grpo, 1, 0), (-1.0 / 3.0 / deviation, 1.0 / 3.0));
    near(of(Method::Dapo, 2, 1), (-1.0 / 3.0 / deviation, 1.0 / 6.0));
    near(of(Method::ExpertIteration, 0, 1), (1.0, 1.0 / 3.0));
    near(of(Method::ExpertIteration, 2, 1), (0.0, 0.0));
    // In the first state 0.25, 0 and 0; the last one stands alone, and counts the episode alone.
    let spread = normal(0.25, &[0.25, 0.0, 0.0]);
    near(of(Method::Gigpo, 0, 0), (2.0 / 3.0 / deviation + spread, 1.0 / 9.0));
    near(of(Method::Gigpo, 0, 2), (2.0 / 3.0 / deviation, 1.0 / 9.0));
}

#[test]
fn a_group_without_spread_has_no_terms() {
    let lost = rollout(vec![visit(0, 0, 0.0)], None);
    for method in Method::ALL {
        let how = Estimator { method, gamma: 0.95, limit: LIMIT, holds: false };
        assert!(how.terms(&[vec![lost.clone(); 4]])[0].is_empty(), "{method:?}");
    }
}
