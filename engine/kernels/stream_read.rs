//! Sums of blocks of memory, `y[g, lane] = Σ x` over the lane's vectors of block g: how fast the adapter reads.
//!
//! The ceiling that kernels bound by memory are compared with. Floor: the bytes of `x`. Shader:
//! `shaders/stream_read.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise};
use crate::error::Result;
use crate::gpu::{Array, Cost, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Vectors of four values.
    pub len: u32,
    /// Vectors that a workgroup reads.
    pub block: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// How the work is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Lanes of a workgroup.
    pub lanes: u32,
    /// Bytes that a workgroup reads.
    pub block_bytes: u32,
}

impl Layout {
    fn groups(self, len: usize) -> usize {
        (len * 16).div_ceil(self.block_bytes as usize)
    }

    /// Values of `y` for `len` vectors.
    pub fn outputs(self, len: usize) -> usize {
        self.groups(len) * self.lanes as usize
    }
}

/// Records one dispatch over all of `x`, vectors of four values.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if `y` is shorter than [`Layout::outputs`].
pub fn record(plan: &mut PlanBuilder<'_>, layout: Layout, x: &Array<[f32; 4]>, y: &Array<f32>) -> Result<()> {
    let binds = [x.bind("x", x.len())?, y.bind("y", layout.outputs(x.len()))?];
    let params = Params { len: x.len() as u32, block: layout.block_bytes / 16, pad0: 0, pad1: 0 };
    let cost = Cost { fixed_bytes: x.bytes(), ..Cost::default() };
    let grid = [(layout.groups(x.len()) as u32).into(), 1.into(), 1.into()];
    plan.dispatch(&shaders::STREAM_READ, &[("WG", layout.lanes)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64.
pub fn reference(layout: Layout, x: &[[f32; 4]]) -> Vec<f32> {
    let lanes = layout.lanes as usize;
    let mut sums = Vec::new();
    for block in x.chunks(layout.block_bytes as usize / 16) {
        for lane in 0..lanes {
            let own = block.iter().skip(lane).step_by(lanes).flatten();
            sums.push(own.map(|v| f64::from(*v)).sum::<f64>() as f32);
        }
    }
    sums
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, len: usize, layout: Layout| {
        let shape = format!("{} KiB in blocks of {} KiB", len / 64, layout.block_bytes / 1024);
        Case::new("stream_read", size, shape, move |gpu| {
            let values: Vec<[f32; 4]> = noise(1, 4 * len).chunks_exact(4).map(|v| [v[0], v[1], v[2], v[3]]).collect();
            let x = gpu.array_of("x", &values)?;
            let y = gpu.array("y", layout.outputs(len))?;
            let outputs = vec![Output::rows(&y, layout.lanes as usize, 3e-6, move || reference(layout, &values))];
            Ok(Prepared::new(1, outputs, move |plan, _| record(plan, layout, &x, &y)))
        })
    };
    vec![
        case(Size::Odd, 2500, Layout { lanes: 64, block_bytes: 16 << 10 }),
        case(Size::Real, 4 << 20, Layout { lanes: 64, block_bytes: 64 << 10 }),
    ]
}
