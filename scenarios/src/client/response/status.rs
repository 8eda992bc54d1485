//! The status of a response as scenarios read, compare and print it.

use std::cmp::Ordering;
use std::fmt;

use http::StatusCode;

/// The status of a response: a number that is printed as one (`404`) and compared with one
/// (`page.status() == 404`, `page.status() >= 500`).
///
/// `match page.status().as_u16() { 200 => …, 404 => …, _ => … }` tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(StatusCode);

impl Status {
    /// The number: 404.
    pub fn as_u16(&self) -> u16 {
        self.0.as_u16()
    }

    /// The number as text: `"404"`.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The usual reason phrase: `"Not Found"`; `None` for a number that has none.
    pub fn canonical_reason(&self) -> Option<&'static str> {
        self.0.canonical_reason()
    }

    /// Whether it is one of 100 to 199.
    pub fn is_informational(&self) -> bool {
        self.0.is_informational()
    }

    /// Whether it is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        self.0.is_success()
    }

    /// Whether it is one of 300 to 399.
    pub fn is_redirection(&self) -> bool {
        self.0.is_redirection()
    }

    /// Whether it is one of 400 to 499.
    pub fn is_client_error(&self) -> bool {
        self.0.is_client_error()
    }

    /// Whether it is one of 500 to 599.
    pub fn is_server_error(&self) -> bool {
        self.0.is_server_error()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_u16().fmt(f)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<StatusCode> for Status {
    fn from(code: StatusCode) -> Self {
        Self(code)
    }
}

impl From<Status> for StatusCode {
    fn from(status: Status) -> Self {
        status.0
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.0.as_u16()
    }
}

impl PartialEq<u16> for Status {
    fn eq(&self, number: &u16) -> bool {
        self.0.as_u16() == *number
    }
}

impl PartialEq<Status> for u16 {
    fn eq(&self, status: &Status) -> bool {
        status == self
    }
}

impl PartialOrd<u16> for Status {
    fn partial_cmp(&self, number: &u16) -> Option<Ordering> {
        self.0.as_u16().partial_cmp(number)
    }
}

impl PartialEq<StatusCode> for Status {
    fn eq(&self, code: &StatusCode) -> bool {
        self.0 == *code
    }
}

impl PartialEq<Status> for StatusCode {
    fn eq(&self, status: &Status) -> bool {
        *self == status.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_number_for_people_and_in_comparisons() {
        let status = Status::from(StatusCode::NOT_FOUND);
        assert_eq!(format!("{status} {status:?} {status:>5}"), "404 404   404");
        assert_eq!(status, 404);
        assert_eq!(404, status);
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(status >= 400 && status != 200);
        assert!(status.is_client_error());
        assert_eq!(u16::from(status), 404);
    }
}
