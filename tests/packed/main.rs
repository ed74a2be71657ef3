//! Quantised safetensors folders: what their parts hold, equal logits from a folder with the same values as f32, the
//! recording of a mobile checkpoint, and one table of broken ones with the sentence that each must give.

mod broken;
mod generator;
mod layout;
mod logits;

use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use std::path::PathBuf;
use std::sync::Arc;

fn fixture(name: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Every adapter, opened for a test.
fn gpus() -> Vec<Arc<Gpu>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let open = |index| Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), ..Default::default() }).unwrap();
    all.iter().map(|adapter| open(adapter.index)).collect()
}
