//! Settings: the file's shape (`shape`), and what the program runs on (`settings`), parsed, checked, with every path absolute.

pub mod settings;
