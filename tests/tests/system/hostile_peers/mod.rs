//! Peers that mean harm: what they send harms nobody but themselves.

mod connections;
mod fuzz;
mod identity;
mod memory;
