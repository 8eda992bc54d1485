//! Which runs are to be compared: the same query for the API and the page.

use serde::Deserialize;
use utoipa::IntoParams;

use super::scope::stretch;
use crate::results::comparison::{Asked, Comparison};
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Query of `GET /api/v1/compare` and of the page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(from = "Vec<(String, String)>")]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct CompareQuery {
    /// Two to five runs, separated by commas, each as its id, as `test#number`, or as `test` for its newest run. A form may name them
    /// one by one, as `run=A&run=B`.
    #[param(value_type = String, required = false)]
    runs: Vec<String>,
    /// The run that the others are compared with; the first one unless given.
    #[param(required = false)]
    reference: String,
    /// At least two further runs of what the reference is a run of, separated by commas: the noise between them counts.
    #[param(value_type = String, required = false)]
    baseline: Vec<String>,
    /// First second of run time that is compared; without `from` and `to` it is the steady state.
    #[param(value_type = Option<u32>, required = false)]
    from: String,
    /// End of what is compared in seconds of run time, exclusive. `from=0` alone is the whole run.
    #[param(value_type = Option<u32>, required = false)]
    to: String,
    /// Only this endpoint: method and name as in `GET /path`.
    #[param(required = false)]
    endpoint: String,
    /// Whether runs were named one by one, in no order of their own.
    #[param(ignore)]
    is_unordered: bool,
    /// Whether a page is asked for on which runs can be chosen.
    #[param(ignore)]
    is_choice: bool,
}

impl From<Vec<(String, String)>> for CompareQuery {
    fn from(pairs: Vec<(String, String)>) -> Self {
        let mut query = Self::default();
        let names = |text: &str| -> Vec<String> {
            let names = text.split(',').map(str::trim);
            names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        for (name, value) in pairs {
            match name.as_str() {
                "runs" => query.runs.extend(names(&value)),
                "run" => {
                    query.is_unordered = true;
                    let name = value.trim();
                    if !name.is_empty() {
                        query.runs.push(name.to_owned());
                    }
                }
                "reference" => query.reference = value,
                "baseline" => query.baseline.extend(names(&value)),
                "from" => query.from = value,
                "to" => query.to = value,
                "endpoint" => query.endpoint = value,
                "choose" => query.is_choice = true,
                _ => {}
            }
        }
        query
    }
}

impl CompareQuery {
    /// What is asked for.
    ///
    /// # Errors
    /// The window is not valid.
    pub(in crate::web) fn asked(&self) -> Result<Asked, WebError> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        Ok(Asked {
            runs: self.runs.clone(),
            reference: given(&self.reference),
            baseline: self.baseline.clone(),
            stretch: stretch(&self.from, &self.to)?,
            endpoint: given(&self.endpoint),
        })
    }

    /// Whether runs were named one by one, in no order of their own.
    pub(in crate::web) fn is_unordered(&self) -> bool {
        self.is_unordered
    }

    /// Whether it only asks for a page on which runs can be chosen.
    pub(in crate::web) fn is_choice(&self) -> bool {
        self.is_choice || self.named().is_empty()
    }

    /// All runs it names.
    pub(in crate::web) fn named(&self) -> Vec<String> {
        let reference = Some(self.reference.clone()).filter(|name| !name.is_empty());
        let others = self.runs.iter().chain(&self.baseline).cloned();
        others.chain(reference).collect()
    }

    /// First second, end and endpoint as they were typed, for a form.
    pub(in crate::web) fn typed(&self) -> [(&'static str, &str); 3] {
        [
            ("from", self.from.as_str()),
            ("to", self.to.as_str()),
            ("endpoint", self.endpoint.as_str()),
        ]
    }
}

/// Compares, as of now.
///
/// # Errors
/// See [`crate::results::comparison::CompareError`].
pub(in crate::web) async fn compared(
    state: &WebState,
    asked: &Asked,
) -> Result<Comparison, WebError> {
    let now = state.coordinator.now();
    Ok(Comparison::read(state.coordinator.store(), asked, now).await?)
}
