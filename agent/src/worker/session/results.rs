//! How results are handed over to the agent.

use std::time::{Duration, Instant};

use greylag_infra::ProcessHealth;

use super::{Session, SessionError};
use crate::recorder::{Reports, Taken};
use crate::worker_protocol::{FromWorker, Report};

impl Session {
    /// Hands over what was counted so far, unless the agent has not read what came before.
    pub(super) async fn hand_over(&mut self) -> Result<(), SessionError> {
        let second = self.recorder.second_now();
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        if !self.agent.has_read_all() {
            run.handed_over(second, Duration::ZERO);
            return Ok(());
        }
        let is_next = second > run.flushed;
        let began = Instant::now();
        let taken = self.recorder.take_so_far(second, &mut self.names);
        let mut reports = self.reports_of(taken);
        if is_next {
            // That there was nothing has to be known, too.
            reports.push(FromWorker::Report(Report {
                until: second,
                health: self.health_before(second),
                ..Report::default()
            }));
        }
        self.agent.put(&reports).await?;
        if let Some(run) = &mut self.run {
            run.handed_over(second, began.elapsed());
        }
        Ok(())
    }

    /// Sends everything there is.
    pub(super) async fn flush(&mut self) -> Result<(), SessionError> {
        let taken = self.recorder.take(None, &mut self.names);
        let mut reports = self.reports_of(taken);
        if self.run.is_some() {
            let health = self.health_before(self.recorder.second_now().saturating_add(1));
            reports.push(FromWorker::Report(Report {
                health,
                ..Report::default()
            }));
        }
        for report in reports {
            self.agent.send(&report).await?;
        }
        Ok(())
    }

    /// How this worker fared in the seconds before this one, all results of which have been handed over, since this was last asked.
    fn health_before(&mut self, second: u32) -> Vec<ProcessHealth> {
        let run_time = self.recorder.run_time();
        let health = self.health.as_mut();
        health.map_or_else(Vec::new, |health| health.look(second, run_time))
    }

    /// What was taken out of the recorder as messages.
    pub(super) fn reports_of(&mut self, mut taken: Taken) -> Vec<FromWorker> {
        for news in taken.overflowed.news_since(self.overflowed) {
            tracing::warn!("{news}");
        }
        self.overflowed = taken.overflowed;
        let mut reports = Reports::default();
        for second in &mut taken.seconds {
            second.empty_into(&mut reports, &self.names);
        }
        for sample in taken.error_samples {
            reports.add_error_sample(sample, &self.names);
        }
        self.recorder.give_back(taken.seconds);
        let mut reports = reports.finish();
        if let Some(health) = &mut self.health {
            reports.iter().for_each(|report| health.count(report));
        }
        if !taken.notices.is_empty() {
            reports.push(Report {
                notices: taken.notices,
                ..Report::default()
            });
        }
        reports.into_iter().map(FromWorker::Report).collect()
    }
}
