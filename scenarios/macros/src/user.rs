//! `#[http_user]` and `#[fast_http_user]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, ExprLit, Ident, Lit};

use crate::arguments::{Arguments, Form, Known, Number};
use crate::block::{Block, Owner};
use crate::errors::Errors;
use crate::expand;

const USER_ARGUMENTS: &[Known] = &[
    value("weight", "weight = 3"),
    value("fixed_count", "fixed_count = 1"),
    value("wait_time", "wait_time = between(1.0, 3.0)"),
    value("host", "host = \"http://shop.test\""),
    Known {
        name: "tags",
        form: Form::Texts,
        example: "tags(\"api\")",
    },
    value("state", "state = Self::new()"),
    value(
        "request_timeout",
        "request_timeout = Duration::from_secs(10)",
    ),
    value(
        "connect_timeout",
        "connect_timeout = Duration::from_secs(10)",
    ),
    value("max_redirects", "max_redirects = 5"),
    value("accept_invalid_certs", "accept_invalid_certs = true"),
    value("http_version", "http_version = HttpVersion::Http1"),
    value("max_body", "max_body = 1_000_000"),
    value("with", "with = |user| user.max_redirects(5)"),
];

/// Arguments that are methods of the builder with one parameter, and are given to it as written.
const HANDED_ON: &[&str] = &[
    "fixed_count",
    "host",
    "request_timeout",
    "connect_timeout",
    "max_redirects",
    "accept_invalid_certs",
    "http_version",
    "max_body",
];

const fn value(name: &'static str, example: &'static str) -> Known {
    Known {
        name,
        form: Form::Value,
        example,
    }
}

/// Makes a user type of an impl block; `builder` is the builder's name in `greylag::prelude`.
pub(crate) fn expand(
    attribute: &str,
    builder: &str,
    arguments: TokenStream,
    input: TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = errors
        .keep(Arguments::parse(arguments, attribute, USER_ARGUMENTS))
        .unwrap_or_else(Arguments::none);
    let block = match Block::parse(input, attribute, Owner::User, &mut errors) {
        Ok(block) => block,
        Err(instead) => {
            return expand::finish(&instead, errors, TokenStream::new(), TokenStream::new());
        }
    };
    let weight = weight(&arguments, &mut errors);
    check_literals(&arguments, &mut errors);
    let name = &block.name;
    let ty = &block.item.self_ty;
    let start = Ident::new(builder, Span::mixed_site());
    let builder = expand::builder();
    let state = expand::state(&block, &arguments);
    let handed_on = expand::handed_on(&arguments, HANDED_ON);
    let body = expand::body(&block, &arguments, &mut errors);
    let with = arguments
        .expression("with")
        .map(|with| quote!(let #builder = ::greylag::macro_support::configured(#builder, #with);));
    let definition = |body: TokenStream| {
        quote! {
            impl ::greylag::macro_support::UserTypeDef for #ty {
                fn user_type() -> ::greylag::macro_support::UserType { #body }
            }
        }
    };
    let implementation = definition(quote! {
        let #builder = ::greylag::macro_support::#start::<Self>::with_state(#name, #state);
        #weight #handed_on #body #with
        ::core::convert::Into::into(#builder)
    });
    let placeholder = definition(quote!(::core::unreachable!("it was not compiled")));
    expand::finish(&block.item, errors, implementation, placeholder)
}

/// A weight is a finite number, 0 or more; a literal becomes f64 whatever way it is written.
fn weight(arguments: &Arguments, errors: &mut Errors) -> TokenStream {
    let Some(weight) = arguments.expression("weight") else {
        return TokenStream::new();
    };
    let literal = match Number::of(weight) {
        #[allow(clippy::cast_precision_loss, reason = "no weight needs 53 bits")]
        Number::Whole(whole) => Some(whole as f64),
        Number::Fraction(fraction) => Some(fraction),
        Number::Unknown => None,
        Number::Negative | Number::Other => Some(f64::NAN),
    };
    match literal {
        Some(number) if number.is_finite() => expand::call("weight", number),
        Some(_) => {
            errors.add(
                weight,
                "a user type's weight is a number, 0 or more: write `weight = 3` or `weight = 0.5`",
            );
            TokenStream::new()
        }
        None => expand::call(
            "weight",
            quote!(::core::convert::Into::<f64>::into(#weight)),
        ),
    }
}

/// Literals that can be known to be wrong.
fn check_literals(arguments: &Arguments, errors: &mut Errors) {
    if let Some(count) = arguments.expression("fixed_count")
        && !matches!(Number::of(count), Number::Whole(_) | Number::Unknown)
    {
        errors.add(
            count,
            "a fixed count is a whole number, 0 or more: write `fixed_count = 1`",
        );
    }
    if let Some(Expr::Lit(ExprLit { lit, .. })) = arguments.expression("host") {
        let right = match lit {
            Lit::Str(host) => {
                let host = host.value().to_ascii_lowercase();
                host.starts_with("http://") || host.starts_with("https://")
            }
            _ => false,
        };
        if !right {
            errors.add(
                lit.to_token_stream(),
                "a host begins with http:// or https://: write `host = \"http://shop.test\"`",
            );
        }
    }
}
