//! The scenarios of this program beside load tests: what a coordinator is sent of them, which one a test means, and what
//! its run is started with.
//!
//! - `info`: a scenario as coordinators know it.
//! - `choice`: which scenario a test means, and what of it takes part.
//! - `load_shape`: the load profile that its own load shape makes.

mod choice;
mod info;
mod load_shape;

pub(crate) use choice::{
    Choice, ChoiceError, choose, error_sample_mask, scenario_of, settings_of, shape_ceiling,
    unknown_scenario,
};
#[cfg(feature = "coordinator")]
pub(crate) use info::whole_scenario_info;
pub(crate) use info::{option_info, scenario_info};
pub(crate) use load_shape::{LoadShapeError, ShapedLoad, evaluate_shape};
