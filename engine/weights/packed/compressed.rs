//! Folders of `compressed-tensors`, format `pack-quantized`: codes of 4 or 8 bits in words of 32 bits, the first in the
//! lowest bits, offset by half their range; rows begin at words. Its package is the reference (version 0.20,
//! `compressors/pack_quantized`).

use super::{Packed, PackedMatrix, found, is_group_size, part, wrong};
use crate::error::Result;
use crate::weights::checkpoint::Shards;
use crate::weights::{Dtype, Fields, Ints, Rounding, ScaleType, Tensor};
use std::sync::OnceLock;

const CODES: &str = ".weight_packed";

/// How the matrices of a config group are packed.
#[derive(Clone, Copy)]
struct Scheme {
    bits: u32,
    group_size: Option<usize>,
    symmetric: bool,
}

/// Finds the matrices.
pub(super) fn read(fields: &Fields, shards: &Shards) -> Result<Packed> {
    let schemes = schemes(fields)?;
    let mut packed = Packed::default();
    for codes in shards.files.iter().flat_map(|file| file.entries()).map(|entry| &entry.name) {
        let Some(module) = codes.strip_suffix(CODES) else { continue };
        let own = |part: &str| format!("{module}.{part}");
        if shards.tensor(&own("weight")).is_some() {
            return Err(wrong(shards, &own("weight"), format!("is there twice: as it is and as {codes}")));
        }
        let matrix = matrix(module, &schemes, shards)?;
        packed.hidden.extend([own("weight_shape"), own("weight_g_idx")]);
        packed.add(matrix);
    }
    Ok(packed)
}

fn schemes(fields: &Fields) -> Result<Vec<Scheme>> {
    fields.one_of("format", &["pack-quantized"])?;
    if fields.has("kv_cache_scheme") {
        return Err(fields.error("kv_cache_scheme", "is set; caches with scales of their own are not supported"));
    }
    if let Some(sparsity) = fields.optional_object("sparsity_config")?
        && sparsity.has("format")
    {
        sparsity.one_of("format", &["dense"])?;
    }
    if let Some(transforms) = fields.optional_object("transform_config")?
        && transforms.names().next().is_some()
    {
        return Err(fields.error("transform_config", "is set; transformed weights or activations are not supported"));
    }
    let groups = fields.object("config_groups")?;
    let mut all = Vec::new();
    for name in groups.names() {
        let group = groups.object(name)?;
        for activations in ["input_activations", "output_activations"] {
            if group.has(activations) {
                return Err(group.error(activations, "is set; only weights may be quantised, as in W4A16"));
            }
        }
        if group.has("format") {
            group.one_of("format", &["pack-quantized"])?;
        }
        all.push(scheme(&group.object("weights")?)?);
    }
    if all.is_empty() {
        return Err(fields.error("config_groups", "is empty, expected a group that says how weights are packed"));
    }
    Ok(all)
}

fn scheme(weights: &Fields) -> Result<Scheme> {
    if weights.has("type") {
        weights.one_of("type", &["int"])?;
    }
    let bits = weights.usize("num_bits", ..)?;
    if ![4, 8].contains(&bits) {
        return Err(weights.error("num_bits", format!("is {bits}, supported: 4, 8")));
    }
    if let Some(other) = weights.optional_string("actorder")?.filter(|order| !["weight", "static"].contains(order)) {
        // Only this one leaves columns out of order.
        if other != "group" {
            return Err(weights.error("actorder", format!("is {other:?}, supported: weight, static, group")));
        }
    }
    let group_size = match weights.one_of("strategy", &["group", "channel"])? {
        0 => Some(weights.usize("group_size", ..)?),
        _ => None,
    };
    if let Some(other) = group_size.filter(|size| !is_group_size(*size)) {
        return Err(weights.error("group_size", format!("is {other}, supported: 32, 64, 128 and further doublings")));
    }
    let symmetric = weights.optional_bool("symmetric")?.unwrap_or(true);
    Ok(Scheme { bits: bits as u32, group_size, symmetric })
}

fn matrix(module: &str, schemes: &[Scheme], shards: &Shards) -> Result<PackedMatrix> {
    let own = |part: &str| format!("{module}.{part}");
    let (codes, scales, zero_points) = (own("weight_packed"), own("weight_scale"), own("weight_zero_point"));
    let packed = part(shards, &codes, &codes)?;
    let &[rows, words] = packed.shape else { return Err(wrong(shards, &codes, found(&packed, "I32 of two axes"))) };
    if packed.dtype != Dtype::I32 {
        return Err(wrong(shards, &codes, found(&packed, "I32 of two axes")));
    }
    let shape = shape(&own("weight_shape"), &codes, rows, shards)?;
    let scale = part(shards, &scales, &codes)?;
    let Some(scale_type) = scale.dtype.scales() else {
        return Err(wrong(shards, &scales, found(&scale, "F32, F16 or BF16")));
    };
    let points = shards.tensor(&zero_points);
    let parts = Parts { shape, words, scale, scale_type, points };
    let fits: Vec<Result<Ints, (String, String)>> = schemes.iter().map(|scheme| parts.fit(module, *scheme)).collect();
    let ints = match fits.iter().find_map(|fit| fit.as_ref().ok()) {
        Some(ints) => *ints,
        None => {
            let several = if schemes.len() > 1 { ", and it fits no other config group" } else { "" };
            let problem = fits.into_iter().find_map(Result::err);
            let (name, problem) = problem.unwrap_or_else(|| (codes.clone(), "fits no config group".into()));
            return Err(wrong(shards, &name, format!("{problem}{several}")));
        }
    };
    if let Some(order) = shards.tensor(&own("weight_g_idx")) {
        check_order(&order, shape[1], ints.shared, shards)?;
    }
    Ok(PackedMatrix {
        name: own("weight"),
        codes,
        scales,
        zero_points: ints.zero_points.then_some(zero_points),
        ints,
        signed: false,
        rounding: Rounding::NONE,
        shape,
        is_open: false,
        told: OnceLock::new(),
    })
}

/// The parts of a matrix that a scheme must fit.
struct Parts<'a> {
    shape: [usize; 2],
    words: usize,
    scale: Tensor<'a>,
    scale_type: ScaleType,
    points: Option<Tensor<'a>>,
}

impl Parts<'_> {
    /// The format, or the name of a tensor and what is wrong with it.
    fn fit(&self, module: &str, scheme: Scheme) -> Result<Ints, (String, String)> {
        let Scheme { bits, group_size, symmetric } = scheme;
        let [rows, width] = self.shape;
        let about = |part: &str, problem: String| (format!("{module}.{part}"), problem);
        let words = width.saturating_mul(bits as usize).div_ceil(32);
        if self.words != words {
            let problem =
                format!("has {} words a row, expected {words} for {width} weights of num_bits {bits}", self.words);
            return Err(about("weight_packed", problem));
        }
        if let Some(size) = group_size.filter(|size| !width.is_multiple_of(*size)) {
            return Err(about(
                "weight_packed",
                format!("has rows of {width} weights, which group_size {size} does not divide"),
            ));
        }
        let scales = group_size.map_or(1, |size| width / size);
        if self.scale.shape != [rows, scales] {
            let strategy = group_size.map_or("strategy channel".into(), |size| format!("group_size {size}"));
            return Err(about("weight_scale", found(&self.scale, format!("{:?} for {strategy}", [rows, scales]))));
        }
        let points = [rows.saturating_mul(bits as usize).div_ceil(32), scales];
        match (&self.points, symmetric) {
            (None, true) => {}
            (Some(tensor), false) if tensor.dtype == Dtype::I32 && tensor.shape == points => {}
            (Some(tensor), false) => {
                return Err(about("weight_zero_point", found(tensor, format!("I32 of shape {points:?}"))));
            }
            (Some(_), true) => {
                return Err(about("weight_zero_point", "is there, but the config says symmetric".into()));
            }
            (None, false) => {
                return Err(about("weight_zero_point", "is missing, but the config says symmetric: false".into()));
            }
        }
        Ok(Ints { bits, shared: group_size, scales: self.scale_type, zero_points: !symmetric })
    }
}

/// `weight_shape`: rows, which are known, and columns, which the packed words alone leave open.
fn shape(name: &str, of: &str, rows: usize, shards: &Shards) -> Result<[usize; 2]> {
    let tensor = part(shards, name, of)?;
    let values: Vec<i64> = match tensor.dtype {
        Dtype::I64 => tensor.data.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect(),
        Dtype::I32 => tensor.data.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four).into()).collect(),
        _ => Vec::new(),
    };
    match values[..] {
        [height, width] if height == rows as i64 && (1..1 << 32).contains(&width) => Ok([rows, width as usize]),
        [height, width] => {
            Err(wrong(shards, name, format!("says [{height}, {width}], but weight_packed has {rows} rows")))
        }
        _ => Err(wrong(shards, name, found(&tensor, "I64 of shape [2]"))),
    }
}

/// `weight_g_idx` says of each column which scale it has: in order, it says nothing new.
fn check_order(order: &Tensor<'_>, width: usize, shared: Option<usize>, shards: &Shards) -> Result<()> {
    let groups = order.data.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four));
    let in_order = |(column, group): (usize, i32)| group == -1 || group as usize == column / shared.unwrap_or(width);
    if order.dtype == Dtype::I32 && order.len() == width && groups.enumerate().all(in_order) {
        return Ok(());
    }
    let problem =
        "has columns out of order (actorder: group), which is not supported; use a copy with actorder weight or none";
    Err(wrong(shards, order.name, problem))
}
