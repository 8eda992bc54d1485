//! The jar beside the plain model of the standard, its bounds, and forks.

use proptest::prelude::*;

use super::jar::{Jar, MOST_OF_A_DOMAIN, MOST_OF_ALL, Site};
use super::model::{Request, UserAgent};

const HOSTS: [&str; 8] = [
    "a.example.com",
    "example.com",
    "b.a.example.com",
    "badexample.com",
    "localhost",
    "com",
    "127.0.0.1",
    "[::1]",
];
const PATHS: [&str; 9] = [
    "/",
    "/show",
    "/show/",
    "/show/x",
    "/showroom",
    "/show/x/y",
    "//",
    "/a%20b",
    "/show//x",
];

/// A request by its host, path and whether it is over TLS.
#[derive(Debug, Clone, Copy)]
struct At(usize, usize, bool);

impl At {
    fn site(self) -> Site<'static> {
        let host = HOSTS[self.0];
        Site {
            host,
            is_address: host.starts_with(['[', '1']),
            path: PATHS[self.1],
            is_secure: self.2,
        }
    }

    fn request(self) -> Request<'static> {
        let site = self.site();
        Request {
            host: site.host.as_bytes(),
            host_is_ip: site.is_address,
            uri_path: site.path.as_bytes(),
            is_secure: site.is_secure,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Receive(At, Vec<u8>),
    Ask(At),
    Wait(i64),
}

fn at() -> impl Strategy<Value = At> {
    (0..HOSTS.len(), 0..PATHS.len(), any::<bool>())
        .prop_map(|(host, path, is_secure)| At(host, path, is_secure))
}

fn pair() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[ab]=[01]".prop_map(String::into_bytes),
        2 => "[ \t]{0,2}[ab=\" ]{0,3}[ \t]{0,2}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
        1 => Just(b"a=caf\xc3\xa9".to_vec()),
        1 => Just(b"a=caf\xe9".to_vec()),
    ]
}

fn attribute() -> impl Strategy<Value = Vec<u8>> {
    let domain = prop_oneof![
        (0..HOSTS.len()).prop_map(|host| HOSTS[host].to_owned()),
        Just("EXAMPLE.com".to_owned()),
        Just("xample.com".to_owned()),
        Just("".to_owned()),
        Just(".".to_owned()),
        Just("0.0.1".to_owned()),
    ];
    let domain = (
        domain,
        prop_oneof![3 => Just(""), 1 => Just("."), 1 => Just("..")],
    )
        .prop_map(|(domain, dot)| format!("Domain={dot}{domain}"));
    let path = prop_oneof![
        (0..PATHS.len()).prop_map(|path| PATHS[path].to_owned()),
        Just("show".to_owned()),
        Just(String::new()),
    ]
    .prop_map(|path| format!("Path={path}"));
    let max_age = "-?[0-9]{0,3}[x]?".prop_map(|seconds| format!("Max-Age={seconds}"));
    let date = prop_oneof![
        // Around the beginning of 1970, where the test's clock runs.
        ("(Thu, )?0?1[- ]Jan[- ](19)?70 0?0:0[0-3]:[0-5][0-9]( GMT)?"),
        ("[0-9]{1,3} (Jan|feb|DECEMBER|xyz) [0-9]{1,5} [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,3}"),
        ("(12:00:00|00:01:40|99 |3 |Mar |mar|1970 |70 |2099 |:|-|,|é){0,7}"),
    ]
    .prop_map(|date| format!("Expires={date}"));
    let other = prop_oneof![
        Just("Secure".to_owned()),
        Just("secure = x".to_owned()),
        Just("HttpOnly".to_owned()),
        Just("SameSite=Strict".to_owned()),
        Just(String::new()),
        Just("=".to_owned()),
    ];
    let attribute = prop_oneof![3 => domain, 4 => path, 2 => max_age, 3 => date, 2 => other];
    (attribute, any::<bool>(), "[ \t]{0,2}").prop_map(|(attribute, upper, space)| {
        let text = if upper {
            attribute.to_ascii_uppercase()
        } else {
            attribute
        };
        format!("{space}{text}{space}").into_bytes()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let header =
        (pair(), proptest::collection::vec(attribute(), 0..4)).prop_map(|(pair, attributes)| {
            let mut header = pair;
            for attribute in attributes {
                header.push(b';');
                header.extend(attribute);
            }
            header
        });
    prop_oneof![
        4 => (at(), header).prop_map(|(at, header)| Step::Receive(at, header)),
        4 => at().prop_map(Step::Ask),
        1 => (0..90_000_i64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_jar_is_the_model(steps in proptest::collection::vec(step(), 1..40)) {
        let (mut jar, mut model, mut now) = (Jar::default(), UserAgent::default(), 0);
        for step in &steps {
            match step {
                Step::Receive(at, header) => {
                    jar.keep(header, at.site(), now);
                    model.receive(header, &at.request(), now);
                }
                Step::Ask(at) => {
                    let sent = jar.header(at.site(), || now).map(|line| line.to_vec());
                    prop_assert_eq!(sent, model.cookie_string(&at.request(), now));
                }
                Step::Wait(millis) => now += millis,
            }
        }
        for (host, _) in HOSTS.iter().enumerate() {
            for (path, _) in PATHS.iter().enumerate() {
                let at = At(host, path, true);
                let sent = jar.header(at.site(), || now).map(|line| line.to_vec());
                prop_assert_eq!(sent, model.cookie_string(&at.request(), now), "{:?}", at);
            }
        }
    }
}

const SITE: Site<'static> = Site {
    host: "shop.example",
    is_address: false,
    path: "/",
    is_secure: false,
};

fn sent(jar: &mut Jar) -> String {
    let line = jar.header(SITE, || 0).unwrap_or_default();
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn a_full_domain_loses_what_was_unused_longest() {
    let mut jar = Jar::default();
    let rarely = Site {
        path: "/rarely/x",
        ..SITE
    };
    jar.keep(b"rare=1; Path=/rarely", rarely, 0);
    jar.keep(b"ended=1; Max-Age=1", SITE, 0);
    for index in 0..MOST_OF_A_DOMAIN - 2 {
        jar.keep(format!("n{index}=v; Path=/").as_bytes(), SITE, 0);
    }
    jar.keep(
        b"other=1",
        Site {
            host: "other.example",
            ..SITE
        },
        0,
    );
    // All but the rare one are in use.
    jar.header(SITE, || 0);
    jar.keep(b"first=1; Path=/", SITE, 2_000);
    assert!(
        jar.header(rarely, || 2_000)
            .unwrap()
            .starts_with(b"rare=1; "),
        "room was made by what had ended"
    );
    jar.header(SITE, || 2_000);
    jar.keep(b"second=1; Path=/", SITE, 2_000);
    let line = jar.header(rarely, || 2_000).unwrap();
    assert!(!line.starts_with(b"rare"));
    assert!(line.ends_with(b"second=1"));
    assert_eq!(line.split(|byte| *byte == b';').count(), MOST_OF_A_DOMAIN);
    assert!(
        jar.get(
            "other",
            Site {
                host: "other.example",
                ..SITE
            },
            2_000
        )
        .is_some()
    );
}

#[test]
fn a_user_has_a_bounded_number_of_cookies() {
    let mut jar = Jar::default();
    for index in 0..MOST_OF_ALL + 50 {
        let host = format!("h{}.example", index % 100);
        let site = Site {
            host: &host,
            ..SITE
        };
        jar.keep(format!("n{index}=v").as_bytes(), site, 0);
    }
    assert_eq!(jar.iter(0).count(), MOST_OF_ALL);
}

#[test]
fn what_a_scenario_sets_is_bounded_too() {
    let mut jar = Jar::default();
    assert!(jar.set("a", "b c", SITE, 0));
    assert!(!jar.set("x", "b\r\nX-Injected: 1", SITE, 0));
    assert!(!jar.set("x", &"v".repeat(4096), SITE, 0));
    assert_eq!(sent(&mut jar), "a=b c");
}

#[test]
fn a_fork_brings_back_what_changed_in_it() {
    let mut jar = Jar::default();
    for header in ["kept=1", "changed=1", "removed=1", "both=1"] {
        jar.keep(header.as_bytes(), SITE, 0);
    }
    let mut fork = jar.fork();
    fork.keep(b"changed=2", SITE, 0);
    fork.keep(b"removed=; Max-Age=0", SITE, 0);
    fork.keep(b"new=2", SITE, 0);
    jar.keep(b"kept=3", SITE, 0);
    jar.keep(b"both=3", SITE, 0);
    jar.keep(b"beside=3", SITE, 0);
    jar.join(fork, 0);
    assert_eq!(sent(&mut jar), "kept=3; changed=2; both=3; beside=3; new=2");
}

#[test]
fn forks_of_an_empty_jar_and_cleared_ones_are_joined() {
    let mut jar = Jar::default();
    let mut fork = jar.fork();
    fork.keep(b"a=1", SITE, 0);
    jar.keep(b"b=1", SITE, 0);
    jar.join(fork, 0);
    assert_eq!(sent(&mut jar), "b=1; a=1");
    let mut fork = jar.fork();
    fork.clear();
    fork.keep(b"c=1", SITE, 0);
    jar.join(fork, 0);
    assert_eq!(sent(&mut jar), "c=1");
    let fork = jar.fork();
    jar.clear();
    jar.keep(b"d=1", SITE, 0);
    jar.join(fork, 0);
    assert_eq!(
        sent(&mut jar),
        "d=1",
        "a fork does not bring back what it was only given"
    );
}
