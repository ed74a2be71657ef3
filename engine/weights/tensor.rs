//! A tensor as it lies in a mapped file: its format, its values as f32, the search for values that are not finite, and the
//! way to give its memory back.

use super::quants::{self, IntRows};
use super::{Format, Ints, Rounding, ScaleType};
use crate::error::{Error, Result};
use half::slice::HalfFloatSliceExt;
use memmap2::Mmap;
use std::ops::Range;
use std::path::Path;

/// How the values of a tensor are stored. Only those with a [`Dtype::format`] can be weights; the others are known by name, so
/// that files holding them can be read and errors can say what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names of the format.
pub enum Dtype {
    Bool,
    F4,
    F6E2m3,
    F6E3m2,
    U8,
    I8,
    F8E5m2,
    F8E4m3,
    F8E8m0,
    F8E4m3Fnuz,
    F8E5m2Fnuz,
    I16,
    U16,
    F16,
    Bf16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
    /// A block format of GGUF files, or integers with scales beside them.
    Block(Format),
}

/// Each format with its name in the header and the bits of a value.
const DTYPES: [(Dtype, &str, u64); 22] = [
    (Dtype::Bool, "BOOL", 8),
    (Dtype::F4, "F4", 4),
    (Dtype::F6E2m3, "F6_E2M3", 6),
    (Dtype::F6E3m2, "F6_E3M2", 6),
    (Dtype::U8, "U8", 8),
    (Dtype::I8, "I8", 8),
    (Dtype::F8E5m2, "F8_E5M2", 8),
    (Dtype::F8E4m3, "F8_E4M3", 8),
    (Dtype::F8E8m0, "F8_E8M0", 8),
    (Dtype::F8E4m3Fnuz, "F8_E4M3FNUZ", 8),
    (Dtype::F8E5m2Fnuz, "F8_E5M2FNUZ", 8),
    (Dtype::I16, "I16", 16),
    (Dtype::U16, "U16", 16),
    (Dtype::F16, "F16", 16),
    (Dtype::Bf16, "BF16", 16),
    (Dtype::I32, "I32", 32),
    (Dtype::U32, "U32", 32),
    (Dtype::F32, "F32", 32),
    (Dtype::C64, "C64", 64),
    (Dtype::F64, "F64", 64),
    (Dtype::I64, "I64", 64),
    (Dtype::U64, "U64", 64),
];

impl Dtype {
    /// The name in a safetensors header.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Block(format) => format.name(),
            _ => self.row().1,
        }
    }

    /// Bits of a value that stands by itself.
    pub fn bits(self) -> u64 {
        self.row().2
    }

    /// The format of weights that it is, if it is one.
    pub fn format(self) -> Option<Format> {
        match self {
            Dtype::F32 => Some(Format::F32),
            Dtype::F16 => Some(Format::F16),
            Dtype::Bf16 => Some(Format::Bf16),
            Dtype::Block(format) => Some(format),
            _ => None,
        }
    }

    fn row(self) -> (Dtype, &'static str, u64) {
        DTYPES.into_iter().find(|row| row.0 == self).unwrap_or(DTYPES[0])
    }

    /// How scales of this format are written, if they can be.
    pub(super) fn scales(self) -> Option<ScaleType> {
        match self {
            Dtype::F32 => Some(ScaleType::F32),
            Dtype::Bf16 => Some(ScaleType::Bf16),
            Dtype::F16 => Some(ScaleType::F16),
            _ => None,
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Dtype> {
        DTYPES.into_iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A tensor in a mapped file.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    /// The name of the checkpoint.
    pub name: &'a str,
    /// How the values are stored.
    pub dtype: Dtype,
    /// Row-major, last axis contiguous; empty for a scalar.
    pub shape: &'a [usize],
    /// The values, little-endian; they may begin at any address.
    pub data: &'a [u8],
    /// The file it lies in.
    pub file: &'a Path,
    pub(super) map: &'a Mmap,
    /// Where the data begins in the file.
    pub(super) start: usize,
    /// What belongs to codes of integers.
    pub(super) beside: Option<Beside<'a>>,
}

/// What belongs to codes of integers: their scales and what else is stored in tensors of its own.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    /// The tensor of the scales, for errors.
    pub(super) scales_name: &'a str,
    /// The scales, row by row.
    pub(super) scales: &'a [u8],
    /// Zero points as stored, packed down the columns and offset by half their range; empty if there are none.
    pub(super) zero_points: &'a [u8],
    /// Codes of 8 bits are signed.
    pub(super) signed: bool,
    /// How activations are rounded.
    pub(super) rounding: Rounding,
}

impl std::fmt::Debug for Tensor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{:?}", self.name, self.dtype, self.shape)
    }
}

/// Bytes looked at in one go by [`Tensor::check_finite`]: small enough for the caches.
const CHECKED_BYTES: usize = 1 << 16;

impl Tensor<'_> {
    /// The format of its weights, if they can be weights.
    pub fn format(&self) -> Option<Format> {
        self.dtype.format()
    }

    /// How the inputs and outputs of this projection are rounded.
    pub fn rounding(&self) -> Rounding {
        self.beside.map_or(Rounding::NONE, |beside| beside.rounding)
    }

    /// Bytes in the file, scales and zero points included.
    pub fn bytes(&self) -> u64 {
        let beside = self.beside.map_or(0, |beside| beside.scales.len() + beside.zero_points.len());
        (self.data.len() + beside) as u64
    }

    /// Whether the other one is stored as the same bytes.
    pub fn is_copy_of(&self, other: &Tensor<'_>) -> bool {
        let scales = match (&self.beside, &other.beside) {
            (None, None) => true,
            (Some(own), Some(others)) => own.scales == others.scales && own.zero_points == others.zero_points,
            _ => false,
        };
        scales && (self.dtype, self.data) == (other.dtype, other.data)
    }

    /// Values in all.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an axis is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values as f32, exactly.
    ///
    /// # Errors
    /// [`Error::Tensors`] unless they are F32, F16 or BF16.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(self.len());
        match self.dtype {
            Dtype::F32 => values.extend(self.data.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four))),
            Dtype::Bf16 => {
                let widen = |two: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*two)) << 16);
                values.extend(self.data.as_chunks().0.iter().map(widen));
            }
            Dtype::F16 => {
                values.resize(self.len(), 0.0);
                let mut halves = [half::f16::ZERO; 1024];
                for (bytes, out) in self.data.chunks(2 * halves.len()).zip(values.chunks_mut(halves.len())) {
                    let halves = &mut halves[..out.len()];
                    for (to, two) in halves.iter_mut().zip(bytes.as_chunks().0) {
                        *to = half::f16::from_le_bytes(*two);
                    }
                    halves.convert_to_f32_slice(out);
                }
            }
            Dtype::Block(Format::Ints(ints)) => {
                values.resize(self.len(), 0.0);
                let (count, width) = (self.rows(), self.len() / self.rows().max(1));
                self.int_rows(ints, 0, count, |rows| quants::dequantize_ints(ints, width, count, rows, &mut values))?;
            }
            Dtype::Block(format) => {
                values.resize(self.len(), 0.0);
                quants::dequantize(format, self.data, &mut values)?;
            }
            other => {
                let problem = format!("tensor {} is {other}, expected F32, F16, BF16 or a block format", self.name);
                return Err(Error::Tensors { path: self.file.into(), problem });
            }
        }
        Ok(values)
    }

    /// Fails at the first value that is NaN or infinite; reads at the speed of memory. Integers pass.
    ///
    /// # Errors
    /// [`Error::NotFinite`] naming the tensor and the index.
    pub fn check_finite(&self) -> Result<()> {
        self.check_finite_bytes(0..self.data.len())
    }

    /// As [`Tensor::check_finite`] for a block of the data, given in bytes from the tensor's begin. The block begins and
    /// ends between values.
    ///
    /// # Errors
    /// [`Error::NotFinite`] naming the tensor and the index.
    pub fn check_finite_bytes(&self, bytes: Range<usize>) -> Result<()> {
        let start = bytes.start;
        let data = self.data.get(bytes).unwrap_or_default();
        // Not finite means that all bits of the exponent are set.
        match self.dtype {
            Dtype::F32 => {
                self.find_not_finite::<4>(start, data, |four| u32::from_le_bytes(four) & 0x7f80_0000, 0x7f80_0000)
            }
            Dtype::F16 => self.find_not_finite::<2>(start, data, |two| u16::from_le_bytes(two) & 0x7c00, 0x7c00),
            Dtype::Bf16 => self.find_not_finite::<2>(start, data, |two| u16::from_le_bytes(two) & 0x7f80, 0x7f80),
            Dtype::Block(Format::Ints(ints)) => self.check_int_scales(ints, start, data.len()),
            Dtype::Block(format) => self.check_scales(format, start, data),
            _ => Ok(()),
        }
    }

    /// The rows of a matrix.
    fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Hands `count` rows of integers from `first` on to `use_rows`.
    pub(super) fn int_rows<R>(
        &self,
        ints: Ints,
        first: usize,
        count: usize,
        use_rows: impl FnOnce(&IntRows<'_>) -> R,
    ) -> R {
        let width = self.len() / self.rows().max(1);
        let row_bytes = self.data.len() / self.rows().max(1);
        let (scales, zero_points, signed) =
            self.beside.map_or((&[][..], &[][..], false), |beside| (beside.scales, beside.zero_points, beside.signed));
        let (of_row, bits) = (ints.scales_of(width), ints.bits as usize);
        // Zero point `s` of row `r` lies in word `[r * bits / 32][s]`: as many rows as fit share a word.
        let zero_point = |at: usize| {
            let (row, scale) = (first + at / of_row, at % of_row);
            let word = (row * bits / 32 * of_row + scale) * 4;
            let bit = row * bits % 32;
            let code = zero_points.get(word + bit / 8).map_or(0, |byte| byte >> (bit % 8));
            ((u32::from(code) & ((1 << bits) - 1)) as i32 - (1 << (bits - 1))) as i8
        };
        let zero_points: Vec<i8> =
            if ints.zero_points { (0..count * of_row).map(zero_point).collect() } else { Vec::new() };
        let bytes = of_row * ints.scales.bytes();
        use_rows(&IntRows {
            codes: self.data.get(first * row_bytes..(first + count) * row_bytes).unwrap_or_default(),
            row_bytes,
            signed,
            scales: scales.get(first * bytes..(first + count) * bytes).unwrap_or_default(),
            zero_points: &zero_points,
        })
    }

    /// Fails at the first scale that is not finite of the rows whose codes are these bytes.
    fn check_int_scales(&self, ints: Ints, start: usize, len: usize) -> Result<()> {
        let row_bytes = (self.data.len() / self.rows().max(1)).max(1);
        let (first, count) = (start / row_bytes, len.div_ceil(row_bytes));
        let bytes = ints.scales.bytes();
        let before = first * ints.scales_of(self.len() / self.rows().max(1));
        self.int_rows(ints, first, count, |rows| {
            let mut scales = rows.scales.chunks_exact(bytes).map(|scale| ints.scales.read(scale));
            let Some(at) = scales.position(|scale| !scale.is_finite()) else { return Ok(()) };
            let value = ints.scales.read(&rows.scales[at * bytes..]);
            Err(Error::NotFinite {
                path: self.file.into(),
                tensor: self.beside.map_or(self.name, |beside| beside.scales_name).into(),
                index: before + at,
                found: if value.is_nan() { "NaN" } else { "infinity" },
            })
        })
    }

    /// Fails at the first block whose half floats are not all finite, or whose exponent lets values overflow.
    fn check_scales(&self, format: Format, start: usize, data: &[u8]) -> Result<()> {
        for (index, block) in data.chunks_exact(format.block_bytes()).enumerate() {
            let not_finite = |found| Error::NotFinite {
                path: self.file.into(),
                tensor: self.name.into(),
                index: (start / format.block_bytes() + index) * format.block_len(),
                found,
            };
            if format == Format::Mxfp4 && block[0] > quants::GREATEST_EXPONENT {
                return Err(not_finite(if block[0] == u8::MAX { "NaN" } else { "infinity" }));
            }
            for at in quants::half_floats(format) {
                let two = u16::from_le_bytes([block[*at], block[at + 1]]);
                if two & 0x7c00 == 0x7c00 {
                    return Err(not_finite(if two & 0x03ff == 0 { "infinity" } else { "NaN" }));
                }
            }
        }
        Ok(())
    }

    fn find_not_finite<const N: usize>(
        &self,
        start: usize,
        data: &[u8],
        exponent: impl Fn([u8; N]) -> <Width<N> as Bits>::Of,
        all: <Width<N> as Bits>::Of,
    ) -> Result<()>
    where
        Width<N>: Bits,
    {
        for (block, bytes) in data.chunks(CHECKED_BYTES).enumerate() {
            let values = bytes.as_chunks::<N>().0;
            // Without an early exit, so that the compiler makes vectors of it.
            let largest = values.iter().fold(Default::default(), |most, value| exponent(*value).max(most));
            if largest < all {
                continue;
            }
            let at = values.iter().position(|value| exponent(*value) == all).unwrap_or_default();
            let first = start + block * CHECKED_BYTES + at * N;
            let mantissa = Tensor { data: &bytes[at * N..(at + 1) * N], shape: &[1], ..*self }.to_f32()?;
            return Err(Error::NotFinite {
                path: self.file.into(),
                tensor: self.name.into(),
                index: first / N,
                found: if mantissa.first().is_some_and(|value| value.is_nan()) { "NaN" } else { "infinity" },
            });
        }
        Ok(())
    }

    /// Gives the memory of a block back, given in bytes from the tensor's begin; reading it again reads the file again.
    /// Called behind the upload, so that a large file never lies in memory as a whole.
    pub fn release(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        {
            let end = bytes.end.min(self.data.len());
            // The system widens this to whole pages; those of neighbours are read again when they are needed.
            let (from, len) = (self.start + bytes.start, end.saturating_sub(bytes.start));
            if len > 0 {
                // SAFETY: dropping pages of a read-only mapping of a file changes no byte of it.
                let _ = unsafe { self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, from, len) };
            }
        }
        #[cfg(not(unix))]
        let _ = (bytes, self.map, self.start);
    }
}

/// The unsigned number as wide as `N` bytes.
trait Bits {
    /// It.
    type Of: Ord + Default + Copy;
}

/// `N` bytes.
struct Width<const N: usize>;

impl Bits for Width<2> {
    type Of = u16;
}

impl Bits for Width<4> {
    type Of = u32;
}
