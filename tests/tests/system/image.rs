//! The last stage of `infra/deploy/Containerfile`, built by buildah around the binary under test.
//!
//! That binary has shared libraries, so its image starts from one that holds nothing but these.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use greylag_tests::{Nginx, Process, clean_command, find_program};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, greylag};

/// The account of the Containerfile.
const ACCOUNT: &str = "65532:65532";

/// buildah with a storage of its own, which goes with the directory.
struct Buildah {
    program: PathBuf,
    directory: TempDir,
}

impl Buildah {
    /// None if it is not installed, or if this is not root: without root it needs maps of subordinate users.
    fn find() -> Option<Self> {
        let Some(program) = find_program(&["buildah"]) else {
            println!("skipped: the image: buildah is not installed");
            return None;
        };
        let directory = TempDir::new().expect("a directory");
        if directory.path().metadata().expect("it is there").uid() != 0 {
            println!("skipped: the image: buildah is used as root here");
            return None;
        }
        Some(Self { program, directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = clean_command(&self.program);
        command
            .args(["--storage-driver", "vfs", "--root"])
            .arg(self.path("storage"))
            .arg("--runroot")
            .arg(self.path("state"))
            .args(arguments);
        let ended = Process::start("buildah", &mut command)
            .wait(RUN_TIMEOUT)
            .await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.stdout
    }

    /// Builds the Containerfile of this text or at this path.
    async fn build(&self, tag: &str, file: &Path, context: &Path, arguments: &[&str]) {
        let [file, context] = [file, context].map(|path| path.to_str().expect("UTF-8"));
        let mut words = vec!["bud", "--isolation", "chroot", "--file", file, "--tag", tag];
        words.extend(arguments);
        words.push(context);
        self.run(&words).await;
    }
}

/// What `ldd` names.
fn shared_libraries(binary: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(binary).output().expect("ldd");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let words = listed.split_whitespace();
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

fn copy_below(root: &Path, file: &Path, to: &Path) {
    let copy = root.join(to.strip_prefix("/").unwrap_or(to));
    std::fs::create_dir_all(copy.parent().expect("below the root")).expect("the directory is ours");
    std::fs::copy(file, copy).expect("a copy");
}

#[tokio::test]
async fn the_image_runs_a_test_as_a_user_without_rights() {
    let Some(buildah) = Buildah::find() else {
        return;
    };
    let binary = PathBuf::from(greylag().command(["--version"]).get_program());
    let libraries = buildah.path("libraries");
    for library in shared_libraries(&binary) {
        copy_below(&libraries, &library, &library);
    }
    let base = buildah.path("Containerfile.base");
    std::fs::write(&base, "FROM scratch\nCOPY . /\n").expect("the directory is ours");
    buildah
        .build("localhost/base", &base, &libraries, &[])
        .await;

    // In place of the stage that compiles.
    let built = buildah.path("built");
    copy_below(&built, &binary, Path::new("out/greylag"));
    for directory in ["out/data", "out/tmp"] {
        std::fs::create_dir(built.join(directory)).expect("the directory is ours");
    }
    let authorities = Path::new("etc/ssl/certs/ca-certificates.crt");
    let none = buildah.path("no-authorities");
    std::fs::write(&none, "").expect("the directory is ours");
    copy_below(&built, &none, authorities);
    let containerfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/deploy/Containerfile");
    let stage = format!("build={}", built.display());
    let arguments = [
        "--build-context",
        stage.as_str(),
        "--build-arg",
        "BASE=localhost/base",
    ];
    let empty = buildah.path("empty");
    std::fs::create_dir(&empty).expect("the directory is ours");
    buildah
        .build("localhost/greylag", &containerfile, &empty, &arguments)
        .await;

    let inspected = buildah
        .run(&["inspect", "--type", "image", "localhost/greylag"])
        .await;
    let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
    let config = &inspected["OCIv1"]["config"];
    assert_eq!(config["User"], ACCOUNT, "{config}");
    assert_eq!(
        config["Entrypoint"],
        serde_json::json!(["greylag"]),
        "{config}"
    );

    let nginx = Nginx::start().await;
    let tests = buildah.path("tests");
    std::fs::create_dir(&tests).expect("the directory is ours");
    let test = "users = 2\nramp_up = 0\nduration = 2\n[[request]]\npath = \"/\"\n";
    std::fs::write(tests.join("test.toml"), test).expect("the directory is ours");
    let container = buildah.run(&["from", "localhost/greylag"]).await;
    let volume = format!("{}:/tests:ro", tests.display());
    let url = nginx.url();
    let mut words = vec![
        "run",
        "--isolation",
        "chroot",
        "--volume",
        &volume,
        container.trim(),
        "--",
    ];
    words.extend([
        "greylag",
        "run",
        "/tests/test.toml",
        "--headless",
        "--host",
        &url,
    ]);
    let printed = buildah.run(&words).await;
    let counted = nginx.finish().await.totals();
    assert!(counted.requests > 0, "{printed}");

    let mounted = buildah.run(&["mount", container.trim()]).await;
    let results = Path::new(mounted.trim()).join("data/greylag.sqlite");
    let owner = results.metadata().expect("saved results").uid();
    assert_eq!(format!("{owner}:{owner}"), ACCOUNT);
    buildah.run(&["umount", container.trim()]).await;
}
