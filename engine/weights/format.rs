//! Number formats of weights: how many values share a block and how many bytes the block has.
//!
//! The block formats are those of GGUF files, bit for bit as `ggml` defines them (`ggml-common.h`).

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

    /// All of them.
    pub fn all() -> impl Iterator<Item = Format> {
        FORMATS.into_iter().map(|row| row.0)
    }

    /// As in reports and in names of shaders.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its number in GGUF files.
    pub fn ggml_type(self) -> u32 {
        self.row().2
    }

    /// The format of a number in a GGUF file, if it is one that we multiply.
    pub fn from_ggml_type(number: u32) -> Option<Format> {
        FORMATS.into_iter().find(|row| row.2 == number).map(|row| row.0)
    }

    /// Values of a block: 1, 32 or 256.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// Whether its values stand by themselves.
    pub fn is_plain(self) -> bool {
        self.block_len() == 1
    }

    fn row(self) -> (Format, &'static str, u32, usize, usize) {
        // The table is in the order of the enum, as the tests below hold it to.
        FORMATS[self as usize]
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
    fn the_table_is_in_the_order_of_the_enum() {
        for (place, format) in Format::all().enumerate() {
            assert_eq!(format as usize, place);
            assert_eq!(Format::from_ggml_type(format.ggml_type()), Some(format));
        }
    }
}
