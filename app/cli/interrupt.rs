//! Ctrl-C: it stops the answer that is being given; pressed again, or while there is none, it ends the program.

use percept::session::Cancel;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Exit code of a program that its user stopped, as shells have it.
pub const INTERRUPTED: u8 = 130;

static HELD: AtomicBool = AtomicBool::new(false);
static PRESSED: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<Option<Cancel>> = Mutex::new(None);

/// Takes Ctrl-C over from the system.
///
/// # Errors
/// If the system refuses.
pub fn install() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        match &*running {
            Some(cancel) if !PRESSED.swap(true, Ordering::Relaxed) => cancel.cancel(),
            None if HELD.load(Ordering::Relaxed) => {}
            _ => std::process::exit(INTERRUPTED.into()),
        }
    })?;
    Ok(())
}

/// Between answers Ctrl-C does nothing from here on; for a line editor, which takes it as a key.
pub fn hold() {
    HELD.store(true, Ordering::Relaxed);
}

/// While this lives, Ctrl-C stops an answer and not the program.
pub struct Stoppable(Cancel);

impl Stoppable {
    /// From here on `cancel` is what Ctrl-C does.
    pub fn new(cancel: Cancel) -> Stoppable {
        PRESSED.store(false, Ordering::Relaxed);
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(cancel.clone());
        Stoppable(cancel)
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_stopped(&self) -> bool {
        PRESSED.load(Ordering::Relaxed)
    }

    /// Passes on a Ctrl-C from before the answer began, which the session has forgotten by then.
    pub fn stop_if_pressed(&self) {
        if self.is_stopped() {
            self.0.cancel();
        }
    }
}

impl Drop for Stoppable {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
