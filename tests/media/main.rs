//! Pictures, sound and video: every format, exactness, and a table of malformed files with the sentence each must give.

mod bad_input;
mod picture;
mod sound;
mod support;
mod video;
