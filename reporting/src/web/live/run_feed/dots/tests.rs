//! Browsers that follow, and those that come later.

use std::collections::BTreeMap;

use super::*;

fn point(at_ms: u64, response_us: u64, failed: bool) -> SamplePoint {
    SamplePoint {
        at_s: at_ms as f64 / 1e3,
        response_ms: response_us as f64 / 1e3,
        method: "GET".into(),
        name: if failed { "/b" } else { "/a" }.into(),
        failed,
        kind: SampleKind::Drawn,
    }
}

fn samples(points: Vec<SamplePoint>) -> Samples {
    Samples {
        of: points.len() as u64,
        complete: Complete::ALL,
        points,
    }
}

/// What a browser does with the changes: its dots by number.
#[derive(Debug, Default)]
pub(in super::super) struct Browser {
    dots: BTreeMap<i64, DotThere>,
    endpoints: Vec<(String, String)>,
}

/// Time in ms, response time in µs, endpoint, look.
type DotThere = (i64, u64, (String, String), u8);

impl Browser {
    pub(in super::super) fn apply(&mut self, changes: &DotChanges) {
        if changes.is_empty() {
            return;
        }
        if changes.forget {
            *self = Self::default();
        }
        self.endpoints.extend_from_slice(&changes.endpoints);
        for number in &changes.gone {
            let was = self.dots.remove(&number.cast_signed());
            assert!(was.is_some(), "{number} was there");
        }
        let first = changes.next.cast_signed() - changes.at_ms.len() as i64;
        let (mut number, mut at_ms) = (0, 0);
        for (index, after) in changes.at_ms.iter().enumerate() {
            at_ms += after;
            number = match changes.numbers.get(index) {
                Some(after) => number + after,
                None => first + index as i64,
            };
            let endpoint = self.endpoints[changes.endpoint[index] as usize].clone();
            let look = changes.kind[index].into();
            let dot = (at_ms, changes.response_us[index], endpoint, look);
            let before = self.dots.insert(number, dot);
            assert_eq!(before, None, "a number is used once");
        }
    }

    pub(in super::super) fn sorted(&self) -> Vec<DotThere> {
        let mut dots: Vec<_> = self.dots.values().cloned().collect();
        dots.sort();
        dots
    }
}

#[test]
fn a_browser_that_followed_has_what_it_would_be_sent_anew() {
    let mut dots = Dots::default();
    let mut browser = Browser::default();
    let mut all: Vec<SamplePoint> = Vec::new();
    for second in 0..60_u64 {
        for at in 0..200 {
            let failed = (second + at).is_multiple_of(16);
            all.push(point(
                second * 1_000 + at * 5,
                1_000 + (at * 37 + second * 11) % 8_000,
                failed,
            ));
        }
        let first = f64::from(dots.first_wanted());
        let wanted = all
            .iter()
            .filter(|point| point.at_s >= first)
            .cloned()
            .collect();
        let changes = dots.update(samples(wanted));
        assert_eq!(changes.forget, second == 0);
        assert!(changes.kind.len() <= 400, "only what is new is sent");
        browser.apply(&changes);
        assert!(browser.dots.len() <= MAX_DOTS + 100);
    }
    let mut anew = Browser::default();
    anew.apply(&Dots::default().update(samples(all)));
    assert_eq!(browser.sorted(), anew.sorted());
    assert!(dots.seen.len() <= (LATE_SAMPLES_S as usize + 1) * 200);
}

#[test]
fn each_dot_is_sent_once_late_ones_and_twins_too() {
    let mut dots = Dots::default();
    let first = vec![
        point(20_000, 5, false),
        point(20_000, 5, false),
        point(20_500, 5, true),
    ];
    assert_eq!(dots.update(samples(first.clone())).kind.len(), 3);
    let mut again = first;
    again.push(point(19_000, 7, false));
    again.push(point(20_000, 5, false));
    let new = dots.update(samples(again.clone()));
    assert_eq!(
        (new.at_ms, new.response_us),
        (vec![19_000, 1_000], vec![7, 5])
    );
    assert!(dots.update(samples(again)).kind.is_empty());
}

#[test]
fn response_times_have_three_digits() {
    let shown: Vec<u64> = [0, 7, 999, 1_234, 1_235, 99_951, 123_456]
        .map(DotChanges::shown_response_us)
        .into();
    assert_eq!(shown, [0, 7, 999, 1_230, 1_240, 100_000, 123_000]);
}

#[test]
fn an_endpoint_is_sent_even_if_its_first_requests_have_no_dots() {
    let mut dots = Dots::default();
    let mut browser = Browser::default();
    let busy = (0..20_000)
        .map(|at| point(at, 1_000 + at * 7 % 5_000, false))
        .collect();
    browser.apply(&dots.update(samples(busy)));
    for number in 0..200 {
        let mut rare = point(20_000 + number, 1_000 + number, false);
        rare.name = format!("/rare/{}", number % 40);
        browser.apply(&dots.update(samples(vec![rare])));
    }
    assert_eq!(browser.endpoints.len(), 41);
}
