//! Gemma 4 with encoders (E2B, E4B).

pub mod sound;
