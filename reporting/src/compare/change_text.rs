//! How a change of a statistic reads.

use super::Statistic;

/// From this change on it is said by which factor.
const LARGE_CHANGE: f64 = 9.995;
/// The greatest factor that says something: an interval of few seconds may reach to any.
const GREATEST_FACTOR: f64 = 1_000.0;

/// A change in per cent, or, of an error rate, in percentage points: `+1.5%`, `-0.20 pp`. A very large one is a factor: `×12`, at most
/// `over ×1000`.
pub fn change_text(statistic: Statistic, change: f64) -> String {
    match statistic {
        Statistic::ErrorRate => format!("{:+.2} pp", 100.0 * change),
        _ if 1.0 + change > GREATEST_FACTOR => format!("over ×{GREATEST_FACTOR:.0}"),
        _ if change >= LARGE_CHANGE => format!("×{:.0}", 1.0 + change),
        _ => format!("{:+.1}%", 100.0 * change),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_per_cent_of_an_error_rate_in_points_and_a_large_one_a_factor() {
        let texts = [
            (Statistic::P95, 0.015, "+1.5%"),
            (Statistic::Rate, -0.2, "-20.0%"),
            (Statistic::ErrorRate, -0.002, "-0.20 pp"),
            (Statistic::P95, 11.0, "×12"),
            (Statistic::P95, 999.0, "×1000"),
            (Statistic::P95, 1e15, "over ×1000"),
        ];
        for (statistic, change, text) in texts {
            assert_eq!(change_text(statistic, change), text);
        }
    }
}
