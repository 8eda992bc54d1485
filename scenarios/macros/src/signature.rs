//! Whether functions are written as the engine calls them.

use quote::ToTokens;
use syn::{FnArg, GenericParam, ImplItemFn, ReceiverKind, ReturnType, Type, TypeReference};

use crate::block::{Owner, last_segment};
use crate::errors::Errors;

/// Checks a function marked as a task.
pub(crate) fn check_task(function: &ImplItemFn, owner: &Owner, errors: &mut Errors) {
    let name = function.sig.ident.to_string();
    let reason = match name.as_str() {
        "on_start" => "it runs once, before the first task",
        "on_stop" => "it runs once, after the last task",
        "wait_time" => "it says how long to wait between tasks",
        "run" => "that name is the engine's, as in Locust",
        _ => return check(function, "a task", owner, errors),
    };
    errors.add(
        &function.sig.ident,
        format!("`{name}` cannot be a task ({reason}): remove #[task] or give it another name"),
    );
}

/// Checks `on_start` and `on_stop`.
pub(crate) fn check_hook(function: &ImplItemFn, owner: &Owner, errors: &mut Errors) {
    let what = format!("`{}`", function.sig.ident);
    check(function, &what, owner, errors);
}

/// Checks `fn wait_time(&mut self) -> Duration`; a task set's may see the user.
pub(crate) fn check_wait_time(function: &ImplItemFn, owner: &Owner, errors: &mut Errors) {
    let signature = &function.sig;
    let mut inputs = signature.inputs.iter();
    let receiver = matches!(
        inputs.next(),
        Some(FnArg::Receiver(receiver)) if matches!(receiver.kind, ReceiverKind::Reference(..))
    );
    let most = match owner {
        Owner::User => 0,
        Owner::TaskSet { .. } | Owner::MarkovTaskSet { .. } => 1,
    };
    let right = receiver
        && inputs.len() <= most
        && inputs.all(|input| mutable_reference(input).is_some())
        && signature.asyncness.is_none()
        && signature.generics.params.is_empty()
        && !matches!(signature.output, ReturnType::Default);
    if !right {
        errors.add(
            &signature.ident,
            "`wait_time` is written `fn wait_time(&mut self) -> Duration`",
        );
    }
}

/// Tells the first thing that is wrong; the rest would follow from it.
fn check(function: &ImplItemFn, what: &str, owner: &Owner, errors: &mut Errors) {
    let signature = &function.sig;
    let wanted = wanted(function, owner);
    if signature.asyncness.is_none() {
        return errors.add(
            signature.fn_token,
            format!("{what} is async: write `{wanted}`"),
        );
    }
    let types = signature
        .generics
        .params
        .iter()
        .find(|parameter| !matches!(parameter, GenericParam::Lifetime(_)));
    if let Some(parameter) = types {
        return errors.add(
            parameter,
            format!("{what} has no type parameters: write `{wanted}`"),
        );
    }
    if !parameters_fit(function, owner) {
        let message = format!("these are not the parameters of {what}: write `{wanted}`");
        return if signature.inputs.is_empty() {
            errors.add(&signature.ident, message)
        } else {
            errors.add(&signature.inputs, message)
        };
    }
    if matches!(signature.output, ReturnType::Default) {
        errors.add(
            &signature.ident,
            format!("{what} returns TaskResult: write `{wanted}`"),
        );
    }
}

/// How the function should have been written.
fn wanted(function: &ImplItemFn, owner: &Owner) -> String {
    let name = &function.sig.ident;
    let user = match owner {
        Owner::User => String::new(),
        Owner::TaskSet { user } | Owner::MarkovTaskSet { user } => {
            let user = user
                .as_ref()
                .and_then(last_segment)
                .map_or_else(|| "WebsiteUser".to_owned(), ToString::to_string);
            format!(", user: &mut {user}")
        }
    };
    format!("async fn {name}(&mut self{user}, client: &mut Client) -> TaskResult")
}

/// Whether the parameters can be right. Names of types may be aliases, so the compiler says the rest.
fn parameters_fit(function: &ImplItemFn, owner: &Owner) -> bool {
    let mut inputs = function.sig.inputs.iter();
    let receiver = matches!(
        inputs.next(),
        Some(FnArg::Receiver(receiver))
            if matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_)))
    );
    let others: Option<Vec<&Type>> = inputs.map(mutable_reference).collect();
    let Some(others) = others else { return false };
    let fits = match owner {
        Owner::User => others.len() == 1,
        Owner::TaskSet { .. } | Owner::MarkovTaskSet { .. } => {
            others.len() == 2 && others[0].to_token_stream().to_string() != "Client"
        }
    };
    receiver && fits
}

/// `T` of a parameter `name: &mut T`.
fn mutable_reference(argument: &FnArg) -> Option<&Type> {
    match argument {
        FnArg::Typed(typed) => match typed.ty.as_ref() {
            Type::Reference(TypeReference {
                mutability: Some(_),
                elem,
                ..
            }) => Some(elem),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    }
}
