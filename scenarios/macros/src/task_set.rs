//! `#[task_set]`, `#[sequential_task_set]` and `#[markov_task_set]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use crate::arguments::{Arguments, Form, Known};
use crate::block::{Block, Owner};
use crate::errors::Errors;
use crate::{expand, markov};

const USER: Known = Known {
    name: "user",
    form: Form::Type,
    example: "user = WebsiteUser",
};
const WAIT_TIME: Known = Known {
    name: "wait_time",
    form: Form::Value,
    example: "wait_time = between(1.0, 3.0)",
};
const STATE: Known = Known {
    name: "state",
    form: Form::Value,
    example: "state = Self::new()",
};
const TAGS: Known = Known {
    name: "tags",
    form: Form::Texts,
    example: "tags(\"api\")",
};

/// How a task set picks its next task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Random,
    Sequential,
    Markov,
}

impl Order {
    fn attribute(self) -> &'static str {
        match self {
            Self::Random => "task_set",
            Self::Sequential => "sequential_task_set",
            Self::Markov => "markov_task_set",
        }
    }

    /// The builder's `TaskOrder`.
    fn variant(self) -> Ident {
        let name = match self {
            Self::Random => "Random",
            Self::Sequential => "Sequential",
            Self::Markov => "Markov",
        };
        Ident::new(name, Span::mixed_site())
    }
}

/// Makes a task set of an impl block.
pub(crate) fn expand(order: Order, arguments: TokenStream, input: TokenStream) -> TokenStream {
    let attribute = order.attribute();
    let mut errors = Errors::default();
    let arguments = errors
        .keep(Arguments::parse(
            arguments,
            attribute,
            &[USER, WAIT_TIME, STATE, TAGS],
        ))
        .unwrap_or_else(Arguments::none);
    let user = arguments.type_of("user").cloned();
    if user.is_none() && errors.is_empty() {
        errors.push(syn::Error::new(
            Span::call_site(),
            format!("say whose task set this is: write `#[{attribute}(user = WebsiteUser)]`"),
        ));
    }
    if order == Order::Markov
        && let Some(span) = arguments.span("tags")
    {
        errors.push(syn::Error::new(
            span,
            "tasks of a Markov task set have no tags, because leaving one out would break the chain: remove them, it always runs whole",
        ));
    }
    let owner = match order {
        Order::Markov => Owner::MarkovTaskSet { user: user.clone() },
        _ => Owner::TaskSet { user: user.clone() },
    };
    let block = match Block::parse(input, attribute, owner, &mut errors) {
        Ok(block) => block,
        Err(instead) => {
            return expand::finish(&instead, errors, TokenStream::new(), TokenStream::new());
        }
    };
    if order == Order::Markov {
        markov::check(&block, &mut errors);
    }
    let body = expand::body(&block, &arguments, &mut errors);
    let Some(user) = user else {
        return expand::finish(&block.item, errors, TokenStream::new(), TokenStream::new());
    };
    let name = &block.name;
    let ty = &block.item.self_ty;
    let order = order.variant();
    let builder = expand::builder();
    let state = expand::state(&block, &arguments);
    let definition = |body: TokenStream| {
        quote! {
            impl ::greylag::macro_support::TaskSetDef for #ty {
                type User = #user;
                fn task_set() -> ::greylag::macro_support::TaskSet<#user> { #body }
            }
        }
    };
    let implementation = definition(quote! {
        let #builder = ::greylag::macro_support::TaskSetBuilder::<Self, #user>::with_state(
            #name,
            ::greylag::macro_support::TaskOrder::#order,
            #state,
        );
        #body
        ::core::convert::Into::into(#builder)
    });
    let placeholder = definition(quote!(::core::unreachable!("it was not compiled")));
    expand::finish(&block.item, errors, implementation, placeholder)
}
