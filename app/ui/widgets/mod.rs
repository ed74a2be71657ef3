//! The parts of pages, one a file.

pub mod camera;
pub mod clip;
pub mod code;
pub mod composer;
pub mod controls;
pub mod heat_map;
pub mod icon;
pub mod level;
pub mod live_bar;
pub mod markdown;
pub mod message;
pub mod notices;
pub mod sidebar;
pub mod spectrogram;
pub mod waveform;
