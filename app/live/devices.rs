//! Which device is meant, and what a device has to say of itself: the seams between the conversation and microphones, speakers
//! and cameras, be they real ones or files.

use super::Block;
use anyhow::bail;
use percept::media::Image;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Hears.
    Microphone,
    /// Speaks.
    Speaker,
    /// Sees.
    Camera,
}

impl Kind {
    /// For sentences on screen.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Microphone => "microphone",
            Kind::Speaker => "speaker",
            Kind::Camera => "camera",
        }
    }
}

/// Which device a person wants.
#[derive(Clone, Debug, Default)]
pub enum Choice<F> {
    /// None.
    Off,
    /// The one that the system calls default, also when that changes.
    #[default]
    Default,
    /// This one and no other, by its id.
    Device(String),
    /// A file in its place.
    File(F),
}

/// A device that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Stays the same over restarts, as far as the system lets it.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether the system would choose it.
    pub default: bool,
}

/// The device that is meant: the chosen one or an error, never one that is only near.
pub fn pick<'a, F>(kind: Kind, choice: &Choice<F>, listed: &'a [Listed]) -> anyhow::Result<&'a Listed> {
    let what = kind.name();
    match choice {
        Choice::Device(id) => match listed.iter().find(|device| device.id == *id) {
            Some(device) => Ok(device),
            None => bail!("the chosen {what} ({id}) is not there; connect it or choose another in the settings"),
        },
        _ => match listed.iter().find(|device| device.default) {
            Some(device) => Ok(device),
            None if listed.is_empty() => bail!("there is no {what}; connect one, it is taken as soon as it is there"),
            None => bail!("the system has no default {what}; choose one in the settings"),
        },
    }
}

/// What a device answers when it is asked for more.
#[derive(Clone, Debug, PartialEq)]
pub enum Take<T> {
    /// Here it is.
    Ready(T),
    /// Nothing new yet.
    NotYet,
    /// Gone, with a sentence why.
    Lost(String),
}

/// Hears.
pub trait Microphone: Send {
    /// For people.
    fn name(&self) -> &str;
    /// The id of the device, where it is a real one.
    fn id(&self) -> Option<&str>;
    /// The next 10 ms, if they were heard by now.
    fn take(&mut self, now: Duration) -> Take<Block>;
    /// Samples that were dropped since it was asked last, because nobody took them.
    fn overruns(&mut self) -> u64;
}

/// Speaks. It plays what was written and silence where nothing is.
pub trait Speaker: Send {
    /// For people.
    fn name(&self) -> &str;
    /// The id of the device, where it is a real one.
    fn id(&self) -> Option<&str>;
    /// How many blocks it wants, so that it has neither too little nor too much.
    fn room(&self) -> usize;
    /// One more block to play, and whether more comes behind it without a gap.
    fn write(&mut self, block: &Block, more: bool);
    /// Forgets what was written and is silent within a few milliseconds.
    fn flush(&mut self);
    /// What was really played in the last 10 ms, and how many of the written samples were played in all.
    fn played(&mut self, now: Duration) -> Take<(Block, u64)>;
    /// How often it wanted more than there was, since it was asked last.
    fn underruns(&mut self) -> u64;
}

/// Sees.
pub trait Camera: Send {
    /// For people.
    fn name(&self) -> &str;
    /// The latest picture, if there is a new one since it was asked last.
    fn look(&mut self, now: Duration) -> Take<Arc<Image>>;
}

/// The ids of the system's default microphone and speaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Of the microphone.
    pub microphone: Option<String>,
    /// Of the speaker.
    pub speaker: Option<String>,
}

/// Asks the system again and again which devices are its default, on a thread of its own since it may take its time.
pub struct Watch {
    stop: Arc<AtomicBool>,
    changes: Receiver<Defaults>,
}

const ASK_EVERY: Duration = Duration::from_secs(2);

impl Watch {
    /// Begins to ask.
    pub fn start() -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, changes) = channel();
        let stopped = stop.clone();
        // Without it a changed default is noticed when the device is lost, which is not worth an error.
        let _ = std::thread::Builder::new().name("default devices".into()).spawn(move || {
            let mut before = Defaults::default();
            while !stopped.load(Relaxed) {
                let now = super::sound_cards::defaults();
                if now != before {
                    before = now.clone();
                    if sender.send(now).is_err() {
                        return;
                    }
                }
                std::thread::park_timeout(ASK_EVERY);
            }
        });
        Watch { stop, changes }
    }

    /// What changed since the last call.
    pub fn changed(&self) -> Option<Defaults> {
        self.changes.try_iter().last()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: &str, default: bool) -> Listed {
        Listed { id: id.into(), name: id.to_uppercase(), default }
    }

    #[test]
    fn it_picks_the_wrong_device_never() {
        let devices = [listed("dock", false), listed("headset", true), listed("headset 2", false)];
        let id = |choice: Choice<()>| pick(Kind::Microphone, &choice, &devices).map(|d| d.id.clone());
        assert_eq!(id(Choice::Default).unwrap(), "headset");
        assert_eq!(id(Choice::Device("headset 2".into())).unwrap(), "headset 2");
        // A device that is gone is not replaced in silence.
        let gone = id(Choice::Device("studio".into())).unwrap_err().to_string();
        assert!(gone.contains("studio") && gone.contains("choose another"), "{gone}");
        let none = pick::<()>(Kind::Camera, &Choice::Default, &[]).unwrap_err().to_string();
        assert!(none.contains("there is no camera"), "{none}");
        let undecided = pick::<()>(Kind::Speaker, &Choice::Default, &devices[..1]).unwrap_err().to_string();
        assert!(undecided.contains("choose one"), "{undecided}");
    }
}
