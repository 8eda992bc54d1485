//! Peers that mean harm: what they send harms nobody but themselves.

mod connections;
mod identity;
mod memory;
