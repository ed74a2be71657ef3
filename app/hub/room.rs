//! The memory of this machine that models may use.

use percept::gpu::{AdapterSummary, adapters};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What models may use.
#[derive(Debug)]
pub struct Room {
    /// Bytes of memory of the machine, if the system tells.
    pub machine: Option<u64>,
    /// The adapter.
    pub adapter: Option<AdapterSummary>,
}

impl Room {
    /// Asks drivers and system, which takes a while, about the adapter of this title or the best one.
    pub fn of_this_machine(title: Option<&str>) -> Room {
        let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let machine = System::new_with_specifics(memory).ok().map(|system| system.total_memory());
        let all = adapters();
        let at = all.iter().position(|adapter| title.is_some_and(|title| adapter.title() == title)).unwrap_or(0);
        Room { machine, adapter: all.into_iter().nth(at) }
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
