use crate::support::*;
use image::{DynamicImage, Frame, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba};
use percept::media::{Image, resize};
use std::io::Cursor;

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> Image {
    Image::decode(bytes, "made.png".as_ref()).unwrap()
}

#[test]
fn resize_equals_the_reference_bit_for_bit() {
    let picture = Image::open(&sample("resize_31x23.png")).unwrap();
    for (width, height) in [(48, 40), (10, 7), (31, 9), (5, 23)] {
        let expected = Image::open(&sample(&format!("resize_to_{width}x{height}.png"))).unwrap();
        assert_eq!(resize(&picture, width, height), expected, "{width} × {height}");
    }
    assert_eq!(resize(&picture, 31, 23), picture);
}

#[test]
fn exif_orientation_turns_upright() {
    let picture = Image::open(&sample("turned.jpg")).unwrap();
    assert_eq!((picture.width, picture.height), (16, 24));
    let pixel = |x: usize, y: usize| &picture.rgb[(y * 16 + x) * 3..][..3];
    // The left half, red, is on top after a quarter turn clockwise.
    assert!(pixel(8, 2)[0] > 200 && pixel(8, 2)[2] < 50, "{:?}", pixel(8, 2));
    assert!(pixel(8, 21)[2] > 200 && pixel(8, 21)[0] < 50, "{:?}", pixel(8, 21));
}

#[test]
fn sixteen_bits_keep_their_upper_eight() {
    let grey = ImageBuffer::from_fn(3, 1, |x, _| Luma([[0x12ffu16, 0x8000, 0xffff][x as usize]]));
    let picture = decode(&encode(&DynamicImage::ImageLuma16(grey), ImageFormat::Png));
    assert_eq!(picture.rgb, [0x12, 0x12, 0x12, 0x80, 0x80, 0x80, 0xff, 0xff, 0xff]);
    let rgb = ImageBuffer::from_pixel(1, 1, Rgb([0x01ffu16, 0x7f80, 0xfe00]));
    assert_eq!(decode(&encode(&DynamicImage::ImageRgb16(rgb), ImageFormat::Png)).rgb, [0x01, 0x7f, 0xfe]);
}

#[test]
fn alpha_is_dropped_not_blended() {
    let rgba = ImageBuffer::from_fn(2, 1, |x, _| Rgba([10, 20, 30, if x == 0 { 0 } else { 128 }]));
    let bytes = encode(&DynamicImage::ImageRgba8(rgba), ImageFormat::Png);
    assert_eq!(decode(&bytes).rgb, [10, 20, 30, 10, 20, 30]);
}

#[test]
fn of_a_gif_the_first_frame() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for colour in [[255, 0, 0, 255], [0, 255, 0, 255]] {
        encoder.encode_frame(Frame::new(ImageBuffer::from_pixel(2, 2, Rgba(colour)))).unwrap();
    }
    drop(encoder);
    assert_eq!(decode(&bytes).rgb, [255, 0, 0].repeat(4));
}

#[test]
fn webp() {
    let picture = Image::open(&sample("halves.webp")).unwrap();
    assert_eq!((picture.width, picture.height), (24, 16));
    assert_eq!(picture.rgb[..3], [250, 0, 0]);
    assert_eq!(picture.rgb[16 * 24 * 3 - 3..], [0, 0, 250]);
}

#[test]
fn one_pixel_wide() {
    let tall = RgbImage::from_fn(1, 10_000, |_, y| Rgb([(y % 251) as u8, 0, 7]));
    let picture = decode(&encode(&DynamicImage::ImageRgb8(tall.clone()), ImageFormat::Png));
    assert_eq!((picture.width, picture.height, &picture.rgb), (1, 10_000, tall.as_raw()));
}
