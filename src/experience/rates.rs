//! Shares of successes, and how sure they are.

/// The Wilson score interval of a success rate at 95 %.
pub fn wilson(successes: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let n = n as f64;
    let z = 1.959_964;
    let p = successes as f64 / n;
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

/// A share with its interval, as [`wilson`] gives it.
pub type Share = (f64, (f64, f64));

/// Newcombe's 95 % interval of the difference `a - b` of two independent shares, from their Wilson
/// intervals (Statistics in Medicine 17, 873, 1998; method 10).
pub fn newcombe((a, (la, ua)): Share, (b, (lb, ub)): Share) -> (f64, f64) {
    let low = ((a - la).powi(2) + (ub - b).powi(2)).sqrt();
    let high = ((ua - a).powi(2) + (b - lb).powi(2)).sqrt();
    (a - b - low, a - b + high)
}

/// How likely at least so many of `n` are won where each is with this chance (a binomial's tail).
pub fn at_least(won: u64, n: u64, chance: f64) -> f64 {
    // From the end: each term from the one before, in logarithms, for a share of 0 has none.
    let log = |x: f64| x.max(1e-12).ln();
    let mut choose = 0.0; // ln of n over i, of i = n
    let mut sum = 0.0;
    for i in (won..=n).rev() {
        sum += (choose + i as f64 * log(chance) + (n - i) as f64 * log(1.0 - chance)).exp();
        choose += log(i as f64) - log((n - i + 1) as f64);
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_the_published_interval() {
        // 80.5 % of 128 episodes: [72.8, 86.4] in the project's notes on the paper.
        let (low, high) = wilson(103, 128);
        assert!((low - 0.728).abs() < 1e-3 && (high - 0.864).abs() < 1e-3, "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn the_interval_of_a_difference_is_newcombes() {
        // Newcombe 1998, table II: 56/70 less 48/80, method 10.
        let share = |won: u64, n: u64| (won as f64 / n as f64, wilson(won, n));
        let (low, high) = newcombe(share(56, 70), share(48, 80));
        assert!((low - 0.0524).abs() < 1e-4 && (high - 0.3339).abs() < 1e-4, "{low} {high}");
    }

    #[test]
    fn a_binomials_tail_is_the_known_one() {
        assert!((at_least(12, 16, 0.5) - 0.038_406).abs() < 1e-5);
        assert!(at_least(1, 16, 0.0) < 1e-9 && (at_least(0, 16, 0.3) - 1.0).abs() < 1e-9);
    }
}
