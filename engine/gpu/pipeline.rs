//! Shaders as the build embeds them, compiled on demand, in parallel, and kept on disk where the backend can.

use super::words::TEXTURE;
use super::{AdapterSummary, Gpu, one_line};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A binding of a shader with the name it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The uniform parameters.
    Uniform(&'static str),
    /// A storage buffer that is read.
    Read(&'static str),
    /// A storage buffer that is written, and maybe read.
    ReadWrite(&'static str),
    /// A texture that is read.
    Texture(&'static str),
    /// A texture that is written.
    TextureWrite(&'static str),
    /// A window of a buffer, bound as a uniform: see [`PlanBuilder::dispatch_windows`](super::PlanBuilder).
    Window(&'static str),
}

/// A WGSL file that the build has joined and validated.
#[derive(Debug)]
pub struct Shader {
    /// File name without ending, with the loader: `matvec_bf16`.
    pub name: &'static str,
    /// The whole text.
    pub wgsl: &'static str,
    /// Its bindings in order.
    pub bindings: &'static [Binding],
    /// Names of its override constants.
    pub overrides: &'static [&'static str],
    /// It has `enable f16;`.
    pub needs_f16: bool,
    /// It uses subgroup operations.
    pub needs_subgroup: bool,
}

impl Shader {
    /// Whether it is dispatched once for each window.
    pub(super) fn has_window(&self) -> bool {
        self.bindings.iter().any(|binding| matches!(binding, Binding::Window(_)))
    }
}

/// A shader with the values of its overrides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) shader: &'static str,
    pub(super) overrides: Vec<(&'static str, u32)>,
}

pub(super) struct Compiled {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

pub(super) struct Pipelines {
    compiled: Mutex<HashMap<Key, Arc<Compiled>>>,
    disk: Option<(wgpu::PipelineCache, PathBuf)>,
    changed: AtomicBool,
}

impl Pipelines {
    pub(super) fn open(device: &wgpu::Device, adapter: &AdapterSummary) -> Pipelines {
        let disk = adapter.capabilities.pipeline_cache.then(|| cache_file(adapter)).flatten().map(|path| {
            let data = std::fs::read(&path).ok();
            // SAFETY: the file is written by `save` alone, under a name that holds adapter, driver and our version;
            // wgpu checks its own header, and `fallback` lets the driver start afresh from data it does not know.
            let cache = unsafe {
                device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                    label: Some("percept"),
                    data: data.as_deref(),
                    fallback: true,
                })
            };
            (cache, path)
        });
        Pipelines { compiled: Mutex::default(), disk, changed: AtomicBool::new(false) }
    }

    pub(super) fn save(&self) {
        let Some((cache, path)) = &self.disk else { return };
        if !self.changed.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(data) = cache.get_data() else { return };
        if let Err(error) = write_whole(path, &data) {
            tracing::warn!("the pipeline cache {} was not written: {error}", path.display());
        }
    }

    fn get(&self, key: &Key) -> Option<Arc<Compiled>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

fn cache_file(adapter: &AdapterSummary) -> Option<PathBuf> {
    let name = format!("{}_{}.bin", adapter.cache_key(), env!("CARGO_PKG_VERSION"));
    Some(crate::cache_dir()?.join("pipelines").join(name))
}

/// Writes beside and renames, so that a crash leaves the old file or the new one.
pub(crate) fn write_whole(path: &std::path::Path, data: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&beside, data)?;
    std::fs::rename(&beside, path)
}

impl Gpu {
    /// The pipelines of `wanted`, those not yet there compiled on all cores. `progress(done, total)` is told of each.
    pub(super) fn compile(
        &self,
        wanted: &[(&'static Shader, Key)],
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Vec<Arc<Compiled>>> {
        let mut missing: Vec<&(&'static Shader, Key)> = Vec::new();
        for item in wanted {
            if self.pipelines.get(&item.1).is_none() && !missing.iter().any(|m| m.1 == item.1) {
                missing.push(item);
            }
        }
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failure = Mutex::new(None);
        let work = || {
            while let Some((shader, key)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.compile_one(shader, key) {
                    Ok(compiled) => {
                        let mut map = self.pipelines.compiled.lock().unwrap_or_else(PoisonError::into_inner);
                        map.insert(key.clone(), Arc::new(compiled));
                    }
                    Err(error) => {
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, missing.len());
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(missing.len());
        // GL contexts serialise anyway, and some of its drivers dislike being called from many threads.
        if threads > 1 && self.summary.backend != "gl" {
            std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        } else {
            work();
        }
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if !missing.is_empty() {
            self.pipelines.changed.store(true, Ordering::Relaxed);
        }
        let lost = |key: &Key| Error::Driver {
            adapter: self.summary.title(),
            what: format!("the shader {} {:?}", key.shader, key.overrides),
            problem: "its pipeline is not there".into(),
        };
        wanted.iter().map(|(_, key)| self.pipelines.get(key).ok_or_else(|| lost(key))).collect()
    }

    fn compile_one(&self, shader: &'static Shader, key: &Key) -> Result<Compiled> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.wgsl.into()),
        };
        // SAFETY: the build validated the text, kernels keep every index in range by construction (the twins check
        // lengths before a dispatch is recorded), and every loop of theirs ends.
        let module =
            unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let entries: Vec<_> =
            shader.bindings.iter().enumerate().map(|(i, b)| layout_entry(i as u32, b, shader.has_window())).collect();
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(shader.name), entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(shader.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let constants: Vec<(&str, f64)> = key.overrides.iter().map(|(n, v)| (*n, f64::from(*v))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: self.pipelines.disk.as_ref().map(|(cache, _)| cache),
        });
        let errors = [pollster::block_on(internal.pop()), pollster::block_on(scope.pop())];
        if let Some(error) = errors.into_iter().flatten().next() {
            return Err(Error::Driver {
                adapter: self.summary.title(),
                what: format!("the shader {} {:?}", shader.name, key.overrides),
                problem: one_line(&error.to_string()),
            });
        }
        Ok(Compiled { pipeline, layout })
    }
}

fn layout_entry(binding: u32, kind: &Binding, windows: bool) -> wgpu::BindGroupLayoutEntry {
    let buffer = |ty, has_dynamic_offset| wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None };
    let ty = match kind {
        Binding::Uniform(_) => buffer(wgpu::BufferBindingType::Uniform, windows),
        Binding::Window(_) => buffer(wgpu::BufferBindingType::Uniform, true),
        Binding::Read(_) => buffer(wgpu::BufferBindingType::Storage { read_only: true }, false),
        Binding::ReadWrite(_) => buffer(wgpu::BufferBindingType::Storage { read_only: false }, false),
        Binding::TextureWrite(_) => wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::WriteOnly,
            format: TEXTURE,
            view_dimension: wgpu::TextureViewDimension::D2,
        },
        Binding::Texture(_) => wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::ReadOnly,
            format: TEXTURE,
            view_dimension: wgpu::TextureViewDimension::D2,
        },
    };
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
