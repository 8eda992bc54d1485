//! What a comparison is asked for, of the API and of the page.

use greylag_reporting::Comparison;

/// Which runs are compared.
#[derive(Debug)]
pub(crate) struct CompareAsked {
    pub(crate) runs: Vec<String>,
    pub(crate) reference: Option<String>,
    pub(crate) baseline: Vec<String>,
    pub(crate) from: Option<u32>,
    pub(crate) to: Option<u32>,
    pub(crate) endpoint: Option<String>,
}

impl CompareAsked {
    /// What the API and the page are asked.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let second = |second: Option<u32>| second.map(|second| second.to_string());
        let given = [
            ("runs", Some(self.runs.join(","))),
            ("reference", self.reference.clone()),
            ("baseline", Some(self.baseline.join(","))),
            ("from", second(self.from)),
            ("to", second(self.to)),
            ("endpoint", self.endpoint.clone()),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
            .collect()
    }

    /// The same with runs by their ids, so that it stays what it is when a test has further runs.
    pub(crate) fn of_these(self, comparison: &Comparison) -> Self {
        let others = comparison.runs.iter().map(|run| &run.run);
        let runs = std::iter::once(&comparison.reference).chain(others);
        Self {
            runs: runs.map(|run| run.id.to_string()).collect(),
            reference: None,
            baseline: comparison
                .baseline
                .iter()
                .map(|run| run.id.to_string())
                .collect(),
            ..self
        }
    }
}
