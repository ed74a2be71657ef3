//! Rows of integers with scales beside them.

use super::super::Ints;
use crate::error::{Error, Result};

/// Rows as a file holds them.
#[derive(Clone, Copy, Debug)]
pub struct IntRows<'a> {
    /// Codes, the lowest bits of a byte first; the first of a row begins a byte. They are offset by half their range, or
    /// signed.
    pub codes: &'a [u8],
    /// Bytes from row to row, maybe more than a row needs.
    pub row_bytes: usize,
    /// Codes of 8 bits are signed.
    pub signed: bool,
    /// Of each row [`Ints::scales_of`] its width.
    pub scales: &'a [u8],
    /// As many, if the format has them.
    pub zero_points: &'a [i8],
}

impl<'a> IntRows<'a> {
    /// Holds the lengths against `count` rows of `width` weights.
    ///
    /// # Errors
    /// [`Error::Length`] naming the first that is wrong.
    pub fn check(&self, ints: Ints, width: usize, count: usize) -> Result<()> {
        let scales = count * ints.scales_of(width);
        let zero_points = if ints.zero_points { scales } else { 0 };
        let needed = (width * ints.bits as usize).div_ceil(8);
        let expected = [
            ("codes", count * self.row_bytes, self.codes.len()),
            ("scales", scales * ints.scales.bytes(), self.scales.len()),
            ("zero points", zero_points, self.zero_points.len()),
            ("codes of a row", self.row_bytes.max(needed), self.row_bytes),
        ];
        match expected.into_iter().find(|(_, expected, found)| expected != found) {
            Some((name, expected, found)) => Err(Error::Length { name: name.into(), expected, found }),
            None => Ok(()),
        }
    }

    /// The codes of a row.
    pub(in crate::weights) fn codes_of(&self, row: usize) -> &'a [u8] {
        &self.codes[row * self.row_bytes..][..self.row_bytes]
    }

    /// The scales of a row, and its zero points.
    pub(in crate::weights) fn scales_of(&self, ints: Ints, width: usize, row: usize) -> (&'a [u8], &'a [i8]) {
        let scales = ints.scales_of(width);
        let bytes = scales * ints.scales.bytes();
        let zero_points = if ints.zero_points { scales } else { 0 };
        (&self.scales[row * bytes..][..bytes], &self.zero_points[row * zero_points..][..zero_points])
    }
}

/// The values of `count` rows of `width` weights, `(q − zero point) · scale` in f32, as both references compute them.
///
/// # Errors
/// [`Error::Length`] if a length is wrong.
pub fn dequantize_ints(ints: Ints, width: usize, count: usize, rows: &IntRows<'_>, out: &mut [f32]) -> Result<()> {
    rows.check(ints, width, count)?;
    if out.len() != count * width {
        let name = "values of integers".into();
        return Err(Error::Length { name, expected: count * width, found: out.len() });
    }
    let bits = ints.bits as usize;
    let (mask, half) = ((1u32 << bits) - 1, if rows.signed { 0 } else { 1 << (bits - 1) });
    let shared = ints.shared.unwrap_or(width.max(1));
    for (row, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
        let codes = rows.codes_of(row);
        let (scales, zero_points) = rows.scales_of(ints, width, row);
        for (i, out) in out.iter_mut().enumerate() {
            let code = u32::from(codes[i * bits / 8]) >> (i * bits % 8) & mask;
            let code = if rows.signed { i32::from(code as u8 as i8) } else { code as i32 - half };
            let zero_point = zero_points.get(i / shared).map_or(0, |zero_point| i32::from(*zero_point));
            let scale = ints.scales.read(&scales[i / shared * ints.scales.bytes()..]);
            *out = (code - zero_point) as f32 * scale;
        }
    }
    Ok(())
}
