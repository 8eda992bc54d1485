//! What `infra/deploy/` and the release workflow say: read by the programs that are made for it, and compared with what
//! this version of Greylag understands.

use std::path::{Path, PathBuf};
use std::process::Command;

use greylag_reporting::provisioning::CoordinatorFile;
use greylag_tests::{Ended, Process, clean_command, find_program, python_with};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

/// Versions of Kubernetes that are still supported.
const KUBERNETES: [&str; 3] = ["1.35.0", "1.36.0", "1.37.0"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the repository")
}

pub(crate) fn deploy() -> PathBuf {
    repository().join("infra/deploy")
}

/// The Python of an environment with the checkers; made at the first call.
async fn python() -> &'static Path {
    static PYTHON: OnceCell<PathBuf> = OnceCell::const_new();
    let made = async || {
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploy");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system");
        python_with(
            &environment,
            &here.join("deploy_requirements.txt"),
            "the manifests cannot be checked; `--skip deploy` leaves this out",
        )
        .await
    };
    PYTHON.get_or_init(made).await
}

async fn run(what: &str, command: &mut Command) -> Ended {
    Process::start(what, command).wait(RUN_TIMEOUT).await
}

/// The manifests, and what `kubectl apply -k` makes of them where there is a kubectl, with and without agents on demand.
async fn manifests(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in ["", "on-demand"] {
        let source = deploy().join("kubernetes").join(place);
        std::fs::create_dir_all(directory.join(place)).expect("the directory is ours");
        for entry in std::fs::read_dir(source).expect("the manifests") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                continue;
            }
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            std::fs::copy(&path, directory.join(place).join(&name)).expect("a copy");
            // What is merged into others is whole only when it is rendered.
            let is_part = name == "kustomization.yaml" || name.ends_with("-patch.yaml");
            if name.ends_with(".yaml") && !is_part {
                files.push(path);
            }
        }
    }
    std::fs::write(directory.join("token.env"), "token=0123456789abcdef\n").expect("a token");
    let Some(kubectl) = find_program(&["kubectl"]) else {
        println!("skipped: the rendered kustomization: kubectl is not installed");
        return files;
    };
    let kustomization = directory.join("kustomization.yaml");
    let plain = std::fs::read_to_string(&kustomization).expect("it was copied");
    let on_demand = plain
        .replace("# components:", "components:")
        .replace("#   - on-demand", "  - on-demand");
    let base = ["registry.example/greylag:latest", "kind: Secret"];
    let added = [
        "kind: RoleBinding",
        "serviceAccountName: greylag-coordinator",
        "port: 6443",
    ];
    for (name, text, wanted) in [
        ("rendered", plain, &base[..]),
        ("rendered-on-demand", on_demand, &added[..]),
    ] {
        std::fs::write(&kustomization, text).expect("the directory is ours");
        let rendered = run(
            "kubectl kustomize",
            clean_command(&kubectl).arg("kustomize").arg(directory),
        )
        .await;
        assert_eq!(rendered.code, Some(0), "{rendered:?}");
        for wanted in wanted {
            assert!(
                rendered.stdout.contains(wanted),
                "{wanted}: {}",
                rendered.stdout
            );
        }
        let file = directory.join(name);
        std::fs::write(&file, rendered.stdout).expect("the directory is ours");
        files.push(file);
    }
    files
}

/// Checks that manifests are what the versions of Kubernetes take that are supported, and gives what was said of them.
pub(crate) async fn assert_valid(files: &[PathBuf]) -> String {
    let python = python().await;
    let mut said = String::new();
    for version in KUBERNETES {
        let validated = run(
            "kubernetes-validate",
            clean_command(python.with_file_name("kubernetes-validate"))
                .args(["--strict", "--kubernetes-version", version])
                .args(files),
        )
        .await;
        assert_eq!(validated.code, Some(0), "{validated:?}");
        said = format!("{}{}", validated.stdout, validated.stderr);
        assert!(!said.contains("WARN"), "{said}");
    }
    said
}

/// The objects in files of YAML.
pub(crate) async fn read_yaml(files: &[PathBuf]) -> Value {
    const READ: &str = "import json, sys, yaml\n\
        print(json.dumps([one for path in sys.argv[1:] for one in yaml.safe_load_all(open(path))]))";
    let read = run(
        "python",
        clean_command(python().await).args(["-c", READ]).args(files),
    )
    .await;
    serde_json::from_str(&read.stdout).expect("JSON")
}

#[tokio::test]
async fn manifests_are_valid_for_every_supported_kubernetes() {
    let directory = TempDir::new().expect("a directory");
    let said = assert_valid(&manifests(directory.path()).await).await;
    assert!(said.contains("statefulset/greylag-coordinator"), "{said}");
    assert!(said.contains("role/greylag-coordinator"), "{said}");
}

#[test]
fn the_example_of_agents_on_demand_is_a_valid_configuration() {
    let file = deploy().join("kubernetes/on-demand/coordinator.toml");
    let text = std::fs::read_to_string(file).expect("it can be read");
    let file = CoordinatorFile::from_toml(&text).expect("it is valid");
    assert!(file.infrastructures.contains_key("on-demand"));
    assert!(file.coordinator_url.is_some());
}

/// Every list of containers below `value`.
fn containers<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                if key == "containers" {
                    found.extend(inner.as_array().into_iter().flatten());
                }
                containers(inner, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| containers(inner, found)),
        _ => {}
    }
}

/// Asserts that this version has the subcommand and the options of a command line, and gives the subcommand's help.
async fn assert_understood(words: &[&str]) -> String {
    let help = greylag().run(&[words[0], "--help"], SOON).await;
    assert_eq!(help.code, Some(0), "{words:?}: {help:?}");
    let separates = |character: char| character.is_whitespace() || character == ',';
    for option in words.iter().filter(|word| word.starts_with('-')) {
        let is_there = help.stdout.split(separates).any(|known| known == *option);
        assert!(is_there, "{option}: {}", help.stdout);
    }
    help.stdout
}

#[tokio::test]
async fn manifests_use_options_that_exist() {
    let directory = TempDir::new().expect("a directory");
    let read = read_yaml(&manifests(directory.path()).await).await;
    let mut found = Vec::new();
    containers(&read, &mut found);
    assert!(found.len() >= 3, "{found:?}");
    for container in found {
        let arguments = container["args"].as_array().expect("arguments");
        let words: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
        let help = assert_understood(&words).await;
        let variables = container["env"].as_array().into_iter().flatten();
        for variable in variables {
            let name = variable["name"].as_str().expect("a name");
            assert!(help.contains(name), "{name}: {help}");
        }
    }
}

#[tokio::test]
async fn units_are_valid_and_hardened() {
    let directory = TempDir::new().expect("a directory");
    let analyze = find_program(&["systemd-analyze"]);
    for name in ["greylag-coordinator.service", "greylag-agent.service"] {
        let unit = std::fs::read_to_string(deploy().join("systemd").join(name)).expect("a unit");
        let start = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let words: Vec<&str> = start.expect("it starts something").split(' ').collect();
        assert_understood(&words[1..]).await;
        let Some(analyze) = &analyze else {
            println!("skipped: {name}: systemd-analyze is not installed");
            continue;
        };
        // It looks whether the program exists.
        let binary = greylag().command(["--version"]);
        let binary = binary.get_program().to_str().expect("UTF-8");
        let copy = directory.path().join(name);
        std::fs::write(&copy, unit.replace(words[0], binary)).expect("the directory is ours");
        let mut verify = clean_command(analyze);
        let verified = run("verify", verify.args(["verify", "--man=no"]).arg(&copy)).await;
        assert_eq!(verified.code, Some(0), "{verified:?}");
        assert_eq!(verified.stderr, "", "{name}");
        // 1.5 of 10; what is left over 1 is the network.
        let mut security = clean_command(analyze);
        security
            .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
            .arg(&copy);
        let security = run("security", &mut security).await;
        assert_eq!(security.code, Some(0), "{security:?}");
    }
}

#[tokio::test]
async fn the_release_workflow_is_one_and_its_check_of_the_version_works() {
    let python = python().await;
    let workflow = repository().join(".github/workflows/release.yml");
    let checked = run(
        "check-jsonschema",
        clean_command(python.with_file_name("check-jsonschema"))
            .args(["--builtin-schema", "vendor.github-workflows"])
            .arg(&workflow),
    )
    .await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let text = std::fs::read_to_string(workflow).expect("it can be read");
    for script in text.split("infra/deploy/").skip(1) {
        let name = script.split([' ', '\n']).next().expect("a name");
        assert!(deploy().join(name).is_file(), "infra/deploy/{name}");
    }
    let own = concat!("v", env!("CARGO_PKG_VERSION"));
    for (tag, code) in [(own, 0), ("v99.0.0", 1)] {
        let script = deploy().join("check-version");
        let ended = run("check-version", clean_command(script).arg(tag)).await;
        assert_eq!(ended.code, Some(code), "{tag}: {ended:?}");
    }
}
