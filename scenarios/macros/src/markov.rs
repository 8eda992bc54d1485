//! Whether the transitions of a Markov task set lead to tasks of the same set.

use crate::arguments::suggestion;
use crate::block::Block;
use crate::errors::Errors;

/// Checks every transition's target, as Locust does when the class is made.
pub(crate) fn check(block: &Block, errors: &mut Errors) {
    let functions: Vec<String> = block
        .item
        .items
        .iter()
        .filter_map(|item| match item {
            syn::ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
            _ => None,
        })
        .collect();
    let tasks: Vec<String> = block
        .tasks
        .iter()
        .map(|task| task.name.to_string())
        .collect();
    for transition in block.tasks.iter().flat_map(|task| &task.transitions) {
        let to = transition.to.to_string();
        if tasks.contains(&to) {
            continue;
        }
        let message = if functions.contains(&to) {
            format!("`{to}` is not a task: write #[task] and #[transitions(…)] on it")
        } else {
            format!(
                "`{}` has no task `{to}`; {}",
                block.name,
                suggestion(&to, tasks.iter().map(String::as_str), "its tasks are")
            )
        };
        errors.push(syn::Error::new(transition.to.span(), message));
    }
}
