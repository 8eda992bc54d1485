//! Test files with errors: the line is named, and the key that was meant.

use std::fs;

use tempfile::TempDir;

use super::refusal::{REFUSED_WITHIN, refused_run};
use crate::support::greylag;

#[tokio::test]
async fn everything_wrong_in_a_file_is_reported_together() {
    let directory = TempDir::new().expect("a directory");
    let text = "host = \"nonsense\"\nuser = 3\nwait_time = \"soon\"\nstop_timeout = \"500ms\"\n\n\
                [client]\nknd = \"full\"\nrequest_timeout = 0\n\n\
                [[request]]\npath = \"/\"\nmetod = \"GET\"\n";
    fs::write(directory.path().join("test.toml"), text).expect("the directory is ours");
    let ended = greylag()
        .run_in(directory.path(), &["run", "test.toml"], REFUSED_WITHIN)
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    for (line, words) in lines.iter().zip([
        "test.toml, line 1: host `nonsense` is not a URL",
        "test.toml, line 2: `user` is not a valid key of this file; did you mean `users`?",
        "test.toml, line 3: `wait_time`: `soon` is not a valid duration",
        "test.toml, line 4: `stop_timeout`: this duration must be a whole number of seconds, not `500ms`",
        "test.toml, line 7: `knd` is not a valid key of [client]; did you mean `kind`?",
        "test.toml, line 8: `request_timeout` must be above 0",
        "test.toml, line 12: `metod` is not a valid key of a request; did you mean `method`?",
    ]) {
        assert!(line.contains(words), "{line:?} should contain {words:?}");
    }
    assert_eq!(lines.len(), 7, "{}", ended.stderr);
}

#[tokio::test]
async fn errors_in_test_files() {
    let directory = TempDir::new().expect("a directory");
    let cases = [
        (
            "host = \"http://127.0.0.1:1\"\nuser = 3\n",
            vec!["line 2", "`user`", "`users`"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\n\n[[request]]\npaht = \"/\"\n",
            vec!["line 4", "`paht`", "`path`"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nusers = \"three\"\n",
            vec!["line 2", "users"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nduration = \"1d\"\n",
            vec!["line 2", "duration"],
        ),
        ("host = \n", vec!["line 1", "TOML"]),
        (
            "host = \"nonsense\"\nscenario = \"shop\"\n",
            vec!["is not a URL"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nusers = 0\nscenario = \"shop\"\n",
            vec!["users must be between 1 and 1000000, got 0"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\n[[request]]\npath = \"no-slash\"\n",
            vec!["no-slash"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nscenario = \"nothing\"\n",
            vec!["nothing", "shop"],
        ),
    ];
    let file = directory.path().join("test.toml");
    for (text, words) in cases {
        fs::write(&file, text).expect("the directory is ours");
        refused_run(directory.path(), &["test.toml"], &words).await;
    }
    fs::write(&file, b"host = \"\xff\xfe\"\n").expect("the directory is ours");
    refused_run(directory.path(), &["test.toml"], &["test.toml"]).await;
}
