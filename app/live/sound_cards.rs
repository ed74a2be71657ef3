//! The sound cards of the system, by `cpal`: which there are, and how a stream to one is opened.

use super::devices::{Choice, Defaults, Kind, Listed, pick};
use anyhow::{Context, anyhow};
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, Device, ErrorKind, Host, SampleFormat, StreamConfig};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// ALSA prints lines of its own for each card that it does not find; what matters is in the errors that it gives, too.
#[cfg(target_os = "linux")]
pub fn quiet_alsa() {
    use std::ffi::{c_char, c_int};
    unsafe extern "C" {
        fn snd_lib_error_set_handler(handler: *const std::ffi::c_void) -> c_int;
    }
    unsafe extern "C" fn say_nothing(_: *const c_char, _: c_int, _: *const c_char, _: c_int, _: *const c_char) {}
    // SAFETY: the function is there wherever cpal's ALSA host is, keeps the pointer only, and calls it with the arguments that
    // stand first in every convention; those that may follow are not looked at.
    unsafe { snd_lib_error_set_handler(say_nothing as *const std::ffi::c_void) };
}

/// How long a driver may take to open a stream.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The microphones that are there, the default one first. Asks the system, so not for a thread that draws.
pub fn microphones() -> Vec<Listed> {
    list(&cpal::default_host(), Kind::Microphone).into_iter().map(|(listed, _)| listed).collect()
}

/// The speakers that are there, the default one first. Asks the system, so not for a thread that draws.
pub fn speakers() -> Vec<Listed> {
    list(&cpal::default_host(), Kind::Speaker).into_iter().map(|(listed, _)| listed).collect()
}

/// The ids of the default devices just now.
pub fn defaults() -> Defaults {
    let host = cpal::default_host();
    let id = |device: Option<Device>| device.and_then(|device| device.id().ok()).map(|id| id.to_string());
    Defaults { microphone: id(host.default_input_device()), speaker: id(host.default_output_device()) }
}

fn list(host: &Host, kind: Kind) -> Vec<(Listed, Device)> {
    let (default, devices) = match kind {
        Kind::Microphone => (host.default_input_device(), host.input_devices().map(Vec::from_iter)),
        _ => (host.default_output_device(), host.output_devices().map(Vec::from_iter)),
    };
    let id = |device: &Device| device.id().ok().map(|id| id.to_string());
    let default_id = default.as_ref().and_then(id);
    // Some systems do not list what they call default.
    let devices = default.into_iter().chain(devices.unwrap_or_default());
    let mut listed: Vec<(Listed, Device)> = Vec::new();
    for device in devices {
        let Some(id) = id(&device) else { continue };
        if listed.iter().any(|(other, _)| other.id == id) {
            continue;
        }
        let name = device.description().map_or_else(|_| id.clone(), |description| description.name().to_string());
        listed.push((Listed { default: default_id.as_ref() == Some(&id), id, name }, device));
    }
    listed
}

/// A device, and the stream that it likes best.
pub struct Card {
    /// Its name and id.
    pub listed: Listed,
    /// To open streams.
    pub device: Device,
    /// Channels and rate; blocks of 10 ms.
    pub config: StreamConfig,
    /// Numbers that it takes or gives.
    pub format: SampleFormat,
}

impl Card {
    /// The device that is meant.
    pub fn find<F>(kind: Kind, choice: &Choice<F>) -> anyhow::Result<Card> {
        let mut all = list(&cpal::default_host(), kind);
        let names: Vec<Listed> = all.iter().map(|(listed, _)| listed.clone()).collect();
        let id = &pick(kind, choice, &names)?.id;
        let at = names.iter().position(|listed| listed.id == *id).context("the device went away")?;
        let (listed, device) = all.swap_remove(at);
        let config = match kind {
            Kind::Microphone => device.default_input_config(),
            _ => device.default_output_config(),
        };
        let config = config.map_err(|error| explain(kind, &listed.name, &error))?;
        let format = config.sample_format();
        let mut config = config.config();
        config.buffer_size = BufferSize::Fixed(config.sample_rate / 100);
        Ok(Card { listed, device, config, format })
    }

    /// Tries small blocks first and what the driver likes then.
    pub fn open<S>(&self, kind: Kind, build: impl Fn(StreamConfig) -> Result<S, cpal::Error>) -> anyhow::Result<S> {
        let relaxed = StreamConfig { buffer_size: BufferSize::Default, ..self.config };
        build(self.config).or_else(|_| build(relaxed)).map_err(|error| explain(kind, &self.listed.name, &error))
    }
}

/// What is wrong and what to do, in a sentence.
pub fn explain(kind: Kind, name: &str, error: &cpal::Error) -> anyhow::Error {
    let what = kind.name();
    let remedy = match error.kind() {
        ErrorKind::DeviceBusy => "close the other program that uses it",
        ErrorKind::PermissionDenied => "allow it in the privacy settings of the system",
        ErrorKind::UnsupportedConfig => "choose another one in the settings",
        ErrorKind::HostUnavailable => "start the sound server of the system",
        _ => "connect it again or choose another one in the settings",
    };
    // Some of them end as sentences do.
    let error = error.to_string();
    anyhow!("the {what} \"{name}\" cannot be used ({}); {remedy}", error.trim_end_matches('.'))
}

/// What a stream's error callback leaves for others to read.
#[derive(Default)]
pub struct Trouble {
    /// 0 while all is well.
    fatal: AtomicU8,
    /// Errors that a stream survives.
    hiccups: AtomicU64,
}

impl Trouble {
    /// Called on the driver's thread: only atomics.
    pub fn report(&self, error: &cpal::Error) {
        let code = match error.kind() {
            ErrorKind::DeviceNotAvailable => 1,
            ErrorKind::StreamInvalidated => 2,
            ErrorKind::HostUnavailable => 3,
            ErrorKind::PermissionDenied => 4,
            // Some drivers report these by hundreds while sound flows; a stream without sound is noticed elsewhere.
            _ => {
                self.hiccups.fetch_add(1, Relaxed);
                return;
            }
        };
        self.fatal.store(code, Relaxed);
    }

    /// Why the stream is dead, if it is.
    pub fn lost(&self) -> Option<&'static str> {
        match self.fatal.load(Relaxed) {
            0 => None,
            1 => Some("it was disconnected"),
            3 => Some("the sound server is gone"),
            4 => Some("the system no longer allows it"),
            _ => Some("its stream ended"),
        }
    }

    /// Errors survived since the last call.
    pub fn hiccups(&self) -> u64 {
        self.hiccups.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_hiccups_is_no_loss() {
        let trouble = Trouble::default();
        for _ in 0..1000 {
            trouble.report(&cpal::Error::new(ErrorKind::BackendError));
            trouble.report(&cpal::Error::new(ErrorKind::Xrun));
        }
        assert_eq!((trouble.lost(), trouble.hiccups(), trouble.hiccups()), (None, 2000, 0));
        trouble.report(&cpal::Error::new(ErrorKind::DeviceNotAvailable));
        assert_eq!(trouble.lost(), Some("it was disconnected"));
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = cpal::Error::new(ErrorKind::PermissionDenied);
        let sentence = explain(Kind::Microphone, "Headset", &error).to_string();
        assert!(sentence.contains("Headset") && sentence.contains("privacy settings"), "{sentence}");
    }
}
