//! The adapter and everything that touches wgpu: choice, buffers, pipelines, plans and reading back.

mod adapter;
mod array;
mod pipeline;
mod plan;
mod profile;
mod readback;
mod words;

pub use adapter::{AdapterChoice, AdapterSummary, Capabilities, adapters};
pub use array::{Array, Bind};
pub(crate) use pipeline::write_whole;
pub use pipeline::{Binding, Shader};
pub use plan::{Cost, Extent, Plan, PlanBuilder, PlanSummary, Tap};
pub use profile::{Profile, ShaderTime};
pub use readback::TokenReader;
pub use words::Words;

use crate::error::{Error, Result};
use pipeline::Pipelines;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a [`Gpu`] is opened.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// Bytes that this process may hold on the adapter; `None` leaves it to the driver.
    pub memory_limit_bytes: Option<u64>,
    /// Bytes of the largest binding, if less than the adapter's own limit: how weights are split there.
    pub binding_limit_bytes: Option<u64>,
    /// A software adapter is taken for a GPU: what GPUs use can then be checked where there is none.
    pub as_gpu: bool,
}

/// An open adapter: device, queue, compiled pipelines and the accounts of what was made on it.
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    summary: AdapterSummary,
    pipelines: Pipelines,
    trouble: Arc<Mutex<Trouble>>,
    held: Arc<AtomicU64>,
    memory_limit_bytes: Option<u64>,
    counters: Counters,
    unsound: [AtomicBool; 2],
}

/// Features with which the self-test found wrong numbers on an adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsound {
    /// Subgroup operations.
    pub subgroup: bool,
    /// 16-bit floats in shaders.
    pub f16: bool,
}

/// What went wrong outside of any call: kept until the next check.
#[derive(Default)]
struct Trouble {
    lost: Option<String>,
    refused: Option<wgpu::Error>,
}

#[derive(Default)]
struct Counters {
    buffers: AtomicU64,
    bind_groups: AtomicU64,
    dispatches: AtomicU64,
    submits: AtomicU64,
}

/// What was made on a [`Gpu`] since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Buffers created.
    pub buffers: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Dispatches recorded into command buffers.
    pub dispatches: u64,
    /// Command buffers submitted.
    pub submits: u64,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("adapter", &self.summary.title()).finish_non_exhaustive()
    }
}

impl Gpu {
    /// Opens the adapter of `options`. Never falls back to another one than was chosen.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if none fits, [`Error::Adapter`] if it does not open or lacks storage buffers.
    pub fn open(options: &GpuOptions) -> Result<Arc<Gpu>> {
        let (mut summary, adapter) = adapter::choose(&options.adapter)?;
        let (device, queue) = adapter::open_device(&summary, &adapter)?;
        if let Some(limit) = options.binding_limit_bytes {
            let has = &mut summary.capabilities;
            has.storage_binding_bytes = has.storage_binding_bytes.min(limit);
        }
        if options.as_gpu {
            summary.capabilities.software = false;
        }
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        let lost = trouble.clone();
        device.set_device_lost_callback(move |reason, message| {
            let mut trouble = lost.lock().unwrap_or_else(PoisonError::into_inner);
            let reason = if message.is_empty() { format!("{reason:?}") } else { message };
            trouble.lost.get_or_insert(reason);
        });
        let refused = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let mut trouble = refused.lock().unwrap_or_else(PoisonError::into_inner);
            trouble.refused.get_or_insert(error);
        }));
        let pipelines = Pipelines::open(&device, &summary);
        Ok(Arc::new(Gpu {
            device,
            queue,
            summary,
            pipelines,
            trouble,
            held: Arc::default(),
            memory_limit_bytes: options.memory_limit_bytes,
            counters: Counters::default(),
            unsound: Default::default(),
        }))
    }

    /// The adapter: name, backend, driver, capabilities.
    pub fn adapter(&self) -> &AdapterSummary {
        &self.summary
    }

    /// What the adapter can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.summary.capabilities
    }

    /// What of it is not to be used, because it computes wrong numbers.
    pub fn unsound(&self) -> Unsound {
        let [subgroup, f16] = &self.unsound;
        Unsound { subgroup: subgroup.load(Ordering::Relaxed), f16: f16.load(Ordering::Relaxed) }
    }

    /// Says what is not to be used from now on; plans that are there already stay as they are.
    pub fn set_unsound(&self, unsound: Unsound) {
        self.unsound[0].store(unsound.subgroup, Ordering::Relaxed);
        self.unsound[1].store(unsound.f16, Ordering::Relaxed);
    }

    /// Bytes of buffers held at this moment.
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// What was made so far; the tests compare two of these to see that a token makes nothing new.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            buffers: read(&self.counters.buffers),
            bind_groups: read(&self.counters.bind_groups),
            dispatches: read(&self.counters.dispatches),
            submits: read(&self.counters.submits),
        }
    }

    /// Fails if the device was lost or the driver refused a command since the last check.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::OutOfMemory`] or [`Error::Driver`]; `during` says what was going on.
    pub fn check(&self, during: &str) -> Result<()> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &trouble.lost {
            return Err(Error::DeviceLost {
                adapter: self.summary.title(),
                during: during.into(),
                reason: reason.clone(),
            });
        }
        match trouble.refused.take() {
            None => Ok(()),
            Some(wgpu::Error::OutOfMemory { .. }) => {
                Err(Error::OutOfMemory { what: format!("{during} (staging)"), bytes: 0, held: self.held_bytes() })
            }
            Some(problem) => Err(Error::Driver {
                adapter: self.summary.title(),
                what: during.into(),
                problem: one_line(&problem.to_string()),
            }),
        }
    }

    /// Waits until everything submitted so far is done.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn wait(&self, during: &str) -> Result<()> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.check(during)?;
        polled.map(|_| ()).map_err(|e| Error::Driver {
            adapter: self.summary.title(),
            what: during.into(),
            problem: e.to_string(),
        })
    }

    /// Writes the compiled pipelines to the disk cache, where the backend has one. Failing to do so is only logged.
    pub fn save_pipelines(&self) {
        self.pipelines.save();
    }

    /// Makes the driver drop the device, as a reset or an unplugged adapter would; for tests of recovery.
    #[doc(hidden)]
    pub fn lose_device(&self) {
        self.device.destroy();
        let _ = self.device.poll(wgpu::PollType::Poll);
    }

    fn count(&self, counter: impl Fn(&Counters) -> &AtomicU64, by: u64) {
        counter(&self.counters).fetch_add(by, Ordering::Relaxed);
    }
}

/// The first line of a driver's message with its causes, without the tree that wgpu prints.
fn one_line(problem: &str) -> String {
    problem.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
