//! The address of a comparison's page, and of those that differ from it in one thing.

use greylag_infra::RunId;

use super::{Comparison, Stretch};
use crate::results::urls::query_of;
use crate::results::views::scope_view::end_of;

/// What a page's address says of a comparison. Runs are named by their ids, so that it stays what it is when a test has further runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompareAddress {
    /// Path of the page.
    page: String,
    /// In the order in which they are shown.
    runs: Vec<RunId>,
    /// The first one if none is named.
    reference: Option<RunId>,
    /// Further runs of the reference.
    baseline: Vec<RunId>,
    stretch: Stretch,
    /// Only this endpoint.
    endpoint: Option<String>,
}

impl CompareAddress {
    /// Of these runs' steady state, the first as the reference. `base` is the path below which the coordinator is.
    pub(crate) fn new(base: &str, runs: Vec<RunId>) -> Self {
        Self {
            page: format!("{base}/compare"),
            runs,
            ..Self::default()
        }
    }

    /// Of a comparison whose runs are shown in this order.
    pub(crate) fn of(
        base: &str,
        order: Vec<RunId>,
        comparison: &Comparison,
        stretch: Stretch,
        endpoint: Option<String>,
    ) -> Self {
        let mut address = Self::new(base, order).with_reference(&comparison.reference.id);
        let further = comparison.baseline.iter();
        address.baseline = further.map(|run| run.id.clone()).collect();
        address.stretch = stretch;
        address.endpoint = endpoint;
        address
    }

    /// The same with another reference, of which no further runs are known.
    pub(crate) fn with_reference(&self, id: &RunId) -> Self {
        Self {
            reference: (self.runs.first() != Some(id)).then(|| id.clone()),
            baseline: Vec::new(),
            ..self.clone()
        }
    }

    /// The same without a run.
    pub(crate) fn without(&self, id: &RunId) -> Self {
        let mut address = self.clone();
        address.runs.retain(|run| run != id);
        address
    }

    /// The same of another part of the runs.
    pub(crate) fn with_stretch(&self, stretch: Stretch) -> Self {
        Self {
            stretch,
            ..self.clone()
        }
    }

    /// The same of one endpoint, or of all.
    pub(crate) fn with_endpoint(&self, endpoint: Option<String>) -> Self {
        Self {
            endpoint,
            ..self.clone()
        }
    }

    /// Which part of the runs.
    pub(crate) fn stretch(&self) -> Stretch {
        self.stretch
    }

    /// The one endpoint.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Its page.
    pub(crate) fn page(&self) -> String {
        format!("{}{}", self.page, self.query())
    }

    /// What the page and the API are asked, from `?` on.
    pub(crate) fn query(&self) -> String {
        query_of(&self.members())
    }

    /// The members of the query but for those that a form asks for.
    pub(crate) fn members_without(&self, asked_for: &[&str]) -> Vec<(&'static str, String)> {
        let mut members = self.members();
        members.retain(|(name, _)| !asked_for.contains(name));
        members
    }

    fn members(&self) -> Vec<(&'static str, String)> {
        let joined = |ids: &[RunId]| {
            let ids: Vec<&str> = ids.iter().map(RunId::as_str).collect();
            (!ids.is_empty()).then(|| ids.join(","))
        };
        let (from, to) = match self.stretch {
            Stretch::Steady => (None, None),
            Stretch::Whole => (Some(0), None),
            Stretch::Window(window) => (Some(window.from()), end_of(window)),
        };
        let seconds = |second: Option<u32>| second.map(|second| second.to_string());
        let members = [
            ("runs", joined(&self.runs)),
            (
                "reference",
                self.reference.as_ref().map(ToString::to_string),
            ),
            ("baseline", joined(&self.baseline)),
            ("from", seconds(from)),
            ("to", seconds(to)),
            ("endpoint", self.endpoint.clone()),
        ];
        let members = members.into_iter();
        members
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Window;

    #[test]
    fn an_address_changes_one_thing() {
        let [a, b, c] = ["a", "b", "c"].map(RunId::from);
        let runs = CompareAddress::new("/load", vec![a.clone(), b.clone(), c.clone()]);
        assert_eq!(runs.page(), "/load/compare?runs=a%2Cb%2Cc");
        assert_eq!(
            runs.with_reference(&b).query(),
            "?runs=a%2Cb%2Cc&reference=b"
        );
        assert_eq!(
            runs.with_reference(&b).with_reference(&a).query(),
            runs.query()
        );
        assert_eq!(runs.without(&a).query(), "?runs=b%2Cc");
        let with_further = CompareAddress {
            baseline: vec![c.clone()],
            ..runs.clone()
        };
        assert_eq!(with_further.query(), "?runs=a%2Cb%2Cc&baseline=c");
        assert_eq!(
            with_further.with_reference(&b).query(),
            runs.with_reference(&b).query(),
            "further runs belong to their reference"
        );
        let window = Window::new(5, u32::MAX).unwrap();
        let part = runs
            .with_stretch(Stretch::Window(window))
            .with_endpoint(Some("GET /a b".to_owned()));
        assert_eq!(part.query(), "?runs=a%2Cb%2Cc&from=5&endpoint=GET%20/a%20b");
        assert_eq!(
            part.with_stretch(Stretch::Whole)
                .with_endpoint(None)
                .query(),
            "?runs=a%2Cb%2Cc&from=0"
        );
        assert_eq!(
            part.members_without(&["from", "to", "runs"]),
            [("endpoint", "GET /a b".to_owned())]
        );
    }
}
