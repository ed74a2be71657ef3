//! Number formats of weights: how many values share a block and how many bytes the block has.
//!
//! The block formats are those of GGUF files, bit for bit as `ggml` defines them (`ggml-common.h`). [`Ints`] are those of
//! quantised safetensors folders, whose scales lie in tensors of their own.

/// A number format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names of the formats.
pub enum Format {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Iq4Nl,
    Iq4Xs,
    Mxfp4,
    Ints(Ints),
}

/// Integers with scales beside them, as quantised safetensors folders hold them: `(q − zero point) · scale`.
///
/// On the GPU the codes keep their bits and the scales their 16 or 32 bits; what differs between folders (how many weights
/// share a scale, how it is written, zero points) specialises one shader a number of bits. Formats of blocks, with a scale
/// in each, would need half as much again for two-bit weights with one scale a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ints {
    /// Of a weight: 2, 4 or 8.
    pub bits: u32,
    /// Consecutive weights of a row that share a scale, 32 times a power of two; `None` if the whole row does.
    pub shared: Option<usize>,
    /// How scales are written.
    pub scales: ScaleType,
    /// Each scale has a zero point, an integer within the range of the weights.
    pub zero_points: bool,
}

/// How scales are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names of the formats.
pub enum ScaleType {
    F32,
    Bf16,
    F16,
}

impl ScaleType {
    /// Bytes of a scale.
    pub fn bytes(self) -> usize {
        if self == ScaleType::F32 { 4 } else { 2 }
    }

    /// The value of little-endian bytes.
    pub fn read(self, bytes: &[u8]) -> f32 {
        match self {
            ScaleType::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            ScaleType::Bf16 => half::bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
            ScaleType::F16 => half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        }
    }
}

impl Ints {
    /// Scales of a row of `width` weights.
    pub fn scales_of(self, width: usize) -> usize {
        self.shared.map_or(1, |shared| width.div_ceil(shared))
    }

    fn name(self) -> &'static str {
        match self.bits {
            2 => "int2",
            4 => "int4",
            _ => "int8",
        }
    }
}

/// Each format with its name, its number in GGUF files, values of a block and bytes of a block.
const FORMATS: [(Format, &str, u32, usize, usize); 16] = [
    (Format::F32, "f32", 0, 1, 4),
    (Format::F16, "f16", 1, 1, 2),
    (Format::Bf16, "bf16", 30, 1, 2),
    (Format::Q4_0, "q4_0", 2, 32, 18),
    (Format::Q4_1, "q4_1", 3, 32, 20),
    (Format::Q5_0, "q5_0", 6, 32, 22),
    (Format::Q5_1, "q5_1", 7, 32, 24),
    (Format::Q8_0, "q8_0", 8, 32, 34),
    (Format::Q2K, "q2_k", 10, 256, 84),
    (Format::Q3K, "q3_k", 11, 256, 110),
    (Format::Q4K, "q4_k", 12, 256, 144),
    (Format::Q5K, "q5_k", 13, 256, 176),
    (Format::Q6K, "q6_k", 14, 256, 210),
    (Format::Iq4Nl, "iq4_nl", 20, 32, 18),
    (Format::Iq4Xs, "iq4_xs", 23, 256, 136),
    (Format::Mxfp4, "mxfp4", 39, 32, 17),
];

impl Format {
    /// Those whose values stand by themselves.
    pub const PLAIN: [Format; 3] = [Format::F32, Format::F16, Format::Bf16];

    /// All of GGUF files.
    pub fn all() -> impl Iterator<Item = Format> {
        FORMATS.into_iter().map(|row| row.0)
    }

    /// As in reports and in names of shaders.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its number in GGUF files; `u32::MAX` for integers, which those do not hold.
    pub fn ggml_type(self) -> u32 {
        self.row().2
    }

    /// The format of a number in a GGUF file, if it is one that we multiply.
    pub fn from_ggml_type(number: u32) -> Option<Format> {
        FORMATS.into_iter().find(|row| row.2 == number).map(|row| row.0)
    }

    /// Values of a block: 1, 32 or 256. Integers come in groups of 32 codes.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of a block; of integers those of the codes.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// Whether its values stand by themselves.
    pub fn is_plain(self) -> bool {
        self.block_len() == 1
    }

    fn row(self) -> (Format, &'static str, u32, usize, usize) {
        if let Format::Ints(ints) = self {
            return (self, ints.name(), u32::MAX, 32, 4 * ints.bits as usize);
        }
        FORMATS.into_iter().find(|row| row.0 == self).unwrap_or(FORMATS[0])
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_finds_its_row() {
        for format in Format::all() {
            assert_eq!(format.row().0, format);
            assert_eq!(Format::from_ggml_type(format.ggml_type()), Some(format));
        }
    }
}
