//! The memory of this machine that models may use.

use percept::gpu::{AdapterSummary, adapters};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What models may use.
#[derive(Debug)]
pub struct Room {
    /// Bytes of memory of the machine, if the system tells.
    pub machine: Option<u64>,
    /// The best adapter.
    pub adapter: Option<AdapterSummary>,
}

impl Room {
    /// Asks drivers and system, which takes a while.
    pub fn of_this_machine() -> Room {
        let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let machine = System::new_with_specifics(memory).ok().map(|system| system.total_memory());
        Room { machine, adapter: adapters().into_iter().next() }
    }

    /// Bytes for a model; `None` without an adapter, or if nobody tells.
    pub fn bytes(&self) -> Option<u64> {
        let adapter = self.adapter.as_ref()?;
        match adapter.memory_bytes.filter(|_| adapter.kind == "discrete") {
            Some(own) => Some(own),
            // Shared with everything else that runs.
            None => [adapter.memory_bytes, self.machine.map(|all| all / 4 * 3)].into_iter().flatten().min(),
        }
    }
}
