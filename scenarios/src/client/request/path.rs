//! What a request's path can be written as.

use std::borrow::Cow;

use url::Url;

/// What can be requested: a path or an absolute URL, as text of any kind or as a [`Url`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a path or URL",
    label = "not a path or URL",
    note = "write text: `client.get(\"/products\")`, or `client.get(format!(\"/products/{{id}}\")).name(\"/products/[id]\")`"
)]
pub trait IntoPath<'c> {
    /// The path or URL as text.
    fn into_path(self) -> Cow<'c, str>;
}

impl<'c> IntoPath<'c> for &'c str {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Borrowed(self)
    }
}

/// Of texts in an array or a list: `for path in &["/a", "/b"]`.
impl<'c> IntoPath<'c> for &'c &str {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Borrowed(self)
    }
}

impl<'c> IntoPath<'c> for String {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Owned(self)
    }
}

impl<'c> IntoPath<'c> for &'c String {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Borrowed(self)
    }
}

impl<'c> IntoPath<'c> for Cow<'c, str> {
    fn into_path(self) -> Cow<'c, str> {
        self
    }
}

impl<'c> IntoPath<'c> for Box<str> {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Owned(self.into())
    }
}

impl<'c> IntoPath<'c> for &'c Box<str> {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Borrowed(self)
    }
}

impl<'c> IntoPath<'c> for Url {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Owned(self.into())
    }
}

impl<'c> IntoPath<'c> for &'c Url {
    fn into_path(self) -> Cow<'c, str> {
        Cow::Borrowed(self.as_str())
    }
}
