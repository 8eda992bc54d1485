//! Test files with mistakes: the line is named, and the key that was meant.

use std::fs;

use tempfile::TempDir;

use super::refusal::refused_run;

#[tokio::test]
async fn mistakes_in_test_files() {
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
            vec!["users is 0"],
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
