//! A plan: dispatches recorded once with their bind groups, replayed for every chunk or token.

use super::array::{Buffer, Resource, WINDOW_BYTES};
use super::pipeline::{Compiled, Key};
use super::{Array, Bind, Binding, Gpu, Shader};
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Workgroups along one axis of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Always this many.
    Fixed(u32),
    /// `ceil(rows * times / tile)`, with the rows of the replay.
    Rows {
        /// Units of work in a row.
        times: u32,
        /// Units of work in a workgroup.
        tile: u32,
    },
}

impl Extent {
    /// One workgroup a row.
    pub const ROWS: Extent = Extent::Rows { times: 1, tile: 1 };

    fn at(self, rows: u32) -> u32 {
        match self {
            Extent::Fixed(count) => count,
            Extent::Rows { times, tile } => rows.saturating_mul(times).div_ceil(tile),
        }
    }
}

impl From<u32> for Extent {
    fn from(count: u32) -> Extent {
        Extent::Fixed(count)
    }
}

/// What a dispatch must move and compute at the least, for one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Bytes read and written whatever the number of rows: weights.
    pub fixed_bytes: u64,
    /// Further bytes for each row.
    pub row_bytes: u64,
    /// Floating-point operations for each row.
    pub row_flops: u64,
}

/// A named state on the way through a model: `rows` rows of `width` values, `stride` apart.
#[derive(Clone, Debug)]
pub struct Tap {
    /// The name in traces: `layer.3`.
    pub name: String,
    /// Where it lies.
    pub array: Array<f32>,
    /// Values in a row.
    pub width: usize,
    /// Distance from row to row.
    pub stride: usize,
    /// How its rows lie if not from the first on.
    ring: Option<Ring>,
}

/// Rows that lie in a ring by their place since a beginning.
#[derive(Clone, Debug)]
struct Ring {
    /// Holds the place of the replay's first row.
    span: Array<u32>,
    /// Rows of the ring for each row of the replay.
    times: usize,
}

enum Item {
    Dispatch {
        shader: &'static Shader,
        key: Key,
        binds: Vec<Bind>,
        uniform: (u64, u64),
        windows: Option<Windows>,
        grid: [Extent; 3],
        cost: Cost,
    },
    Tap(Tap),
}

/// A dispatch that is repeated for windows of its input, each with params of its own.
#[derive(Clone, Copy, Debug)]
struct Windows {
    rows: u32,
    bytes: u32,
    params_bytes: u32,
}

/// Collects dispatches; [`PlanBuilder::finish`] compiles what they need and makes the bind groups.
pub struct PlanBuilder<'g> {
    gpu: &'g Gpu,
    items: Vec<Item>,
    uniforms: Vec<u8>,
    scratch: BTreeMap<usize, Array<f32>>,
}

impl<'g> PlanBuilder<'g> {
    /// An empty plan on `gpu`.
    pub fn new(gpu: &'g Gpu) -> PlanBuilder<'g> {
        PlanBuilder { gpu, items: Vec::new(), uniforms: Vec::new(), scratch: BTreeMap::new() }
    }

    /// The adapter it is for.
    pub fn gpu(&self) -> &'g Gpu {
        self.gpu
    }

    /// An array of `len` values for what lies between two dispatches; whoever asks for the same length gets the same one.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn scratch(&mut self, what: &str, len: usize) -> Result<Array<f32>> {
        if let Some(array) = self.scratch.get(&len) {
            return Ok(array.clone());
        }
        let array = self.gpu.rows(what, len)?;
        self.scratch.insert(len, array.clone());
        Ok(array)
    }

    /// Adds a dispatch. `binds` are the storage bindings in the order of the shader; a fixed grid above the limit of
    /// 65,535 workgroups along an axis is refused.
    ///
    /// # Errors
    /// [`Error::Length`] for a wrong number of bindings, [`Error::Argument`] for an empty or too large grid.
    pub fn dispatch<P: Pod>(
        &mut self,
        shader: &'static Shader,
        overrides: &[(&'static str, u32)],
        params: &P,
        binds: &[Bind],
        grid: [Extent; 3],
        cost: Cost,
    ) -> Result<()> {
        self.push(shader, overrides, &[*params], None, binds, grid, cost)
    }

    /// As [`PlanBuilder::dispatch`] for a shader with a [`Binding::Window`]: one dispatch for each window of `rows` rows
    /// of `row_bytes` bytes, as many as the rows of the replay need, the n-th with `params[n]` and
    /// a grid for the rows in it.
    ///
    /// # Errors
    /// As [`PlanBuilder::dispatch`]; [`Error::Argument`] for a window that is too large or not aligned.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing")]
    pub fn dispatch_windows<P: Pod>(
        &mut self,
        shader: &'static Shader,
        overrides: &[(&'static str, u32)],
        params: &[P],
        rows: usize,
        row_bytes: usize,
        binds: &[Bind],
        grid: [Extent; 3],
        cost: Cost,
    ) -> Result<()> {
        let bytes = rows * row_bytes;
        let aligned = bytes.is_multiple_of(self.gpu.capabilities().uniform_alignment.max(16) as usize);
        if bytes as u64 > WINDOW_BYTES || (!aligned && params.len() > 1) {
            let problem = format!("of {} has {rows} rows of {row_bytes} bytes", shader.name);
            return Err(Error::Argument { name: "window", problem });
        }
        self.push(shader, overrides, params, Some((rows as u32, bytes as u32)), binds, grid, cost)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different thing")]
    fn push<P: Pod>(
        &mut self,
        shader: &'static Shader,
        overrides: &[(&'static str, u32)],
        params: &[P],
        window: Option<(u32, u32)>,
        binds: &[Bind],
        grid: [Extent; 3],
        cost: Cost,
    ) -> Result<()> {
        let expected = shader.bindings.len() - 1;
        if binds.len() != expected {
            let name = format!("bindings of {}", shader.name);
            return Err(Error::Length { name, expected, found: binds.len() });
        }
        let most = self.gpu.capabilities().workgroups;
        if let Some(bad) = grid.iter().find(|e| matches!(e, Extent::Fixed(n) if *n == 0 || *n > most)) {
            let problem = format!("of {} is {bad:?}, allowed are 1 to {most}", shader.name);
            return Err(Error::Argument { name: "grid", problem });
        }
        debug_assert!(overrides.iter().all(|(name, _)| shader.overrides.contains(name)), "{overrides:?}");
        let align = self.gpu.capabilities().uniform_alignment.max(16) as usize;
        let start = self.uniforms.len().next_multiple_of(align);
        for params in params {
            self.uniforms.resize(self.uniforms.len().next_multiple_of(align), 0);
            self.uniforms.extend_from_slice(bytemuck::bytes_of(params));
        }
        let params_bytes = size_of::<P>().next_multiple_of(align) as u32;
        let windows = window.map(|(rows, bytes)| Windows { rows, bytes, params_bytes });
        self.items.push(Item::Dispatch {
            shader,
            key: Key { shader: shader.name, overrides: overrides.to_vec() },
            binds: binds.to_vec(),
            uniform: (start as u64, size_of::<P>() as u64),
            windows,
            grid,
            cost,
        });
        Ok(())
    }

    /// Names the state of `array` at this place for traces.
    pub fn tap(&mut self, name: impl Into<String>, array: &Array<f32>, width: usize, stride: usize) {
        self.items.push(Item::Tap(Tap { name: name.into(), array: array.clone(), width, stride, ring: None }));
    }

    /// The same of a ring that holds `times` rows for each row of the replay: row `p` since the beginning lies at `p` modulo
    /// the rows of `array`, and `span[0]` says which row of the replay is the first.
    pub fn tap_ring(
        &mut self,
        name: impl Into<String>,
        array: &Array<f32>,
        [width, stride]: [usize; 2],
        span: &Array<u32>,
        times: usize,
    ) {
        let ring = Some(Ring { span: span.clone(), times });
        self.items.push(Item::Tap(Tap { name: name.into(), array: array.clone(), width, stride, ring }));
    }

    /// Compiles the pipelines, in parallel, and makes the bind groups. `progress(done, total)` counts pipelines.
    ///
    /// # Errors
    /// [`Error::Driver`] if the driver refuses one, [`Error::OutOfMemory`] if the uniforms find no room.
    pub fn finish(self, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Plan> {
        let gpu = self.gpu;
        let wanted: Vec<(&'static Shader, Key)> = self
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Dispatch { shader, key, .. } => Some((*shader, key.clone())),
                Item::Tap(_) => None,
            })
            .collect();
        let compiled = gpu.compile(&wanted, progress)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let bytes = self.uniforms.len().next_multiple_of(16).max(16);
        let uniforms = gpu.buffer("uniforms", bytes as u64, usage)?;
        let mut data = self.uniforms;
        data.resize(bytes, 0);
        gpu.queue.write_buffer(&uniforms.raw, 0, &data);
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let mut compiled = compiled.into_iter();
        let mut steps = Vec::with_capacity(self.items.len());
        for item in self.items {
            match item {
                Item::Tap(tap) => steps.push(Step::Tap(tap)),
                Item::Dispatch { shader, binds, uniform, windows, grid, cost, .. } => {
                    // One for each dispatch, in their order.
                    let Some(compiled) = compiled.next() else { continue };
                    let bind_group = bind_group(gpu, shader, &compiled, &uniforms, uniform, &binds);
                    let _alive = binds;
                    steps.push(Step::Dispatch { shader, compiled, bind_group, windows, grid, cost, _alive });
                }
            }
        }
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(Error::Driver {
                adapter: gpu.adapter().title(),
                what: "the bindings of a plan".into(),
                problem: super::one_line(&error.to_string()),
            });
        }
        Ok(Plan { steps, _uniforms: uniforms })
    }
}

fn bind_group(
    gpu: &Gpu,
    shader: &Shader,
    compiled: &Compiled,
    uniforms: &Buffer,
    uniform: (u64, u64),
    binds: &[Bind],
) -> wgpu::BindGroup {
    gpu.count(|c| &c.bind_groups, 1);
    let mut storage = binds.iter();
    let entries: Vec<_> = shader
        .bindings
        .iter()
        .enumerate()
        .filter_map(|(place, kind)| {
            let of_buffer = |buffer, offset, size| {
                let size = std::num::NonZeroU64::new(size);
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
            };
            let resource = match kind {
                Binding::Uniform(_) => of_buffer(&uniforms.raw, uniform.0, uniform.1),
                _ => match &storage.next()?.resource {
                    Resource::Buffer(buffer, bytes) => of_buffer(&buffer.raw, 0, bytes.next_multiple_of(4)),
                    Resource::Texture(texture) => wgpu::BindingResource::TextureView(&texture.view),
                },
            };
            Some(wgpu::BindGroupEntry { binding: place as u32, resource })
        })
        .collect();
    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(shader.name),
        layout: &compiled.layout,
        entries: &entries,
    })
}

enum Step {
    Dispatch {
        shader: &'static Shader,
        compiled: Arc<Compiled>,
        bind_group: wgpu::BindGroup,
        windows: Option<Windows>,
        grid: [Extent; 3],
        cost: Cost,
        _alive: Vec<Bind>,
    },
    Tap(Tap),
}

/// Dispatches with their bind groups, ready to be replayed; making one is slow, running one allocates nothing.
pub struct Plan {
    steps: Vec<Step>,
    _uniforms: Arc<Buffer>,
}

/// What a plan does in one replay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlanSummary {
    /// Dispatches.
    pub dispatches: usize,
    /// Bytes that must be moved at the least.
    pub bytes: u64,
    /// Floating-point operations.
    pub flops: u64,
}

/// Dispatches in one submission: long work is cut so that no driver watchdog fires and a window can draw between.
const SUBMIT_EVERY: usize = 128;

impl Plan {
    /// Replays every dispatch with grids for `rows` rows. Returns when all is submitted, not when it is done.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn run(&self, gpu: &Gpu, rows: u32) -> Result<()> {
        self.run_part(gpu, 0..self.steps.len(), rows)
    }

    /// Adds the dispatches to an encoder of the caller's.
    pub(super) fn encode(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, rows: u32) -> Result<()> {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        encode(gpu, &mut pass, &self.steps, rows)?;
        Ok(())
    }

    /// As [`Plan::run`], stopping at each tap that is `wanted` to hand its `rows * width` values to `seen`.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn trace(
        &self,
        gpu: &Gpu,
        rows: u32,
        wanted: impl Fn(&Tap) -> bool,
        mut seen: impl FnMut(&Tap, Vec<f32>),
    ) -> Result<()> {
        let mut start = 0;
        for (place, step) in self.steps.iter().enumerate() {
            let Step::Tap(tap) = step else { continue };
            if !wanted(tap) {
                continue;
            }
            self.run_part(gpu, start..place, rows)?;
            start = place;
            let all = gpu.read(&tap.array)?;
            let (first, times) = match &tap.ring {
                Some(ring) => (gpu.read(&ring.span)?[0] as usize * ring.times, ring.times),
                None => (0, 1),
            };
            let (places, last) = (all.len() / tap.stride, first + rows as usize * times);
            let values = (first..last).flat_map(|row| &all[row % places * tap.stride..][..tap.width]);
            seen(tap, values.copied().collect());
        }
        self.run_part(gpu, start..self.steps.len(), rows)
    }

    fn run_part(&self, gpu: &Gpu, part: std::ops::Range<usize>, rows: u32) -> Result<()> {
        for steps in self.steps[part].chunks(SUBMIT_EVERY) {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            encode(gpu, &mut pass, steps, rows)?;
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            gpu.count(|c| &c.submits, 1);
        }
        gpu.check("running a plan")
    }

    /// Dispatches, bytes and operations of one replay with `rows` rows.
    pub fn summary(&self, rows: u32) -> PlanSummary {
        let mut sum = PlanSummary::default();
        for step in &self.steps {
            if let Step::Dispatch { cost, .. } = step {
                sum.dispatches += 1;
                sum.bytes += cost.fixed_bytes + cost.row_bytes * u64::from(rows);
                sum.flops += cost.row_flops * u64::from(rows);
            }
        }
        sum
    }

    /// The shaders in the order of their dispatches.
    pub fn shaders(&self) -> impl Iterator<Item = &'static str> {
        self.dispatches().map(|(_, shader)| shader)
    }

    /// Place and shader of each dispatch; one that is repeated for windows counts once.
    pub(super) fn dispatches(&self) -> impl Iterator<Item = (usize, &'static str)> {
        self.steps.iter().enumerate().filter_map(|(place, step)| match step {
            Step::Dispatch { shader, .. } => Some((place, shader.name)),
            Step::Tap(_) => None,
        })
    }

    /// Adds the dispatch at `place` to a pass of the caller's; how many it is with its windows.
    pub(super) fn encode_at(
        &self,
        gpu: &Gpu,
        pass: &mut wgpu::ComputePass<'_>,
        place: usize,
        rows: u32,
    ) -> Result<usize> {
        encode(gpu, pass, &self.steps[place..place + 1], rows)
    }
}

/// Adds `steps` to a pass; how many dispatches that is.
fn encode(gpu: &Gpu, pass: &mut wgpu::ComputePass<'_>, steps: &[Step], rows: u32) -> Result<usize> {
    let most = gpu.capabilities().workgroups;
    let mut dispatches = 0;
    for step in steps {
        if let Step::Dispatch { shader, compiled, bind_group, windows, grid, .. } = step {
            // Of windows each is a dispatch with rows of its own.
            let at_once = windows.map_or(rows, |windows| windows.rows.min(rows));
            let [x, y, z] = grid.map(|extent| extent.at(at_once));
            if x.max(y).max(z) > most {
                let problem = format!("of {} for {rows} rows is {x} × {y} × {z}, at most {most} an axis", shader.name);
                return Err(Error::Argument { name: "grid", problem });
            }
            pass.set_pipeline(&compiled.pipeline);
            let Some(windows) = windows else {
                pass.set_bind_group(0, bind_group, &[]);
                pass.dispatch_workgroups(x, y, z);
                dispatches += 1;
                continue;
            };
            for window in 0..rows.div_ceil(windows.rows) {
                let [x, y, z] = grid.map(|extent| extent.at(windows.rows.min(rows - window * windows.rows)));
                pass.set_bind_group(0, bind_group, &[window * windows.params_bytes, window * windows.bytes]);
                pass.dispatch_workgroups(x, y, z);
                dispatches += 1;
            }
        }
    }
    gpu.count(|c| &c.dispatches, dispatches as u64);
    Ok(dispatches)
}
