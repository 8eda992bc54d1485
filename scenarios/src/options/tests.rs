use std::collections::BTreeMap;

use super::*;
use crate::scenario::Scenario;

fn scenario() -> Scenario {
    Scenario::new("options")
        .option(CustomOption::text("api-key").secret().default("k-default"))
        .option(
            CustomOption::integer("page-size")
                .default(20)
                .help("Rows per page"),
        )
        .option(CustomOption::number("share"))
        .option(CustomOption::flag("verbose"))
        .option(CustomOption::text("plan").choices(["free", "paid"]))
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn what_is_not_given_has_its_default() {
    let options = Options::new(&scenario().options, &BTreeMap::new());
    assert_eq!(options.text("api-key"), Ok("k-default"));
    assert_eq!(options.integer("page-size"), Ok(20));
    assert_eq!(options.number("share"), Ok(0.0));
    assert_eq!(options.flag("verbose"), Ok(false));
    assert_eq!(options.text("plan"), Ok("free"), "the first choice");
}

#[test]
fn what_is_given_is_read_by_its_kind() {
    let given = given(&[
        ("api-key", "s3cret"),
        ("page-size", "-5"),
        ("share", "0.25"),
        ("verbose", "true"),
        ("plan", "paid"),
    ]);
    let options = Options::new(&scenario().options, &given);
    assert_eq!(options.text("api-key"), Ok("s3cret"));
    assert_eq!(options.integer("page-size"), Ok(-5));
    assert_eq!(options.number("share"), Ok(0.25));
    assert_eq!(options.flag("verbose"), Ok(true));
    assert_eq!(options.text("plan"), Ok("paid"));
}

#[test]
fn code_that_reads_an_option_wrongly_gets_an_error() {
    let options = Options::new(&scenario().options, &BTreeMap::new());
    let message = |error: OptionError| error.to_string();
    assert_eq!(
        options.integer("plan").map_err(message),
        Err("option `plan` is declared as a text, but read as a whole number".to_owned())
    );
    assert_eq!(
        options.text("paln").map_err(message),
        Err("the scenario has no option `paln`: it declares api-key, page-size, plan, share, verbose".to_owned())
    );
    // A value that was never checked is an error, no panic.
    let unchecked = Options::new(&scenario().options, &given(&[("page-size", "x")]));
    assert_eq!(
        unchecked.integer("page-size").map_err(message),
        Err("option `page-size` must be a whole number, not `x`".to_owned())
    );
}

#[test]
fn secrets_are_never_shown() {
    let declared = [
        CustomOption::text("api-key").secret().default("s3cret"),
        CustomOption::integer("pin").secret(),
        CustomOption::text("mode")
            .secret()
            .choices(["s3cret-a", "s3cret-b"]),
    ];
    let texts = given(&[("api-key", "s3cret")]);
    let shown = [
        format!("{declared:?}"),
        format!("{:?}", Options::new(&declared, &texts)),
        Options::new(&declared, &given(&[("pin", "s3cret")]))
            .integer("pin")
            .expect_err("not a number")
            .to_string(),
        format!(
            "{:?}",
            crate::run::RunSettings {
                options: texts,
                ..Default::default()
            }
        ),
    ];
    for text in shown {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
