//! Where a redirect leads: RFC 3986, section 5.2, over the bytes that servers write into `Location`.

use url::Position;

use super::{Parts, Target, TargetError, encoding, split_query};
use crate::client::kind::ClientKind;

impl Target {
    /// The address of a `Location` that came from this one. It is encoded by the rule for all requests; bytes that
    /// are not ASCII are sent back as they came, whatever they mean. Credentials in it are not taken, as by
    /// python-requests.
    ///
    /// # Errors
    ///
    /// Why it cannot be requested.
    pub(crate) fn redirected(
        &self,
        location: &[u8],
        kind: ClientKind,
    ) -> Result<Self, TargetError> {
        let location = location.trim_ascii();
        let scheme = self.url.scheme().as_bytes();
        // `http:/path` names no host: as browsers and Python have it, it is of this one.
        let location = match location.split_at_checked(scheme.len() + 1) {
            Some((start, rest))
                if start.eq_ignore_ascii_case(&[scheme, b":"].concat())
                    && !rest.starts_with(b"//") =>
            {
                rest
            }
            _ => location,
        };
        let whole;
        let (origin, path, query) = if location.starts_with(b"//") || has_scheme(location) {
            let scheme = if has_scheme(location) {
                &[][..]
            } else {
                &[scheme, b":"].concat()
            };
            whole = [scheme, location].concat();
            let Parts {
                origin,
                path,
                query,
            } = Parts::of(&whole);
            (origin, encoding::without_dot_segments(path), query)
        } else {
            let origin = self.url[..Position::BeforePath].as_bytes();
            let (own_path, own_query) = split_query(self.name().as_bytes());
            let (path, query) = split_query(location);
            match path {
                [] => (origin, own_path.to_vec(), query.or(own_query)),
                [b'/', ..] => (origin, encoding::without_dot_segments(path), query),
                path => {
                    let last = own_path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    let merged = [&own_path[..last], b"/", path].concat();
                    (origin, encoding::without_dot_segments(&merged), query)
                }
            }
        };
        let sent = encoding::encoded_path(&path, kind);
        let mut next = Self::new(origin, sent, query, kind)?;
        next.authorization = None;
        Ok(next)
    }
}

fn has_scheme(location: &[u8]) -> bool {
    let end = location
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b"+-.".contains(byte));
    location.first().is_some_and(u8::is_ascii_alphabetic)
        && end.is_some_and(|end| location[end..].starts_with(b":"))
}
