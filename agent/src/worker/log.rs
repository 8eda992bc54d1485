//! The log of a worker process, on standard error: what the users' own code logs down to info, with its place, and the
//! warnings of all other code. The agent reads it line by line and adds time and source.

use std::fmt;

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, filter};

/// Sets up the log. `chosen` is the filter that was asked for in place of the usual one.
pub(crate) fn init(chosen: Option<EnvFilter>) {
    let lines = tracing_subscriber::fmt::layer()
        .event_format(WorkerLine)
        .with_ansi(false)
        .with_writer(std::io::stderr);
    let shown = chosen.is_none().then(|| filter::filter_fn(is_shown));
    let log = tracing_subscriber::registry()
        .with(chosen)
        .with(shown)
        .with(lines);
    // A scenario crate's main may have set up its own before us, and keeps it.
    let _ = log.try_init();
}

fn is_shown(metadata: &Metadata<'_>) -> bool {
    let most = if is_of_users(metadata) {
        Level::INFO
    } else {
        Level::WARN
    };
    *metadata.level() <= most
}

/// Whether this is logged by the users' own code: neither by Greylag nor by a crate from a registry or another
/// repository, whose files the compiler knows by where they were downloaded to.
fn is_of_users(metadata: &Metadata<'_>) -> bool {
    /// Our own crates.
    const OURS: [&str; 4] = [
        "greylag",
        "greylag_infra",
        "greylag_reporting",
        "greylag_scenarios",
    ];
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    let is_ours = OURS.contains(&crate_name);
    let is_downloaded =
        |file: &str| file.contains("/registry/src/") || file.contains("/git/checkouts/");
    !is_ours && metadata.file().is_some_and(|file| !is_downloaded(file))
}

/// `INFO spans: message field=value (src/main.rs:42)`, the place only of users' own code.
struct WorkerLine;

impl<S, N> FormatEvent<S, N> for WorkerLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // What is logged by the `log` crate is an event of another place and target.
        let logged = event.normalized_metadata();
        let metadata = logged.as_ref().unwrap_or_else(|| event.metadata());
        write!(writer, "{} ", metadata.level())?;
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            write!(writer, "{}", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(writer, "{{{fields}}}")?;
            }
            write!(writer, ": ")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        if let (true, Some(file), Some(line)) =
            (is_of_users(metadata), metadata.file(), metadata.line())
        {
            write!(writer, " ({file}:{line})")?;
        }
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn users_are_shown_down_to_info_with_their_place_and_others_warnings() {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer()
            .event_format(WorkerLine)
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let log = tracing_subscriber::registry()
            .with(filter::filter_fn(is_shown))
            .with(lines);
        let line = line!() + 3;
        tracing::subscriber::with_default(log, || {
            let _span = tracing::info_span!(target: "shop", "checkout", user = 3).entered();
            tracing::info!(target: "shop", basket = 7, "bought");
            tracing::debug!(target: "shop", "not shown");
            tracing::info!(target: "greylag_scenarios::engine", "not shown");
            tracing::error!(target: "greylag_scenarios::engine", task = "buy", "no stock");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            format!(
                "INFO checkout{{user=3}}: bought basket=7 (agent/src/worker/log.rs:{line})\n\
                 ERROR checkout{{user=3}}: no stock task=\"buy\"\n"
            )
        );
    }
}
