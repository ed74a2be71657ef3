//! Readers of pictures, sound and video: files to 8-bit RGB and mono waveforms, everything checked before it is trusted.

mod audio;
mod containers;
mod ffmpeg;
mod image;
mod resample;
mod resize;
mod video;

pub use audio::Audio;
pub use ffmpeg::ffmpeg_version;
pub use image::Image;
pub use resize::resize;
pub use video::{Frame, Video, VideoOptions};

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The whole file, refused when it is a folder, empty or longer than `limit` bytes.
fn read_file(path: &Path, kind: &'static str, limit: u64) -> Result<Vec<u8>> {
    let refuse = |problem: String| Error::Media { path: path.into(), kind, problem };
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("open", path))?;
    if metadata.is_dir() {
        return Err(refuse("it is a folder; name a file in it".into()));
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(limit) as usize);
    // The length on disk is not to be trusted: devices and pipes have none.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(refuse(format!("it is longer than {} MiB, the most that is read; make it smaller", limit >> 20)));
    }
    Ok(bytes)
}
