//! Words that stand in the store for who did, proposed or wrote something.

/// What experts of suites are called, of every world: what is stored of a step is told apart by it.
pub const EXPERTS: [&str; 3] = ["fair", "planner", "walkthrough"];

/// Alternatives drawn uniformly from the admissible list (what the paper does for world modelling).
pub const UNIFORM: &str = "uniform";
/// Free text drawn by a rule: what the expert wrote with words left out, or what the task says.
pub const PERTURBED: &str = "perturbed";
/// Alternatives sampled from the policy (for self-reflection).
pub const POLICY: &str = "policy";

/// The pool whose draws are the policy's and uniform ones by turns.
pub const MIXTURE: &str = "mixture";
/// Alternatives that a person saw executed in Explore.
pub const EXPLORED: &str = "explore";

/// The pool of what an expert would have done in the states of visits, or the beginning of such a
/// pool's name ("answers: second round").
pub const ANSWERS: &str = "answers";

/// Whether a pool is of an expert's answers: they are what to do, not what else could be done.
pub fn is_answers(pool: &str) -> bool {
    pool == ANSWERS || pool.strip_prefix(ANSWERS).is_some_and(|rest| rest.starts_with(": "))
}
