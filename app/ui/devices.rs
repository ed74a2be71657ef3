//! From settings to devices.

use crate::live::{Choice, TurnSettings, VoiceSettings};
use crate::store::settings::{Device, Settings, Talk};

/// Which microphone, speaker or camera.
pub fn choice<F>(device: &Device) -> Choice<F> {
    match device {
        Device::Default => Choice::Default,
        Device::Off => Choice::Off,
        Device::Id(id) => Choice::Device(id.clone()),
    }
}

/// When turns begin and end.
pub fn turn(settings: &Settings) -> TurnSettings {
    TurnSettings {
        hands_free: settings.talk == Talk::HandsFree,
        onset_ms: settings.onset_ms,
        hangover_ms: settings.hangover_ms,
        barge_in_ms: settings.barge_in_ms,
        ..TurnSettings::default()
    }
}

/// How answers sound.
pub fn voice(settings: &Settings) -> VoiceSettings {
    VoiceSettings { voice: settings.voice.clone(), speed: settings.voice_speed }
}
