//! The compiled-in scenarios; their sources are in `scenarios/examples/`, written as a user would.

use crate::scenario::Scenario;

// In a crate of their own, as users write them, their `pub` is reachable.
#[path = "../examples/classic.rs"]
#[allow(unreachable_pub)]
mod classic;
#[path = "../examples/shop.rs"]
#[allow(unreachable_pub)]
mod shop;

/// All compiled-in scenarios: `shop` (the demo's users) and `classic` (a ported locustfile).
pub fn all() -> Vec<Scenario> {
    vec![shop::scenario(), classic::scenario()]
}
