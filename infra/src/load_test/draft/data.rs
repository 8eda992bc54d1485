//! The data files of an uploaded build.

use super::section::Section;
use super::{BUILD, DATA};
use crate::load_test::{DataFile, MAX_DATA_FILES, check_data_files};

const FILE_KEYS: [&str; 3] = ["path", "sha256", "size"];

/// The data files that are given; none where something is wrong with them.
pub(super) fn files(section: &Section<'_>) -> Vec<DataFile> {
    let sections = section.sections(DATA, "a data file", MAX_DATA_FILES);
    let files: Option<Vec<DataFile>> = sections.iter().map(file).collect();
    let files = files.unwrap_or_default();
    if let Err(error) = check_data_files(&files) {
        section.wrong(DATA, error.to_string());
        return Vec::new();
    }
    if !files.is_empty() && !section.has(BUILD) {
        section.wrong(
            DATA,
            format!("`{DATA}` needs `{BUILD}`: data files belong to an uploaded build"),
        );
    }
    files
}

fn file(section: &Section<'_>) -> Option<DataFile> {
    section.refuse_other_keys(&FILE_KEYS);
    for key in FILE_KEYS {
        if section.lacks(key, &FILE_KEYS) {
            section.wrong(key, format!("this data file has no `{key}`"));
        }
    }
    let wrong = |key: &'static str| move |message: String| section.wrong(key, message);
    let path = section.text("path").map(|path| path.parse());
    let sha256 = section.text("sha256").map(|sha256| sha256.parse());
    let path = path?.map_err(|error: crate::DataPathError| wrong("path")(error.to_string()));
    let sha256 = sha256?.map_err(|error: crate::FileHashError| wrong("sha256")(error.to_string()));
    Some(DataFile {
        path: path.ok()?,
        sha256: sha256.ok()?,
        size: section.whole("size")?,
    })
}

#[cfg(test)]
mod tests {
    use crate::TestDraft;

    #[test]
    fn data_files_are_read_and_written_alike() {
        let hash = "a".repeat(64);
        let text = |files: &str| format!(r#"{{"build": "{hash}", "data": [{files}]}}"#);
        let one = format!(r#"{{"path": "./b//c.csv", "sha256": "{hash}", "size": 3}}"#);
        let (draft, errors) = TestDraft::from_json(text(&one).as_bytes());
        assert_eq!(errors.to_string(), "");
        assert_eq!(draft.data[0].path.as_str(), "b/c.csv");
        let written = serde_json::to_vec(&draft).unwrap();
        assert_eq!(TestDraft::from_json(&written).0, draft);
        for (files, words) in [
            (
                one.replace("./b", "../b"),
                "data[0].path: data file `../b//c.csv` is outside",
            ),
            (one.replace("./b", "/b"), "absolute path"),
            (one.replace("aaa", "x"), "not a valid SHA-256"),
            (one.replace("size", "sise"), "did you mean `size`"),
            (r#"{"path": "a"}"#.into(), "this data file has no `sha256`"),
            (format!("{one}, {one}"), "`b/c.csv` is listed twice"),
        ] {
            let errors = TestDraft::from_json(text(&files).as_bytes()).1.to_string();
            assert!(errors.contains(words), "{errors}");
        }
        let scenario = crate::ShippedScenario::default();
        let build = crate::BuildManifest {
            sha256: hash.parse().unwrap(),
            size: 1,
            version: String::new(),
            platform: String::new(),
            worker_protocol: 1,
            uploaded_by: String::new(),
            commit: None,
            scenarios: Vec::new(),
            data: Vec::new(),
        };
        let build = build.of_run(&scenario, crate::WallTime::default(), draft.data.clone());
        assert_eq!(build.bytes(), 4);
        let test = crate::LoadTest {
            build: Some(Box::new(build)),
            ..crate::LoadTest::default()
        };
        assert_eq!(TestDraft::from(&test).data, draft.data, "run again");

        let alone = format!(r#"{{"data": [{one}]}}"#);
        let errors = TestDraft::from_json(alone.as_bytes()).1.to_string();
        assert!(errors.contains("`data` needs `build`"), "{errors}");
        let errors = TestDraft::from_toml("data = []").unwrap_err().to_string();
        assert!(errors.contains("`data` is not a valid key"), "{errors}");
    }
}
