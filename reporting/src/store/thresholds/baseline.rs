//! What the metrics of thresholds were in the run that they are compared with.
//!
//! It is found out once, when the run has begun, and kept: pins come and go, and runs are deleted.

use greylag_infra::{RunId, RunRecord, Threshold};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::store::Store;
use crate::store::error::{StoreError, StoreResult};
use crate::store::live::WriterState;
use crate::store::named_run::{self, PINNED};
use crate::store::run_rows::{by_id, from_json, json, key_of};
use crate::thresholds::{Evaluation, tag_of};

/// What was found out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct KeptBaseline {
    /// The run, as `checkout#12`.
    pub(super) run: Option<String>,
    /// Its id. Another run may come to have its number when it is deleted.
    #[serde(default)]
    pub(super) id: Option<RunId>,
    /// What the metric of each threshold was there; nothing where none is about a baseline.
    #[serde(with = "exact")]
    pub(super) values: Vec<Option<f64>>,
}

impl KeptBaseline {
    /// Why what a threshold of this run is compared with is not known, where it is not.
    pub(super) fn why_unknown(&self, run: &RunRecord) -> String {
        match &self.run {
            Some(_) => "the run that it is compared with has no such value".to_owned(),
            None => named_run::why_no_baseline(&run.test),
        }
    }
}

/// Numbers as texts. Where JSON has them as numbers, one may be read with another last place, and what is equal to its baseline
/// would exceed it once the coordinator has been restarted.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// As it is written, or as earlier versions wrote it.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(f64),
    }

    pub(super) fn serialize<S: Serializer>(
        values: &[Option<f64>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let texts = values
            .iter()
            .map(|value| value.map(|value| value.to_string()));
        serializer.collect_seq(texts)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Option<f64>>, D::Error> {
        let written = Vec::<Option<Written>>::deserialize(deserializer)?;
        let values = written.into_iter().map(|value| match value {
            None => Ok(None),
            Some(Written::Number(number)) => Ok(Some(number)),
            Some(Written::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
        });
        values.collect()
    }
}

impl Store {
    /// The run that a run is to be compared with: the one that its thresholds were, or otherwise the one that its test names, or the
    /// newest pinned one of its test before it.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn baseline_run(
        &self,
        record: &RunRecord,
    ) -> Result<Option<RunRecord>, StoreError> {
        let run = record.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let key = key_of(connection, &run.id)?;
            match kept(connection, key)?.and_then(|kept| kept.id) {
                Some(id) => by_id(connection, &id),
                None => find(connection, &run),
            }
        };
        self.inner.readers.run(query).await
    }

    /// The baseline of a run, if any of its thresholds is about one.
    pub(super) async fn baseline(&self, record: &RunRecord) -> StoreResult<KeptBaseline> {
        let is_of_baseline = |threshold: &Threshold| threshold.limit.is_of_baseline();
        if !record.test.thresholds.iter().any(is_of_baseline) {
            return Ok(KeptBaseline::default());
        }
        let run = record.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let key = key_of(connection, &run.id)?;
            match kept(connection, key)? {
                Some(kept) => Ok((Some(kept), None)),
                None => Ok((None, find(connection, &run)?)),
            }
        };
        let (kept, found) = self.inner.readers.run(query).await?;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let mut kept = KeptBaseline::default();
        if let Some(mut found) = found {
            kept.run = Some(format!("{}#{}", found.test.name, found.number));
            kept.id = Some(found.id.clone());
            let counted_tags = found.test.counted_tags();
            found.test.thresholds.clone_from(&record.test.thresholds);
            let elapsed_s = found.elapsed_s(self.clock().now());
            let until = self.end_second(&found.id).await?.max(elapsed_s as u32);
            let mut evaluation = Evaluation::new(&found, &[], "");
            evaluation = self.taken_in(&found.id, evaluation, until).await?;
            evaluation.finish(elapsed_s);
            // Of a tag that no threshold of that run was about, nothing was counted.
            let is_counted = |threshold: &Threshold| {
                tag_of(&threshold.of).is_none_or(|tag| counted_tags.contains(&tag))
            };
            let results = evaluation.results(&found).into_iter();
            kept.values = results
                .zip(&record.test.thresholds)
                .map(|(result, of)| result.actual.filter(|_| is_counted(of)))
                .collect();
        }
        if record.started_at.is_none() && !record.phase.is_over() {
            // One may be pinned, or be over, until it begins.
            return Ok(kept);
        }
        let (id, text) = (record.id.clone(), json(&kept));
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| {
                connection
                    .prepare_cached("UPDATE runs SET baselines = ?2 WHERE id = ?1")?
                    .execute(params![id.as_str(), text])?;
                Ok(())
            })
        };
        self.inner.writer.run(saved).await?;
        Ok(kept)
    }
}

/// What is kept of a run's baseline.
pub(super) fn kept(connection: &Connection, run: i64) -> StoreResult<Option<KeptBaseline>> {
    let kept: Option<String> = connection
        .prepare_cached("SELECT baselines FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    kept.map(|kept| from_json(&kept)).transpose()
}

/// The run that a run is compared with: the one that its test names, or the newest pinned one of its test. It is over.
fn find(connection: &Connection, run: &RunRecord) -> StoreResult<Option<RunRecord>> {
    let pinned = || format!("{}#{PINNED}", run.test.name);
    let name = match run.test.baseline.trim() {
        "" | PINNED => pinned(),
        named => named.to_owned(),
    };
    named_run::find(connection, &name, Some(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_exact_and_what_earlier_versions_kept_can_be_read() {
        let fractions =
            (1..200).flat_map(|of| (0..of).map(move |part| f64::from(part) / f64::from(of)));
        let kept = KeptBaseline {
            values: fractions.map(Some).chain([None]).collect(),
            ..KeptBaseline::default()
        };
        let read: KeptBaseline = from_json(&json(&kept)).unwrap();
        assert_eq!(read.values, kept.values);
        let earlier: KeptBaseline =
            from_json(r#"{"run": "a#1", "values": [0.5, null, 3]}"#).unwrap();
        assert_eq!(earlier.values, [Some(0.5), None, Some(3.0)]);
        let damaged: StoreResult<KeptBaseline> = from_json(r#"{"run": null, "values": ["x"]}"#);
        assert!(damaged.is_err());
    }
}
