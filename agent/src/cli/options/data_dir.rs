//! Where the results of what runs on this machine go.

use std::path::PathBuf;

/// Where results are kept unless something else is said.
pub(crate) const DEFAULT_DATA: &str = "./greylag-data";
/// Most directories beside the usual one: as many commands may run in one place at once.
const MAX_BESIDE: u32 = 100;

/// The directory for results.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    first: PathBuf,
    /// Whether one beside it will do when it is in use.
    may_move: bool,
}

impl DataDir {
    /// The directory that was asked for; without one the usual one, or one beside it while another command uses
    /// that.
    pub(crate) fn asked(asked: Option<PathBuf>) -> Self {
        Self {
            may_move: asked.is_none(),
            first: asked.unwrap_or_else(|| DEFAULT_DATA.into()),
        }
    }

    /// The directories to try, in order: `./greylag-data`, `./greylag-data-2` and so on.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = PathBuf> {
        let beside = |number| {
            let mut name = self.first.clone().into_os_string();
            name.push(format!("-{number}"));
            name.into()
        };
        let most = if self.may_move { MAX_BESIDE } else { 1 };
        std::iter::once(self.first.clone()).chain((2..=most).map(beside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_directory_may_be_another() {
        let asked = DataDir::asked(Some("here".into()));
        assert_eq!(
            asked.candidates().collect::<Vec<_>>(),
            ["here"].map(PathBuf::from)
        );
        let usual: Vec<_> = DataDir::asked(None).candidates().collect();
        assert_eq!(usual.len(), MAX_BESIDE as usize);
        assert_eq!(
            usual[..2],
            ["./greylag-data", "./greylag-data-2"].map(PathBuf::from)
        );
    }
}
