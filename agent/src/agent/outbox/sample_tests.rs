//! Samples of requests and of errors on their way through the outbox.

use greylag_infra::protocol::{
    Endpoint, MAX_ERROR_SAMPLES_OF_AGENT, MAX_SAMPLE_BODY_BYTES, decode,
};

use super::*;

#[test]
fn samples_of_all_workers_keep_their_errors_and_say_whose_they_are() {
    let mut outbox = Outbox::new("run".into());
    let report = |at_us: u64, errors: &[&str], error: Option<u32>| Report {
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        samples: vec![SampleData {
            at_us,
            failed: error.is_some(),
            details: SampleDetails {
                user: Some(at_us as u32),
                error,
                ..SampleDetails::default()
            },
            ..SampleData::default()
        }],
        sample_errors: errors.iter().map(|text| (*text).to_owned()).collect(),
        ..Report::default()
    };
    for (worker, report) in [
        (3, report(1, &["a", "b"], Some(1))),
        (4, report(2, &["b", "a"], Some(1))),
        (4, report(3, &["b"], Some(0))),
        (5, report(4, &[], None)),
        (5, report(5, &[], Some(7))),
    ] {
        outbox.add_report(worker, &report).unwrap();
    }
    outbox.cut(None, 1);
    let frame = outbox.next_to_send().unwrap();
    let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
        panic!("only snapshots are sent");
    };
    let said: Vec<_> = snapshot
        .samples
        .iter()
        .map(|sample| {
            let text = |at: u32| &*snapshot.sample_errors[at as usize];
            let details = sample.details;
            (details.worker, details.user, details.error.map(text))
        })
        .collect();
    assert_eq!(
        said,
        [
            (Some(3), Some(1), Some("b")),
            (Some(4), Some(2), Some("a")),
            (Some(4), Some(3), Some("b")),
            (Some(5), Some(4), None),
            (Some(5), Some(5), None),
        ]
    );
}

#[test]
fn few_samples_of_an_error_are_handed_over_however_many_workers_have_some() {
    let mut outbox = Outbox::new("run".into());
    let report = |worker: u32| Report {
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        sample_errors: vec!["often".into(), format!("only {worker}")],
        error_samples: [0, 1, 7]
            .map(|error| ErrorSampleData {
                error,
                body: Some("b".repeat(MAX_SAMPLE_BODY_BYTES)),
                ..ErrorSampleData::default()
            })
            .into(),
        ..Report::default()
    };
    for worker in 0..400 {
        outbox.add_report(worker, &report(worker)).unwrap();
    }
    assert_eq!(
        outbox.pending.error_samples.len(),
        400 + MAX_ERROR_SAMPLES_OF_AGENT
    );
    outbox.end(None, RunTime::ZERO, vec![]);
    let mut said = Vec::new();
    while !outbox.is_done() {
        outbox.cut(None, 0);
        while let Some(frame) = outbox.next_to_send() {
            assert!(frame.len() < 2 * SNAPSHOT_BYTES, "{} bytes", frame.len());
            let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
                panic!("only snapshots are sent");
            };
            said.extend(snapshot.error_samples.iter().map(|sample| {
                let error = &snapshot.sample_errors[sample.error as usize];
                (error.clone(), sample.worker.unwrap())
            }));
            outbox.acknowledged(snapshot.seq, Duration::ZERO);
        }
    }
    let often = said.iter().filter(|(error, _)| error == "often");
    assert_eq!(
        often.map(|(_, worker)| *worker).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let own = said
        .iter()
        .filter(|(error, worker)| *error == format!("only {worker}"));
    assert_eq!(own.count(), 400);
}
