//! An impl block taken apart: its tasks and hooks, and the block without our attributes.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, Ident, ImplItem, ImplItemFn, ImplItemType, Item, ItemImpl, Meta, Type, TypePath,
};

use crate::errors::Errors;
use crate::signature;
use crate::task::{Body, Task};

/// What the block belongs to; it decides how tasks are written.
pub(crate) enum Owner {
    User,
    /// A task set of this user.
    TaskSet {
        user: Option<Type>,
    },
    MarkovTaskSet {
        user: Option<Type>,
    },
}

impl Owner {
    pub(crate) fn is_markov(&self) -> bool {
        matches!(self, Self::MarkovTaskSet { .. })
    }
}

/// A function the owner calls at a certain moment.
pub(crate) struct Hook {
    pub(crate) name: Ident,
    pub(crate) cfg: Vec<Attribute>,
}

/// A wait time of the owner's own.
pub(crate) struct WaitTime {
    pub(crate) hook: Hook,
    /// A task set's may look at the user, too.
    pub(crate) sees_user: bool,
}

/// The parts of an impl block.
pub(crate) struct Block {
    /// The block without our attributes and without the types that name nested task sets.
    pub(crate) item: ItemImpl,
    pub(crate) owner: Owner,
    /// The type's own name, without its path.
    pub(crate) name: String,
    pub(crate) tasks: Vec<Task>,
    /// More than one only when conditions choose between them.
    pub(crate) on_start: Vec<Hook>,
    pub(crate) on_stop: Vec<Hook>,
    pub(crate) wait_time: Vec<WaitTime>,
}

impl Block {
    /// Takes an impl block apart. When this is not an impl block we can use, gives back what should
    /// stand in its place, with the error.
    pub(crate) fn parse(
        input: TokenStream,
        attribute: &str,
        owner: Owner,
        errors: &mut Errors,
    ) -> Result<Self, TokenStream> {
        let mut item = match syn::parse2::<Item>(input.clone()) {
            Ok(Item::Impl(item)) => item,
            Ok(other) => {
                errors.push(misplaced(&other, attribute));
                return Err(other.into_token_stream());
            }
            Err(error) => {
                errors.push(error);
                return Err(input);
            }
        };
        let name = match usable(&item, attribute) {
            Ok(name) => name,
            Err(error) => {
                errors.push(error);
                strip(&mut item);
                return Err(item.into_token_stream());
            }
        };
        let mut block = Self {
            item,
            owner,
            name,
            tasks: Vec::new(),
            on_start: Vec::new(),
            on_stop: Vec::new(),
            wait_time: Vec::new(),
        };
        block.read_items(errors);
        if block.tasks.is_empty() && errors.is_empty() {
            let what = if block.owner.is_markov() {
                "#[task] and #[transitions(…)]"
            } else {
                "#[task]"
            };
            errors.add(
                &block.item.self_ty,
                format!(
                    "`{}` has no task: write {what} on at least one of its async functions",
                    block.name
                ),
            );
        }
        Ok(block)
    }

    fn read_items(&mut self, errors: &mut Errors) {
        for item in std::mem::take(&mut self.item.items) {
            if let Some(rest) = self.read_item(item, errors) {
                self.item.items.push(rest);
            }
        }
    }

    /// Reads one item of the block; gives back what stays in it.
    fn read_item(&mut self, mut item: ImplItem, errors: &mut Errors) -> Option<ImplItem> {
        let ours = take_ours(&mut item);
        match item {
            ImplItem::Fn(function) => {
                if ours.is_empty() {
                    self.read_hook(&function, errors);
                } else {
                    signature::check_task(&function, &self.owner, errors);
                    let task = Task::read(
                        function.sig.ident.clone(),
                        cfg_of(&function.attrs),
                        Body::Function,
                        &ours,
                        &self.owner,
                        errors,
                    );
                    self.tasks.push(task);
                }
                Some(ImplItem::Fn(function))
            }
            ImplItem::Type(alias) if !ours.is_empty() => {
                self.read_alias(alias, &ours, errors);
                None
            }
            other => {
                if let Some(attribute) = ours.first() {
                    errors.add(
                        attribute,
                        "a task is an async function, or a task set at its place: `type Browse = Browsing;`",
                    );
                }
                Some(other)
            }
        }
    }

    fn read_alias(&mut self, alias: ImplItemType, ours: &[Attribute], errors: &mut Errors) {
        if !alias.generics.params.is_empty() {
            errors.add(
                &alias.generics,
                "a nested task set has no type parameters: write `type Browse = Browsing;`",
            );
        }
        if last_segment(&alias.ty).is_some_and(|ident| ident == &self.name) {
            errors.add(
                &alias.ty,
                format!("`{}` cannot be a task of itself", self.name),
            );
        }
        let task = Task::read(
            alias.ident,
            cfg_of(&alias.attrs),
            Body::TaskSet(Box::new(alias.ty)),
            ours,
            &self.owner,
            errors,
        );
        self.tasks.push(task);
    }

    fn read_hook(&mut self, function: &ImplItemFn, errors: &mut Errors) {
        let name = &function.sig.ident;
        let hook = Hook {
            name: name.clone(),
            cfg: cfg_of(&function.attrs),
        };
        if name == "on_start" || name == "on_stop" {
            signature::check_hook(function, &self.owner, errors);
            if name == "on_start" {
                self.on_start.push(hook);
            } else {
                self.on_stop.push(hook);
            }
        } else if name == "wait_time" {
            signature::check_wait_time(function, &self.owner, errors);
            self.wait_time.push(WaitTime {
                hook,
                sees_user: function.sig.inputs.len() > 1,
            });
        }
    }
}

/// The name of the type whose inherent impl this is, or what is wrong with it.
fn usable(item: &ItemImpl, attribute: &str) -> syn::Result<String> {
    if let Some((path, _)) = &item.trait_ {
        return Err(syn::Error::new_spanned(
            path,
            format!(
                "#[{attribute}] belongs on the type's own impl block, not on that of a trait: write `#[{attribute}] impl {}`",
                last_segment(&item.self_ty).map_or_else(|| "Type".into(), ToString::to_string)
            ),
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &item.generics,
            format!(
                "#[{attribute}] needs one concrete type: write an impl block without type parameters"
            ),
        ));
    }
    last_segment(&item.self_ty)
        .map(|name| name.unraw().to_string())
        .ok_or_else(|| {
            syn::Error::new_spanned(
                &item.self_ty,
                format!("#[{attribute}] belongs on the impl block of a struct or an enum"),
            )
        })
}

fn misplaced(item: &Item, attribute: &str) -> syn::Error {
    let (place, name): (TokenStream, Option<&Ident>) = match item {
        Item::Struct(item) => (item.ident.to_token_stream(), Some(&item.ident)),
        Item::Enum(item) => (item.ident.to_token_stream(), Some(&item.ident)),
        Item::Fn(item) => (item.sig.ident.to_token_stream(), None),
        other => (other.to_token_stream(), None),
    };
    let what = match name {
        Some(name) => format!("move it to `impl {name}`"),
        None => "write it before `impl WebsiteUser`".to_owned(),
    };
    syn::Error::new_spanned(
        place,
        format!("#[{attribute}] belongs on the impl block that holds the tasks: {what}"),
    )
}

/// Takes our attributes from an item of the block.
fn take_ours(item: &mut ImplItem) -> Vec<Attribute> {
    let attributes = match item {
        ImplItem::Fn(item) => &mut item.attrs,
        ImplItem::Type(item) => &mut item.attrs,
        ImplItem::Const(item) => &mut item.attrs,
        ImplItem::Macro(item) => &mut item.attrs,
        _ => return Vec::new(),
    };
    let (ours, others) = std::mem::take(attributes)
        .into_iter()
        .partition(|attribute| is_ours(attribute, "task") || is_ours(attribute, "transitions"));
    *attributes = others;
    ours
}

/// Whether this is `#[name]`, `#[greylag::name]` or `#[greylag::prelude::name]`.
pub(crate) fn is_ours(attribute: &Attribute, name: &str) -> bool {
    let segments = &attribute.path().segments;
    let first = segments.first();
    segments
        .last()
        .is_some_and(|last| last.ident.unraw() == name)
        && (segments.len() == 1 || first.is_some_and(|first| first.ident == "greylag"))
}

/// Takes the attributes out that only mean something to us, so that they are not reported too.
fn strip(item: &mut ItemImpl) {
    for item in &mut item.items {
        take_ours(item);
    }
}

fn cfg_of(attributes: &[Attribute]) -> Vec<Attribute> {
    let cfg = attributes.iter().filter(|attribute| {
        attribute.path().is_ident("cfg") && matches!(attribute.meta, Meta::List(_))
    });
    cfg.cloned().collect()
}

/// The name at the end of a type's path.
pub(crate) fn last_segment(given: &Type) -> Option<&Ident> {
    match given {
        Type::Path(TypePath { path, .. }) => path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}
