//! The validator against signed zones made here, case by case.

mod chains;
mod denied;
mod flipped;
mod moved;
mod signed;
mod spared;
pub mod world;
