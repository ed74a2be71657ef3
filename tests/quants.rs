//! What blocks hold, against the reference, bit for bit; and that laying rows for the GPU loses nothing.

use percept::weights::layout::{lay_row, row_bytes};
use percept::weights::{Format, quants};
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
