//! Pictures from PNG, JPEG, WebP and GIF files, upright and in 8-bit RGB.

use crate::error::{Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

/// Most pixels that a picture may have; more is a mistake or an attack.
pub(super) const MAX_PIXELS: u64 = 100_000_000;
const MAX_FILE_BYTES: u64 = 512 << 20;
/// 16-bit RGBA of the largest picture, and some room for the decoder.
const MAX_DECODER_BYTES: u64 = 1 << 30;
const SUPPORTED: &str = "PNG, JPEG, WebP and GIF";

/// 8-bit RGB picture, `[height, width, 3]` row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue of each pixel, from the top left, row by row.
    pub rgb: Vec<u8>,
}

impl Image {
    /// Reads a PNG, JPEG, WebP or GIF (first frame) file, turned upright as its EXIF orientation says.
    ///
    /// Alpha is dropped, not blended, and of 16 bits the upper 8 are kept, as Pillow's `convert("RGB")` does, on which
    /// the reference processors stand. One exception: Pillow clips 16-bit grey to white from 256 on; here it too keeps
    /// its upper 8 bits.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Media`] when it is a folder, empty, damaged, cut off, larger
    /// than 100 megapixels or of another format.
    pub fn open(path: &Path) -> Result<Image> {
        Image::decode(&super::read_file(path, "a picture", MAX_FILE_BYTES)?, path)
    }

    /// As [`Image::open`], from the bytes of a file; `name` is only for messages of errors.
    ///
    /// # Errors
    /// [`Error::Media`] as for [`Image::open`].
    pub fn decode(bytes: &[u8], name: &Path) -> Result<Image> {
        let refuse = |problem: String| Error::Media { path: name.into(), kind: "a picture", problem };
        let format = format_of(bytes).map_err(refuse)?;
        let damaged = |error: ImageError| {
            let name = format_name(format);
            refuse(match error {
                ImageError::Limits(_) => format!("decoding this {name} would take more than 1 GiB; make it smaller"),
                error => format!("this {name} is damaged or cut off ({error}); save or copy it again"),
            })
        };
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_DECODER_BYTES);
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(damaged)?;
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err(refuse(format!("it holds no pixels ({width} × {height}); use another picture")));
        }
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(refuse(format!(
                "it is {width} × {height} pixels, more than the {} million allowed; make it smaller",
                MAX_PIXELS / 1_000_000
            )));
        }
        // The JPEG decoder fills what is missing with grey and says nothing.
        if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
            return Err(refuse("this JPEG is cut off before its end; save or copy it again".into()));
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut upright = to_rgb8(DynamicImage::from_decoder(decoder).map_err(damaged)?);
        upright.apply_orientation(orientation);
        let rgb = upright.into_rgb8();
        Ok(Image { width: rgb.width(), height: rgb.height(), rgb: rgb.into_raw() })
    }
}

/// The format by its first bytes, or the sentence that says why it is none of ours.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, String> {
    if bytes.is_empty() {
        return Err("the file is empty; save or copy it again".into());
    }
    let brand = if bytes.get(4..8) == Some(b"ftyp") { bytes.get(8..12).unwrap_or_default() } else { b"" };
    let other = match bytes {
        _ if matches!(brand, b"avif" | b"avis") => "AVIF",
        _ if matches!(brand, b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => "HEIC",
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => "TIFF",
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => "JPEG XL",
        [b'B', b'M', ..] => "BMP",
        [b'%', b'P', b'D', b'F', ..] => "PDF",
        _ if brand != b"" => "video or MPEG-4",
        _ => "",
    };
    if !other.is_empty() {
        return Err(format!("{other} is not supported, only {SUPPORTED}; convert it to one of these"));
    }
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif)) => Ok(format),
        _ => Err(format!(
            "it does not begin like a picture of a supported format ({SUPPORTED}); convert it to one of these"
        )),
    }
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        _ => "GIF",
    }
}

/// Keeps colours under full transparency and the upper byte of 16 bits, where `DynamicImage::to_rgb8` would round.
fn to_rgb8(picture: DynamicImage) -> DynamicImage {
    let upper = |value: &u16| (value >> 8) as u8;
    let (width, height) = (picture.width(), picture.height());
    let rgb: Vec<u8> = match &picture {
        DynamicImage::ImageLuma16(grey) => grey.as_raw().iter().flat_map(|v| [upper(v); 3]).collect(),
        DynamicImage::ImageLumaA16(grey) => grey.as_raw().chunks_exact(2).flat_map(|p| [upper(&p[0]); 3]).collect(),
        DynamicImage::ImageRgb16(rgb) => rgb.as_raw().iter().map(upper).collect(),
        DynamicImage::ImageRgba16(rgba) => {
            rgba.as_raw().chunks_exact(4).flat_map(|p| p[..3].iter().map(upper)).collect()
        }
        _ => return DynamicImage::ImageRgb8(picture.into_rgb8()),
    };
    match image::RgbImage::from_raw(width, height, rgb) {
        Some(rgb) => DynamicImage::ImageRgb8(rgb),
        None => picture,
    }
}

/// Whether the file has an end-of-image marker behind its scans (ITU-T T.81, B.1.1): segments are skipped by their
/// length, so that the end of an embedded thumbnail does not count.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        at += match (first, marker) {
            (0xff, 0xd9) => return true,
            // Bytes of a scan, a stuffed zero, fill bytes, markers without a length.
            (0..=0xfe, _) | (0xff, 0xff) => 1,
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        };
    }
    false
}
