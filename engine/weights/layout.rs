//! How rows of a block format lie on the GPU: in planes of words of 16 bytes, so that a lane reads 32 weights by one or two
//! aligned words whatever the size of a block. Nothing is lost and, but for the filling of a plane's last word, nothing is
//! added. `shaders/shared/blocks.wgsl` and the loaders beside it read what this writes.
//!
//! A group is 32 consecutive weights of a row. The low bits of its codes are 32 bytes, 16 bytes (weight `i` below 16 in
//! the low half of byte `i`, weight `16 + i` in the high half) or 8 bytes (two bits: weight `4 c + i` in bits
//! `2 (c % 4)` of byte `4 (c / 4) + i`); higher bits are 4 bytes (weight `i` in bit `i`) or 8 (as the two bits above).
//!
//! Rows of plain formats lie so in textures: one plane of the values, to the end of the last group zeros.
//!
//! Rows of [`Ints`] have a plane of codes, one of scales as they are stored, and one of zero points, a byte each. Their
//! width need not be a multiple of 32: what fills the last group is multiplied with zeros.

use super::quants::IntRows;
use super::{Format, Ints};
use crate::error::{Error, Result};

/// Weights of a group.
pub const GROUP: usize = 32;
/// Bytes of a word.
pub const WORD: usize = 16;

/// One plane: so many bytes for each so many groups.
#[derive(Clone, Copy)]
struct Plane {
    bytes: usize,
    groups: usize,
}

const fn plane(bytes: usize, groups: usize) -> Plane {
    Plane { bytes, groups }
}

impl Plane {
    /// Bytes of the plane in a row of `groups` groups, to the end of a word.
    fn row_bytes(self, groups: usize) -> usize {
        (groups.div_ceil(self.groups) * self.bytes).next_multiple_of(WORD)
    }
}

/// The planes of a format in their order.
fn planes(format: Format) -> &'static [Plane] {
    const HALF: Plane = plane(2, 1);
    const BITS: Plane = plane(4, 1);
    const PAIRS: Plane = plane(8, 1);
    const NIBBLES: Plane = plane(16, 1);
    match format {
        Format::Ints(_) => &[],
        Format::F32 => &const { [plane(128, 1)] },
        Format::F16 | Format::Bf16 => &const { [plane(64, 1)] },
        Format::Q8_0 => &const { [plane(32, 1), HALF] },
        Format::Q4_0 | Format::Iq4Nl => &const { [NIBBLES, HALF] },
        Format::Q4_1 => &const { [NIBBLES, plane(4, 1)] },
        Format::Q5_0 => &const { [NIBBLES, BITS, HALF] },
        Format::Q5_1 => &const { [NIBBLES, BITS, plane(4, 1)] },
        Format::Q4K => &const { [NIBBLES, plane(16, 8)] },
        Format::Q5K => &const { [NIBBLES, BITS, plane(16, 8)] },
        Format::Q6K => &const { [NIBBLES, PAIRS, plane(16, 8), plane(2, 8)] },
        // Fourteen bytes of scales, which two more make a word.
        Format::Q3K => &const { [PAIRS, BITS, plane(16, 8)] },
        Format::Q2K => &const { [PAIRS, plane(16, 8), plane(4, 8)] },
        Format::Iq4Xs => &const { [NIBBLES, plane(8, 8)] },
        Format::Mxfp4 => &const { [NIBBLES, plane(1, 1)] },
    }
}

/// Bytes of a row of `width` weights on the GPU, a multiple of [`WORD`].
pub fn row_bytes(format: Format, width: usize) -> usize {
    if let Format::Ints(ints) = format {
        return int_planes(ints, width).into_iter().sum();
    }
    planes(format).iter().map(|plane| plane.row_bytes(width.div_ceil(GROUP))).sum()
}

/// Bytes of the planes of a row of integers: codes, scales, zero points.
fn int_planes(ints: Ints, width: usize) -> [usize; 3] {
    let scales = ints.scales_of(width);
    let zero_points = if ints.zero_points { scales } else { 0 };
    [width.div_ceil(GROUP) * 4 * ints.bits as usize, scales * ints.scales.bytes(), zero_points]
        .map(|bytes| bytes.next_multiple_of(WORD))
}

/// Lays the blocks of one row, `width` weights as the file holds them, into `out`, which has [`row_bytes`] bytes.
///
/// # Errors
/// [`Error::Length`] if `row` or `out` has another length or `width` is no multiple of the block.
pub fn lay_row(format: Format, width: usize, row: &[u8], out: &mut [u8]) -> Result<()> {
    let expected = width / format.block_len() * format.block_bytes();
    let is_blocks = !matches!(format, Format::Ints(_));
    if !is_blocks || !width.is_multiple_of(format.block_len()) || row.len() != expected {
        return Err(Error::Length {
            name: format!("a row of {width} weights in {format}"),
            expected,
            found: row.len(),
        });
    }
    if out.len() != row_bytes(format, width) {
        let (name, expected) = (format!("a laid row of {format}"), row_bytes(format, width));
        return Err(Error::Length { name, expected, found: out.len() });
    }
    out.fill(0);
    if format.is_plain() {
        out[..row.len()].copy_from_slice(row);
        return Ok(());
    }
    let groups = width / GROUP;
    let mut places = [0; 4];
    let mut at = 0;
    for (place, plane) in places.iter_mut().zip(planes(format)) {
        *place = at;
        at += plane.row_bytes(groups);
    }
    for (index, block) in row.chunks_exact(format.block_bytes()).enumerate() {
        lay_block(format, block, index, places, out);
    }
    Ok(())
}

/// Rows that are woven into one another in a texture: word `i` of row `r` of eight lies in place `8 i + r`, so that eight
/// lanes with a row each read neighbouring words (`shaders/shared/woven.wgsl`).
pub const WOVEN: usize = 8;

/// Lays as many rows as `rows` holds into `out`, one after another or, with `woven`, in bundles of [`WOVEN`]; in the last
/// bundle rows may be missing, and their places are zero.
///
/// # Errors
/// As [`lay_row`].
pub fn lay_rows(format: Format, width: usize, rows: &[u8], woven: bool, out: &mut Vec<u8>) -> Result<()> {
    let (from, to) = (width / format.block_len() * format.block_bytes(), row_bytes(format, width));
    let count = rows.len() / from.max(1);
    weave(count, to, woven, out, |index, laid| lay_row(format, width, &rows[index * from..][..from], laid))
}

/// As [`lay_rows`] for rows of integers.
///
/// # Errors
/// [`Error::Length`] if the codes, scales or zero points are not those of `count` rows of `width` weights.
pub fn lay_int_rows(
    ints: Ints,
    width: usize,
    count: usize,
    rows: &IntRows<'_>,
    woven: bool,
    out: &mut Vec<u8>,
) -> Result<()> {
    rows.check(ints, width, count)?;
    let planes = int_planes(ints, width);
    weave(count, planes.iter().sum(), woven, out, |index, laid| {
        let (codes, others) = laid.split_at_mut(planes[0]);
        let row = rows.codes_of(index);
        match ints.bits {
            2 => lay_pairs(row, codes),
            4 => lay_nibbles(row, codes),
            // As signed numbers.
            _ => {
                let flip = if rows.signed { 0 } else { 128 };
                codes.iter_mut().zip(&row[..width]).for_each(|(to, code)| *to = code ^ flip);
            }
        }
        let (scales, zero_points) = others.split_at_mut(planes[1]);
        let (own_scales, own_zero_points) = rows.scales_of(ints, width, index);
        scales[..own_scales.len()].copy_from_slice(own_scales);
        for (to, zero_point) in zero_points.iter_mut().zip(own_zero_points) {
            *to = *zero_point as u8;
        }
        Ok(())
    })
}

/// Codes of two bits, the lowest first, to groups whose weight `4 c + i` lies in bits `2 (c % 4)` of byte `4 (c / 4) + i`.
fn lay_pairs(row: &[u8], out: &mut [u8]) {
    for (group, out) in row.chunks(8).zip(out.chunks_exact_mut(8)) {
        for (c, byte) in group.iter().enumerate() {
            let (place, shift) = (c / 4 * 4, 2 * (c % 4));
            for i in 0..4 {
                out[place + i] |= (byte >> (2 * i) & 3) << shift;
            }
        }
    }
}

/// Codes of four bits, the low one first, to groups of low halves for the first 16 and high ones for the last.
fn lay_nibbles(row: &[u8], out: &mut [u8]) {
    for (group, out) in row.chunks(16).zip(out.chunks_exact_mut(16)) {
        for (pair, byte) in group.iter().enumerate() {
            let (place, shift) = (2 * pair % 16, pair / 8 * 4);
            out[place] |= (byte & 15) << shift;
            out[place + 1] |= (byte >> 4) << shift;
        }
    }
}

/// `count` rows of `to` bytes that `lay` writes, one after another or in bundles.
fn weave(
    count: usize,
    to: usize,
    woven: bool,
    out: &mut Vec<u8>,
    mut lay: impl FnMut(usize, &mut [u8]) -> Result<()>,
) -> Result<()> {
    out.clear();
    if !woven {
        out.resize(count * to, 0);
        return out.chunks_exact_mut(to).enumerate().try_for_each(|(index, row)| lay(index, row));
    }
    out.resize(count.next_multiple_of(WOVEN) * to, 0);
    let mut laid = vec![0; to];
    for index in 0..count {
        laid.fill(0);
        lay(index, &mut laid)?;
        let bundle = &mut out[index / WOVEN * WOVEN * to..][..WOVEN * to];
        for (word, place) in laid.chunks_exact(WORD).zip(bundle.chunks_exact_mut(WOVEN * WORD)) {
            place[index % WOVEN * WORD..][..WORD].copy_from_slice(word);
        }
    }
    Ok(())
}

/// Where the parts of a block go: `places` are the begins of the planes.
fn lay_block(format: Format, block: &[u8], index: usize, [first, second, third, fourth]: [usize; 4], out: &mut [u8]) {
    let mut put = |place: usize, bytes: &[u8]| out[place..place + bytes.len()].copy_from_slice(bytes);
    match format {
        Format::F32 | Format::F16 | Format::Bf16 | Format::Ints(_) => {}
        Format::Q8_0 => {
            put(first + 32 * index, &block[2..]);
            put(second + 2 * index, &block[..2]);
        }
        Format::Q4_0 | Format::Iq4Nl => {
            put(first + 16 * index, &block[2..]);
            put(second + 2 * index, &block[..2]);
        }
        Format::Q4_1 => {
            put(first + 16 * index, &block[4..]);
            put(second + 4 * index, &block[..4]);
        }
        Format::Q5_0 => {
            put(first + 16 * index, &block[6..]);
            put(second + 4 * index, &block[2..6]);
            put(third + 2 * index, &block[..2]);
        }
        Format::Q5_1 => {
            put(first + 16 * index, &block[8..]);
            put(second + 4 * index, &block[4..8]);
            put(third + 4 * index, &block[..4]);
        }
        Format::Mxfp4 => {
            put(first + 16 * index, &block[1..]);
            put(second + index, &block[..1]);
        }
        Format::Q4K => {
            let codes = halves_of_64(&block[16..]);
            put(first + 128 * index, &nibbles(&codes));
            put(second + 16 * index, &block[..16]);
        }
        Format::Q5K => {
            let mut codes = halves_of_64(&block[48..]);
            for (i, code) in codes.iter_mut().enumerate() {
                *code |= (block[16 + i % 32] >> (i / 32) & 1) << 4;
            }
            put(first + 128 * index, &nibbles(&codes));
            put(second + 32 * index, &bits(&codes, 4));
            put(third + 16 * index, &block[..16]);
        }
        Format::Q6K => {
            let (low, high) = (&block[..128], &block[128..192]);
            let codes: [u8; 256] = std::array::from_fn(|i| {
                // Of 128 weights: four quarters share a byte of two bits each, the first and the third one of nibbles.
                let (part, quarter, place) = (i / 128, i % 128 / 32, i % 32);
                let nibble = low[64 * part + 32 * (quarter % 2) + place] >> (4 * (quarter / 2)) & 15;
                nibble | (high[32 * part + place] >> (2 * quarter) & 3) << 4
            });
            put(first + 128 * index, &nibbles(&codes));
            put(second + 64 * index, &pairs(&codes, 4));
            put(third + 16 * index, &block[192..208]);
            put(fourth + 2 * index, &block[208..]);
        }
        Format::Q3K => {
            let mut codes = quarters_of_128(&block[32..96]);
            for (i, code) in codes.iter_mut().enumerate() {
                *code |= (block[i % 32] >> (i / 32) & 1) << 2;
            }
            put(first + 64 * index, &pairs(&codes, 0));
            put(second + 32 * index, &bits(&codes, 2));
            put(third + 16 * index, &block[96..]);
        }
        Format::Q2K => {
            put(first + 64 * index, &pairs(&quarters_of_128(&block[16..80]), 0));
            put(second + 16 * index, &block[..16]);
            put(third + 4 * index, &block[80..]);
        }
        Format::Iq4Xs => {
            put(first + 128 * index, &block[8..]);
            put(second + 8 * index, &block[..8]);
        }
    }
}

/// Codes of four bits: of each 64 the first 32 in the low halves of 32 bytes, the others in the high ones.
fn halves_of_64(bytes: &[u8]) -> [u8; 256] {
    std::array::from_fn(|i| bytes[i / 64 * 32 + i % 32] >> (4 * (i % 64 / 32)) & 15)
}

/// Codes of two bits: of each 128 the quarters in the pairs of 32 bytes.
fn quarters_of_128(bytes: &[u8]) -> [u8; 256] {
    std::array::from_fn(|i| bytes[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3)
}

/// The four lowest bits of 256 codes.
fn nibbles(codes: &[u8; 256]) -> [u8; 128] {
    std::array::from_fn(|i| {
        let at = i / 16 * 32 + i % 16;
        codes[at] & 15 | codes[at + 16] << 4
    })
}

/// One bit of 256 codes.
fn bits(codes: &[u8; 256], bit: u32) -> [u8; 32] {
    std::array::from_fn(|i| (0..8).fold(0, |byte, b| byte | (codes[8 * i + b] >> bit & 1) << b))
}

/// Two bits of 256 codes, from `bit` on.
fn pairs(codes: &[u8; 256], bit: u32) -> [u8; 64] {
    std::array::from_fn(|i| (0..4).fold(0, |byte, c| byte | (codes[i / 4 * 16 + 4 * c + i % 4] >> bit & 3) << (2 * c)))
}
