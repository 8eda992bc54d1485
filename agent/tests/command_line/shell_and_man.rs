//! Shell completions and manual pages, read by the programs that use them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{assert_refused_in, greylag};

/// A manual page as plain text, with every warning.
const PLAIN: [&str; 6] = ["-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u"];

/// The output of a program, or none where it is not installed.
fn output_of(program: &str, arguments: &[&str], directory: &Path) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    command.output().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn completions(directory: &Path, shell: &str) -> String {
    let output = greylag(directory, &["completions", shell]);
    assert!(output.status.success(), "{output:?}");
    let script = text(&output.stdout);
    // What is hidden stays hidden.
    for hidden in [
        "Drive users for the agent",
        ",worker)",
        "'worker'",
        "modern-ui",
        "--master",
    ] {
        assert!(!script.contains(hidden), "{shell} completes {hidden:?}");
    }
    for shown in ["coordinator", "spawn-rate", "infrastructure"] {
        assert!(script.contains(shown), "{shell} does not know {shown:?}");
    }
    script
}

/// Words that bash offers for what has been typed.
fn offered(directory: &Path, typed: &[&str]) -> Vec<String> {
    let words: Vec<String> = typed.iter().map(|word| format!("'{word}'")).collect();
    let last = typed.len() - 1;
    let script = format!(
        "source ./greylag.bash; COMP_WORDS=({}); COMP_CWORD={last}; _greylag greylag {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1]
    );
    let output = output_of("bash", &["-c", &script], directory).unwrap();
    assert_eq!(text(&output.stderr), "", "{script}");
    let offered = text(&output.stdout);
    let words = offered.lines().filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[test]
fn bash_completes_subcommands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(
        directory.join("greylag.bash"),
        completions(directory, "bash"),
    )
    .unwrap();
    let Some(checked) = output_of("bash", &["-n", "greylag.bash"], directory) else {
        println!("skipped: bash_completes_subcommands_and_options: bash is not installed");
        return;
    };
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{checked:?}"
    );
    assert_eq!(offered(directory, &["greylag", "age"]), ["agent"]);
    let options = offered(directory, &["greylag", "run", "--us"]);
    assert!(options.contains(&"--users".to_owned()), "{options:?}");
    assert!(offered(directory, &["greylag", "work"]).is_empty());
}

#[test]
fn every_shell_has_a_script_that_it_can_read() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = completions(directory.path(), shell);
        fs::write(directory.path().join(shell), script).unwrap();
    }
    for shell in ["zsh", "fish"] {
        match output_of(shell, &["-n", shell], directory.path()) {
            Some(read) => assert!(read.status.success(), "{read:?}"),
            None => println!("skipped: the script for {shell}: {shell} is not installed"),
        }
    }
    assert_refused_in(directory.path(), &["completions", "cmd"], "use one of bash");
}

#[test]
fn manual_pages_are_rendered_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let output = greylag(directory, &["man", "share/man1"]);
    assert!(output.status.success(), "{output:?}");
    let pages = directory.join("share/man1");
    let mut names: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in ["greylag.1", "greylag-run.1", "greylag-agent.1"] {
        assert!(names.iter().any(|one| one == name), "{names:?}");
    }
    assert!(
        !names.iter().any(|name| name.contains("worker")),
        "{names:?}"
    );
    let page = fs::read_to_string(pages.join("greylag-run.1")).unwrap();
    assert!(page.contains("GREYLAG_USERS"), "{page}");
    for name in &names {
        let Some(rendered) = output_of("groff", &[&PLAIN[..], &[name]].concat(), &pages) else {
            println!(
                "skipped: manual_pages_are_rendered_without_a_warning: groff is not installed"
            );
            return;
        };
        assert_eq!(text(&rendered.stderr), "", "{name}");
        let shown = text(&rendered.stdout);
        assert!(shown.contains("SYNOPSIS"), "{name}: {shown}");
    }
    fs::write(directory.join("file"), "").unwrap();
    assert_refused_in(directory, &["man", "file/man1"], "cannot be written");
}
