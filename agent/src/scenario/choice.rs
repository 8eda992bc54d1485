//! Which scenario a load test means, which of it takes part, and what the run is started with.

use std::time::Duration;

use greylag_infra::{
    ClientSettings, DeclaredRequest, DeclaredScenario, LoadTest, LoadTestError, LoadTestErrors,
    MAX_DURATION, MisfitError, OptionDeclarationError, SecretMask, UserTypeWeight, WaitTime,
};
use greylag_scenarios as scenarios;
use greylag_scenarios::client::{ClientKind, Headers};
use greylag_scenarios::{
    ClientOverrides, CountedTagError, HttpVersion, RunSettings, Scenario, Selection,
    SelectionError, UserTypeError,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::info::whole_scenario_info;

/// What of a scenario takes part in a run.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// The scenario, with the user types and tasks that were selected.
    pub(crate) scenario: Scenario,
    /// The weights of its user types, in the same order.
    pub(crate) weights: Vec<UserTypeWeight>,
}

/// Why a load test cannot be run by the scenarios of this program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChoiceError {
    #[error("scenario `{name}` is unknown; available scenarios: {available}")]
    UnknownScenario { name: String, available: String },
    /// A declared request that infra takes for one and `http` does not.
    #[error("request {number} of the test cannot be sent: {source}")]
    Declared { number: usize, source: http::Error },
    #[error(transparent)]
    UserType(#[from] UserTypeError),
    #[error(transparent)]
    Options(#[from] OptionDeclarationError),
    #[error(transparent)]
    Misfit(#[from] MisfitError),
    #[error(transparent)]
    Selection(#[from] SelectionError),
    #[error(transparent)]
    CountedTag(#[from] CountedTagError),
    #[error(transparent)]
    Host(#[from] LoadTestError),
    #[error(transparent)]
    Test(#[from] LoadTestErrors),
}

/// What a load test means: the declared scenario, or the compiled-in one of its name, and of it what the
/// test selects.
///
/// # Errors
/// The name is unknown here, the declared requests are wrong, the scenario is wrong in itself, an option is not
/// declared or its value not valid, or the selection leaves no users or no tasks.
pub(crate) fn choose(test: &LoadTest, compiled_in: &[Scenario]) -> Result<Choice, ChoiceError> {
    let whole =
        whole_scenario_of(test, compiled_in)?.with_client(&client_overrides(&test.client))?;
    whole.check()?;
    check_choice(test, &whole)?;
    let selection = Selection {
        user_types: test.selection.user_types.clone(),
        tags: test.selection.tags.clone(),
        exclude_tags: test.selection.exclude_tags.clone(),
        equal_weights: test.selection.equal_weights,
    };
    let scenario = whole.select(&selection)?;
    let weights = weights_of(&scenario);
    Ok(Choice { scenario, weights })
}

/// The scenario of a load test, with what the test selects of it.
///
/// # Errors
/// As those of [`choose`].
pub(crate) fn scenario_of(
    test: &LoadTest,
    compiled_in: &[Scenario],
) -> Result<Scenario, ChoiceError> {
    choose(test, compiled_in).map(|choice| choice.scenario)
}

/// Whether the scenario's options are declared correctly, and what the test chooses is there to be chosen.
fn check_choice(test: &LoadTest, whole: &Scenario) -> Result<(), ChoiceError> {
    if test.declared.is_some() {
        return Ok(test.check_fits_declared()?);
    }
    let info = whole_scenario_info(whole);
    info.check_declared_options()?;
    if whole.user_types.is_empty() {
        return Err(MisfitError::NoUsers(whole.name.clone()).into());
    }
    Ok(test.check_choice(&info)?)
}

/// What hides the secrets of a test in samples of errors; none where it wants none.
pub(crate) fn error_sample_mask(test: &LoadTest, compiled_in: &[Scenario]) -> Option<SecretMask> {
    let mut named = compiled_in.iter();
    let named = named.find(|scenario| scenario.name == test.scenario);
    let options = named.filter(|_| test.declared.is_none());
    let secret = options.into_iter().flat_map(|scenario| &scenario.options);
    let values = secret.filter(|option| option.secret).map(|option| {
        let given = test.options.get(&option.name);
        given.unwrap_or(&option.default).clone()
    });
    (!test.no_error_samples).then(|| SecretMask::new(test, values))
}

fn whole_scenario_of(test: &LoadTest, compiled_in: &[Scenario]) -> Result<Scenario, ChoiceError> {
    if let Some(declared) = &test.declared {
        declared.check()?;
        return Ok(Scenario::declared(&test.scenario, convert(declared)?));
    }
    compiled_in
        .iter()
        .find(|scenario| scenario.name == test.scenario)
        .cloned()
        .ok_or_else(|| unknown_scenario(&test.scenario, compiled_in))
}

/// How long a load shape is asked for, in a test of this duration.
pub(crate) fn shape_ceiling(test_duration: Duration) -> Duration {
    match test_duration {
        Duration::ZERO => MAX_DURATION,
        given => given.min(MAX_DURATION),
    }
}

/// What a worker's run is started with.
///
/// # Errors
/// The host is not a URL.
pub(crate) fn settings_of(test: &LoadTest, worker: u32) -> Result<RunSettings, ChoiceError> {
    let host = if test.host.is_empty() {
        None
    } else {
        Some(test.host_url()?)
    };
    Ok(RunSettings {
        host,
        worker,
        workers: test.workers,
        users: test.users,
        options: test.options.clone(),
        trace_share: test.trace_share.share(),
    })
}

/// The error about a scenario that is not compiled in.
pub(crate) fn unknown_scenario(name: &str, compiled_in: &[Scenario]) -> ChoiceError {
    /// Longest part of the name that is shown, in characters.
    const SHOWN: usize = 100;
    ChoiceError::UnknownScenario {
        name: name.chars().take(SHOWN).collect(),
        available: names_of(compiled_in),
    }
}

/// The names of scenarios as a list for a message.
fn names_of(compiled_in: &[Scenario]) -> String {
    if compiled_in.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = compiled_in
        .iter()
        .map(|scenario| scenario.name.as_str())
        .collect();
    names.join(", ")
}

/// The weights of a scenario's user types.
fn weights_of(scenario: &Scenario) -> Vec<UserTypeWeight> {
    scenario
        .user_types
        .iter()
        .map(|user_type| UserTypeWeight {
            name: user_type.name().to_owned(),
            weight: user_type.weight(),
            fixed_count: user_type.fixed_count(),
        })
        .collect()
}

fn client_overrides(client: &ClientSettings) -> ClientOverrides {
    ClientOverrides {
        kind: client.kind.map(|kind| match kind {
            greylag_infra::ClientKind::Fast => ClientKind::Fast,
            greylag_infra::ClientKind::Full => ClientKind::Full,
        }),
        accept_invalid_certs: client.accept_invalid_certs,
        root_certificate: client.root_certificate.clone(),
        client_certificate: client
            .client_certificate
            .as_ref()
            .map(|secret| secret.expose().to_owned()),
        proxy: client
            .proxy
            .as_ref()
            .map(|secret| secret.expose().to_owned()),
        request_timeout: client.request_timeout,
        connect_timeout: client.connect_timeout,
        max_redirects: client
            .max_redirects
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        http_version: client.http_version.map(|version| match version {
            greylag_infra::HttpVersion::Auto => HttpVersion::Auto,
            greylag_infra::HttpVersion::Http1 => HttpVersion::Http1,
            greylag_infra::HttpVersion::Http2 => HttpVersion::Http2,
        }),
        max_body: client
            .max_body
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        headers: client.headers.clone(),
    }
}

fn convert(declared: &DeclaredScenario) -> Result<scenarios::DeclaredScenario, ChoiceError> {
    let requests = (1..).zip(&declared.requests).map(|(number, request)| {
        convert_request(request).map_err(|source| ChoiceError::Declared { number, source })
    });
    Ok(scenarios::DeclaredScenario {
        requests: requests.collect::<Result<_, _>>()?,
        wait_time: declared.wait_time.map(|wait_time| match wait_time {
            WaitTime::Constant(seconds) => scenarios::constant(seconds),
            WaitTime::Between(min, max) => scenarios::between(min, max),
        }),
    })
}

fn convert_request(request: &DeclaredRequest) -> Result<scenarios::DeclaredRequest, http::Error> {
    let mut headers = Headers::default();
    for (name, value) in &request.headers {
        // The name is looked at here and kept as it was written.
        HeaderName::try_from(name)?;
        headers.append(name, HeaderValue::try_from(value)?);
    }
    let expect_status = request
        .expect_status
        .map(StatusCode::from_u16)
        .transpose()?;
    Ok(scenarios::DeclaredRequest {
        method: Method::try_from(request.method.to_ascii_uppercase().as_str())?,
        path: request.path.clone(),
        name: request.name.clone(),
        weight: request.weight,
        headers,
        body: request.body.clone(),
        expect_status,
        expect_body: request.expect_body.clone(),
    })
}

#[cfg(test)]
mod tests {
    use greylag_scenarios::client::Client;
    use greylag_scenarios::{CustomOption, FastHttpUser, TaskOptions, TaskResult};

    use super::*;

    async fn nothing(_: &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }

    fn shop() -> Scenario {
        let user = |name: &str, tag: &str| {
            FastHttpUser::<()>::new(name)
                .task_with(TaskOptions::new("work").tags([tag.to_owned()]), nothing)
        };
        Scenario::new("shop")
            .user(user("Buyer", "buy").weight(3.0))
            .user(user("Admin", "admin").fixed_count(2))
            .user(user("Unused", "none").weight(0.0))
            .option(CustomOption::integer("pages"))
    }

    fn chosen(change: impl Fn(&mut LoadTest)) -> Result<Vec<(String, f64, u64)>, ChoiceError> {
        let mut test = LoadTest {
            scenario: "shop".into(),
            ..LoadTest::default()
        };
        change(&mut test);
        let choice = choose(&test, &[shop()])?;
        assert_eq!(choice.scenario.user_types.len(), choice.weights.len());
        Ok(choice
            .weights
            .into_iter()
            .map(|user_type| (user_type.name, user_type.weight, user_type.fixed_count))
            .collect())
    }

    fn names(change: impl Fn(&mut LoadTest)) -> Vec<String> {
        let weights = chosen(change).unwrap();
        weights.into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn a_selection_leaves_what_it_names() {
        assert_eq!(names(|_| ()), ["Buyer", "Admin"]);
        assert_eq!(
            names(|test| test.selection.user_types = vec!["Admin".into()]),
            ["Admin"]
        );
        assert_eq!(
            names(|test| test.selection.tags = vec!["buy".into()]),
            ["Buyer"]
        );
        assert_eq!(
            names(|test| test.selection.exclude_tags = vec!["buy".into()]),
            ["Admin"]
        );
        let equal = chosen(|test| test.selection.equal_weights = true).unwrap();
        assert_eq!(equal, [("Buyer".into(), 1.0, 0), ("Admin".into(), 1.0, 2)]);
    }

    #[test]
    fn every_error_names_what_is_wrong() {
        type Change = fn(&mut LoadTest);
        let cases: [(Change, &str); 7] = [
            (|test| test.scenario = "shoop".into(), "`shoop` is unknown"),
            (
                |test| test.selection.user_types = vec!["Buyers".into()],
                "no user type `Buyers`",
            ),
            (
                |test| test.selection.user_types = vec!["Unused".into()],
                "no users with weight > 0",
            ),
            (
                |test| test.selection.tags = vec!["nothing".into()],
                "no task with tag `nothing`",
            ),
            (
                |test| test.options = [("page".into(), "1".into())].into(),
                "has no option `page`",
            ),
            (
                |test| test.options = [("pages".into(), "many".into())].into(),
                "must be a whole number",
            ),
            (
                |test| test.declared = Some(DeclaredScenario::default()),
                "request",
            ),
        ];
        for (change, words) in cases {
            let reason = chosen(change).unwrap_err().to_string();
            assert!(
                reason.contains(words),
                "{reason:?} should contain {words:?}"
            );
        }
    }

    #[test]
    fn options_that_are_declared_wrongly_are_refused_even_if_they_are_secret() {
        let pin = CustomOption::integer("pin").secret().default("s3cret");
        let test = LoadTest {
            scenario: "shop".into(),
            ..LoadTest::default()
        };
        let refused = choose(&test, &[shop().option(pin)])
            .unwrap_err()
            .to_string();
        assert!(refused.contains("must be a whole number"), "{refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }

    #[test]
    fn a_test_without_samples_of_errors_has_no_mask_and_others_hide_its_secret_options() {
        let pin = CustomOption::text("pin").secret().default("of-default");
        let scenarios = [shop().option(pin)];
        let mut test = LoadTest {
            scenario: "shop".into(),
            options: [("pages".into(), "12345".into())].into(),
            ..LoadTest::default()
        };
        let shown = |test: &LoadTest| {
            let mask = error_sample_mask(test, &scenarios);
            mask.map(|mask| mask.text("of-default of-option 12345", usize::MAX))
        };
        assert_eq!(shown(&test).as_deref(), Some("(hidden) of-option 12345"));
        test.options.insert("pin".into(), "of-option".into());
        assert_eq!(shown(&test).as_deref(), Some("of-default (hidden) 12345"));
        test.no_error_samples = true;
        assert_eq!(shown(&test), None);
    }

    #[test]
    fn a_run_is_started_with_the_tests_settings() {
        let mut test = LoadTest {
            host: "http://127.0.0.1:1/base".into(),
            workers: 3,
            users: 7,
            options: [("pages".into(), "2".into())].into(),
            ..LoadTest::default()
        };
        let settings = settings_of(&test, 1).unwrap();
        assert_eq!(settings.host.unwrap().path(), "/base");
        assert_eq!(
            (settings.worker, settings.workers, settings.users),
            (1, 3, 7)
        );
        assert_eq!(settings.options["pages"], "2");
        test.host = String::new();
        assert_eq!(settings_of(&test, 0).unwrap().host, None);
        test.host = "nonsense".into();
        let error = settings_of(&test, 0).unwrap_err().to_string();
        assert!(error.contains("is not a URL"), "{error}");
    }
}
