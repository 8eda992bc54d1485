use super::*;

fn errors(text: &str) -> Vec<String> {
    let errors = CoordinatorFile::from_toml(text).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_has_options_and_infrastructures() {
    let text = "listen = \"0.0.0.0:8089\"\nkeep = 500\naccept-uploads = true\ncoordinator_url = \"https://load.example\"\n\
        trusted_proxy = [\"127.0.0.1\", \"10.0.0.0/8\"]\n\
        [infrastructures.lab]\nkind = \"machines\"\n\
        [infrastructures.\"eu west\"]\nkind = \"machines\"\ncoordinator_url = \"http://10.0.0.1:8089\"\n";
    let file = CoordinatorFile::from_toml(text).unwrap();
    let mut options: Vec<_> = file
        .options
        .iter()
        .map(|option| (option.line, option.name.as_str(), option.value.as_str()))
        .collect();
    options.sort_unstable();
    assert_eq!(
        options,
        [
            (1, "listen", "0.0.0.0:8089"),
            (2, "keep", "500"),
            (3, "accept-uploads", "true"),
            (5, "trusted_proxy", "127.0.0.1,10.0.0.0/8"),
        ]
    );
    assert_eq!(
        file.coordinator_url.unwrap().as_str(),
        "https://load.example/"
    );
    let names: Vec<_> = file.infrastructures.keys().map(String::as_str).collect();
    assert_eq!(names, ["eu west", "lab"]);
    let own = file.infrastructures["eu west"].coordinator_url.as_ref();
    assert_eq!(own.unwrap().as_str(), "http://10.0.0.1:8089/");
    assert!(file.infrastructures["lab"].coordinator_url.is_none());
}

#[test]
fn an_empty_file_says_nothing() {
    let file = CoordinatorFile::from_toml("").unwrap();
    assert!(file.options.is_empty() && file.infrastructures.is_empty());
}

#[test]
fn everything_that_is_wrong_is_reported_with_its_line() {
    let text = "listen = [[1]]\ncoordinator_url = \"load.example\"\n[infrastructures]\nflat = 3\n\
        [infrastructures.a]\nkind = \"mainframe\"\n[infrastructures.b]\n\
        [infrastructures.c]\nkind = \"machines\"\nimage = \"x\"\n\
        [infrastructures.\"a/b\"]\nkind = 3\n";
    insta::assert_snapshot!(errors(text).join("\n"));
}

#[test]
fn text_that_is_not_toml_is_refused_with_each_line() {
    let found = errors("listen = \n[infrastructures.lab\nkind = \"machines\"\n");
    assert!(found.len() > 1, "{found:?}");
    assert!(
        found[0].starts_with("line 1: this is not valid TOML: "),
        "{found:?}"
    );
    // Deeper than a stack is.
    let deep = format!("{} = 1", vec!["a"; 100_000].join("."));
    assert_eq!(errors(&deep).len(), 1);
    assert_eq!(
        errors(&" ".repeat(MAX_CONFIG_FILE_BYTES + 1)),
        ["line 1: the file is larger than 262144 bytes"]
    );
}

#[test]
fn durations_are_read_as_in_test_files() {
    #[derive(Debug, Deserialize)]
    struct Settings {
        timeout: ConfigDuration,
    }
    let read = |text: &str| toml::from_str::<Settings>(text).map(|settings| settings.timeout.0);
    for text in ["timeout = 90", "timeout = \"1m30s\"", "timeout = 90.0"] {
        assert_eq!(
            read(text).unwrap(),
            std::time::Duration::from_secs(90),
            "{text}"
        );
    }
    for text in ["timeout = -1", "timeout = \"soon\"", "timeout = true"] {
        assert!(read(text).is_err(), "{text}");
    }
}
