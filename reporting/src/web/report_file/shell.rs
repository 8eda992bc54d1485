//! What is the same in every file: styles, scripts, and what they may do.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::joined_script::join;
use crate::web::assets::asset_text;

/// Styles in the order in which `templates/run.html` names them, and at last those of a file.
const STYLES: [&str; 13] = [
    "css/tokens.css",
    "css/base.css",
    "css/run.css",
    "css/scope.css",
    "css/charts_more.css",
    "css/dots.css",
    "css/endpoints.css",
    "css/generator.css",
    "css/thresholds.css",
    "css/metrics.css",
    "css/notes.css",
    "css/console.css",
    "css/file.css",
];
/// The module that starts a file's page.
const ENTRY: &str = "js/run_file.js";

/// The parts of a file that no run changes.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) policy: String,
    pub(super) icon: String,
    pub(super) styles: String,
    pub(super) early_script: &'static str,
    pub(super) script: String,
}

impl Shell {
    /// How many bytes of a file these are.
    pub(super) fn bytes(&self) -> usize {
        let texts = [
            self.policy.as_str(),
            &self.icon,
            &self.styles,
            self.early_script,
            &self.script,
        ];
        texts.iter().map(|text| text.len()).sum()
    }
}

pub(super) static SHELL: LazyLock<Shell> = LazyLock::new(|| {
    let styles: String = STYLES.iter().map(|path| text(path)).collect();
    let early_script = text("js/theme-early.js");
    let script = join(ENTRY, asset_text).expect("a test joins the modules");
    Shell {
        // Charts set styles through the object model, and printed ones are pictures with a data: address.
        policy: format!(
            "default-src 'none'; script-src {} {}; style-src {}; img-src data:; form-action 'none'; base-uri 'none'",
            allowed(early_script),
            allowed(&script),
            allowed(&styles),
        ),
        icon: format!(
            "data:image/svg+xml;base64,{}",
            STANDARD.encode(text("img/favicon.svg"))
        ),
        styles,
        early_script,
        script,
    }
});

fn text(path: &str) -> &'static str {
    asset_text(path).expect("a test reads the assets")
}

/// How a policy names a script or a style.
fn allowed(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_styles_can_stand_in_a_page() {
        for text in [&SHELL.styles, &SHELL.script, SHELL.early_script] {
            for end in ["</script", "</style", "<!--", "\r"] {
                assert!(!text.contains(end), "{end}");
            }
        }
        assert!(
            !SHELL.styles.contains("url("),
            "a file has nothing beside it"
        );
        assert!(!SHELL.policy.contains("unsafe"));
        for module in [
            "js/run.js",
            "js/file_source.js",
            "vendor/echarts/echarts.esm.min.js",
        ] {
            let joined = format!("\"{module}\": async () => {{");
            assert_eq!(SHELL.script.matches(&joined).count(), 1, "{module}");
        }
    }

    #[test]
    fn the_styles_are_those_of_the_page() {
        let page = include_str!("../../../templates/run.html");
        let base = include_str!("../../../templates/base.html");
        let named: Vec<&str> = [base, page]
            .iter()
            .flat_map(|template| template.split("asset_url(\"").skip(1))
            .filter_map(|rest| rest.split_once('"').map(|(path, _)| path))
            .filter(|path| path.starts_with("css/"))
            .collect();
        assert_eq!(named, STYLES[..STYLES.len() - 1]);
    }
}
