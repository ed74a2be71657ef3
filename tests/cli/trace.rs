//! `percept trace`.

use crate::support::{Home, MODEL, case, fixture};
use safetensors::SafeTensors;

#[test]
fn the_file_holds_the_recorded_answer() {
    let home = Home::new();
    let out = home.path("image_audio.safetensors");
    let path = fixture("cases/image_audio.json");
    let outcome = home.run(&["trace", MODEL, "--case", &path, "--out", out.to_str().unwrap(), "--adapter", "0"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{}", outcome.stderr);
    let bytes = std::fs::read(out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let integers = |name: &str| -> Vec<i64> {
        let data = file.tensor(name).unwrap().data();
        data.chunks_exact(4).map(|word| i32::from_le_bytes(word.try_into().unwrap()).into()).collect()
    };
    let case = case("image_audio");
    let recorded = |name: &str| -> Vec<i64> {
        case[name].as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect()
    };
    assert_eq!(integers("tokens"), recorded("new_tokens"));
    assert_eq!(integers("input_ids"), recorded("input_ids"));
    for name in ["embeddings", "layer.0", "layer.5", "final_norm", "logits", "step.31.logits", "pixel_values"] {
        assert!(file.tensor(name).is_ok(), "{name}");
    }
}
