//! Peers that mean harm: what they send harms only themselves.

mod connections;
mod fuzz;
mod identity;
mod memory;
