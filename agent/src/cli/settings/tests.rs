//! What wins, what is refused, and what is said, without running anything.

use super::*;
use crate::cli::command;

fn surroundings(variables: &[(&str, &str)], directory: &std::path::Path) -> Surroundings {
    Surroundings {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect(),
        directory: directory.to_owned(),
        home: None,
    }
}

fn resolve_in(
    directory: &std::path::Path,
    line: &str,
    variables: &[(&str, &str)],
) -> Result<Resolved, String> {
    let words = std::iter::once("my-load")
        .chain(line.split_whitespace())
        .map(OsString::from)
        .collect();
    resolve(
        &command(&[]),
        words,
        &["Shopper"],
        &surroundings(variables, directory),
    )
    .map_err(|unresolved| match unresolved {
        Unresolved::Shown(error) => error.to_string(),
        Unresolved::Refused(failure) => format!("{failure:?}"),
    })
}

fn resolved(line: &str, variables: &[(&str, &str)]) -> Result<Resolved, String> {
    let directory = tempfile::tempdir().unwrap();
    resolve_in(directory.path(), line, variables)
}

fn users(resolved: &Resolved) -> Option<u64> {
    let (_, matches) = resolved.matches.subcommand().unwrap();
    matches.get_one("users").copied()
}

fn is_on(resolved: &Resolved, id: &str) -> bool {
    let (_, matches) = resolved.matches.subcommand().unwrap();
    matches.get_flag(id)
}

fn texts(resolved: &Resolved, id: &str) -> Vec<String> {
    let (_, matches) = resolved.matches.subcommand().unwrap();
    matches
        .get_many::<String>(id)
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

#[test]
fn flags_win_over_our_variables_and_these_over_locusts() {
    let both = [("GREYLAG_USERS", "2"), ("LOCUST_USERS", "3")];
    for (line, variables, expected) in [
        ("run -u 1", &both[..], Some(1)),
        ("run", &both[..], Some(2)),
        ("run", &both[1..], Some(3)),
        ("run -u 1 -u 4", &[][..], Some(4)),
    ] {
        let resolved = resolved(line, variables).unwrap();
        assert_eq!(users(&resolved), expected, "{line}");
    }
}

#[test]
fn thresholds_of_a_variable_are_lines() {
    let of = |line: &str, variables: &[(&str, &str)]| {
        let resolved = resolved(line, variables).unwrap();
        let (_, matches) = resolved.matches.subcommand().unwrap();
        let texts = matches.get_many::<String>("thresholds").unwrap();
        texts.cloned().collect::<Vec<_>>()
    };
    let lines = "p95 < 1s for GET /a, b\n\n  rps > 5\n";
    let expected = ["p95 < 1s for GET /a, b", "rps > 5"];
    assert_eq!(of("run", &[("GREYLAG_THRESHOLDS", lines)]), expected);
    assert_eq!(of("run", &[("GREYLAG_THRESHOLD", lines)]), expected);
    let flags = "run --threshold=rps>1 --threshold=rps>2";
    assert_eq!(
        of(flags, &[("GREYLAG_THRESHOLDS", lines)]),
        ["rps>1", "rps>2"]
    );
}

#[test]
fn switches_take_any_usual_spelling_and_nothing_else() {
    for (value, expected) in [
        ("1", true),
        ("yes", true),
        ("on", true),
        ("TRUE", true),
        ("true", true),
        ("0", false),
        ("no", false),
        ("off", false),
        ("FALSE", false),
    ] {
        for name in ["GREYLAG_HEADLESS", "LOCUST_HEADLESS"] {
            let resolved = resolved("run", &[(name, value)]).unwrap();
            assert_eq!(is_on(&resolved, "headless"), expected, "{name}={value}");
        }
    }
    let resolved_off = resolved("run --headless=no", &[("GREYLAG_HEADLESS", "1")]).unwrap();
    assert!(!is_on(&resolved_off, "headless"));
    let refused = resolved("run", &[("GREYLAG_HEADLESS", "perhaps")]).unwrap_err();
    for word in ["GREYLAG_HEADLESS", "'perhaps'", "yes", "off"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
}

#[test]
fn variables_of_every_subcommand_and_alias_count() {
    let resolved_run = resolved("run", &[("GREYLAG_RUN_TIME", "5s")]).unwrap();
    let (_, matches) = resolved_run.matches.subcommand().unwrap();
    assert_eq!(matches.get_one::<u64>("duration"), Some(&5));
    let variables = [
        ("GREYLAG_COORDINATOR", "http://127.0.0.1:1"),
        ("GREYLAG_INFRASTRUCTURE", "lab"),
        ("GREYLAG_SKIP_LOG_SETUP", "on"),
    ];
    let agent = resolved("agent", &variables).unwrap();
    assert!(is_on(&agent, "skip_log_setup"));
    let refused = resolved(
        "run",
        &[("GREYLAG_DURATION", "5s"), ("GREYLAG_RUN_TIME", "6s")],
    )
    .unwrap_err();
    assert!(
        refused.contains("GREYLAG_DURATION and GREYLAG_RUN_TIME"),
        "{refused}"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_by_its_name() {
    let refused = resolved(
        "run -r quick --reset-stats --expect-workers 4 --usres 3",
        &[
            ("GREYLAG_USERS", "many"),
            ("LOCUST_RUN_TIME", "soon"),
            ("GREYLAG_EQUAL_WEIGHTS", "maybe"),
            ("GREYLAG_TOKEN", "two words"),
        ],
    )
    .unwrap_err();
    for words in [
        "8 problems",
        "'quick' for --spawn-rate: it must be a number",
        "--reset-stats: results are kept",
        "--expect-workers: ",
        "unexpected argument '--usres'; did you mean `--users`?",
        "'many' for GREYLAG_USERS (--users): it must be a whole number",
        "'soon' for LOCUST_RUN_TIME (--duration)",
        "'maybe' for GREYLAG_EQUAL_WEIGHTS",
        "for GREYLAG_TOKEN (--token)",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert!(!refused.contains("two words"), "a secret: {refused}");
}

#[test]
fn empty_values_of_flags_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let words = ["my-load", "run", "--scenario", ""].map(OsString::from);
    let refused = resolve(
        &command(&[]),
        words.into(),
        &[],
        &surroundings(&[], directory.path()),
    )
    .unwrap_err();
    assert!(
        format!("{refused:?}").contains("--scenario is empty"),
        "{refused:?}"
    );
}

#[test]
fn words_are_the_test_file_or_user_types() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("plain"), "").unwrap();
    for line in [
        "run a.toml Shopper",
        "run Shopper a.toml",
        "run -f a.toml Shopper",
        "run --config a.toml Shopper",
    ] {
        if line.contains("--config") {
            std::fs::write(directory.path().join("a.toml"), "users = 4\n").unwrap();
        }
        let resolved = resolve_in(directory.path(), line, &[]).unwrap();
        let (_, matches) = resolved.matches.subcommand().unwrap();
        assert_eq!(
            matches.get_one::<PathBuf>("file"),
            Some(&PathBuf::from("a.toml")),
            "{line}"
        );
        assert_eq!(texts(&resolved, "user_types"), ["Shopper"], "{line}");
    }
    for name in ["Shopper", "plan"] {
        std::fs::write(directory.path().join(name), "users = 4\n").unwrap();
    }
    for (line, file, types, is_warned) in [
        ("run Shopper", None, &["Shopper"][..], true),
        ("run ./Shopper", Some("./Shopper"), &[], false),
        ("run plan Shopper", Some("plan"), &["Shopper"], true),
    ] {
        let resolved = resolve_in(directory.path(), line, &[]).unwrap();
        let (_, matches) = resolved.matches.subcommand().unwrap();
        let expected = file.map(PathBuf::from);
        assert_eq!(matches.get_one("file"), expected.as_ref(), "{line}");
        assert_eq!(texts(&resolved, "user_types"), types, "{line}");
        let warned = resolved.notes.iter().any(|note| note.contains("user type"));
        assert_eq!(warned, is_warned, "{line}: {:?}", resolved.notes);
    }
    let two = resolve_in(directory.path(), "run a.toml b.toml", &[]).unwrap_err();
    assert!(two.contains("two test files"), "{two}");
    let python = resolve_in(directory.path(), "run -f shop.py", &[]).unwrap_err();
    assert!(
        python.contains("shop.py") && python.contains("compiled"),
        "{python}"
    );
    let warned = resolve_in(directory.path(), "run", &[("LOCUST_LOCUSTFILE", "shop.py")]).unwrap();
    assert!(warned.notes[0].contains("shop.py"), "{:?}", warned.notes);
}

#[test]
fn options_keep_their_commas() {
    let flags = resolved("run -o list=a,b -o x=1", &[]).unwrap();
    assert_eq!(texts(&flags, "options"), ["list=a,b", "x=1"]);
    let variable = resolved("run", &[("GREYLAG_OPTIONS", r"list=a\,b,x=C:\dir,y=\\")]).unwrap();
    assert_eq!(
        texts(&variable, "options"),
        ["list=a,b", r"x=C:\dir", r"y=\"]
    );
}

#[test]
fn locusts_files_are_read_unless_a_test_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "pyproject.toml",
        "[tool.locust]\nusers = 7\ntags = [\"a\", \"b\"]\n",
    );
    write(
        "locust.conf",
        "users = 8\nspawn-rate = 2\nexpect-workers = 3\nlocustfile = x.py\n",
    );
    let read = resolve_in(directory.path(), "run", &[]).unwrap();
    assert_eq!(users(&read), Some(7));
    assert_eq!(texts(&read, "tags"), ["a", "b"]);
    let notes = read.notes.join("\n");
    for words in [
        "pyproject.toml: ",
        "locust.conf: spawn-rate",
        "expect-workers (",
        "locustfile (",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    let stronger = resolve_in(directory.path(), "run", &[("LOCUST_USERS", "9")]).unwrap();
    assert_eq!(users(&stronger), Some(9));
    write("test.toml", "users = 3\n");
    let named = resolve_in(directory.path(), "run test.toml", &[]).unwrap();
    assert_eq!((users(&named), named.notes.len()), (None, 0));
    write("other.conf", "users = 11\n");
    let config = resolve_in(directory.path(), "run --config other.conf", &[]).unwrap();
    assert_eq!(users(&config), Some(11));
    write("bad.conf", "users = eleven\n");
    let wrong = resolve_in(directory.path(), "run --config bad.conf", &[]).unwrap_err();
    assert!(wrong.contains("`users` in bad.conf"), "{wrong}");
}

#[test]
fn a_line_without_a_subcommand_serves_or_runs_as_locust_would() {
    for (line, variables, expected) in [
        ("-H http://h -u 5", &[][..], "serve"),
        ("-H http://h -u 5 --headless", &[][..], "run"),
        (
            "-L DEBUG -H http://h",
            &[("LOCUST_HEADLESS", "true")][..],
            "run",
        ),
        ("a.toml", &[][..], "serve"),
        ("", &[("LOCUST_HOST", "http://h")][..], "serve"),
        ("", &[("LOCUST_HEADLESS", "1")][..], "run"),
        ("Shopper -u 1 --headless", &[][..], "run"),
        ("--list", &[][..], "run"),
        ("-l", &[("LOCUST_HOST", "http://h")][..], "run"),
        ("--show-task-ratio", &[][..], "run"),
        ("--headless --summary s.json", &[][..], "run"),
        ("-u 1", &[("LOCUST_CSV", "x")][..], "serve"),
        ("scenarios", &[][..], "scenarios"),
    ] {
        let resolved = resolved(line, variables).unwrap();
        assert_eq!(resolved.matches.subcommand_name(), Some(expected), "{line}");
    }
    for line in ["--summary s.json", "-H http://h --csv x -u 1", "Shopper -q"] {
        let refused = resolved(line, &[]).unwrap_err();
        assert!(
            refused.contains("waits for Start") && refused.contains("put `run` first"),
            "{line}: {refused}"
        );
    }
    let both = resolved("--summary s.json --master", &[]).unwrap_err();
    assert!(
        both.contains("2 problems") && both.contains("--master: ") && both.contains("--summary"),
        "{both}"
    );
    assert!(
        resolved("--version", &[])
            .unwrap_err()
            .starts_with("greylag ")
    );
    assert!(resolved("", &[]).unwrap_err().contains("Usage:"));
    assert!(
        resolved("shop -u 1", &[])
            .unwrap_err()
            .contains("unrecognized subcommand")
    );
    let refused = resolved("serve -H http://h --csv x", &[]).unwrap_err();
    assert!(refused.contains("--csv: not for `serve`"), "{refused}");
}

#[test]
fn what_contradicts_itself_is_decided_by_where_it_was_given() {
    let weaker = resolved(
        "run -r 2 --headless",
        &[("GREYLAG_RAMP_UP", "3s"), ("GREYLAG_PORT", "1")],
    )
    .unwrap();
    let (_, matches) = weaker.matches.subcommand().unwrap();
    assert!(!matches.contains_id("ramp_up") && !matches.contains_id("port"));
    let here = resolved("run --headless", &[("GREYLAG_COORDINATOR", "http://c")]).unwrap();
    let note = here.notes.concat();
    assert!(
        note.contains("GREYLAG_COORDINATOR is ignored") && note.contains("--headless"),
        "{note}"
    );
    for (line, words) in [
        (
            "run -r 2 --ramp-up 3s",
            "--spawn-rate cannot be used with --ramp-up",
        ),
        (
            "run --headless -P 8000",
            "--headless cannot be used with --port",
        ),
        (
            "run --coordinator http://c -P 8000",
            "--port applies only to a test that runs here",
        ),
        ("run --csv-full-history", "--csv-full-history needs --csv"),
    ] {
        let refused = resolved(line, &[]).unwrap_err();
        assert!(refused.contains(words), "{line}: {refused}");
    }
    assert!(resolved("run", &[("GREYLAG_CSV_FULL_HISTORY", "1")]).is_ok());
}
