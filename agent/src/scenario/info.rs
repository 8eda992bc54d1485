//! A compiled-in scenario as the coordinator gets to know it.

use greylag_infra::protocol::{OptionInfo, OptionKind, ScenarioInfo, UserTypeInfo};
use greylag_scenarios::{CustomOption, CustomOptionKind, Scenario};

/// What start forms and checks of a coordinator need to know of a scenario. Nothing that is secret.
pub(crate) fn scenario_info(scenario: &Scenario) -> ScenarioInfo {
    let mut info = whole_scenario_info(scenario);
    for option in info.options.iter_mut().filter(|option| option.secret) {
        // A default that must not be shown stays here: a worker that is given nothing uses it.
        option.default.clear();
        option.choices.clear();
    }
    info
}

/// Everything about a scenario, for checks in this process.
pub(crate) fn whole_scenario_info(scenario: &Scenario) -> ScenarioInfo {
    ScenarioInfo {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        user_types: scenario
            .user_types
            .iter()
            .map(|user_type| UserTypeInfo {
                name: user_type.name().to_owned(),
                weight: user_type.weight(),
                fixed_count: user_type.fixed_count(),
                host: user_type.host().map(ToString::to_string),
            })
            .collect(),
        tags: scenario.tags(),
        options: scenario.options.iter().map(option_info).collect(),
        has_shape: scenario.has_shape(),
    }
}

/// Everything about an option, for checks in this process.
pub(crate) fn option_info(option: &CustomOption) -> OptionInfo {
    OptionInfo {
        name: option.name.clone(),
        kind: match option.kind {
            CustomOptionKind::Text => OptionKind::Text,
            CustomOptionKind::Integer => OptionKind::Integer,
            CustomOptionKind::Number => OptionKind::Number,
            CustomOptionKind::Flag => OptionKind::Flag,
        },
        default: option.default.clone(),
        help: option.help.clone(),
        secret: option.secret,
        choices: option.choices.clone(),
    }
}

#[cfg(test)]
mod tests {
    use greylag_scenarios::{FastHttpUser, TaskOptions};

    use super::*;

    #[test]
    fn everything_is_told_but_secrets() {
        let shopper = FastHttpUser::<()>::new("Shopper")
            .weight(2.5)
            .host("http://shop.example")
            .task_with(
                TaskOptions::new("browse").tags(["web", "api"]),
                async |_: &mut (), _: &mut greylag_scenarios::client::Client| Ok(()),
            );
        let scenario = Scenario::new("shop")
            .description("buys")
            .user(shopper)
            .option(CustomOption::integer("pages").default(3).help("How many."))
            .option(CustomOption::text("key").default("s3cret").secret());
        let info = scenario_info(&scenario);
        assert_eq!(
            (info.name.as_str(), info.description.as_str()),
            ("shop", "buys")
        );
        assert_eq!(info.tags, ["api", "web"]);
        assert!(!info.has_shape);
        let user_type = &info.user_types[0];
        assert_eq!(
            (
                user_type.name.as_str(),
                user_type.weight,
                user_type.fixed_count
            ),
            ("Shopper", 2.5, 0)
        );
        assert!(user_type.host.as_deref().unwrap().contains("shop.example"));
        let [pages, key] = &info.options[..] else {
            panic!("two options: {:?}", info.options);
        };
        assert_eq!(
            (pages.kind, pages.default.as_str()),
            (OptionKind::Integer, "3")
        );
        assert_eq!((key.secret, key.default.as_str()), (true, ""));
    }
}
