//! The place of one device: opens what is chosen, tells of its loss, and tries again until it is back.

use super::LiveEvent;
use super::devices::Kind;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

/// How long to wait before a device is tried again.
const AGAIN: Duration = Duration::from_millis(1500);

/// Opens a device; may take its time.
pub type Opener<D> = Box<dyn FnOnce() -> anyhow::Result<Box<D>> + Send>;

/// A device or the hope for one.
pub struct Slot<D: Send + ?Sized + 'static> {
    kind: Kind,
    device: Option<Box<D>>,
    name: String,
    opening: Option<Receiver<anyhow::Result<Box<D>>>>,
    retry_at: Duration,
    /// Whether the person knows that it is gone.
    told: bool,
}

impl<D: Send + ?Sized + 'static> Slot<D> {
    /// Empty.
    pub fn new(kind: Kind) -> Slot<D> {
        Slot { kind, device: None, name: String::new(), opening: None, retry_at: Duration::ZERO, told: false }
    }

    /// The device, while it is there.
    pub fn device(&mut self) -> Option<&mut D> {
        self.device.as_deref_mut()
    }

    /// Whether it is there.
    pub fn is_open(&self) -> bool {
        self.device.is_some()
    }

    /// Lets the device go and tries to open what is chosen now.
    pub fn reopen(&mut self, now: Duration) {
        self.release();
        self.opening = None;
        self.retry_at = now;
        self.told = false;
    }

    /// Drivers may take their time to close, so that happens elsewhere.
    fn release(&mut self) {
        if let Some(device) = self.device.take() {
            let closing = std::thread::Builder::new().name("device closes".into());
            // Without a thread it is closed here.
            let _ = closing.spawn(move || drop(device));
        }
    }

    /// Opens the device if it is not there and may be tried. `opener` is what opens it, with whether it opens at once. Returns
    /// what there is to tell.
    pub fn attend(
        &mut self,
        now: Duration,
        name_of: impl Fn(&D) -> String,
        opener: impl FnOnce() -> Option<(Opener<D>, bool)>,
    ) -> Option<LiveEvent> {
        if self.device.is_some() {
            return None;
        }
        let result = if let Some(opening) = &self.opening {
            match opening.try_recv() {
                Ok(result) => result,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => Err(anyhow::anyhow!("the {}'s driver gave up", self.kind.name())),
            }
        } else {
            if now < self.retry_at {
                return None;
            }
            let (open, at_once) = opener()?;
            if !at_once {
                let (sender, opening) = channel();
                let thread = std::thread::Builder::new().name("device opens".into());
                let started = thread.spawn(move || {
                    let _ = sender.send(open());
                });
                self.retry_at = now + AGAIN;
                if started.is_ok() {
                    self.opening = Some(opening);
                }
                return None;
            }
            open()
        };
        self.opening = None;
        match result {
            Ok(device) => {
                self.name = name_of(&device);
                self.device = Some(device);
                self.told = false;
                Some(LiveEvent::DeviceFound { which: self.kind, name: self.name.clone() })
            }
            Err(problem) => {
                self.retry_at = now + AGAIN;
                // Once is enough: it is tried again until it works.
                let news = !std::mem::replace(&mut self.told, true);
                news.then(|| LiveEvent::Note(sentence(&format!("{problem:#}"))))
            }
        }
    }

    /// The device is gone. Returns what there is to tell.
    pub fn lost(&mut self, now: Duration, why: &str) -> LiveEvent {
        self.release();
        self.retry_at = now + AGAIN;
        self.told = true;
        LiveEvent::DeviceLost { which: self.kind, name: std::mem::take(&mut self.name), why: why.into() }
    }
}

impl<D: Send + ?Sized + 'static> Drop for Slot<D> {
    fn drop(&mut self) {
        self.release();
    }
}

/// With a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map_or(String::new(), |c| c.to_uppercase().to_string());
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Sender;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn opener(works: bool) -> impl FnOnce() -> Option<(Opener<String>, bool)> {
        move || {
            let open: Opener<String> = Box::new(move || {
                anyhow::ensure!(works, "there is no microphone; connect one");
                Ok(Box::new("Headset".to_string()))
            });
            Some((open, true))
        }
    }

    #[test]
    fn a_device_that_comes_late_is_taken_and_complained_of_once() {
        let mut slot: Slot<String> = Slot::new(Kind::Microphone);
        let name = |name: &String| name.clone();
        let Some(LiveEvent::Note(note)) = slot.attend(ms(0), name, opener(false)) else { panic!("no note") };
        assert_eq!(note, "There is no microphone; connect one.");
        assert!(slot.attend(ms(1000), name, opener(true)).is_none(), "too early to try again");
        assert!(slot.attend(ms(1500), name, opener(false)).is_none(), "it was said");
        let found = slot.attend(ms(3000), name, opener(true));
        assert!(matches!(found, Some(LiveEvent::DeviceFound { name, .. }) if name == "Headset"));
        let lost = slot.lost(ms(4000), "it was disconnected");
        assert!(matches!(lost, LiveEvent::DeviceLost { name, .. } if name == "Headset"));
        assert!(!slot.is_open());
        assert!(slot.attend(ms(5000), name, opener(true)).is_none());
        assert!(slot.attend(ms(5500), name, opener(true)).is_some());
    }

    #[test]
    fn a_driver_that_hangs_holds_nobody_up() {
        let mut slot: Slot<String> = Slot::new(Kind::Camera);
        let (release, held): (Sender<()>, _) = channel();
        let name = |name: &String| name.clone();
        let slow = move || {
            let open: Opener<String> = Box::new(move || {
                let _ = held.recv();
                Ok(Box::new("Slow".to_string()))
            });
            Some((open, false))
        };
        assert!(slot.attend(ms(0), name, slow).is_none());
        for i in 0..100 {
            assert!(slot.attend(ms(10 * i), name, || panic!("one at a time")).is_none());
        }
        drop(release);
        let begun = std::time::Instant::now();
        while slot.attend(ms(2000), name, || None).is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(ms(1));
        }
        assert!(slot.is_open());
    }
}
