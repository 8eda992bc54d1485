//! Settings that exclude each other: what was given in a stronger way counts, and what cannot be decided is refused.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Setting;
use super::origin::{Rank, stronger};

/// Of these only one can count.
const EXCLUSIVE: [(&str, &str, &str); 3] = [
    ("spawn_rate", "ramp_up", "both set how fast users start"),
    (
        "headless",
        "coordinator",
        "the coordinator serves the page of its runs",
    ),
    (
        "headless",
        "port",
        "without a page there is no port to serve it on",
    ),
];

/// What a coordinator decides: such a flag beside one is a misunderstanding, such a variable is for other runs.
const OF_LOCAL_RUNS: [&str; 4] = ["port", "data", "web_host", "trace_url"];

/// Options that say more about another one, with that one.
const PARTS: [(&str, &str); 9] = [
    ("csv_full_history", "csv"),
    ("ca", "coordinator"),
    ("agents", "coordinator"),
    ("agents_timeout", "coordinator"),
    ("share", "coordinator"),
    ("otlp_protocol", "otlp"),
    ("otlp_headers", "otlp"),
    ("otlp_timeout", "otlp"),
    ("otlp_certificate", "otlp"),
];

pub(super) fn resolve(
    settings: &mut BTreeMap<String, Setting>,
    problems: &mut Vec<String>,
    notes: &mut Vec<String>,
) {
    for (first, second, why) in EXCLUSIVE {
        let (Some(a), Some(b)) = (settings.get(first), settings.get(second)) else {
            continue;
        };
        match stronger(&a.origin, &b.origin) {
            Ordering::Greater => {
                if second == "coordinator" {
                    // The load comes from another machine than the variable says.
                    notes.push(format!(
                        "warning: {} is ignored and the test runs on this machine, because {} was given",
                        b.origin.name, a.origin.name
                    ));
                }
                settings.remove(second);
            }
            Ordering::Less => drop(settings.remove(first)),
            Ordering::Equal => problems.push(format!(
                "{} cannot be used with {}: {why}; leave one of the two out",
                a.origin.name, b.origin.name
            )),
        }
    }
    for here in OF_LOCAL_RUNS {
        let (Some(a), Some(b)) = (settings.get(here), settings.get("coordinator")) else {
            continue;
        };
        if a.origin.rank == Rank::Flag {
            problems.push(format!(
                "{} applies only to a test that runs here and cannot be used with {}; leave one of the two out",
                a.origin.name, b.origin.name
            ));
        } else {
            settings.remove(here);
        }
    }
    for (part, whole) in PARTS {
        let Some(setting) = settings.get(part) else {
            continue;
        };
        if settings.contains_key(whole) {
            continue;
        }
        if setting.origin.rank == Rank::Flag {
            problems.push(format!("{} needs --{whole}", setting.origin.name));
        } else {
            settings.remove(part);
        }
    }
}
