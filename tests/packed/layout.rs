//! What the parts hold, against the packages that wrote them.

use crate::fixture;
use crate::generator::{Scheme, Source};
use percept::weights::{Checkpoint, Dtype, Format};

/// Values of the package `compressed-tensors`, bit for bit; it multiplies in the type of the scales, to which our products
/// of f32 are rounded here.
#[test]
fn compressed_tensors_hold_what_the_package_says() {
    let mut folders = 0;
    for entry in std::fs::read_dir(fixture("compressed-tensors")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        folders += 1;
        let checkpoint = Checkpoint::open(&folder).unwrap();
        for module in ["a", "b"] {
            let tensor = checkpoint.tensor(&format!("{module}.weight")).unwrap();
            let expected = checkpoint.tensor(&format!("{module}.expected")).unwrap();
            assert!(matches!(tensor.format(), Some(Format::Ints(_))));
            assert_eq!(tensor.shape, expected.shape);
            tensor.check_finite().unwrap();
            let rounded = |value: &f32| match expected.dtype {
                Dtype::Bf16 => half::bf16::from_f32(*value).to_f32(),
                Dtype::F16 => half::f16::from_f32(*value).to_f32(),
                _ => *value,
            };
            let got: Vec<f32> = tensor.to_f32().unwrap().iter().map(rounded).collect();
            for (i, (got, expected)) in got.iter().zip(expected.to_f32().unwrap()).enumerate() {
                let equal = got.to_bits() == expected.to_bits() || *got == 0.0 && expected == 0.0;
                assert!(equal, "{}: {module} at {i} is {got}, expected {expected}", folder.display());
            }
        }
        let names: Vec<String> = checkpoint.tensors().map(|tensor| tensor.name.to_string()).collect();
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(sorted, ["a.expected", "a.weight", "b.expected", "b.weight"], "parts are no tensors of their own");
        // All but the shapes, which no one uploads.
        let file = std::fs::metadata(folder.join("model.safetensors")).unwrap().len();
        let header =
            u64::from_le_bytes(std::fs::read(folder.join("model.safetensors")).unwrap()[..8].try_into().unwrap());
        assert_eq!(checkpoint.total_bytes(), file - header - 8 - 32);
    }
    assert_eq!(folders, 5);
}

/// `models show` counts weights, not words, and names their formats.
#[test]
fn show_tells_what_is_packed() {
    let scheme = Scheme { bits: 4, group: Some(32), symmetric: false, scales: safetensors::Dtype::BF16 };
    let choose = |name: &str, width: usize| (!name.contains("embed_tokens") && width.is_multiple_of(32)).then_some(0);
    let pair = Source::of("gemma3-tiny-s0").compressed(&[("group_0", scheme)], choose);
    let show = |folder: &std::path::Path| {
        let shown = std::process::Command::new(env!("CARGO_BIN_EXE_percept"))
            .args(["models", "show", "--json"])
            .arg(folder)
            .output()
            .unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        serde_json::from_slice::<serde_json::Value>(&shown.stdout).unwrap()
    };
    let (packed, plain) = (show(pair.packed.path()), show(pair.plain.path()));
    assert_eq!(packed["parameters"], plain["parameters"]);
    assert!(packed["formats"]["INT4"].as_u64().unwrap() > 0 && packed["formats"]["F32"].as_u64().unwrap() > 0);
    assert!(packed["weight_bytes"].as_u64().unwrap() < plain["weight_bytes"].as_u64().unwrap());
}
