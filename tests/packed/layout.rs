//! What the parts hold, against the packages that wrote them.

use crate::fixture;
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
