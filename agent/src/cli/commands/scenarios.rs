//! `greylag scenarios`: what is compiled in.

use clap::Args;
use greylag_scenarios::{Scenario, TaskEntry};

use crate::cli::print::print_line;

/// Options of `greylag scenarios`.
#[derive(Debug, Args)]
pub(crate) struct ScenariosOptions {
    /// Also show the tasks and how often each is picked; Locust's --show-task-ratio.
    #[arg(long, visible_alias = "show-task-ratio")]
    tasks: bool,
}

/// Lists scenarios with their user types and options.
pub(crate) fn list(options: &ScenariosOptions, scenarios: &[Scenario]) {
    if scenarios.is_empty() {
        print_line(
            "No scenarios are compiled in; a test file can declare requests (greylag run FILE).",
        );
    }
    for scenario in scenarios {
        if scenario.description.is_empty() {
            print_line(&scenario.name);
        } else {
            print_line(format_args!("{}: {}", scenario.name, scenario.description));
        }
        for user_type in &scenario.user_types {
            match user_type.fixed_count() {
                0 => print_line(format_args!(
                    "    {} (weight {})",
                    user_type.name(),
                    user_type.weight()
                )),
                count => print_line(format_args!("    {} (exactly {count})", user_type.name())),
            }
            if options.tasks {
                list_tasks(user_type.tasks(), 2);
            }
        }
        if scenario.has_shape() {
            print_line("    has its own load shape");
        }
        for option in &scenario.options {
            print_line(format_args!(
                "    --{} ({}) {}",
                option.name, option.kind, option.help
            ));
        }
    }
}

/// Locust's `--list`: the names of user types.
pub(crate) fn list_users(scenarios: &[&Scenario]) {
    for scenario in scenarios {
        match scenarios {
            [_] => print_line("Available Users:"),
            _ => print_line(format_args!(
                "Available Users of scenario {}:",
                scenario.name
            )),
        }
        for user_type in &scenario.user_types {
            print_line(format_args!("    {}", user_type.name()));
        }
    }
}

/// Locust's `--show-task-ratio`: each user type with its tasks.
pub(crate) fn list_tasks_of(scenarios: &[&Scenario]) {
    for scenario in scenarios {
        print_line(&scenario.name);
        for user_type in &scenario.user_types {
            print_line(format_args!("    {}", user_type.name()));
            list_tasks(user_type.tasks(), 2);
        }
    }
}

/// Tasks as `50.0% name [tags]`, those of a set below it.
fn list_tasks(tasks: &[TaskEntry], depth: usize) {
    let total: u64 = tasks.iter().map(|task| u64::from(task.weight())).sum();
    for task in tasks {
        let percent = match total {
            0 => 0.0,
            _ => f64::from(task.weight()) * 100.0 / total as f64,
        };
        let tags: Vec<&str> = task.tags().collect();
        let tags = match tags.as_slice() {
            [] => String::new(),
            tags => format!(" [{}]", tags.join(", ")),
        };
        print_line(format_args!(
            "{:indent$}{percent:5.1}% {}{tags}",
            "",
            task.name(),
            indent = depth * 4
        ));
        list_tasks(task.tasks(), depth + 1);
    }
}
