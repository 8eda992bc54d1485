//! The metrics with their names, types and help.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::Metrics;
use super::active_runs::{
    ActiveRun, BUCKETS_US, EndpointCounts, MAX_ENDPOINTS_OF_RUN, MAX_NAME_BYTES_OF_RUN, MAX_RUNS,
    SHOWN_AFTER_END,
};
use super::custom_families;
use super::text::MetricsText;

/// Series of a run's endpoints, at most: of each its requests and failures, and of its histogram the buckets with the one that has no
/// limit, sum and count.
const MAX_SERIES_OF_RUN: usize = (MAX_ENDPOINTS_OF_RUN + 1) * (BUCKETS_US.len() + 5);
/// MiB of text that they take, at most: where each character of every name is escaped.
const MAX_MIB_OF_RUN: usize = 3;

/// The metrics, to be written.
#[derive(Debug)]
pub(super) struct Families(pub(super) Metrics);

impl Families {
    pub(super) fn into_text(self) -> MetricsText {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        MetricsText::of(&registry)
    }

    fn encode_coordinator(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Metrics {
            runs,
            agents,
            unsaved_s,
            received_bytes,
            can_save,
            process,
            started_at_s,
            active: _,
        } = &self.0;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let mut family = gauges(
            encoder,
            "greylag_build_info",
            "Version of the coordinator, as a label",
        )?;
        family.encode_family(&version)?.encode_gauge(&1_u64)?;
        let mut family = gauges(
            encoder,
            "greylag_runs",
            "Runs that have not ended, by phase; queued ones wait for others",
        )?;
        for (phase, count) in runs {
            family
                .encode_family(&[("phase", phase.as_str())])?
                .encode_gauge(count)?;
        }
        let mut family = gauges(
            encoder,
            "greylag_agents",
            "Agents by infrastructure and state",
        )?;
        for ((infrastructure, state), count) in agents {
            let labels = [
                ("infrastructure", infrastructure.as_str()),
                ("state", state.as_str()),
            ];
            family.encode_family(&labels)?.encode_gauge(count)?;
        }
        gauge(
            encoder,
            "greylag_unsaved_results_seconds",
            "Age of the oldest results that wait to be saved",
            unsaved_s,
        )?;
        gauge(
            encoder,
            "greylag_received_bytes",
            "Messages of agents that are being received or wait to be saved",
            received_bytes,
        )?;
        gauge(
            encoder,
            "greylag_can_save",
            "Whether results can be saved, as 0 or 1",
            &u64::from(*can_save),
        )?;
        let mut cpu = encoder.encode_descriptor(
            "process_cpu_seconds",
            "Processor time of the coordinator",
            None,
            MetricType::Counter,
        )?;
        cpu.encode_counter(&process.processor_time.as_secs_f64(), NO_EXEMPLAR)?;
        if let Some(bytes) = &process.memory_bytes {
            gauge(
                encoder,
                "process_resident_memory_bytes",
                "Resident memory of the coordinator",
                bytes,
            )?;
        }
        if let Some(files) = process.open_files {
            gauge(
                encoder,
                "process_open_fds",
                "Open files of the coordinator",
                &u64::from(files),
            )?;
        }
        gauge(
            encoder,
            "process_start_time_seconds",
            "When the coordinator started, in seconds since 1970",
            started_at_s,
        )
    }

    fn encode_runs(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let runs = &self.0.active;
        let about = format!(
            "A run in progress, or that ended within {} minutes; at most {MAX_RUNS} of each",
            SHOWN_AFTER_END.as_secs() / 60
        );
        let mut family = gauges(encoder, "greylag_run_info", &about)?;
        for run in runs {
            let labels = (labels_of(run), [("number", run.number)]);
            family.encode_family(&labels)?.encode_gauge(&1_u64)?;
        }
        let mut family = gauges(encoder, "greylag_run_elapsed_seconds", "Run time")?;
        for run in runs {
            family
                .encode_family(&labels_of(run))?
                .encode_gauge(&run.elapsed_s)?;
        }
        let mut family = gauges(encoder, "greylag_users", "Active users")?;
        for run in runs {
            family
                .encode_family(&labels_of(run))?
                .encode_gauge(&run.users)?;
        }
        let requests = format!(
            "Finished requests, failed ones included. Of a run's endpoints the first {MAX_ENDPOINTS_OF_RUN}, with at most {} KiB of names, have series of their own, the others one together, so that a run has at most {MAX_SERIES_OF_RUN} series of endpoints, of at most {MAX_MIB_OF_RUN} MiB",
            MAX_NAME_BYTES_OF_RUN / 1024
        );
        let mut family =
            encoder.encode_descriptor("greylag_requests", &requests, None, MetricType::Counter)?;
        for_endpoints(runs, |labels, counts| {
            family
                .encode_family(labels)?
                .encode_counter(&counts.requests, NO_EXEMPLAR)
        })?;
        let mut family = encoder.encode_descriptor(
            "greylag_failures",
            "Failed requests",
            None,
            MetricType::Counter,
        )?;
        for_endpoints(runs, |labels, counts| {
            family
                .encode_family(labels)?
                .encode_counter(&counts.failures, NO_EXEMPLAR)
        })?;
        let mut family = encoder.encode_descriptor(
            "greylag_response_time_seconds",
            "Response times of finished requests, failed ones included",
            None,
            MetricType::Histogram,
        )?;
        let limits = BUCKETS_US.map(|us| us as f64 / 1e6);
        for_endpoints(runs, |labels, counts| {
            let limits = limits.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = limits.zip(counts.buckets).collect();
            family
                .encode_family(labels)?
                .encode_histogram::<NoLabelSet>(counts.response_s, counts.requests, &buckets, None)
        })
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_coordinator(&mut encoder)?;
        self.encode_runs(&mut encoder)?;
        custom_families::encode(&mut encoder, &self.0.active)
    }
}

pub(super) const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, u64>> = None;

pub(super) fn gauges<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    gauges(encoder, name, help)?.encode_gauge(value)
}

pub(super) type Labels<'a> = [(&'static str, &'a str); 2];

pub(super) fn labels_of(run: &ActiveRun) -> Labels<'_> {
    [("run", run.id.as_str()), ("test", run.test.as_str())]
}

/// Calls `encode` with the labels and counts of each endpoint of these runs.
fn for_endpoints(
    runs: &[ActiveRun],
    mut encode: impl FnMut(&(Labels<'_>, Labels<'_>), &EndpointCounts) -> fmt::Result,
) -> fmt::Result {
    for run in runs {
        for ((method, name), counts) in &run.endpoints {
            let endpoint = [("method", method.as_str()), ("name", name.as_str())];
            encode(&(labels_of(run), endpoint), counts)?;
        }
    }
    Ok(())
}
