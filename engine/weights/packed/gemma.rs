//! The mobile checkpoints of Gemma 4 (`quant_method: "gemma"`): codes of 2, 4 or 8 bits in bytes, the first in the lowest
//! bits, one scale a row, and steps that activations are rounded to. The reference is `integrations/gemma_quant.py` of
//! transformers 5.23.

use super::{Packed, PackedMatrix, found, is_group_size, part, wrong};
use crate::error::Result;
use crate::weights::checkpoint::Shards;
use crate::weights::{Dtype, Fields, Ints, Rounding};
use fancy_regex::Regex;
use std::sync::OnceLock;

/// What the reference does not load either: scales of caches that are themselves quantised, and factors of residuals of sound.
const LEFT: [&str; 3] = [".k_cache_scale", ".v_cache_scale", "rqv2_muls"];

/// Finds the matrices.
pub(super) fn read(fields: &Fields, shards: &Shards) -> Result<Packed> {
    let widths = Widths::read(fields)?;
    fields.ignore(&["quantize_embeddings", "modules_to_not_convert"]);
    let mut packed = Packed::default();
    for codes in shards.files.iter().flat_map(|file| file.entries()).map(|entry| &entry.name) {
        if LEFT.iter().any(|ending| codes.ends_with(ending)) {
            packed.hidden.insert(codes.clone());
            continue;
        }
        if let Some(module) = codes.strip_suffix(".embedding_quantized") {
            let scales = format!("{module}.embedding_scale");
            packed.add(matrix(module, codes, &scales, &widths, shards)?);
        } else if let Some(module) = codes.strip_suffix(".weight")
            && shards.tensor(codes).is_some_and(|tensor| matches!(tensor.dtype, Dtype::U8 | Dtype::I8))
        {
            let mut matrix = matrix(module, codes, &format!("{module}.weight_scale"), &widths, shards)?;
            let steps = ["input", "output"].map(|side| format!("{module}.{side}_activation_scale"));
            matrix.rounding = Rounding { input: step(&steps[0], shards)?, output: step(&steps[1], shards)? };
            packed.hidden.extend(steps);
            packed.add(matrix);
        }
    }
    Ok(packed)
}

/// Bits of each module's weights.
struct Widths {
    num_bits: u32,
    patterns: Vec<(Regex, u32)>,
}

impl Widths {
    fn read(fields: &Fields) -> Result<Widths> {
        let bits = |fields: &Fields, usual: u32| {
            let bits = fields.optional_usize("num_bits", ..)?.map_or(usual, |bits| bits.min(1 << 16) as u32);
            match bits {
                2 | 4 | 8 => Ok(bits),
                other => Err(fields.error("num_bits", format!("is {other}, supported: 2, 4, 8"))),
            }
        };
        let num_bits = bits(fields, 4)?;
        let mut patterns = Vec::new();
        if let Some(modules) = fields.optional_object("module_quant_configs")? {
            for pattern in modules.names() {
                let regex = Regex::new(pattern)
                    .map_err(|_| modules.error(pattern, "is no regular expression, as names of modules must be"))?;
                patterns.push((regex, bits(&modules.object(pattern)?, num_bits)?));
            }
        }
        Ok(Widths { num_bits, patterns })
    }

    /// The pattern that matches first in the name decides, of several at one place the first: the reference joins them.
    fn of(&self, module: &str) -> u32 {
        let start = |(regex, bits): &(Regex, u32)| Some((regex.find(module).ok()??.start(), *bits));
        let first = self.patterns.iter().filter_map(start).min_by_key(|(start, _)| *start);
        first.map_or(self.num_bits, |(_, bits)| bits)
    }
}

fn matrix(module: &str, codes: &str, scales: &str, widths: &Widths, shards: &Shards) -> Result<PackedMatrix> {
    let bits = widths.of(module);
    let packed = part(shards, codes, codes)?;
    let dtype = if bits == 8 { Dtype::I8 } else { Dtype::U8 };
    let expected = || format!("{dtype} of two axes, as num_bits is {bits} there");
    let &[rows, bytes] = packed.shape else { return Err(wrong(shards, codes, found(&packed, expected()))) };
    if packed.dtype != dtype || rows == 0 || bytes == 0 {
        return Err(wrong(shards, codes, found(&packed, expected())));
    }
    let scale = part(shards, scales, codes)?;
    let Some(scale_type) = scale.dtype.scales() else {
        return Err(wrong(shards, scales, found(&scale, "F32, F16 or BF16")));
    };
    let width = bytes.saturating_mul(8 / bits as usize);
    let shared = match *scale.shape {
        [height, 1] if height == rows => None,
        [height, groups] if height == rows && groups > 0 && width.is_multiple_of(groups) => Some(width / groups),
        _ => return Err(wrong(shards, scales, found(&scale, format!("shape [{rows}, 1]")))),
    };
    if let Some(size) = shared.filter(|size| !is_group_size(*size)) {
        let problem =
            format!("has a scale for {size} weights, supported: whole rows, 32, 64, 128 and further doublings");
        return Err(wrong(shards, scales, problem));
    }
    Ok(PackedMatrix {
        name: format!("{module}.weight"),
        codes: codes.into(),
        scales: scales.into(),
        zero_points: None,
        ints: Ints { bits, shared, scales: scale_type, zero_points: false },
        signed: bits == 8,
        rounding: Rounding::NONE,
        shape: [rows, width],
        is_open: shared.is_none() && bits < 8,
        told: OnceLock::new(),
    })
}

/// The step of a static range; 0, which rounds nothing, if it is not there.
fn step(name: &str, shards: &Shards) -> Result<f32> {
    let Some(tensor) = shards.tensor(name) else { return Ok(0.0) };
    if tensor.len() != 1 || tensor.dtype.scales().is_none() {
        return Err(wrong(shards, name, found(&tensor, "one F32, F16 or BF16")));
    }
    tensor.check_finite()?;
    match tensor.to_f32()?.first() {
        Some(step) if *step >= 0.0 => Ok(*step),
        step => Err(wrong(shards, name, format!("is {}, expected 0 or more", step.unwrap_or(&f32::NAN)))),
    }
}
