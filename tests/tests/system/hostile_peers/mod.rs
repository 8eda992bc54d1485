//! Peers that mean harm: what they send harms nobody but themselves.

mod identity;
mod memory;
