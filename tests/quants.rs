//! What blocks hold, against the reference, bit for bit; and that laying rows for the GPU loses nothing.

use percept::weights::layout::{lay_int_rows, lay_row, row_bytes};
use percept::weights::quants::{IntRows, dequantize_ints};
use percept::weights::{Format, Ints, ScaleType, quants};
use std::path::Path;

fn block_formats() -> impl Iterator<Item = Format> {
    Format::all().filter(|format| !format.is_plain())
}

#[test]
fn blocks_hold_what_the_reference_says() {
    for format in block_formats() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quants");
        let bytes = std::fs::read(folder.join(format!("{format}.bin"))).unwrap();
        let count = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let (blocks, expected) = bytes[4..].split_at(count * format.block_bytes());
        let expected: Vec<f32> = expected.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let mut got = vec![0.0; count * format.block_len()];
        quants::dequantize(format, blocks, &mut got).unwrap();
        assert_eq!(got.len(), expected.len(), "{format}");
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            // A zero's sign is no weight's.
            let equal = got.to_bits() == expected.to_bits() || (*got == 0.0 && *expected == 0.0);
            assert!(equal, "{format}: value {i} is {got:e}, expected {expected:e}");
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let mut out = vec![0.0; 256];
    assert!(quants::dequantize(Format::Q4K, &[0; 143], &mut out).is_err());
    assert!(quants::dequantize(Format::Q4_0, &[0; 18], &mut out[..31]).is_err());
    assert!(lay_row(Format::Q4_0, 48, &[0; 27], &mut [0; 32]).is_err());
    assert!(lay_row(Format::Q4_0, 64, &[0; 36], &mut [0; 32]).is_err());
}

#[test]
fn laid_rows_hold_every_bit_and_little_more() {
    for format in block_formats() {
        for count in [1, 2, 3, 5, 8, 9, 20] {
            let width = count * format.block_len();
            let row = quants::random_blocks(format, count, count as u64);
            let lay = |row: &[u8]| {
                let mut laid = vec![0; row_bytes(format, width)];
                lay_row(format, width, row, &mut laid).unwrap();
                laid
            };
            let laid = lay(&row);
            let ones = |bytes: &[u8]| bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
            assert_eq!(ones(&laid), ones(&row), "{format}: bits are moved, none is lost");
            // Each plane may be filled up to a word; q3_k has two bytes more a block.
            let most = row.len() + 4 * 15 + if format == Format::Q3K { 2 * count } else { 0 };
            assert!(laid.len() <= most && laid.len() >= row.len(), "{format}: {} bytes of {}", laid.len(), row.len());
            // A change of any bit is seen.
            for bit in (0..row.len() * 8).step_by(7) {
                let mut changed = row.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(lay(&changed), laid, "{format}: bit {bit}");
            }
        }
    }
}

/// Two rows of three weights by hand.
#[test]
fn integers_hold_what_is_written() {
    let ints = |bits, zero_points| Ints { bits, shared: None, scales: ScaleType::F32, zero_points };
    let scales: Vec<u8> = [0.5f32, 2.0].iter().flat_map(|scale| scale.to_le_bytes()).collect();
    let rows = |codes: &'static [u8], row_bytes, signed, zero_points| IntRows {
        codes,
        row_bytes,
        signed,
        scales: &scales,
        zero_points,
    };
    let values = |ints: Ints, rows: IntRows<'_>| {
        let mut out = vec![0.0; 6];
        dequantize_ints(ints, 3, 2, &rows, &mut out).map(|()| out)
    };
    let two = rows(&[0b11_10_01_00, 0b00_01_01_11], 1, false, &[]);
    assert_eq!(values(ints(2, false), two).unwrap(), [-1.0, -0.5, 0.0, 2.0, -2.0, -2.0]);
    let four = rows(&[0xf0, 0x08, 0x79, 0x0a], 2, false, &[1, -1]);
    assert_eq!(values(ints(4, true), four).unwrap(), [-4.5, 3.0, -0.5, 4.0, 0.0, 6.0]);
    let signed = rows(&[0xff, 0x01, 0x80, 0x7f, 0x00, 0x02], 3, true, &[]);
    assert_eq!(values(ints(8, false), signed).unwrap(), [-0.5, 0.5, -64.0, 254.0, 0.0, 4.0]);
    let offset = rows(&[0xff, 0x01, 0x80, 0x7f, 0x00, 0x02], 3, false, &[]);
    assert_eq!(values(ints(8, false), offset).unwrap(), [63.5, -63.5, 0.0, -2.0, -256.0, -252.0]);
    // Lengths that do not fit are refused, laid too.
    for (ints, bad) in [
        (ints(4, true), two),
        (ints(4, false), four),
        (ints(8, false), rows(&[0; 4], 2, true, &[])),
        (ints(4, false), rows(&[0; 3], 2, false, &[])),
    ] {
        assert!(values(ints, bad).is_err(), "{ints:?}");
        assert!(lay_int_rows(ints, 3, 2, &bad, false, &mut Vec::new()).is_err(), "{ints:?}");
    }
}

/// On the GPU codes take as many bits as in the file, and a scale and a zero point their own, but for whole words.
#[test]
fn integers_take_their_own_bits() {
    let bytes = |bits, shared, scales, zero_points, width| {
        row_bytes(Format::Ints(Ints { bits, shared, scales, zero_points }), width)
    };
    assert_eq!(bytes(2, None, ScaleType::F32, false, 4096), 1024 + 16);
    assert_eq!(bytes(4, Some(32), ScaleType::Bf16, false, 4096), 2048 + 256);
    assert_eq!(bytes(4, Some(128), ScaleType::F16, true, 4096), 2048 + 64 + 32);
    assert_eq!(bytes(8, None, ScaleType::F32, false, 77), 96 + 16);
}
