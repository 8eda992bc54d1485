//! Warnings about the load generator while a run is followed: each is shown when it first appears, and at the end again
//! if it has grown.

use std::collections::HashMap;

use greylag_infra::NoticeKind;
use greylag_reporting::SummaryWarning;

/// The warnings that have been shown, with their messages at that time.
#[derive(Debug, Default)]
pub(super) struct ShownWarnings(HashMap<(NoticeKind, Option<u32>, String), String>);

impl ShownWarnings {
    /// The messages of those that have not been shown.
    pub(super) fn news<'a>(&mut self, warnings: &'a [SummaryWarning]) -> Vec<&'a str> {
        let is_new = |warning: &&SummaryWarning| !self.0.contains_key(&key_of(warning));
        let new: Vec<_> = warnings.iter().filter(is_new).collect();
        self.remember(&new);
        messages(&new)
    }

    /// The messages of those that have not been shown as they are at the end.
    pub(super) fn grown<'a>(&mut self, warnings: &'a [SummaryWarning]) -> Vec<&'a str> {
        let is_shown =
            |warning: &&SummaryWarning| self.0.get(&key_of(warning)) == Some(&warning.message);
        let grown: Vec<_> = warnings.iter().filter(|one| !is_shown(one)).collect();
        self.remember(&grown);
        messages(&grown)
    }

    fn remember(&mut self, warnings: &[&SummaryWarning]) {
        let shown = warnings.iter();
        self.0
            .extend(shown.map(|warning| (key_of(warning), warning.message.clone())));
    }
}

fn key_of(warning: &SummaryWarning) -> (NoticeKind, Option<u32>, String) {
    (warning.kind, warning.worker, warning.subject.clone())
}

fn messages<'a>(warnings: &[&'a SummaryWarning]) -> Vec<&'a str> {
    let all = warnings.iter();
    all.map(|warning| warning.message.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(count: u64) -> SummaryWarning {
        SummaryWarning {
            kind: NoticeKind::Ports,
            worker: Some(0),
            agent: None,
            subject: String::new(),
            first_second: 1,
            last_second: 2,
            count,
            worst: 0,
            message: format!("{count} requests failed"),
        }
    }

    #[test]
    fn a_warning_is_shown_when_it_appears_and_at_the_end_if_it_has_grown() {
        let mut shown = ShownWarnings::default();
        assert_eq!(shown.news(&[warning(1)]), ["1 requests failed"]);
        assert!(shown.news(&[warning(2)]).is_empty());
        assert!(shown.grown(&[warning(1)]).is_empty());
        assert_eq!(shown.grown(&[warning(7)]), ["7 requests failed"]);
        assert!(shown.grown(&[warning(7)]).is_empty());
    }
}
