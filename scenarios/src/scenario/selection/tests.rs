#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::client::Client;
use crate::task::{TaskOptions, TaskResult, TaskSet, TaskSetBuilder};
use crate::user::FastHttpUser;

struct Nothing;

impl Nothing {
    async fn task((): &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }

    async fn inner((): &mut (), (): &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn options(name: &str, weight: u32, tags: &[&str]) -> TaskOptions {
    TaskOptions::new(name)
        .weight(weight)
        .tags(tags.iter().copied())
}

/// A user type that browses: a task set with a task set in it.
fn scenario() -> Scenario {
    let deep = TaskSetBuilder::<(), ()>::sequential("Deep")
        .task_with(options("deep", 3, &["slow"]), Nothing::inner);
    let browse = TaskSetBuilder::<(), ()>::new("Browse")
        .task_with(options("list", 2, &["api"]), Nothing::inner)
        .task_with(options("look", 1, &[]), Nothing::inner)
        .task_set(options("Deep", 1, &[]), deep);
    Scenario::new("shop")
        .user(
            FastHttpUser::<()>::new("Visitor")
                .task_with(options("home", 4, &["page", "fast"]), Nothing::task)
                .task_with(options("plain", 1, &[]), Nothing::task)
                .task_set(options("Browse", 5, &["browse"]), browse),
        )
        .user(
            FastHttpUser::<()>::new("Editor")
                .weight(2.5)
                .task_with(options("save", 2, &["api"]), Nothing::task),
        )
}

/// What is left, with weights: `Visitor[home*4 Browse*5[list*2]]`.
fn left(tags: &[&str], exclude_tags: &[&str]) -> String {
    let owned = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    let selected = scenario().select(&Selection {
        tags: owned(tags),
        exclude_tags: owned(exclude_tags),
        ..Selection::default()
    });
    match selected {
        Ok(scenario) => shown(&scenario),
        Err(error) => error.to_string(),
    }
}

fn shown(scenario: &Scenario) -> String {
    fn list(tasks: &[TaskEntry]) -> String {
        let tasks = tasks.iter().filter(|task| task.weight() > 0).map(|task| {
            let inner = match task.tasks() {
                [] => String::new(),
                inner => list(inner),
            };
            format!("{}*{}{inner}", task.name(), task.weight())
        });
        format!("[{}]", tasks.collect::<Vec<_>>().join(" "))
    }
    let types = scenario.user_types.iter();
    let types = types.map(|user_type| format!("{}{}", user_type.name(), list(user_type.tasks())));
    types.collect::<Vec<_>>().join(" ")
}

#[test]
fn tags_keep_and_drop_as_in_locust() {
    assert_eq!(
        left(&[], &[]),
        "Visitor[home*4 plain*1 Browse*5[list*2 look*1 Deep*1[deep*3]]] Editor[save*2]"
    );
    assert_eq!(
        left(&["api"], &[]),
        "Visitor[Browse*5[list*2]] Editor[save*2]"
    );
    assert_eq!(
        left(&["fast", "slow"], &[]),
        "Visitor[home*4 Browse*5[Deep*1[deep*3]]]"
    );
    assert_eq!(
        left(&["browse"], &[]),
        "Visitor[Browse*5[list*2 look*1 Deep*1[deep*3]]]",
        "the tags of a task set are those of its tasks"
    );
    assert_eq!(
        left(&["browse"], &["slow", "api"]),
        "Visitor[Browse*5[look*1]]"
    );
    assert_eq!(left(&[], &["browse", "api"]), "Visitor[home*4 plain*1]");
    assert_eq!(
        left(&["api"], &["api"]),
        "no task of scenario `shop` is left after selecting by tags; available tags: api, \
         browse, fast, page, slow"
    );
}

#[test]
fn markov_task_sets_are_kept_whole() {
    let markov = || {
        TaskSetBuilder::<(), ()>::markov("Chain")
            .task_with(options("a", 1, &[]), Nothing::inner)
            .transitions("a", [("a", 1)])
    };
    let user = FastHttpUser::<()>::new("Walker")
        .task_with(options("plain", 1, &[]), Nothing::task)
        .task_set(options("Chain", 1, &[]), markov());
    let selection = Selection {
        tags: vec!["no task has this".into()],
        ..Selection::default()
    };
    let selected = Scenario::new("markov")
        .user(user)
        .select(&selection)
        .unwrap();
    assert_eq!(shown(&selected), "Walker[Chain*1[a*1]]");
}

/// Why the tag cannot be counted in what these select; nothing if it can.
fn counting(tag: &str, selection: &Selection) -> String {
    let chain = TaskSetBuilder::<(), ()>::markov("Chain")
        .task_with(options("a", 0, &[]), Nothing::inner)
        .task_with(options("b", 1, &[]), Nothing::inner)
        .transitions("a", [("b", 1)])
        .transitions("b", [("a", 1)]);
    let around = TaskSetBuilder::<(), ()>::new("Around").task_set(options("Chain", 1, &[]), chain);
    let walker = FastHttpUser::<()>::new("Walker")
        .task_with(options("never", 0, &["unused"]), Nothing::task)
        .task_set(options("Around", 1, &["chained"]), around);
    let selected = scenario().user(walker).select(selection).unwrap();
    match selected.counting_tags(&[tag.to_owned()]) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_tag_that_no_selected_task_has_cannot_be_counted() {
    let all = Selection::default();
    let of = |user_type: &str| Selection {
        user_types: vec![user_type.to_owned()],
        ..Selection::default()
    };
    let without = |tag: &str| Selection {
        exclude_tags: vec![tag.to_owned()],
        ..Selection::default()
    };
    for tag in ["api", "browse", "slow", "chained"] {
        assert_eq!(counting(tag, &all), "");
    }
    assert_eq!(counting("api", &of("Editor")), "");
    assert_eq!(
        counting("slow", &of("Editor")),
        "a threshold is about tag `slow`, which none of the selected tasks of scenario `shop` has; available tags: api"
    );
    // Excluded, of weight 0, and in a set of which nothing is left; a chain is kept whole.
    assert!(counting("slow", &without("slow")).ends_with("api, browse, chained, fast, page"));
    assert!(counting("unused", &all).contains("tag `unused`"));
    let only_list = Selection {
        tags: vec!["fast".into()],
        ..Selection::default()
    };
    assert!(counting("browse", &only_list).contains("tag `browse`"));
    assert_eq!(counting("chained", &only_list), "");
}

#[test]
fn user_types_are_chosen_by_name_and_weight() {
    let with = |names: &[&str]| Selection {
        user_types: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Selection::default()
    };
    assert_eq!(
        shown(&scenario().select(&with(&["Editor"])).unwrap()),
        "Editor[save*2]"
    );
    let idle = |weight, count| {
        FastHttpUser::<()>::new("Idle")
            .weight(weight)
            .fixed_count(count)
            .task(1, Nothing::task)
    };
    let idle_only = Scenario::new("idle").user(idle(0.0, 0));
    assert_eq!(shown(&idle_only.select(&Selection::default()).unwrap()), "");
    let fixed = Scenario::new("fixed").user(idle(0.0, 2));
    assert!(fixed.select(&Selection::default()).is_ok());
}

#[test]
fn equal_weights_make_everybody_alike() {
    let selection = Selection {
        equal_weights: true,
        ..Selection::default()
    };
    let selected = scenario().select(&selection).unwrap();
    assert_eq!(
        shown(&selected),
        "Visitor[home*1 plain*1 Browse*1[list*1 look*1 Deep*1[deep*1]]] Editor[save*1]"
    );
    assert_eq!(selected.user_types[1].weight(), 1.0);
    assert_eq!(scenario().tags(), ["api", "browse", "fast", "page", "slow"]);
}

#[test]
fn what_cannot_work_is_reported_before_load_starts() {
    let refused = |user: FastHttpUser<()>| {
        Scenario::new("bad")
            .user(user)
            .check()
            .unwrap_err()
            .to_string()
    };
    let user = || FastHttpUser::<()>::new("User").task(1, Nothing::task);
    assert_eq!(
        refused(user().host("shop.example")),
        "user type `User`: its host `shop.example` is not an http:// or https:// URL with a host name"
    );
    assert_eq!(
        refused(user().wait_time(crate::task::constant_throughput(-1.0))),
        "user type `User`: constant_throughput() requires a positive rate, got: -1"
    );
    let set = |set: TaskSetBuilder<(), ()>| user().task_set(TaskOptions::new("Set"), set);
    let message = refused(set(TaskSetBuilder::markov("Set")));
    assert!(
        message.contains("no Markov tasks defined in task set `Set`"),
        "{message}"
    );
    let chain = TaskSetBuilder::<(), ()>::markov("Chain")
        .task_with(options("a", 1, &[]), Nothing::inner)
        .transitions("a", [("a", 1)]);
    let message = refused(user().task_set(options("Chain", 1, &["api"]), chain));
    assert!(
        message.ends_with("Tags detected on Chain of task set `User`: api"),
        "{message}"
    );
    // Also deep inside, and for another order.
    let wrong: TaskSet<()> = TaskSetBuilder::<(), ()>::new("Wrong")
        .transitions("a", [("a", 1)])
        .into();
    let message = refused(set(
        TaskSetBuilder::new("Set").task_set(TaskOptions::new("Wrong"), wrong)
    ));
    assert!(
        message.contains("has transitions and is not a Markov task set"),
        "{message}"
    );
    let twice = Scenario::new("twice").user(user()).user(user());
    assert!(twice.check().unwrap_err().to_string().contains("same name"));
    assert_eq!(scenario().check(), Ok(()));
}

proptest! {
    /// Locust's rule on flat lists of tasks: keep if any tag is wanted, drop if any is excluded.
    #[test]
    fn flat_tasks_are_filtered_as_in_locust(
        tasks in prop::collection::vec(prop::collection::btree_set(0..4u8, 0..3), 1..6),
        wanted in prop::collection::btree_set(0..4u8, 0..3),
        excluded in prop::collection::btree_set(0..4u8, 0..3),
    ) {
        let names = |tags: &BTreeSet<u8>| tags.iter().map(u8::to_string).collect::<Vec<_>>();
        let mut user = FastHttpUser::<()>::new("User");
        let mut expected = Vec::new();
        for (index, tags) in tasks.iter().enumerate() {
            let options = TaskOptions::new(index.to_string()).tags(names(tags));
            user = user.task_with(options, Nothing::task);
            let kept = (wanted.is_empty() || tags.iter().any(|tag| wanted.contains(tag)))
                && !tags.iter().any(|tag| excluded.contains(tag));
            expected.push(u32::from(kept));
        }
        let selection = Selection {
            tags: names(&wanted),
            exclude_tags: names(&excluded),
            ..Selection::default()
        };
        match Scenario::new("flat").user(user).select(&selection) {
            Ok(selected) => {
                let weights: Vec<u32> =
                    selected.user_types[0].tasks().iter().map(TaskEntry::weight).collect();
                prop_assert_eq!(weights, expected);
            }
            Err(_) => prop_assert!(expected.iter().all(|kept| *kept == 0)),
        }
    }
}
