//! The list road, walked whole: lists in, a gate out, and what the gate then says.

mod starter;
