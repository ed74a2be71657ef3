//! Copies of a fixture with another config and other tensors.
#![allow(dead_code)] // Each test takes a part of it.

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Variant {
    fixture: PathBuf,
    pub config: Value,
    /// Names, shapes and values in f32.
    pub tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl Variant {
    pub fn of(fixture: &str) -> Variant {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
        let bytes = std::fs::read(fixture.join("model.safetensors")).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = read.iter().map(|(name, view)| (name.into(), view.shape().into(), view.data().into())).collect();
        let config = serde_json::from_slice(&std::fs::read(fixture.join("config.json")).unwrap()).unwrap();
        Variant { fixture, config, tensors }
    }

    /// Names that begin with `from` begin with `to`.
    pub fn rename(&mut self, from: &str, to: &str) {
        for (name, ..) in &mut self.tensors {
            if let Some(rest) = name.strip_prefix(from) {
                *name = format!("{to}{rest}");
            }
        }
    }

    /// Another one of a value each time.
    pub fn add(&mut self, name: &str, shape: &[usize], value: f32) {
        let data = std::iter::repeat_n(value.to_le_bytes(), shape.iter().product()).flatten().collect();
        self.tensors.push((name.into(), shape.into(), data));
    }

    /// A tensor with the same values times `factor`.
    pub fn copy(&mut self, from: &str, to: &str, factor: f32) {
        let (_, shape, data) = self.tensors.iter().find(|(name, ..)| name == from).unwrap();
        let values = data.as_chunks().0.iter().flat_map(|four| (f32::from_le_bytes(*four) * factor).to_le_bytes());
        self.tensors.push((to.into(), shape.clone(), values.collect()));
    }

    /// The config as that of a model with eyes.
    pub fn nest_config(&mut self) {
        let text = self.config.take();
        self.config = serde_json::json!({
            "model_type": "gemma3",
            "text_config": text,
            "vision_config": {"model_type": "siglip_vision_model"},
        });
    }

    /// The tensors of a vision tower and its projector, behind a prefix.
    pub fn add_vision_tower(&mut self, prefix: &str) {
        self.add(&format!("{prefix}vision_tower.vision_model.post_layernorm.weight"), &[8], 1.0);
        self.add(&format!("{prefix}vision_tower.vision_model.embeddings.patch_embedding.weight"), &[8, 3, 2, 2], 0.5);
        self.add(&format!("{prefix}multi_modal_projector.mm_input_projection_weight"), &[8, 64], 0.5);
    }

    /// A folder with all of it, the fixture's other files, and of its recorded cases these.
    pub fn write(&self, cases: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        self.write_to(folder.path(), cases);
        folder
    }

    /// As [`Variant::write`], into a folder that is there.
    pub fn write_to(&self, folder: &Path, cases: &[&str]) {
        for entry in std::fs::read_dir(&self.fixture).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        std::fs::create_dir(folder.join("cases")).unwrap();
        for case in cases {
            for ending in ["json", "safetensors"] {
                let file = format!("cases/{case}.{ending}");
                std::fs::copy(self.fixture.join(&file), folder.join(&file)).unwrap();
            }
        }
        std::fs::write(folder.join("config.json"), self.config.to_string()).unwrap();
        let view = |(name, shape, data)| (name, TensorView::new(Dtype::F32, shape, data).unwrap());
        let views =
            self.tensors.iter().map(|(name, shape, data)| view((name.as_str(), shape.clone(), data.as_slice())));
        std::fs::write(folder.join("model.safetensors"), serialize(views, None).unwrap()).unwrap();
    }
}
