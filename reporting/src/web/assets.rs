//! Styles, scripts and pictures, compiled into the binary.
//!
//! Pages name them below a path that holds a hash of all of them. Scripts import each other by relative
//! paths and so stay below the same one. Whatever a browser has of a path can be kept for ever, because
//! another version of any file is another path.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::WebError;

/// A file of `reporting/assets/`.
struct Asset {
    path: &'static str,
    content: &'static [u8],
    content_type: &'static str,
    /// Hash of the content, quoted as HTTP wants it.
    etag: HeaderValue,
}

macro_rules! embed {
    ($($path:literal),* $(,)?) => {
        vec![$(Asset::new($path, include_bytes!(concat!("../../assets/", $path)))),*]
    };
}

/// Every file that is served, by its path below `/assets/`. A test compares it with the directory.
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    embed![
        "css/base.css",
        "css/compare.css",
        "css/compare_table.css",
        "css/console.css",
        "css/charts_more.css",
        "css/dots.css",
        "css/endpoints.css",
        "css/file.css",
        "css/front.css",
        "css/generator.css",
        "css/metrics.css",
        "css/notes.css",
        "css/run.css",
        "css/scope.css",
        "css/start_form.css",
        "css/thresholds.css",
        "css/tokens.css",
        "css/trends.css",
        "img/favicon.svg",
        "js/address.js",
        "js/after_press.js",
        "js/change_users.js",
        "js/chart.js",
        "js/chart_compared.js",
        "js/chart_compared_curve.js",
        "js/chart_data.js",
        "js/chart_distribution.js",
        "js/chart_menu.js",
        "js/chart_metrics.js",
        "js/chart_percentiles.js",
        "js/chart_generator.js",
        "js/chart_responses.js",
        "js/chart_source.js",
        "js/chart_sourced.js",
        "js/chart_throughput.js",
        "js/chart_users.js",
        "js/chart_window.js",
        "js/chart_words.js",
        "js/charts_more.js",
        "js/compare.js",
        "js/compare_choice.js",
        "js/compare_data.js",
        "js/compare_table.js",
        "js/completeness.js",
        "js/console.js",
        "js/console_tables.js",
        "js/data_table.js",
        "js/dom.js",
        "js/dot_choice.js",
        "js/dot_panel.js",
        "js/endpoint_colours.js",
        "js/endpoint_columns.js",
        "js/endpoints.js",
        "js/error_samples.js",
        "js/errors.js",
        "js/field_errors.js",
        "js/file_charts.js",
        "js/file_log.js",
        "js/file_metrics.js",
        "js/file_parts.js",
        "js/file_samples.js",
        "js/file_source.js",
        "js/file_stats.js",
        "js/file_steps.js",
        "js/file_view.js",
        "js/run_file.js",
        "js/format.js",
        "js/front.js",
        "js/generator.js",
        "js/generator_text.js",
        "js/hub.js",
        "js/hub_worker.js",
        "js/json_patch.js",
        "js/live.js",
        "js/load_profile.js",
        "js/local_times.js",
        "js/log_pages.js",
        "js/log_rows.js",
        "js/metrics.js",
        "js/name_chips.js",
        "js/overview.js",
        "js/percentiles.js",
        "js/popovers.js",
        "js/print.js",
        "js/run.js",
        "js/scenario_choice.js",
        "js/scenario_options.js",
        "js/scope.js",
        "js/scope_bar.js",
        "js/scope_links.js",
        "js/scope_strip.js",
        "js/scoped_results.js",
        "js/shown_scope.js",
        "js/series.js",
        "js/server_sent.js",
        "js/source.js",
        "js/stage_rows.js",
        "js/start_form.js",
        "js/start_form_check.js",
        "js/theme-early.js",
        "js/theme.js",
        "js/thresholds.js",
        "js/time_axis.js",
        "js/traces.js",
        "js/warnings.js",
        "vendor/echarts/echarts.esm.min.js",
    ]
});

/// Where pages find the assets: changes with the content of any of them.
static ROOT: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in ASSETS.iter() {
        hash.update(asset.path);
        hash.update(asset.etag.as_bytes());
    }
    format!("/assets/{}", hex(&hash.finalize()))
});

/// Digits of a hash that tell one version from another.
fn hex(hash: &[u8]) -> String {
    hash[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The path of an asset such as `css/base.css`, to be kept for ever.
pub(crate) fn asset_url(path: &str) -> String {
    debug_assert!(ASSETS.iter().any(|asset| asset.path == path), "{path}");
    format!("{}/{path}", *ROOT)
}

/// The text of an asset such as `js/run.js`; none of a picture, and of what is not one.
pub(super) fn asset_text(path: &str) -> Option<&'static str> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    std::str::from_utf8(asset.content).ok()
}

impl Asset {
    fn new(path: &'static str, content: &'static [u8]) -> Self {
        let hash = hex(&Sha256::digest(content));
        let content_type = match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        };
        Self {
            path,
            content,
            content_type,
            etag: HeaderValue::try_from(format!("\"{hash}\""))
                .expect("hexadecimal digits fit into a header"),
        }
    }
}

/// `GET /assets/…`: below the hashed path browsers keep it for ever; elsewhere they ask each time whether
/// it is still the same.
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let hashed = format!("/assets/{path}")
        .strip_prefix(ROOT.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
        .map(str::to_owned);
    let is_immutable = hashed.is_some();
    let path = hashed.unwrap_or(path);
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return WebError::NoSuchAsset.into_response();
    };
    let keep = if is_immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let keeping = [
        (header::ETAG, asset.etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| {
        known
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|tag| tag.trim_ascii() == asset.etag.as_bytes())
    });
    if is_known {
        return (StatusCode::NOT_MODIFIED, keeping).into_response();
    }
    (
        keeping,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static(asset.content_type),
        )],
        asset.content,
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Files that go with a vendored library and are not for browsers.
    const NOT_SERVED: [&str; 4] = ["LICENSE", "NOTICE", "VERSION", "README.md"];

    fn files_below(directory: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                files_below(&entry.path(), &format!("{prefix}{name}/"), found);
            } else if !NOT_SERVED.iter().any(|other| name.starts_with(other)) {
                found.insert(format!("{prefix}{name}"));
            }
        }
    }

    #[test]
    fn every_file_is_listed() {
        let mut found = BTreeSet::new();
        files_below(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"),
            "",
            &mut found,
        );
        let listed: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(listed, found, "list the file in web/assets.rs");
    }

    #[test]
    fn nothing_is_taken_from_elsewhere() {
        for asset in ASSETS
            .iter()
            .filter(|asset| !asset.path.starts_with("vendor/"))
        {
            let text = std::str::from_utf8(asset.content).expect("own assets are texts");
            for scheme in ["https://", "http://", "url(//", "\"//"] {
                let outside = text
                    .match_indices(scheme)
                    .find(|(at, _)| !text[*at..].starts_with("http://www.w3.org/"));
                assert_eq!(outside, None, "{} names another server", asset.path);
            }
        }
    }

    #[tokio::test]
    async fn only_the_hashed_path_is_kept_for_ever() {
        let get = async |path: &str| {
            let path = path.strip_prefix("/assets/").expect("an asset").to_owned();
            let answer = asset(axum::extract::Path(path), HeaderMap::new()).await;
            let kept = answer.headers().get(header::CACHE_CONTROL).cloned();
            (answer.status(), kept)
        };
        let (status, kept) = get(&asset_url("js/run.js")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kept.unwrap(), "public, max-age=31536000, immutable");
        let (status, kept) = get("/assets/js/run.js").await;
        assert_eq!(
            (status, kept.unwrap()),
            (StatusCode::OK, HeaderValue::from_static("no-cache"))
        );
        let (status, _) = get("/assets/0123456789abcdef01234567/js/run.js").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "another version");
    }

    #[tokio::test]
    async fn a_known_asset_is_not_sent_again() {
        let get = |headers| asset(axum::extract::Path("img/favicon.svg".to_owned()), headers);
        let first = get(HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        let etag = first.headers()[header::ETAG].clone();
        let again = get(HeaderMap::from_iter([(header::IF_NONE_MATCH, etag)])).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let other = get(HeaderMap::from_iter([(
            header::IF_NONE_MATCH,
            HeaderValue::from_static("\"x\""),
        )]))
        .await;
        assert_eq!(other.status(), StatusCode::OK);
    }
}
