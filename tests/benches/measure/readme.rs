//! Figures in the repository's README, which the measurements write themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Replaces what stands between `<!-- name -->` and `<!-- /name -->`.
pub(crate) fn replace(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).expect("the repository has a README");
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let parts = readme
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = parts else {
        panic!("{} has no {begin} … {end}", path.display());
    };
    let changed = format!("{before}{begin}\n{text}\n{end}{after}");
    fs::write(&path, changed).expect("the README can be written");
}

/// Date and machine class: figures of different ones are not to be compared.
pub(crate) fn when_and_where() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.map_or_else(
        |_| "today".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    // Not those that this process may use: it may have been bound to one.
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cpus
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = value_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory_kib: u64 = value_of("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0);
    let memory_gb = (memory_kib as f64 * 1024.0 / 1e9).round();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{date}, {cores} cores of {model}, {memory_gb} GB, Linux {}",
        kernel.trim()
    )
}

/// The first value of a name in a file of lines such as `name : value`.
fn value_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then_some((found, value))
    })?;
    Some(value.trim().to_owned())
}
