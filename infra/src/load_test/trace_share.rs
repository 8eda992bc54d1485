//! Whether requests say which trace they belong to, and how many of them are to be recorded by the tracing system.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether requests carry a `traceparent` header (W3C Trace Context), and the share of them that it marks as sampled.
/// As text `off`, or a share as `1%`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceShare(Option<f64>);

/// Neither of the two; follows the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `off` or a share from 0% to 100%, such as 1%")]
pub struct TraceShareError;

impl TraceShare {
    /// No request carries the header.
    pub const OFF: Self = Self(None);

    /// The share of requests that are marked as sampled, 0 to 1; `None` where no request carries the header.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        self.0.map(|percent| percent / 100.0)
    }
}

impl FromStr for TraceShare {
    type Err = TraceShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "off" {
            return Ok(Self::OFF);
        }
        let number = text.strip_suffix('%').ok_or(TraceShareError)?.trim_end();
        // Also without signs, exponents and names of numbers.
        let is_decimal = |digit: u8| digit.is_ascii_digit() || digit == b'.';
        let percent: f64 = number.parse().map_err(|_| TraceShareError)?;
        let is_valid = number.bytes().all(is_decimal) && percent <= 100.0;
        is_valid
            .then_some(Self(Some(percent)))
            .ok_or(TraceShareError)
    }
}

impl fmt::Display for TraceShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("off"),
            Some(percent) => write!(f, "{percent}%"),
        }
    }
}

impl From<TraceShare> for String {
    fn from(share: TraceShare) -> Self {
        share.to_string()
    }
}

impl TryFrom<String> for TraceShare {
    type Error = TraceShareError;

    fn try_from(text: String) -> Result<Self, TraceShareError> {
        text.parse()
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::TraceShare;

    impl PartialSchema for TraceShare {
        fn schema() -> RefOr<Schema> {
            let text = ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(r"^(off|(100|\d{1,2})(\.0+)?%|\d{1,2}\.\d+%)$"));
            Schema::Object(text.build()).into()
        }
    }

    impl ToSchema for TraceShare {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("TraceShare")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for (text, share) in [
            ("off", None),
            ("0%", Some(0.0)),
            ("0.5%", Some(0.005)),
            ("1%", Some(0.01)),
            ("100%", Some(1.0)),
        ] {
            let read: TraceShare = text.parse().unwrap();
            assert_eq!(read.share(), share);
            assert_eq!(read.to_string(), text);
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<TraceShare>(&json).unwrap(), read);
        }
        assert_eq!(" 1 % ".parse(), "1%".parse::<TraceShare>());
        for wrong in [
            "", "%", "1", "-1%", "+1%", "100.1%", "1e1%", "nan%", "inf%", "on", "1%%", ".%",
        ] {
            assert_eq!(wrong.parse::<TraceShare>(), Err(TraceShareError), "{wrong}");
        }
    }
}
