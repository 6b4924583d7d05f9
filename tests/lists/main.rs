//! The list road, walked whole: lists in, a gate out, and what the gate then says.

mod cases;
mod corpus;
mod dumps;
mod formats;
mod gate_format;
mod groups;
mod hostile;
mod judge;
mod model;
mod model_agrees;
mod sources;
mod starter;
