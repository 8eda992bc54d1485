//! The attributes that make user types and task sets of impl blocks.
