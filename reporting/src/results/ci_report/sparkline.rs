//! A small chart as text.

/// From the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where nothing was measured.
const NOTHING: char = '·';

/// A bar for each value, as high as it is beside the greatest.
pub(super) fn sparkline(values: &[Option<f64>]) -> String {
    let greatest = values.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |value: f64| {
        let share = if greatest > 0.0 {
            value.max(0.0) / greatest
        } else {
            0.0
        };
        BARS[((share * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    };
    values
        .iter()
        .map(|value| value.map_or(NOTHING, bar))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_share_of_the_greatest() {
        let values = [Some(0.0), Some(1.0), None, Some(4.0), Some(8.0)];
        assert_eq!(sparkline(&values), "▁▂·▅█");
        assert_eq!(sparkline(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }
}
