//! Which adapters there are, what they can do, and which one is taken.

use crate::error::{Error, Result};
use std::str::FromStr;

/// Features that a kernel variant or a tool of ours can use; asked for where the adapter has them.
const WANTED: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::PIPELINE_CACHE);

/// Most storage buffers that a kernel binds (`norm_rope`); WebGPU promises 8.
const STORAGE_BUFFERS: u32 = 7;

/// Which adapter a person asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// Discrete before integrated before virtual before software; native APIs before GL.
    #[default]
    Best,
    /// Place in the list of [`adapters`].
    Index(usize),
    /// A backend (`vulkan`, `metal`, `dx12`, `gl`) or a part of the adapter's name.
    Named(String),
}

impl FromStr for AdapterChoice {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.trim().parse() {
            Ok(index) => AdapterChoice::Index(index),
            Err(_) => AdapterChoice::Named(text.trim().to_string()),
        })
    }
}

/// What an adapter can do, as far as the engine cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Smallest and largest subgroup, if subgroup operations are there.
    pub subgroup: Option<(u32, u32)>,
    /// 16-bit floats in shaders.
    pub f16: bool,
    /// Time stamps on the GPU.
    pub timestamps: bool,
    /// Compiled pipelines can be kept on disk.
    pub pipeline_cache: bool,
    /// It computes on the CPU.
    pub software: bool,
    /// Largest storage binding in bytes.
    pub storage_binding_bytes: u64,
    /// Largest buffer in bytes.
    pub buffer_bytes: u64,
    /// Storage buffers in one shader.
    pub storage_buffers: u32,
    /// Lines of the largest texture.
    pub texture_lines: u32,
    /// Workgroup memory in bytes.
    pub workgroup_bytes: u32,
    /// Lanes in a workgroup.
    pub workgroup_lanes: u32,
    /// Workgroups along one axis.
    pub workgroups: u32,
    /// Alignment of uniform bindings in bytes.
    pub uniform_alignment: u32,
    /// Alignment of storage bindings in bytes.
    pub storage_alignment: u32,
}

/// An adapter in the list of `percept doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Place in the list.
    pub index: usize,
    /// For example "NVIDIA GeForce RTX 4070".
    pub name: String,
    /// "vulkan", "metal", "dx12" or "gl".
    pub backend: &'static str,
    /// "discrete", "integrated", "virtual", "software" or "unknown".
    pub kind: &'static str,
    /// Driver name and version.
    pub driver: String,
    /// PCI vendor and device, for caches and reports.
    pub id: (u32, u32),
    /// Bytes of memory on its own side, where the driver tells; those of a whole machine where it has none of its own. A
    /// hint: others use it too.
    pub memory_bytes: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl AdapterSummary {
    /// Name and backend in one: `llvmpipe (vulkan)`.
    pub fn title(&self) -> String {
        format!("{} ({})", self.name, self.backend)
    }

    /// A file name that is the same for the same adapter and driver only.
    pub fn cache_key(&self) -> String {
        let clean = |text: &str| -> String {
            text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
        };
        let name = format!("{}_{}_{}", self.backend, clean(&self.name), clean(&self.driver));
        format!("{}_{:x}_{:x}", name.chars().take(160).collect::<String>(), self.id.0, self.id.1)
    }

    fn matches(&self, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        self.backend == wanted || self.name.to_lowercase().contains(&wanted)
    }

    /// Better adapters come first.
    fn rank(&self) -> (usize, usize) {
        let kind = ["discrete", "integrated", "virtual", "unknown", "software"].iter().position(|k| *k == self.kind);
        (kind.unwrap_or(9), usize::from(self.backend == "gl"))
    }
}

/// Every adapter of the machine, in the order in which indices are given; an empty list if there is none.
pub fn adapters() -> Vec<AdapterSummary> {
    enumerate().into_iter().map(|(summary, _)| summary).collect()
}

fn enumerate() -> Vec<(AdapterSummary, wgpu::Adapter)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::all(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut list: Vec<_> = found.into_iter().map(|adapter| (summarise(&adapter), adapter)).collect();
    list.sort_by_key(|(summary, _)| summary.rank());
    for (index, (summary, _)) in list.iter_mut().enumerate() {
        summary.index = index;
    }
    list
}

pub(super) fn choose(choice: &AdapterChoice) -> Result<(AdapterSummary, wgpu::Adapter)> {
    let mut list = enumerate();
    let names = || list.iter().map(|(s, _)| format!("{} {}", s.index, s.title())).collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        let problem = "was found: install a Vulkan or OpenGL driver (Debian/Ubuntu: apt install mesa-vulkan-drivers \
                       libgl1-mesa-dri; Fedora: dnf install mesa-vulkan-drivers; or the driver of your GPU's maker)";
        return Err(Error::NoAdapter { problem: problem.into() });
    }
    let place = match choice {
        AdapterChoice::Best => Some(0),
        AdapterChoice::Index(index) => (*index < list.len()).then_some(*index),
        AdapterChoice::Named(wanted) => list.iter().position(|(summary, _)| summary.matches(wanted)),
    };
    let Some(place) = place else {
        let asked = match choice {
            AdapterChoice::Index(index) => index.to_string(),
            AdapterChoice::Named(name) => name.clone(),
            AdapterChoice::Best => String::new(),
        };
        return Err(Error::NoAdapter { problem: format!("is called \"{asked}\"; there are: {}", names()) });
    };
    let (summary, adapter) = list.swap_remove(place);
    if summary.capabilities.storage_buffers < STORAGE_BUFFERS {
        let problem = format!(
            "its driver gives compute shaders {} storage buffers, {STORAGE_BUFFERS} are needed; update it, or choose \
             another adapter with --adapter",
            summary.capabilities.storage_buffers
        );
        return Err(Error::Adapter { adapter: summary.title(), problem });
    }
    Ok((summary, adapter))
}

pub(super) fn open_device(summary: &AdapterSummary, adapter: &wgpu::Adapter) -> Result<(wgpu::Device, wgpu::Queue)> {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("percept"),
        required_features: adapter.features() & WANTED,
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    };
    pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| Error::Adapter {
        adapter: summary.title(),
        problem: format!(
            "the driver would not open it ({}); update the driver, or choose another adapter with --adapter \
             (`percept doctor` lists them)",
            super::one_line(&e.to_string())
        ),
    })
}

fn summarise(adapter: &wgpu::Adapter) -> AdapterSummary {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "unknown",
    };
    let backend = match info.backend {
        wgpu::Backend::Vulkan => "vulkan",
        wgpu::Backend::Metal => "metal",
        wgpu::Backend::Dx12 => "dx12",
        wgpu::Backend::Gl => "gl",
        _ => "other",
    };
    let subgroup = features.contains(wgpu::Features::SUBGROUP);
    AdapterSummary {
        index: 0,
        name: info.name.trim().to_string(),
        backend,
        kind,
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        id: (info.vendor, info.device),
        memory_bytes: memory(adapter),
        capabilities: Capabilities {
            subgroup: subgroup.then_some((info.subgroup_min_size, info.subgroup_max_size)),
            f16: features.contains(wgpu::Features::SHADER_F16),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
            software: kind == "software",
            storage_binding_bytes: limits.max_storage_buffer_binding_size,
            buffer_bytes: limits.max_buffer_size,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            workgroup_lanes: limits.max_compute_invocations_per_workgroup,
            workgroups: limits.max_compute_workgroups_per_dimension,
            texture_lines: limits.max_texture_dimension_2d,
            uniform_alignment: limits.min_uniform_buffer_offset_alignment,
            storage_alignment: limits.min_storage_buffer_offset_alignment,
        },
    }
}

/// Bytes of the heaps that Vulkan calls local to the device.
#[cfg(not(target_vendor = "apple"))]
fn memory(adapter: &wgpu::Adapter) -> Option<u64> {
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the instance and the physical device belong together and live while `vulkan` does; only properties are read.
    unsafe {
        let vulkan = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = vulkan.shared_instance().raw_instance();
        let told = instance.get_physical_device_memory_properties(vulkan.raw_physical_device());
        let heaps = told.memory_heaps.iter().take(told.memory_heap_count as usize);
        Some(heaps.filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).sum())
    }
}

/// Vulkan is not there on these systems, and all memory is the machine's.
#[cfg(target_vendor = "apple")]
fn memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}
