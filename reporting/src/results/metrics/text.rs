//! Metrics as text, in the two formats that Prometheus reads.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The metrics as OpenMetrics text.
#[derive(Debug, Clone)]
pub(crate) struct MetricsText(String);

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFormat {
    /// [OpenMetrics 1.0](https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md).
    OpenMetrics,
    /// [Prometheus's own](https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format), version 0.0.4.
    Prometheus,
}

impl TextFormat {
    /// The format that a scraper with this `Accept` header gets: Prometheus names OpenMetrics in it.
    pub(crate) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl MetricsText {
    pub(super) fn of(registry: &Registry) -> Self {
        let mut text = String::new();
        encode(&mut text, registry).expect("writing into a text does not fail");
        Self(text)
    }

    /// The metrics in this format.
    pub(crate) fn written(self, format: TextFormat) -> String {
        match format {
            TextFormat::OpenMetrics => self.0,
            TextFormat::Prometheus => prometheus_text(&self.0),
        }
    }
}

/// In Prometheus's own format a counter is named with its suffix in its description, too, and the end is not marked.
fn prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + open_metrics.len() / 16);
    let mut help: Option<&str> = None;
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        // The help of a metric comes right before its type, which says how its name is written.
        if line.starts_with("# HELP ") {
            help = Some(line);
            continue;
        }
        let counter = line
            .strip_prefix("# TYPE ")
            .and_then(|described| described.strip_suffix(" counter"));
        for described in help.take().into_iter().chain([line]) {
            match counter {
                Some(name) => text += &described.replacen(name, &format!("{name}_total"), 1),
                None => text += described,
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_their_suffix_in_prometheus_own_format() {
        let open_metrics = "# HELP a_requests Requests.\n# TYPE a_requests counter\na_requests_total{x=\"# TYPE y counter\"} 1\n\
            # HELP a_users Users.\n# TYPE a_users gauge\na_users 2\n# EOF\n";
        let text = MetricsText(open_metrics.to_owned());
        assert_eq!(text.clone().written(TextFormat::OpenMetrics), open_metrics);
        assert_eq!(
            text.written(TextFormat::Prometheus),
            "# HELP a_requests_total Requests.\n# TYPE a_requests_total counter\na_requests_total{x=\"# TYPE y counter\"} 1\n\
            # HELP a_users Users.\n# TYPE a_users gauge\na_users 2\n"
        );
    }

    #[test]
    fn who_accepts_open_metrics_gets_it() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(TextFormat::accepted(of_prometheus), TextFormat::OpenMetrics);
        assert_eq!(TextFormat::accepted("*/*"), TextFormat::Prometheus);
    }
}
