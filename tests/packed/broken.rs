//! Folders whose parts are missing, do not fit, or are of a kind that is not read: one sentence each.

use crate::generator::{Stored, write};
use percept::weights::{Checkpoint, Expected};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use tempfile::TempDir;

fn stored(name: &str, dtype: Dtype, shape: &[usize], data: Vec<u8>) -> Stored {
    Stored { name: name.into(), dtype, shape: shape.into(), data }
}

fn zeros(name: &str, dtype: Dtype, shape: &[usize]) -> Stored {
    let bytes = match dtype {
        Dtype::I64 => 8,
        Dtype::I32 | Dtype::F32 => 4,
        Dtype::BF16 | Dtype::F16 => 2,
        _ => 1,
    };
    stored(name, dtype, shape, vec![0; shape.iter().product::<usize>() * bytes])
}

fn sizes(rows: i64, columns: i64) -> Stored {
    stored("m.weight_shape", Dtype::I64, &[2], [rows, columns].iter().flat_map(|n| n.to_le_bytes()).collect())
}

/// A matrix of 8 × 64 weights of 4 bits in groups of 32.
fn packed() -> (Value, Vec<Stored>) {
    let weights = json!({"num_bits": 4, "type": "int", "symmetric": true, "group_size": 32, "strategy": "group"});
    let group = json!({"targets": ["Linear"], "weights": weights, "input_activations": null});
    let config = json!({"quantization_config": {
        "quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": group},
        "ignore": ["re:.*head"],
    }});
    let tensors = vec![
        zeros("m.weight_packed", Dtype::I32, &[8, 8]),
        zeros("m.weight_scale", Dtype::BF16, &[8, 2]),
        sizes(8, 64),
    ];
    (config, tensors)
}

/// A matrix of 8 × 10 weights of 4 bits, and a table of 5 × 6 of 2.
fn mobile() -> (Value, Vec<Stored>) {
    let config = json!({"quantization_config": {
        "quant_method": "gemma", "num_bits": 4, "quantize_embeddings": true, "module_quant_configs": {"^t$": {"num_bits": 2}},
    }});
    let tensors = vec![
        zeros("m.weight", Dtype::U8, &[8, 5]),
        zeros("m.weight_scale", Dtype::F32, &[8, 1]),
        zeros("m.input_activation_scale", Dtype::F32, &[]),
        zeros("t.embedding_quantized", Dtype::U8, &[5, 2]),
        zeros("t.embedding_scale", Dtype::F32, &[5, 1]),
    ];
    (config, tensors)
}

type Change = fn(&mut Value, &mut Vec<Stored>);

fn set(tensors: &mut [Stored], with: Stored) {
    let place = tensors.iter().position(|tensor| tensor.name == with.name).unwrap();
    tensors[place] = with;
}

fn scheme(config: &mut Value) -> &mut Value {
    &mut config["quantization_config"]["config_groups"]["group_0"]["weights"]
}

fn sentences(of: fn() -> (Value, Vec<Stored>), expected: &[Expected], changes: &[(Change, &str)]) {
    let open = |config: &Value, tensors: &[Stored]| {
        let folder = TempDir::new().unwrap();
        write(folder.path(), config, tensors);
        let checkpoint = Checkpoint::open(folder.path()).and_then(|checkpoint| {
            checkpoint.check(expected, &|_| false)?;
            checkpoint.tensors().try_for_each(|tensor| tensor.check_finite())
        });
        let dir = folder.path().display().to_string();
        checkpoint.map_err(|error| error.to_string().replace(&format!("{dir}/"), "").replace(&dir, "DIR"))
    };
    let (config, tensors) = of();
    open(&config, &tensors).unwrap();
    for (change, sentence) in changes {
        let (mut config, mut tensors) = of();
        change(&mut config, &mut tensors);
        assert_eq!(open(&config, &tensors).unwrap_err(), *sentence);
    }
}

#[test]
fn compressed_tensors() {
    let expected = [Expected::new("m.weight", [8, 64])];
    let changes: &[(Change, &str)] = &[
        (
            |config, _| config["quantization_config"]["quant_method"] = "gptq".into(),
            "config.json: quantization_config.quant_method is \"gptq\", supported: compressed-tensors, gemma",
        ),
        (
            |config, _| config["quantization_config"] = json!({"bits": 4}),
            "config.json: quantization_config.quant_method is missing",
        ),
        (
            |config, _| config["quantization_config"]["format"] = "float-quantized".into(),
            "config.json: quantization_config.format is \"float-quantized\", supported: pack-quantized",
        ),
        (
            |config, _| config["quantization_config"]["config_groups"] = json!({}),
            "config.json: quantization_config.config_groups is empty, expected a group that says how weights are packed",
        ),
        (
            |config, _| {
                config["quantization_config"]["config_groups"]["group_0"]["input_activations"] = json!({"num_bits": 8})
            },
            "config.json: quantization_config.config_groups.group_0.input_activations is set; only weights may be quantised, as in W4A16",
        ),
        (
            |config, _| config["quantization_config"]["kv_cache_scheme"] = json!({"num_bits": 8}),
            "config.json: quantization_config.kv_cache_scheme is set; caches with scales of their own are not supported",
        ),
        (
            |config, _| config["quantization_config"]["transform_config"] = json!({"config_groups": {}}),
            "config.json: quantization_config.transform_config is set; transformed weights or activations are not supported",
        ),
        (
            |config, _| config["quantization_config"]["sparsity_config"] = json!({"format": "sparse-24-bitmask"}),
            "config.json: quantization_config.sparsity_config.format is \"sparse-24-bitmask\", supported: dense",
        ),
        (
            |config, _| scheme(config)["num_bits"] = 3.into(),
            "config.json: quantization_config.config_groups.group_0.weights.num_bits is 3, supported: 4, 8",
        ),
        (
            |config, _| scheme(config)["type"] = "float".into(),
            "config.json: quantization_config.config_groups.group_0.weights.type is \"float\", supported: int",
        ),
        (
            |config, _| scheme(config)["strategy"] = "tensor".into(),
            "config.json: quantization_config.config_groups.group_0.weights.strategy is \"tensor\", supported: group, channel",
        ),
        (
            |config, _| scheme(config)["group_size"] = 48.into(),
            "config.json: quantization_config.config_groups.group_0.weights.group_size is 48, supported: 32, 64, 128 and further doublings",
        ),
        (
            |config, _| scheme(config)["group_size"] = 128.into(),
            "DIR: tensor m.weight_packed has rows of 64 weights, which group_size 128 does not divide",
        ),
        (
            |config, _| scheme(config)["num_bits"] = 8.into(),
            "DIR: tensor m.weight_packed has 8 words a row, expected 16 for 64 weights of num_bits 8",
        ),
        (
            |config, _| scheme(config)["symmetric"] = false.into(),
            "DIR: tensor m.weight_zero_point is missing, but the config says symmetric: false",
        ),
        (
            |config, tensors| {
                scheme(config)["symmetric"] = false.into();
                tensors.push(zeros("m.weight_zero_point", Dtype::I8, &[8, 2]));
            },
            "DIR: tensor m.weight_zero_point is I8 of shape [8, 2], expected I32 of shape [1, 2]",
        ),
        (
            |_, tensors| tensors.push(zeros("m.weight_zero_point", Dtype::I32, &[1, 2])),
            "DIR: tensor m.weight_zero_point is there, but the config says symmetric",
        ),
        (
            |_, tensors| tensors.retain(|tensor| tensor.name != "m.weight_scale"),
            "DIR: tensor m.weight_scale is missing, which m.weight_packed needs; use another copy",
        ),
        (
            |_, tensors| tensors.retain(|tensor| tensor.name != "m.weight_shape"),
            "DIR: tensor m.weight_shape is missing, which m.weight_packed needs; use another copy",
        ),
        (
            |_, tensors| tensors.retain(|tensor| tensor.name != "m.weight_packed"),
            "DIR: the weights are not those that config.json describes (missing tensors: m.weight; unexpected tensors: \
             m.weight_shape, m.weight_scale); use both from the same download",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_scale", Dtype::BF16, &[8, 1])),
            "DIR: tensor m.weight_scale is BF16 of shape [8, 1], expected [8, 2] for group_size 32",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_scale", Dtype::I32, &[8, 2])),
            "DIR: tensor m.weight_scale is I32 of shape [8, 2], expected F32, F16 or BF16",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_packed", Dtype::U8, &[8, 32])),
            "DIR: tensor m.weight_packed is U8 of shape [8, 32], expected I32 of two axes",
        ),
        (
            |_, tensors| set(tensors, sizes(9, 64)),
            "DIR: tensor m.weight_shape says [9, 64], but weight_packed has 8 rows",
        ),
        (
            |_, tensors| set(tensors, sizes(8, -64)),
            "DIR: tensor m.weight_shape says [8, -64], but weight_packed has 8 rows",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_shape", Dtype::I64, &[3])),
            "DIR: tensor m.weight_shape is I64 of shape [3], expected I64 of shape [2]",
        ),
        (
            |_, tensors| tensors.push(zeros("m.weight", Dtype::F32, &[8, 64])),
            "DIR: tensor m.weight is there twice: as it is and as m.weight_packed",
        ),
        (
            |_, tensors| tensors.push(zeros("m.weight_g_idx", Dtype::I32, &[64])),
            "DIR: tensor m.weight_g_idx has columns out of order (actorder: group), which is not supported; use a copy with \
             actorder weight or none",
        ),
        (
            |_, tensors| {
                let scales = [0x3f80u16, 0x7f80].iter().cycle().take(16).flat_map(|half| half.to_le_bytes());
                set(tensors, stored("m.weight_scale", Dtype::BF16, &[8, 2], scales.collect()));
            },
            "model.safetensors: tensor m.weight_scale holds infinity at index 1; the file is damaged or the training \
             diverged: use another copy",
        ),
        (
            |config, tensors| {
                config["quantization_config"]["config_groups"]["group_1"] =
                    config["quantization_config"]["config_groups"]["group_0"].clone();
                config["quantization_config"]["config_groups"]["group_1"]["weights"]["num_bits"] = 8.into();
                set(tensors, zeros("m.weight_scale", Dtype::BF16, &[8, 3]));
            },
            "DIR: tensor m.weight_scale is BF16 of shape [8, 3], expected [8, 2] for group_size 32, and it fits no other \
             config group",
        ),
        (
            |_, tensors| {
                set(tensors, sizes(8, 32));
                set(tensors, zeros("m.weight_packed", Dtype::I32, &[8, 4]));
                set(tensors, zeros("m.weight_scale", Dtype::BF16, &[8, 1]));
            },
            "DIR: the weights are not those that config.json describes (wrong shapes: m.weight has [8, 32], expected \
             [8, 64]); use both from the same download",
        ),
    ];
    sentences(packed, &expected, changes);
}

/// An order that says nothing new is no order.
#[test]
fn columns_in_order_are_read() {
    for unset in [false, true] {
        let (config, mut tensors) = packed();
        let order = (0..64).flat_map(|column| if unset { -1i32 } else { column / 32 }.to_le_bytes()).collect();
        tensors.push(stored("m.weight_g_idx", Dtype::I32, &[64], order));
        let folder = TempDir::new().unwrap();
        write(folder.path(), &config, &tensors);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        checkpoint.check(&[Expected::new("m.weight", [8, 64])], &|_| false).unwrap();
    }
}

/// What the reference does not load is no unexpected tensor.
#[test]
fn scales_of_caches_are_left() {
    let (config, mut tensors) = mobile();
    tensors.extend(["m.k_cache_scale", "m.v_cache_scale", "m.rqv2_muls"].map(|name| zeros(name, Dtype::F32, &[1])));
    let folder = TempDir::new().unwrap();
    write(folder.path(), &config, &tensors);
    let expected = [Expected::new("m.weight", [8, 9]), Expected::new("t.weight", [5, 6])];
    Checkpoint::open(folder.path()).unwrap().check(&expected, &|_| false).unwrap();
}

#[test]
fn mobile_checkpoints() {
    // The widths are narrower than whole bytes.
    let expected = [Expected::new("m.weight", [8, 9]), Expected::new("t.weight", [5, 6])];
    let changes: &[(Change, &str)] = &[
        (
            |config, _| config["quantization_config"]["num_bits"] = 3.into(),
            "config.json: quantization_config.num_bits is 3, supported: 2, 4, 8",
        ),
        (
            |config, _| config["quantization_config"]["module_quant_configs"] = json!({"(m": {"num_bits": 4}}),
            "config.json: quantization_config.module_quant_configs.(m is no regular expression, as names of modules must be",
        ),
        (
            |config, _| config["quantization_config"]["module_quant_configs"] = json!({"m": 4}),
            "config.json: quantization_config.module_quant_configs.m is 4, expected an object",
        ),
        (
            |config, _| config["quantization_config"]["num_bits"] = 8.into(),
            "DIR: tensor m.weight is U8 of shape [8, 5], expected I8 of two axes, as num_bits is 8 there",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight", Dtype::U8, &[40])),
            "DIR: tensor m.weight is U8 of shape [40], expected U8 of two axes, as num_bits is 4 there",
        ),
        (
            |_, tensors| tensors.retain(|tensor| tensor.name != "m.weight_scale"),
            "DIR: tensor m.weight_scale is missing, which m.weight needs; use another copy",
        ),
        (
            |_, tensors| tensors.retain(|tensor| tensor.name != "t.embedding_scale"),
            "DIR: tensor t.embedding_scale is missing, which t.embedding_quantized needs; use another copy",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_scale", Dtype::F32, &[7, 1])),
            "DIR: tensor m.weight_scale is F32 of shape [7, 1], expected shape [8, 1]",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_scale", Dtype::F32, &[8, 5])),
            "DIR: tensor m.weight_scale has a scale for 2 weights, supported: whole rows, 32, 64, 128 and further doublings",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight_scale", Dtype::I8, &[8, 1])),
            "DIR: tensor m.weight_scale is I8 of shape [8, 1], expected F32, F16 or BF16",
        ),
        (
            |_, tensors| {
                let bytes = (-0.5f32).to_le_bytes().into();
                set(tensors, stored("m.input_activation_scale", Dtype::F32, &[], bytes));
            },
            "DIR: tensor m.input_activation_scale is -0.5, expected 0 or more",
        ),
        (
            |_, tensors| {
                let bytes = f32::NAN.to_le_bytes().into();
                set(tensors, stored("m.input_activation_scale", Dtype::F32, &[], bytes));
            },
            "model.safetensors: tensor m.input_activation_scale holds NaN at index 0; the file is damaged or the training \
             diverged: use another copy",
        ),
        (
            |_, tensors| set(tensors, zeros("m.input_activation_scale", Dtype::F32, &[8])),
            "DIR: tensor m.input_activation_scale is F32 of shape [8], expected one F32, F16 or BF16",
        ),
        (
            |_, tensors| set(tensors, zeros("m.weight", Dtype::U8, &[8, 4])),
            "DIR: the weights are not those that config.json describes (wrong shapes: m.weight has [8, 8], expected [8, 9]); \
             use both from the same download",
        ),
    ];
    sentences(mobile, &expected, changes);
}
