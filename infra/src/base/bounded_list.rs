//! Lists from outside that are refused while they are read as soon as they are too long. A frame is bounded in bytes, but
//! an element that takes one byte on the wire may take hundreds in memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a list of at most `MAX` elements: for `#[serde(deserialize_with)]`.
pub(crate) fn bounded_list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(ListVisitor::<T, MAX>(PhantomData))
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::custom(format_args!(
                    "a list has more than {MAX} elements, the maximum"
                )));
            }
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::bounded_list;

    #[derive(Debug, Deserialize)]
    struct Listed {
        #[serde(deserialize_with = "bounded_list::<_, _, 2>")]
        list: Vec<u8>,
    }

    #[test]
    fn a_list_is_as_long_as_allowed_and_no_longer() {
        let read = |text: &str| serde_json::from_str::<Listed>(text);
        assert_eq!(read(r#"{"list": [1, 2]}"#).unwrap().list, [1, 2]);
        let error = read(r#"{"list": [1, 2, 3]}"#).unwrap_err().to_string();
        assert!(error.contains("more than 2 elements"), "{error}");
    }
}
