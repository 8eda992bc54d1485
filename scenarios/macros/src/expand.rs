//! The builder calls that a block becomes.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, Ident, LitStr};

use crate::arguments::Arguments;
use crate::block::{Block, Hook, Owner, WaitTime};
use crate::errors::Errors;
use crate::task::{Body, Task};

/// The builder under construction; its name cannot meet one of the user's.
pub(crate) fn builder() -> Ident {
    Ident::new("builder", Span::mixed_site())
}

/// `builder.method(argument)`.
pub(crate) fn call(method: &str, argument: impl quote::ToTokens) -> TokenStream {
    let builder = builder();
    let method = Ident::new(method, Span::mixed_site());
    quote!(let #builder = #builder.#method(#argument);)
}

/// `state = …`, or the type's default.
pub(crate) fn state(block: &Block, arguments: &Arguments) -> TokenStream {
    match arguments.expression("state") {
        Some(state) => quote!(|| -> Self { #state }),
        None => {
            let span = syn::spanned::Spanned::span(&block.item.self_ty);
            quote_spanned!(span=> ::greylag::macro_support::default_state::<Self>)
        }
    }
}

/// The calls for the wait time, the hooks and the tasks.
pub(crate) fn body(block: &Block, arguments: &Arguments, errors: &mut Errors) -> TokenStream {
    let wait_time = wait_time(block, arguments, errors);
    let on_start = hooks("on_start", &block.on_start);
    let on_stop = hooks("on_stop", &block.on_stop);
    let tags = arguments.texts("tags");
    let tasks = block.tasks.iter().map(|task| one_task(block, task, tags));
    let transitions = block.tasks.iter().map(|task| transitions(block, task));
    quote!(#wait_time #on_start #on_stop #(#tasks)* #(#transitions)*)
}

fn wait_time(block: &Block, arguments: &Arguments, errors: &mut Errors) -> TokenStream {
    let given = arguments.expression("wait_time");
    match (given, block.wait_time.as_slice()) {
        (Some(expression), [_, ..]) => {
            errors.add(
                expression,
                "the wait time is given twice, here and as `fn wait_time`: remove one of the two",
            );
            TokenStream::new()
        }
        (Some(expression), []) => call("wait_time", expression),
        (None, own) => own.iter().map(|own| wait_time_fn(block, own)).collect(),
    }
}

/// The closure lets `wait_time` take `&self`, and see the user or not.
fn wait_time_fn(block: &Block, own: &WaitTime) -> TokenStream {
    let Hook { name, cfg } = &own.hook;
    let state = Ident::new("state", Span::mixed_site());
    let user = Ident::new("user", Span::mixed_site());
    let function = match (&block.owner, own.sees_user) {
        (Owner::User, _) => quote_spanned!(name.span()=> |#state: &mut Self| #state.#name()),
        (_, false) => quote_spanned!(name.span()=> |#state: &mut Self, _| #state.#name()),
        (_, true) => quote_spanned!(name.span()=> |#state: &mut Self, #user| #state.#name(#user)),
    };
    let call = call("wait_time_fn", function);
    quote!(#(#cfg)* #call)
}

fn hooks(method: &str, hooks: &[Hook]) -> TokenStream {
    let calls = hooks.iter().map(|Hook { name, cfg }| {
        let call = call(method, quote_spanned!(name.span()=> Self::#name));
        quote!(#(#cfg)* #call)
    });
    calls.collect()
}

/// The name a task has in the results: `WebsiteUser::products`.
fn result_name(block: &Block, task: &Task) -> String {
    format!("{}::{}", block.name, task.plain_name())
}

fn one_task(block: &Block, task: &Task, tags_of_all: &[LitStr]) -> TokenStream {
    let cfg = &task.cfg;
    let result_name = result_name(block, task);
    let weight = task.weight.iter();
    let tags: Vec<&LitStr> = tags_of_all.iter().chain(&task.tags).collect();
    let tags = (!tags.is_empty()).then(|| quote!(.tags([#(#tags),*])));
    let options = quote! {
        ::greylag::macro_support::TaskOptions::new(#result_name) #(.weight(#weight))* #tags
    };
    let name = &task.name;
    let call = match &task.body {
        Body::Function => {
            let function = quote_spanned!(name.span()=> Self::#name);
            call("task_with", quote!(#options, #function))
        }
        Body::TaskSet(set) => {
            let span = syn::spanned::Spanned::span(set);
            let user = match &block.owner {
                Owner::TaskSet { user: Some(user) } | Owner::MarkovTaskSet { user: Some(user) } => {
                    quote!(#user)
                }
                _ => quote!(Self),
            };
            let nested = quote_spanned!(span=> ::greylag::macro_support::nested::<#set, #user>());
            call("task_set", quote!(#options, #nested))
        }
    };
    quote!(#(#cfg)* #call)
}

fn transitions(block: &Block, task: &Task) -> TokenStream {
    if task.transitions.is_empty() {
        return TokenStream::new();
    }
    let cfg = &task.cfg;
    let from = result_name(block, task);
    let to = task.transitions.iter().map(|transition| {
        let target = block.tasks.iter().find(|task| task.name == transition.to);
        target.map_or_else(String::new, |task| result_name(block, task))
    });
    let weights = task.transitions.iter().map(|transition| &transition.weight);
    let call = call("transitions", quote!(#from, [#((#to, #weights)),*]));
    quote!(#(#cfg)* #call)
}

/// The calls for arguments that are handed on as they are.
pub(crate) fn handed_on(arguments: &Arguments, names: &[&str]) -> TokenStream {
    let given = names
        .iter()
        .filter_map(|name| Some((name, arguments.expression(name)?)));
    given
        .map(|(name, expression): (&&str, &Expr)| call(name, expression))
        .collect()
}

/// The block itself with what implements the trait, or with the errors and a trait that exists all
/// the same, so that the uses of the type are not reported too.
pub(crate) fn finish(
    item: &impl quote::ToTokens,
    errors: Errors,
    implementation: TokenStream,
    placeholder: TokenStream,
) -> TokenStream {
    match errors.into_tokens() {
        Some(errors) => quote!(#item #placeholder #errors),
        None => quote!(#item #implementation),
    }
}
