//! What the coordinator's configuration file says of infrastructures, for the coordinator.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use greylag_reporting::coordinator::{ProvisionedInfrastructure, Provisioning};
use greylag_reporting::provisioning::{CoordinatorFile, InfrastructureConfig, ProviderPlaces};
use greylag_reporting::web::PublicAddress;
use url::Url;

use crate::cli::failure::Failure;

/// What the command line says that matters for it.
pub(super) struct Places<'a> {
    /// Where the coordinator listens.
    pub(super) address: SocketAddr,
    /// What it speaks there: http or https.
    pub(super) scheme: &'static str,
    pub(super) public: &'a PublicAddress,
    pub(super) data_dir: &'a Path,
    pub(super) accept_uploads: bool,
}

/// The infrastructures of a configuration file.
///
/// # Errors
/// Something is wrong with it, or it is not known where agents reach the coordinator.
pub(super) fn provisioning_of(path: &Path, places: &Places<'_>) -> Result<Provisioning, Failure> {
    let wrong = |problem: String| {
        let lines = problem
            .lines()
            .map(|line| format!("{}: {line}", path.display()));
        Failure::bad_input(lines.collect::<Vec<_>>().join("\n"))
    };
    let file = CoordinatorFile::read(path).map_err(|error| wrong(error.to_string()))?;
    // Commands may be run in other directories than this process.
    let path = std::path::absolute(path).map_err(Failure::bad_input)?;
    let of_providers = ProviderPlaces {
        config_dir: path.parent().unwrap_or(Path::new("/")).to_owned(),
        data_dir: std::path::absolute(places.data_dir).map_err(Failure::bad_input)?,
    };
    let mut infrastructures = BTreeMap::new();
    for (name, config) in &file.infrastructures {
        let provider = config.provider(name, &of_providers);
        let coordinator_url = match url_for_agents(config, &file, places) {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            // Agents that people start are given it by them.
            None if !provider.kind().makes_machines() => String::new(),
            None => {
                return Err(wrong(format!(
                    "agents of infrastructure `{name}` cannot know where this coordinator is, because it listens on all addresses ({}); add coordinator_url = \"{}://HOST:{}\"",
                    places.address,
                    places.scheme,
                    places.address.port()
                )));
            }
        };
        let provisioned = ProvisionedInfrastructure {
            provider,
            coordinator_url,
        };
        infrastructures.insert(name.clone(), provisioned);
    }
    Ok(Provisioning {
        infrastructures,
        accept_uploads: places.accept_uploads,
    })
}

/// Where agents reach the coordinator: as the file says, as browsers do, or where it listens.
fn url_for_agents(
    config: &InfrastructureConfig,
    file: &CoordinatorFile,
    places: &Places<'_>,
) -> Option<Url> {
    let said = config
        .coordinator_url
        .as_ref()
        .or(file.coordinator_url.as_ref());
    let said = said.cloned().or_else(|| {
        let public = places.public.url()?;
        Url::parse(&public.to_string()).ok()
    });
    said.or_else(|| {
        let is_one = !places.address.ip().is_unspecified();
        let base = places.public.base_path().as_str();
        let listens = format!("{}://{}{base}", places.scheme, places.address);
        is_one.then(|| Url::parse(&listens).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(
        file: &str,
        listens: &str,
        scheme: &'static str,
        public: Option<&str>,
    ) -> Option<String> {
        let infrastructure = "[infrastructures.lab]\nkind = \"machines\"\n";
        let file = CoordinatorFile::from_toml(&file.replace("LAB", infrastructure)).unwrap();
        let public = public.map(|url| url.parse().unwrap());
        let places = Places {
            address: listens.parse().unwrap(),
            scheme,
            public: &PublicAddress::new(public, None).unwrap(),
            data_dir: Path::new("data"),
            accept_uploads: false,
        };
        let url = url_for_agents(&file.infrastructures["lab"], &file, &places);
        url.map(String::from)
    }

    #[test]
    fn agents_dial_what_is_said_or_where_the_coordinator_listens() {
        let (one, all) = ("10.0.0.1:8089", "0.0.0.0:8089");
        for (file, listens, scheme, public, expected) in [
            ("LAB", one, "http", None, Some("http://10.0.0.1:8089/")),
            // Its own TLS.
            ("LAB", one, "https", None, Some("https://10.0.0.1:8089/")),
            (
                "LAB",
                "[fd00::1]:443",
                "https",
                None,
                Some("https://[fd00::1]/"),
            ),
            ("LAB", all, "https", None, None),
            // A proxy's.
            (
                "LAB",
                all,
                "http",
                Some("https://load.example/g"),
                Some("https://load.example/g"),
            ),
            (
                "coordinator_url = \"https://a\"\nLAB",
                all,
                "http",
                Some("https://b"),
                Some("https://a/"),
            ),
            (
                "coordinator_url = \"https://a\"\nLABcoordinator_url = \"http://c:80\"",
                one,
                "https",
                None,
                Some("http://c/"),
            ),
        ] {
            let found = url(file, listens, scheme, public);
            assert_eq!(found.as_deref(), expected, "{file}");
        }
    }
}
