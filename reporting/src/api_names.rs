//! Names of the API that the server and the clients in this workspace share.

/// Header of a CSV history that was asked for from a second on: the second to ask for next. What comes after it may
/// still change.
pub const NEXT_SECOND_HEADER: &str = "greylag-next-second";
