//! Which failed requests are kept, and what of them.

use super::*;

/// A response that says too much.
#[derive(Debug)]
struct Telling(HeaderMap);

impl Telling {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", "id=geheim".parse().unwrap());
        headers.insert("x-request-id", "7".parse().unwrap());
        Self(headers)
    }
}

impl FailedResponse for Telling {
    fn headers(&self) -> &HeaderMap {
        &self.0
    }
    fn body_start(&self, bytes: usize) -> Option<std::borrow::Cow<'_, str>> {
        let body = format!(
            "{{\"token\":\"geheim\",\"said\":\"opt-geheim\"}}{}",
            "x".repeat(bytes)
        );
        Some(body.into())
    }
    fn body_bytes(&self) -> u64 {
        1_000_000
    }
}

/// Samples of errors that a recorder kept of `count` failed requests.
fn error_samples(mask: Option<SecretMask>, count: u32) -> Vec<ErrorSampleData> {
    let run_zero = run_zero();
    let recorder = RunRecorder::new(mask);
    recorder.begin(run_zero);
    let response = Telling::new();
    for number in 0..count {
        recorder.request(&RequestSample {
            status: Some(500),
            failed: Some(FailedRequest {
                url: Some("http://a/b?key=geheim"),
                response: Some(&response),
            }),
            ..request(run_zero, "/", number, 0, Some("oh"))
        });
        // A success is never kept.
        recorder.request(&request(run_zero, "/", number, 0, None));
    }
    let mut names = KnownNames::default();
    let taken = recorder.take(None, &mut names);
    let mut reports = Reports::default();
    for sample in taken.error_samples {
        reports.add_error_sample(sample, &names);
    }
    let mut samples = Vec::new();
    for report in reports.finish() {
        for sample in report.error_samples {
            assert_eq!(report.sample_errors[sample.error as usize], "oh");
            assert_eq!(report.endpoints[sample.endpoint as usize].name, "/");
            samples.push(sample);
        }
    }
    samples
}

#[test]
fn samples_of_an_error_are_spread_over_its_occurrences_and_have_no_secrets() {
    let mask = SecretMask::new(&LoadTest::default(), ["opt-geheim".to_owned()]);
    let samples = error_samples(Some(mask), 5_000);
    let at_ms: Vec<u64> = samples.iter().map(|sample| sample.at_us / 1_000).collect();
    assert_eq!(at_ms, [0, 9, 99], "the first, tenth and hundredth");
    let sample = &samples[0];
    assert_eq!(sample.url.as_deref(), Some("http://a/b?key=(hidden)"));
    assert_eq!((sample.status, sample.body_bytes), (Some(500), 1_000_000));
    let headers = [("set-cookie", "(hidden)"), ("x-request-id", "7")];
    assert_eq!(
        sample.headers,
        headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let body = sample.body.as_deref().unwrap();
    assert!(
        body.starts_with("{\"token\":\"(hidden)\",\"said\":\"(hidden)\"}xxx"),
        "{body}"
    );
    assert!(body.len() <= 2_048, "{}", body.len());
}

#[test]
fn no_run_has_more_samples_of_errors_than_are_kept_of_it() {
    let mut samples = ErrorSamples::default();
    let errors = 2 * MAX_ERROR_SAMPLES_OF_RUN as u32;
    let chosen = (0..errors).filter(|error| samples.chooses(*error)).count();
    assert_eq!(chosen, MAX_ERROR_SAMPLES_OF_RUN);
}

/// One with more headers than are kept, and a secret where the body is cut.
#[derive(Debug)]
struct Long(HeaderMap);

impl FailedResponse for Long {
    fn headers(&self) -> &HeaderMap {
        &self.0
    }
    fn body_start(&self, bytes: usize) -> Option<std::borrow::Cow<'_, str>> {
        let body = format!("{}s3cret-of-the-run", "x".repeat(MAX_SAMPLE_BODY_BYTES - 6));
        Some(body[..body.len().min(bytes)].to_owned().into())
    }
    fn body_bytes(&self) -> u64 {
        0
    }
}

#[test]
fn headers_beyond_the_limit_are_counted_and_a_secret_at_the_end_of_the_body_is_hidden() {
    let mut headers = HeaderMap::new();
    for number in 0..40 {
        let name = format!("x-header-{number}");
        let name: HeaderName = name.parse().expect("a name");
        headers.insert(name, "v".repeat(400).parse().expect("a value"));
    }
    let response = Long(headers);
    let failed = FailedRequest {
        url: None,
        response: Some(&response),
    };
    let request = request(run_zero(), "/", 0, 0, Some("oh"));
    let mask = SecretMask::new(&LoadTest::default(), ["s3cret-of-the-run".to_owned()]);
    let sample = sample_of(&request, &failed, Duration::ZERO, &mask);
    assert!(!sample.headers.is_empty() && sample.headers_left_out > 0);
    let all = sample.headers.len() + sample.headers_left_out as usize;
    assert_eq!(all, 40);
    let body = sample.body.expect("there is a body");
    assert!(!body.contains("s3c"), "{body}");
}

#[test]
fn without_a_mask_no_sample_of_an_error_is_kept() {
    assert_eq!(error_samples(None, 100), []);
}
