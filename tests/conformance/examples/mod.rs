//! The three ported locustfiles of `scenarios/examples`, against the applications they are written for.

mod checkout;
mod login_journey;
mod rest_crud;
