//! One task of a block: `#[task(…)]` and `#[transitions(…)]` read.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Ident, LitStr, Meta, Token, Type};

use crate::arguments::{Arguments, Form, Known, Number, comma_separated};
use crate::block::{Owner, is_ours};
use crate::errors::Errors;

const TASK_ARGUMENTS: &[Known] = &[
    Known {
        name: "weight",
        form: Form::Value,
        example: "weight = 2",
    },
    Known {
        name: "tags",
        form: Form::Texts,
        example: "tags(\"api\")",
    },
];

/// What a task does.
pub(crate) enum Body {
    /// The async function of its name.
    Function,
    /// A nested task set.
    TaskSet(Box<Type>),
}

/// A task as its attributes describe it.
pub(crate) struct Task {
    pub(crate) name: Ident,
    /// The conditions under which it exists.
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) body: Body,
    /// An expression of type u32, 1 or more.
    pub(crate) weight: Option<TokenStream>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) transitions: Vec<Transition>,
}

/// Where a Markov task can lead.
pub(crate) struct Transition {
    pub(crate) to: Ident,
    /// An expression of type u32, 1 or more.
    pub(crate) weight: TokenStream,
}

impl Task {
    /// Reads the attributes of a task.
    pub(crate) fn read(
        name: Ident,
        cfg: Vec<Attribute>,
        body: Body,
        attributes: &[Attribute],
        owner: &Owner,
        errors: &mut Errors,
    ) -> Self {
        let mut task = Self {
            name,
            cfg,
            body,
            weight: None,
            tags: Vec::new(),
            transitions: Vec::new(),
        };
        let (of_task, of_transitions): (Vec<_>, Vec<_>) = attributes
            .iter()
            .partition(|attribute| is_ours(attribute, "task"));
        for (same, word) in [(&of_task, "task"), (&of_transitions, "transitions")] {
            if let Some(second) = same.get(1) {
                errors.add(
                    second,
                    format!("#[{word}] is given twice; remove one of the two"),
                );
            }
        }
        if let Some(attribute) = of_task.first() {
            task.read_arguments(attribute, owner, errors);
        }
        match of_transitions.first() {
            Some(attribute) if owner.is_markov() => {
                if let Some(transitions) = errors.keep(transitions(attribute)) {
                    task.transitions = transitions;
                }
            }
            Some(attribute) => errors.add(
                attribute,
                "#[transitions] has a meaning in a #[markov_task_set] only: remove it, or make the set one",
            ),
            None if owner.is_markov() => errors.add(
                &task.name,
                format!(
                    "`{}` leads nowhere: write `#[transitions(next, other = 3)]` beside its #[task]",
                    task.name
                ),
            ),
            None => {}
        }
        task
    }

    fn read_arguments(&mut self, attribute: &Attribute, owner: &Owner, errors: &mut Errors) {
        let arguments = match &attribute.meta {
            Meta::Path(_) => Ok(Arguments::none()),
            Meta::List(list) => Arguments::parse(list.tokens.clone(), "task", TASK_ARGUMENTS),
            Meta::NameValue(_) => Err(syn::Error::new_spanned(
                attribute,
                "write `#[task]` or `#[task(weight = 2)]`",
            )),
        };
        let Some(arguments) = errors.keep(arguments) else {
            return;
        };
        if owner.is_markov() {
            for (name, message) in [
                (
                    "tags",
                    "tasks of a Markov task set have no tags, because leaving one out would break the chain: remove them, it always runs whole",
                ),
                (
                    "weight",
                    "tasks of a Markov task set have no weight: write the weights of the ways to it, `#[transitions(next = 3)]`",
                ),
            ] {
                if let Some(span) = arguments.span(name) {
                    errors.push(syn::Error::new(span, message));
                }
            }
        }
        if let Some(weight) = arguments.expression("weight") {
            self.weight = errors.keep(whole_weight(weight, "a task's weight", "weight = 2"));
        }
        self.tags = arguments.texts("tags").to_vec();
    }

    /// The task's name without what makes it a raw identifier.
    pub(crate) fn plain_name(&self) -> String {
        self.name.unraw().to_string()
    }
}

fn transitions(attribute: &Attribute) -> syn::Result<Vec<Transition>> {
    const WRITE: &str = "say where the task leads: write `#[transitions(next, other = 3)]`, weight 1 if none is given";
    let Meta::List(list) = &attribute.meta else {
        return Err(syn::Error::new_spanned(attribute, WRITE));
    };
    let parser = |input: ParseStream<'_>| {
        comma_separated(input, |input| {
            if !input.peek(Ident::peek_any) {
                return Err(input.error(WRITE));
            }
            let to = input.call(Ident::parse_any)?;
            let weight = if input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                whole_weight(&input.parse()?, "a transition's weight", "next = 2")?
            } else {
                quote!(1_u32)
            };
            if !(input.is_empty() || input.peek(Token![,])) {
                return Err(input.error(WRITE));
            }
            Ok(Transition { to, weight })
        })
    };
    let given = parser.parse2(list.tokens.clone())?;
    if given.is_empty() {
        return Err(syn::Error::new_spanned(attribute, WRITE));
    }
    for (index, transition) in given.iter().enumerate() {
        if given[..index].iter().any(|other| other.to == transition.to) {
            let to = &transition.to;
            return Err(syn::Error::new(
                to.span(),
                format!("`{to}` is named twice: write it once, with the sum of the weights"),
            ));
        }
    }
    Ok(given)
}

/// A weight that counts repetitions: a literal is checked here, anything else by the compiler.
fn whole_weight(expression: &Expr, what: &str, example: &str) -> syn::Result<TokenStream> {
    let message = format!("{what} is a whole number, 1 or more: write `{example}`");
    match Number::of(expression) {
        Number::Whole(weight @ 1..) if u32::try_from(weight).is_ok() => {
            Ok(expression.to_token_stream())
        }
        Number::Unknown => Ok(quote_spanned!(span_of(expression)=> const {
            let weight: u32 = #expression;
            ::core::assert!(weight >= 1, #message);
            weight
        })),
        _ => Err(syn::Error::new_spanned(expression, message)),
    }
}

/// The expression's place, resolved as ours, so that lints of the user's crate leave it alone.
fn span_of(expression: &Expr) -> Span {
    syn::spanned::Spanned::span(expression).resolved_at(Span::mixed_site())
}
