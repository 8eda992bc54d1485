//! A run as one file, and back: everything that is stored of it, for another coordinator.
//!
//! A bundle ([`frames`]) has the rows of a run as they are stored ([`tables`]), so that a run that is imported is equal in every number.
//! It is made in pieces ([`export`]). One that is taken in is checked whole before anything changes: its hash, its frames, and its
//! rows, which are put into a database of their own for that ([`staging`]). Only then they are copied, in small transactions between
//! which results of other runs are saved, and the run appears with the last one ([`import`]). What a coordinator did not finish is deleted
//! when the next one starts.

mod error;
mod export;
mod frames;
mod import;
mod staging;
mod tables;
#[cfg(test)]
mod tests;

pub use self::error::BundleError;
pub(crate) use self::import::BundleUpload;
pub(super) use self::import::{clear_leftovers, give_up_unfinished};
