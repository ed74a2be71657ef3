//! One twin a shader family: what it computes, its uniform, its reference on the CPU and how it is recorded.

pub mod add_norm;
pub mod attention;
pub mod attention_wide;
pub mod axial_rope;
pub mod case;
pub mod clamp;
pub mod clip_add_norm;
pub mod clip_norm;
pub mod clip_silu;
pub mod expert_tiles;
pub mod experts;
pub mod fake_quant;
pub mod gate;
pub mod gather;
pub mod gather_blocks;
pub mod layer_norm;
pub mod light_conv;
pub mod local_attention;
pub mod matmul;
pub mod matmul_blocks;
pub mod matvec;
pub mod matvec_blocks;
pub mod multiply_add;
pub mod norm_rope;
pub mod norm_sum;
pub mod patch_position;
pub mod per_layer;
pub mod pool_patches;
pub mod ring;
pub mod rms_norm;
pub mod route;
pub mod sample;
pub mod scatter;
pub mod softcap;
pub mod spectrogram;
pub mod stream_read;
pub mod subsample_conv;
pub mod take_row;

pub use crate::weights::{Block, Format, Matrix, row_bytes, stride};
pub use case::{Case, Checked, Prepared, Size};

use crate::error::{Error, Result};
use crate::gpu::{Gpu, Shader};
use crate::shaders;

/// Which of several shaders for the same work is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Sums by subgroup operations.
    pub subgroup: bool,
    /// Reads f16 weights as such.
    pub f16: bool,
    /// Many results a lane, weights out of textures and no workgroup memory, as software adapters like it.
    pub wide: bool,
}

impl Variant {
    /// Everything that the adapter has and that the self-test did not find wrong on it.
    pub fn best(gpu: &Gpu) -> Variant {
        let (has, unsound) = (gpu.capabilities(), gpu.unsound());
        let wide = has.software;
        let subgroup = has.subgroup.is_some_and(|(least, _)| least >= least_subgroup(wide));
        Variant { subgroup: subgroup && !unsound.subgroup, f16: has.f16 && !unsound.f16, wide }
    }

    /// What it needs, for reports.
    pub fn name(self) -> &'static str {
        match (self.wide, self.subgroup, self.f16) {
            (true, false, false) => "wide",
            (true, false, true) => "wide, f16",
            (true, true, false) => "wide, subgroup",
            (true, true, true) => "wide, subgroup, f16",
            (false, false, false) => "baseline",
            (false, true, false) => "subgroup",
            (false, false, true) => "f16",
            (false, true, true) => "subgroup, f16",
        }
    }

    /// As it is for weights that lie where those of `block` do. Textures are read by wide shaders alone, buffers by the
    /// others, and planes in buffers, which software adapters have few of, by the baseline.
    fn of_block(self, block: &Block) -> Variant {
        match (block.in_texture(), block.is_laid()) {
            (true, _) => Variant { wide: true, subgroup: self.wide && self.subgroup, f16: false },
            (false, true) => Variant::default(),
            (false, false) => Variant { wide: false, subgroup: self.subgroup && !self.wide, f16: self.f16 },
        }
    }

    /// The shader of this variant that reads weights of `format`: `matvec_subgroup_bf16`.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none.
    fn shader(self, kernel: &str, format: Format) -> Result<&'static Shader> {
        // Where lanes have nothing to hand one another, there is no shader for subgroups of its own.
        let shapes: &[&str] = match (self.wide, self.subgroup) {
            (true, true) => &["_wide_subgroup", "_wide"],
            (true, false) => &["_wide"],
            (false, true) => &["_subgroup", ""],
            (false, false) => &[""],
        };
        let suffix = match format {
            _ if format.is_plain() && kernel.ends_with("_blocks") => "_group",
            Format::F16 if self.f16 && !self.wide => "_native",
            _ => "",
        };
        let name = |shape: &str| format!("{kernel}{shape}_{}{suffix}", format.name());
        let found = shapes.iter().find_map(|shape| {
            let name = name(shape);
            shaders::ALL.iter().find(|shader| shader.name == name)
        });
        found.copied().ok_or_else(|| Error::Argument {
            name: "weights",
            problem: format!("need a shader {}, which there is not", name(shapes[0])),
        })
    }

    /// Every variant that runs on the adapter, the baseline first.
    pub fn all(gpu: &Gpu) -> Vec<Variant> {
        let has = gpu.capabilities();
        let reaches = |wide| has.subgroup.is_some_and(|(least, _)| least >= least_subgroup(wide));
        let subgroup = reaches(false);
        let mut all = vec![Variant::default(), Variant { wide: true, ..Variant::default() }];
        if reaches(true) {
            all.push(Variant { wide: true, subgroup: true, f16: false });
        }
        if subgroup {
            all.push(Variant { subgroup, ..Variant::default() });
        }
        if has.f16 {
            all.push(Variant { f16: true, ..Variant::default() });
        }
        if subgroup && has.f16 {
            all.push(Variant { subgroup, f16: true, wide: false });
        }
        all
    }
}

/// Lanes of the smallest subgroup that the shaders can do with: eight hand vectors to one another in wide ones, and the
/// others have no room for the partial sums of subgroups of less than four.
fn least_subgroup(wide: bool) -> u32 {
    if wide { 8 } else { 4 }
}

/// Between which values something is clamped; the greatest finite ones where there is no bound, so that shaders meet no
/// infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The least value.
    pub low: f32,
    /// The greatest value.
    pub high: f32,
}

impl Bounds {
    /// Every finite value stays as it is.
    pub const NONE: Bounds = Bounds { low: f32::MIN, high: f32::MAX };

    /// From `-limit` to `limit`.
    pub fn around_zero(limit: f32) -> Bounds {
        Bounds { low: -limit, high: limit }
    }

    /// Both, these first.
    #[must_use]
    pub fn then(self, other: Bounds) -> Bounds {
        Bounds { low: other.clamp(self.low.into()) as f32, high: other.clamp(self.high.into()) as f32 }
    }

    /// A value brought within, as the shaders do it.
    pub fn clamp(self, value: f64) -> f64 {
        value.max(f64::from(self.low)).min(f64::from(self.high))
    }
}

/// The cases of every twin.
pub fn cases() -> Vec<Case> {
    [
        add_norm::cases(),
        attention::cases(),
        attention_wide::cases(),
        axial_rope::cases(),
        clamp::cases(),
        clip_add_norm::cases(),
        clip_norm::cases(),
        clip_silu::cases(),
        expert_tiles::cases(),
        experts::cases(),
        fake_quant::cases(),
        gate::cases(),
        gather::cases(),
        gather_blocks::cases(),
        layer_norm::cases(),
        light_conv::cases(),
        local_attention::cases(),
        matmul::cases(),
        matmul_blocks::cases(),
        matvec::cases(),
        matvec_blocks::cases(),
        multiply_add::cases(),
        norm_rope::cases(),
        norm_sum::cases(),
        patch_position::cases(),
        per_layer::cases(),
        pool_patches::cases(),
        ring::cases(),
        rms_norm::cases(),
        route::cases(),
        sample::cases(),
        scatter::cases(),
        softcap::cases(),
        spectrogram::cases(),
        stream_read::cases(),
        subsample_conv::cases(),
        take_row::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
