//! What is compared, and for how long.

use super::delays::Delay;

/// How much of its capacity a generator is asked for, in parts of all.
pub(super) const LOADS: [f64; 2] = [0.5, 0.9];
/// How to use it.
pub(super) const USAGE: &str =
    "accuracy [--seconds N] [--delays 1ms,5ms,exponential,tail] [--loads 50,90]";

/// What the command line asks for.
pub(super) struct Arguments {
    /// Length of each run.
    pub(super) seconds: u64,
    pub(super) delays: Vec<Delay>,
    pub(super) loads: Vec<f64>,
}

impl Arguments {
    /// Reads what stands after `accuracy`.
    ///
    /// # Errors
    /// The argument that cannot be understood.
    pub(super) fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut read = Self {
            seconds: 6,
            delays: Delay::ALL.to_vec(),
            loads: LOADS.to_vec(),
        };
        for pair in arguments.chunks(2) {
            let &[name, value] = pair else {
                return Err(format!("{} needs a value", pair[0]));
            };
            let named = |key: &str| value.split(',').any(|one| one == key);
            let valid = match name {
                "--seconds" => {
                    read.seconds = value.parse().unwrap_or(0);
                    read.seconds > 0
                }
                "--delays" => {
                    read.delays.retain(|delay| named(delay.key()));
                    !read.delays.is_empty()
                }
                "--loads" => {
                    read.loads
                        .retain(|load| named(&format!("{:.0}", load * 100.0)));
                    !read.loads.is_empty()
                }
                _ => false,
            };
            if !valid {
                return Err(format!("`{name} {value}` is not valid"));
            }
        }
        Ok(read)
    }
}
