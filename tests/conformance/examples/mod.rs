//! The three ported locustfiles of `scenarios/examples`, against the applications they are written for.

mod login_journey;
