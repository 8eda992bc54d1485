//! What is written into a run's console log when it is over: the three tables, and a check of the counts.

use greylag_infra::RunRecord;
use greylag_infra::protocol::LogLine;

use super::Coordinator;
use crate::console_tables::console_tables;

/// Adds the tables to the log. A failure is logged and harms nothing: the page renders the tables itself.
pub(super) async fn log_tables(coordinator: &Coordinator, record: &RunRecord) {
    let now_us = coordinator.now_us();
    let totals = match coordinator.store().totals(&record.id, None).await {
        Ok(totals) => totals,
        Err(error) => {
            tracing::error!(%error, run = %record.id, "cannot read the results for the final tables");
            return;
        }
    };
    let saved = totals.aggregated().requests;
    let mut lines: Vec<String> = Vec::new();
    let reported = ends(record).fold(0_u64, |sum, end| sum.saturating_add(end.requests));
    let every_agent_ended = record.agents.iter().all(|agent| agent.end.is_some());
    if every_agent_ended && reported != saved {
        let text = format!(
            "the agents report {reported} requests and {saved} are saved; please report this as a bug"
        );
        tracing::error!(run = %record.id, "{text}");
        lines.push(text);
    }
    lines.extend(
        console_tables(&totals, record.elapsed_s(now_us))
            .lines()
            .map(str::to_owned),
    );
    let lines = lines
        .into_iter()
        .map(|text| LogLine {
            at_us: now_us,
            source: "coordinator".to_owned(),
            text,
        })
        .collect();
    if let Err(error) = coordinator.store().append_log(&record.id, lines).await {
        tracing::error!(%error, run = %record.id, "cannot save the final tables");
    }
}

fn ends(record: &RunRecord) -> impl Iterator<Item = &greylag_infra::protocol::AgentEnd> {
    record.agents.iter().filter_map(|agent| agent.end.as_ref())
}
