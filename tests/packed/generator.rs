//! Folders of fixtures with their matrices quantised, in the layouts of published ones, and beside each the same values as
//! f32.

use crate::fixture;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How matrices are quantised.
#[derive(Clone, Copy, Debug)]
pub struct Scheme {
    pub bits: u32,
    pub group: Option<usize>,
    pub symmetric: bool,
    pub scales: Dtype,
}

/// A stored tensor.
#[derive(Clone)]
pub struct Stored {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

/// A matrix of integers.
struct Quantised {
    /// Offset by half their range.
    codes: Vec<u8>,
    zero_points: Vec<u8>,
    scales: Vec<u8>,
    /// What they stand for.
    values: Vec<f32>,
}

fn quantise(values: &[f32], width: usize, scheme: Scheme) -> Quantised {
    let Scheme { bits, group, symmetric, scales: dtype } = scheme;
    let (half, most) = (1i32 << (bits - 1), (1i32 << bits) - 1);
    let mut all = Quantised { codes: Vec::new(), zero_points: Vec::new(), scales: Vec::new(), values: Vec::new() };
    for group in values.chunks(width).flat_map(|row| row.chunks(group.unwrap_or(width))) {
        let low = group.iter().fold(0.0f32, |least, v| least.min(*v));
        let high = group.iter().fold(1e-6f32, |most, v| most.max(*v));
        let wanted = if symmetric { high.max(-low) / (half as f32 - 0.5) } else { (high - low) / most as f32 };
        let scale = match dtype {
            Dtype::F32 => wanted,
            Dtype::BF16 => half::bf16::from_f32(wanted).to_f32(),
            _ => half::f16::from_f32(wanted).to_f32(),
        };
        match dtype {
            Dtype::F32 => all.scales.extend(scale.to_le_bytes()),
            Dtype::BF16 => all.scales.extend(half::bf16::from_f32(wanted).to_le_bytes()),
            _ => all.scales.extend(half::f16::from_f32(wanted).to_le_bytes()),
        }
        let zero = if symmetric { half } else { ((-low / scale).round() as i32).clamp(0, most) };
        all.zero_points.push(zero as u8);
        for value in group {
            let code = ((value / scale).round() as i32 + zero).clamp(0, most);
            all.codes.push(code as u8);
            all.values.push((code - zero) as f32 * scale);
        }
    }
    all
}

/// Codes in bytes, the first in the lowest bits; each row is filled up to a multiple of `unit` bytes.
fn pack(codes: &[u8], width: usize, bits: u32, unit: usize) -> Vec<u8> {
    let row_bytes = (width * bits as usize).div_ceil(8).next_multiple_of(unit);
    let mut out = vec![0; codes.len() / width * row_bytes];
    for (row, out) in codes.chunks(width).zip(out.chunks_mut(row_bytes)) {
        for (i, code) in row.iter().enumerate() {
            out[i * bits as usize / 8] |= code << (i * bits as usize % 8);
        }
    }
    out
}

/// Zero points packed down the columns in words.
fn pack_down(zero_points: &[u8], columns: usize, bits: u32) -> (Vec<usize>, Vec<u8>) {
    let rows = zero_points.len() / columns;
    let words = (rows * bits as usize).div_ceil(32);
    let mut out = vec![0u32; words * columns];
    for (i, zero_point) in zero_points.iter().enumerate() {
        let bit = i / columns * bits as usize;
        out[bit / 32 * columns + i % columns] |= u32::from(*zero_point) << (bit % 32);
    }
    (vec![words, columns], out.iter().flat_map(|word| word.to_le_bytes()).collect())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Two folders with the same values.
pub struct Pair {
    pub packed: TempDir,
    pub plain: TempDir,
}

/// A fixture's tensors and config.
pub struct Source {
    pub folder: PathBuf,
    pub config: Value,
    pub tensors: Vec<Stored>,
}

impl Source {
    pub fn of(name: &str) -> Source {
        let folder = fixture(name);
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        let stored = |(name, view): (&str, TensorView<'_>)| Stored {
            name: name.into(),
            dtype: view.dtype(),
            shape: view.shape().into(),
            data: view.data().into(),
        };
        let tensors = SafeTensors::deserialize(&bytes).unwrap().iter().map(stored).collect();
        let config = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
        Source { folder, config, tensors }
    }

    /// A folder with these tensors and the fixture's other files.
    pub fn write(&self, config: &Value, tensors: &[Stored]) -> TempDir {
        let folder = TempDir::new().unwrap();
        copy_files(&self.folder, folder.path());
        write(folder.path(), config, tensors);
        folder
    }

    /// Each matrix packed as `scheme` says of its name and width, if it does; what is packed by a scheme of the config has
    /// the parts that `compressed-tensors` writes.
    pub fn compressed(&self, schemes: &[(&str, Scheme)], choose: impl Fn(&str, usize) -> Option<usize>) -> Pair {
        let group = |(name, scheme): &(&str, Scheme)| {
            let weights = json!({
                "num_bits": scheme.bits, "type": "int", "symmetric": scheme.symmetric, "group_size": scheme.group,
                "strategy": if scheme.group.is_some() { "group" } else { "channel" }, "actorder": null,
                "dynamic": false, "observer": "minmax",
            });
            let group = json!({
                "targets": ["Linear"], "weights": weights, "input_activations": null, "output_activations": null,
            });
            (name.to_string(), group)
        };
        let mut config = self.config.clone();
        config["quantization_config"] = json!({
            "quant_method": "compressed-tensors", "format": "pack-quantized", "quantization_status": "compressed",
            "config_groups": Value::Object(schemes.iter().map(group).collect()), "kv_cache_scheme": null,
            "ignore": ["lm_head", "re:.*embed_tokens.*", "re:model\\.audio_tower.*"],
        });
        self.pair(&config, |module, shape, values| {
            let scheme = schemes[choose(module, shape[1])?].1;
            let bits = scheme.bits as usize;
            let quantised = quantise(values, shape[1], scheme);
            let columns = scheme.group.map_or(1, |group| shape[1] / group);
            let part = |name: &str, dtype, shape: Vec<usize>, data| Stored {
                name: format!("{module}.{name}"),
                dtype,
                shape,
                data,
            };
            let words = (shape[1] * bits).div_ceil(32);
            let sizes = shape.iter().flat_map(|length| (*length as i64).to_le_bytes()).collect();
            let mut parts = vec![
                part(
                    "weight_packed",
                    Dtype::I32,
                    vec![shape[0], words],
                    pack(&quantised.codes, shape[1], scheme.bits, 4),
                ),
                part("weight_scale", scheme.scales, vec![shape[0], columns], quantised.scales),
                part("weight_shape", Dtype::I64, vec![2], sizes),
            ];
            if !scheme.symmetric {
                let (shape, data) = pack_down(&quantised.zero_points, columns, scheme.bits);
                parts.push(part("weight_zero_point", Dtype::I32, shape, data));
            }
            Some((parts, quantised.values))
        })
    }

    /// Each matrix with as many bits as `choose` says of its name, as mobile checkpoints have them.
    pub fn mobile(&self, quantization: Value, choose: impl Fn(&str) -> Option<u32>) -> Pair {
        let mut config = self.config.clone();
        config["quantization_config"] = quantization;
        self.pair(&config, |module, shape, values| {
            let bits = choose(module)?;
            let scheme = Scheme { bits, group: None, symmetric: true, scales: Dtype::F32 };
            let quantised = quantise(values, shape[1], scheme);
            let is_table = module.contains("embed_tokens");
            let [codes, scales] =
                if is_table { ["embedding_quantized", "embedding_scale"] } else { ["weight", "weight_scale"] };
            let part = |name: &str, dtype, shape: Vec<usize>, data| Stored {
                name: format!("{module}.{name}"),
                dtype,
                shape,
                data,
            };
            let mut data = pack(&quantised.codes, shape[1], bits, 1);
            if bits == 8 {
                // Signed.
                data.iter_mut().for_each(|code| *code ^= 128);
            }
            let dtype = if bits == 8 { Dtype::I8 } else { Dtype::U8 };
            let mut parts = vec![
                part(codes, dtype, vec![shape[0], data.len() / shape[0]], data),
                part(scales, Dtype::F32, vec![shape[0], 1], quantised.scales),
            ];
            if !is_table {
                parts.push(part("input_activation_scale", Dtype::F32, vec![], floats(&[0.0])));
                parts.push(part("output_activation_scale", Dtype::F32, vec![], floats(&[0.0])));
            }
            Some((parts, quantised.values))
        })
    }

    fn pair(&self, config: &Value, pack: impl Fn(&str, &[usize], &[f32]) -> Option<(Vec<Stored>, Vec<f32>)>) -> Pair {
        let (mut packed, mut plain, mut count) = (Vec::new(), Vec::new(), 0);
        for tensor in &self.tensors {
            let module = tensor.name.strip_suffix(".weight").filter(|_| tensor.shape.len() == 2);
            let values: Vec<f32> = tensor.data.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            match module.and_then(|module| pack(module, &tensor.shape, &values)) {
                Some((parts, values)) => {
                    packed.extend(parts);
                    plain.push(Stored { data: floats(&values), ..tensor.clone() });
                    count += 1;
                }
                None => {
                    packed.push(tensor.clone());
                    plain.push(tensor.clone());
                }
            }
        }
        assert!(count > 8, "only {count} matrices were packed");
        Pair { packed: self.write(config, &packed), plain: self.write(&self.config, &plain) }
    }
}

/// The files of a fixture without its cases and weights.
pub fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let heavy = entry.file_name() == "model.safetensors";
        if entry.file_type().unwrap().is_file() && !heavy {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Writes config and weights.
pub fn write(folder: &Path, config: &Value, tensors: &[Stored]) {
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let views = tensors
        .iter()
        .map(|stored| (&stored.name, TensorView::new(stored.dtype, stored.shape.clone(), &stored.data).unwrap()));
    std::fs::write(folder.join("model.safetensors"), serialize(views, None).unwrap()).unwrap();
}
