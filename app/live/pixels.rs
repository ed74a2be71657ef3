//! Raw pictures of cameras to 8-bit RGB. Pure.

use nokhwa::utils::FrameFormat;
use percept::media::Image;
use std::path::Path;

/// A camera's frame as a picture, or what is wrong with it.
pub fn decode(format: FrameFormat, width: u32, height: u32, bytes: &[u8]) -> anyhow::Result<Image> {
    let (w, h) = (width as usize, height as usize);
    let needed = match format {
        FrameFormat::MJPEG => return Ok(Image::decode(bytes, Path::new("camera frame"))?),
        FrameFormat::YUYV => w.div_ceil(2) * 4 * h,
        FrameFormat::NV12 => w * h + w.div_ceil(2) * 2 * h.div_ceil(2),
        FrameFormat::GRAY => w * h,
        FrameFormat::RAWRGB | FrameFormat::RAWBGR => 3 * w * h,
    };
    anyhow::ensure!(
        needed > 0 && bytes.len() >= needed,
        "a frame of {width} × {height} ({format}) has {} bytes, expected {needed}; choose another camera",
        bytes.len()
    );
    let mut rgb = Vec::with_capacity(3 * w * h);
    match format {
        FrameFormat::YUYV => {
            for row in bytes.chunks_exact(w.div_ceil(2) * 4).take(h) {
                for x in 0..w {
                    let pair = &row[x / 2 * 4..][..4];
                    rgb.extend(from_yuv(pair[x % 2 * 2], pair[1], pair[3]));
                }
            }
        }
        FrameFormat::NV12 => {
            let (luma, chroma) = bytes.split_at(w * h);
            for (y, row) in luma.chunks_exact(w).enumerate() {
                let colours = &chroma[y / 2 * w.div_ceil(2) * 2..];
                for (x, luma) in row.iter().enumerate() {
                    rgb.extend(from_yuv(*luma, colours[x / 2 * 2], colours[x / 2 * 2 + 1]));
                }
            }
        }
        FrameFormat::GRAY => rgb.extend(bytes[..needed].iter().flat_map(|grey| [*grey; 3])),
        FrameFormat::RAWBGR => rgb.extend(bytes[..needed].chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]])),
        FrameFormat::RAWRGB | FrameFormat::MJPEG => rgb.extend_from_slice(&bytes[..needed]),
    }
    Ok(Image { width, height, rgb })
}

/// BT.601 with luma from 16 to 235, as cameras have it.
fn from_yuv(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (298 * (i32::from(y) - 16), i32::from(u) - 128, i32::from(v) - 128);
    [y + 409 * v, y - 100 * u - 208 * v, y + 516 * u].map(|value| ((value + 128) >> 8).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(image: &Image, expected: [u8; 3]) -> bool {
        image.rgb.chunks_exact(3).all(|p| p.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2))
    }

    #[test]
    fn colours_are_those_that_were_seen() {
        // Red, BT.601: Y 81, U 90, V 240.
        let red = [255, 0, 0];
        let yuyv = decode(FrameFormat::YUYV, 3, 2, &[81, 90, 81, 240].repeat(4)).unwrap();
        assert!(near(&yuyv, red), "{yuyv:?}");
        let nv12 = [vec![81; 9], [90, 240].repeat(4)].concat();
        assert!(near(&decode(FrameFormat::NV12, 3, 3, &nv12).unwrap(), red));
        assert!(near(&decode(FrameFormat::RAWBGR, 2, 1, &[0, 0, 255, 0, 0, 255]).unwrap(), red));
        assert!(near(&decode(FrameFormat::RAWRGB, 1, 2, &[255, 0, 0, 255, 0, 0]).unwrap(), red));
        assert!(near(&decode(FrameFormat::GRAY, 2, 2, &[255, 255, 255, 255, 9]).unwrap(), [255; 3]));
    }

    #[test]
    fn damaged_frames_are_refused() {
        for format in [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::GRAY, FrameFormat::RAWRGB, FrameFormat::MJPEG]
        {
            assert!(decode(format, 64, 48, &[0; 100]).is_err(), "{format}");
            assert!(decode(format, 0, 0, &[]).is_err(), "{format}");
        }
    }
}
