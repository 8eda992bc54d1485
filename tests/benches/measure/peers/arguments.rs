//! What is measured, and for how long.

use super::case::Case;
use super::generator::Generator;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub(super) struct Arguments {
    /// Length of each measured window, in seconds.
    pub(super) seconds: u64,
    /// How often all take their turn.
    pub(super) rotations: usize,
    pub(super) cases: Vec<Case>,
    pub(super) generators: Vec<Generator>,
    /// Whether the table in the README is replaced.
    pub(super) write: bool,
}

/// How to use it.
pub(super) const USAGE: &str = "peers [--seconds N] [--rotations N] [--quick] [--cases get,get10k,post,tls,tls-new] \
     [--generators wrk,oha,greylag,greylag-2,goose,locust] [--write]";

impl Arguments {
    /// Reads what stands after `peers`.
    ///
    /// # Errors
    /// The argument that cannot be understood.
    pub(super) fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut read = Self {
            seconds: 3,
            rotations: 3,
            cases: Case::ALL.to_vec(),
            generators: Generator::ALL.to_vec(),
            write: false,
        };
        let mut rest = arguments.iter();
        while let Some(&name) = rest.next() {
            match name {
                "--write" => read.write = true,
                "--quick" => {
                    (read.seconds, read.rotations) = (2, 1);
                    read.generators
                        .retain(|one| one.key() != "greylag-2" && one.key() != "locust");
                }
                "--seconds" | "--rotations" | "--cases" | "--generators" => {
                    let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
                    read.set(name, value)
                        .ok_or_else(|| format!("`{value}` is not valid for {name}"))?;
                }
                other => return Err(format!("`{other}` is not known")),
            }
        }
        let all =
            read.cases.len() == Case::ALL.len() && read.generators.len() == Generator::ALL.len();
        if read.write && !all {
            return Err("--write needs all cases and generators".to_owned());
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        let named = |key: &str| value.split(',').any(|one| one == key);
        match name {
            "--seconds" => self.seconds = value.parse().ok().filter(|&seconds| seconds > 0)?,
            "--rotations" => {
                self.rotations = value.parse().ok().filter(|&rotations| rotations > 0)?
            }
            "--cases" => self.cases.retain(|case| named(case.key())),
            _ => {
                let known = |name| Generator::ALL.iter().any(|one| one.key() == name);
                value.split(',').all(known).then_some(())?;
                self.generators = Generator::ALL.to_vec();
                self.generators.retain(|one| named(one.key()));
            }
        }
        (!self.cases.is_empty()).then_some(())
    }
}
