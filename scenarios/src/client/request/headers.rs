//! What several headers can be written as.

use std::collections::{BTreeMap, HashMap};

use http::{HeaderMap, HeaderValue};

use crate::client::headers::{Headers, NAME_NOT_VALID, VALUE_NOT_VALID, WrittenName};

/// Headers for [`Request::headers`](crate::client::Request::headers): pairs of name and value, a map, or a [`HeaderMap`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of headers",
    label = "not a list of headers",
    note = "write pairs: `.headers([(\"X-Tenant\", \"7\")])`; names and values are text"
)]
pub trait IntoHeaders {
    /// The headers.
    ///
    /// # Errors
    ///
    /// When a name or a value is not valid.
    fn into_headers(self) -> Result<Headers, &'static str>;
}

impl IntoHeaders for HeaderMap {
    fn into_headers(self) -> Result<Headers, &'static str> {
        Ok(self.into())
    }
}

impl IntoHeaders for Headers {
    fn into_headers(self) -> Result<Headers, &'static str> {
        Ok(self)
    }
}

fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Headers, &'static str>
where
    N: WrittenName,
    V: TryInto<HeaderValue>,
{
    let mut headers = Headers::default();
    for (name, value) in pairs {
        let name = name.into_name().ok_or(NAME_NOT_VALID)?;
        headers.append(name, value.try_into().map_err(|_| VALUE_NOT_VALID)?);
    }
    Ok(headers)
}

macro_rules! pairs {
    ($([$($generics:tt)*] $list:ty, $pairs:ident => $iterator:expr;)*) => {$(
        impl<$($generics)*> IntoHeaders for $list
        where
            N: WrittenName,
            V: TryInto<HeaderValue>,
        {
            fn into_headers(self) -> Result<Headers, &'static str> {
                let $pairs = self;
                from_pairs($iterator)
            }
        }
    )*};
}

pairs! {
    [N, V, const LENGTH: usize] [(N, V); LENGTH], pairs => pairs;
    [N: Clone, V: Clone, const LENGTH: usize] &[(N, V); LENGTH], pairs => pairs.iter().cloned();
    [N: Clone, V: Clone] &[(N, V)], pairs => pairs.iter().cloned();
    [N, V] Vec<(N, V)>, pairs => pairs;
    [N: Clone, V: Clone] &Vec<(N, V)>, pairs => pairs.iter().cloned();
    [N, V, S] HashMap<N, V, S>, pairs => pairs;
    [N, V] BTreeMap<N, V>, pairs => pairs;
}
