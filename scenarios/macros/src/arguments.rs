//! What stands in the parentheses of an attribute: `weight = 2, tags("api")`.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Token, Type, UnOp, parenthesized, token};

use crate::nearest::nearest;

/// How an argument is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name = expression`
    Value,
    /// `name = Type`
    Type,
    /// `name("text", "text")`
    Texts,
}

/// An argument that an attribute takes.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// What to write, for the errors.
    pub(crate) example: &'static str,
}

enum Value {
    Expression(Expr),
    Type(Type),
    Texts(Vec<LitStr>),
}

struct Argument {
    name: Ident,
    value: Value,
}

/// The arguments of one attribute, each known and none given twice.
pub(crate) struct Arguments(Vec<Argument>);

impl Arguments {
    /// Reads the arguments of `#[attribute(…)]`.
    pub(crate) fn parse(
        tokens: TokenStream,
        attribute: &str,
        known: &[Known],
    ) -> syn::Result<Self> {
        let list = |input: ParseStream<'_>| {
            comma_separated(input, |input| argument(input, attribute, known))
        };
        let mut given: Vec<Argument> = Vec::new();
        for argument in list.parse2(tokens)? {
            if given.iter().any(|other| other.name == argument.name) {
                let name = &argument.name;
                return Err(syn::Error::new(
                    name.span(),
                    format!("`{name}` is given twice; remove one of the two"),
                ));
            }
            given.push(argument);
        }
        Ok(Self(given))
    }

    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Where an argument stands, if it was given.
    pub(crate) fn span(&self, name: &str) -> Option<Span> {
        let argument = self.0.iter().find(|argument| argument.name == name)?;
        Some(argument.name.span())
    }

    pub(crate) fn expression(&self, name: &str) -> Option<&Expr> {
        self.0.iter().find_map(|argument| match &argument.value {
            Value::Expression(expression) if argument.name == name => Some(expression),
            _ => None,
        })
    }

    pub(crate) fn type_of(&self, name: &str) -> Option<&Type> {
        self.0.iter().find_map(|argument| match &argument.value {
            Value::Type(given) if argument.name == name => Some(given),
            _ => None,
        })
    }

    pub(crate) fn texts(&self, name: &str) -> &[LitStr] {
        let texts = self.0.iter().find_map(|argument| match &argument.value {
            Value::Texts(texts) if argument.name == name => Some(texts.as_slice()),
            _ => None,
        });
        texts.unwrap_or_default()
    }
}

/// Reads elements with commas between them, until the end.
pub(crate) fn comma_separated<T>(
    input: ParseStream<'_>,
    element: impl Fn(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<Vec<T>> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        elements.push(element(input)?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(elements)
}

fn argument(input: ParseStream<'_>, attribute: &str, known: &[Known]) -> syn::Result<Argument> {
    let names = || known.iter().map(|known| known.name);
    if !input.peek(Ident::peek_any) {
        let example = known.first().map_or("name = value", |known| known.example);
        return Err(input.error(format!(
            "#[{attribute}] takes arguments with names: write `{example}`"
        )));
    }
    let name = input.call(Ident::parse_any)?;
    let Some(known) = known.iter().find(|known| name == known.name) else {
        return Err(syn::Error::new(
            name.span(),
            format!(
                "`{name}` is not an argument of #[{attribute}]; {}",
                suggestion(&name.to_string(), names(), "it takes")
            ),
        ));
    };
    let wrong_form = || {
        syn::Error::new(
            name.span(),
            format!("`{name}` is written `{}`", known.example),
        )
    };
    let value = match known.form {
        Form::Texts => {
            if !input.peek(token::Paren) {
                return Err(wrong_form());
            }
            Value::Texts(texts(input, &name)?)
        }
        Form::Value | Form::Type => {
            if !input.peek(Token![=]) {
                return Err(wrong_form());
            }
            input.parse::<Token![=]>()?;
            if input.is_empty() || input.peek(Token![,]) {
                return Err(wrong_form());
            }
            match known.form {
                Form::Type => {
                    let place = input.span();
                    let given = input.parse();
                    Value::Type(given.map_err(|_| syn::Error::new(place, wrong_form()))?)
                }
                _ => Value::Expression(input.parse()?),
            }
        }
    };
    Ok(Argument { name, value })
}

fn texts(input: ParseStream<'_>, name: &Ident) -> syn::Result<Vec<LitStr>> {
    let inside;
    parenthesized!(inside in input);
    let texts = comma_separated(&inside, |inside| {
        if !inside.peek(LitStr) {
            return Err(inside.error(format!(
                "`{name}` takes texts: write them in quotes, `{name}(\"api\", \"slow\")`"
            )));
        }
        let text: LitStr = inside.parse()?;
        if text.value().trim().is_empty() {
            return Err(syn::Error::new(text.span(), "a tag has a text"));
        }
        Ok(text)
    })?;
    if texts.is_empty() {
        return Err(syn::Error::new(
            name.span(),
            format!("`{name}` names at least one: write `{name}(\"api\")`"),
        ));
    }
    Ok(texts)
}

/// `did you mean …?` when a known name is near, else all of them.
pub(crate) fn suggestion<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    otherwise: &str,
) -> String {
    match nearest(word, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let all: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            format!("{otherwise} {}", all.join(", "))
        }
    }
}

/// A number as written, if it is a literal with or without a minus.
pub(crate) enum Number {
    Whole(u64),
    Fraction(f64),
    Negative,
    /// A literal that is not a number.
    Other,
    /// An expression that only the compiler can evaluate.
    Unknown,
}

impl Number {
    pub(crate) fn of(expression: &Expr) -> Self {
        match expression {
            Expr::Lit(ExprLit { lit, .. }) => match lit {
                Lit::Int(whole) => whole
                    .base10_parse()
                    .map_or(Self::Fraction(f64::INFINITY), Self::Whole),
                Lit::Float(fraction) => fraction.base10_parse().map_or(Self::Other, Self::Fraction),
                _ => Self::Other,
            },
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_), ..
            }) => Self::Negative,
            _ => Self::Unknown,
        }
    }
}
