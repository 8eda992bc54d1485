//! How far a count may be from its expectation before chance cannot explain it.

/// The probability that a test with a correct generator fails: once in a million runs.
const ALPHA: f64 = 1e-6;

/// Fails when `hits` of `trials`, each a hit with probability `share`, is so far from the middle that both systems
/// together would show it less than once in a million runs of the test.
///
/// The bound is exact: the binomial distribution's own tails, none of its approximations. `comparisons` is how many
/// such counts the test looks at; the million is divided among them (Bonferroni) and among the two sides.
///
/// # Panics
/// The count is outside.
pub(super) fn assert_share(what: &str, hits: u64, trials: u64, share: f64, comparisons: usize) {
    let bound = ALPHA / 2.0 / comparisons as f64;
    let (below, above) = tails(hits, trials, share);
    assert!(
        below >= bound && above >= bound,
        "{what}: {hits} of {trials}, expected {:.1}; by chance that few happen with probability {below:.1e}, that many \
         with {above:.1e}, and {bound:.1e} is the least allowed",
        share * trials as f64,
    );
}

/// P(X <= hits) and P(X >= hits) of a binomial distribution.
fn tails(hits: u64, trials: u64, share: f64) -> (f64, f64) {
    let mut log_factorials = vec![0.0_f64];
    for n in 1..=trials {
        log_factorials.push(log_factorials.last().expect("not empty") + (n as f64).ln());
    }
    let log_factorial = |n: u64| log_factorials[usize::try_from(n).expect("a small count")];
    let density = |k: u64| {
        let ways = log_factorial(trials) - log_factorial(k) - log_factorial(trials - k);
        (ways + k as f64 * share.ln() + (trials - k) as f64 * (1.0 - share).ln()).exp()
    };
    let below = (0..=hits).map(density).sum();
    let above = (hits..=trials).map(density).sum();
    (below, above)
}

#[test]
fn the_tails_are_those_of_the_binomial_distribution() {
    // 10 throws of a coin: 1, 10, 45 of 1024 ways for 0, 1, 2 heads.
    let (below, above) = tails(2, 10, 0.5);
    assert!((below - 56.0 / 1024.0).abs() < 1e-12);
    assert!((above - 1013.0 / 1024.0).abs() < 1e-12);
    // Wide enough for chance, narrow enough to see a wrong weight.
    assert_share("a fair coin", 540, 1_000, 0.5, 1);
    let unfair = std::panic::catch_unwind(|| assert_share("a coin", 600, 1_000, 0.5, 1));
    assert!(unfair.is_err());
}
