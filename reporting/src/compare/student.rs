//! Student's t distribution.

/// The probability that |t| of a t distribution with `df` degrees of freedom exceeds `t`.
pub(super) fn two_sided(t: f64, df: f64) -> f64 {
    if !t.is_finite() {
        return 0.0;
    }
    incomplete_beta(df / (df + t * t), df / 2.0, 0.5)
}

/// The regularized incomplete beta function I_x(a, b), by its continued fraction (Abramowitz & Stegun 26.5.8, evaluated
/// from the front by Lentz's method).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges fast on the left of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const STEPS: u32 = 300;
    const LEAST: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < LEAST { LEAST } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            result *= c * d;
        }
        if (result - before).abs() <= 1e-12 * result.abs() {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function of a positive number: Stirling's series, after the recurrence has made it large.
fn ln_gamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series =
        (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1_260.0 - square / 1_680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - below
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tables of Abramowitz & Stegun, 26.10, and for large df from those of the normal distribution.
    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (t, df, probability) in [
            (12.706, 1.0, 0.05),
            (4.303, 2.0, 0.05),
            (63.657, 1.0, 0.01),
            (2.571, 5.0, 0.05),
            (4.032, 5.0, 0.01),
            (2.228, 10.0, 0.05),
            (4.587, 10.0, 0.001),
            (2.042, 30.0, 0.05),
            (3.460, 60.0, 0.001),
            (1.959_96, 1e7, 0.05),
            (3.290_53, 1e7, 0.001),
        ] {
            let p = two_sided(t, df);
            assert!((p / probability - 1.0).abs() < 2e-3, "t {t}, df {df}: {p}");
        }
        assert_eq!(two_sided(f64::INFINITY, 3.0), 0.0);
        assert_eq!(two_sided(0.0, 3.0), 1.0);
    }
}
