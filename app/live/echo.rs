//! Our own voice taken out of what the microphone hears.

use super::{BLOCK, Block, RATE};
use aec3::api::EchoCanceller3Config;
use aec3::api::control::EchoControl;
use aec3::audio_processing::aec3::echo_canceller3::EchoCanceller3;
use aec3::audio_processing::audio_buffer::AudioBuffer;
use aec3::audio_processing::stream_config::StreamConfig;

/// Blocks after the last sound that was played in which its echo may still arrive (1 s).
const TAIL_BLOCKS: u32 = 100;
/// What is softer counts as silence (−80 dB).
const SILENCE: f32 = 1e-4;
/// Share of the power that a person leaves at least: with less than this only a rest of our own voice is there (−15 dB).
const LEAST_SHARE: f32 = 0.03;
/// How fast the powers follow, a block.
const FOLLOW: f32 = 0.25;

/// Playback that is loud enough for an echo (−40 dB), and for how many blocks after it one may arrive.
const LOUD: f32 = 1e-4;
const ECHO_BLOCKS: u32 = 50;
/// Blocks of playback after which it is judged whether an echo arrives (0.8 s).
const JUDGED: u32 = 80;
/// The microphone's power without an echo changes less than this (3 dB) …
const EVEN: f32 = 2.0;
/// … above what nobody hears.
const FAINT: f32 = 3e-7;
/// So many judgements without an echo are trusted; one may be wrong because a person spoke.
const TRUST: u32 = 2;

/// The canceller of WebRTC (`aec3`), used while something is played that reaches the microphone.
pub struct EchoCanceller {
    canceller: EchoCanceller3,
    played: AudioBuffer,
    heard: AudioBuffer,
    stream: StreamConfig,
    /// Blocks since something was played.
    silent_blocks: u32,
    /// Whether the last block went through the canceller.
    cancelling: bool,
    /// Power before and after, of late.
    before: f32,
    after: f32,
    path: Path,
}

impl EchoCanceller {
    /// A canceller that knows nothing of the room yet.
    pub fn new() -> EchoCanceller {
        let rate = RATE as usize;
        let buffer = || AudioBuffer::from_sample_rates(rate, 1, rate, 1, rate);
        EchoCanceller {
            canceller: EchoCanceller3::new(EchoCanceller3Config::default(), RATE as i32, 1, 1),
            played: buffer(),
            heard: buffer(),
            stream: StreamConfig::new(rate, 1, false),
            silent_blocks: TAIL_BLOCKS,
            cancelling: false,
            before: 0.0,
            after: 0.0,
            path: Path::default(),
        }
    }

    /// Takes what was played out of the 10 ms of the microphone. Where nothing was played for a while the microphone's samples
    /// stay as they are, bit for bit; so they do with headphones.
    pub fn process(&mut self, microphone: &mut Block, playback: &Block) {
        let silent = playback.iter().all(|sample| sample.abs() < SILENCE);
        self.silent_blocks = if silent { self.silent_blocks.saturating_add(1) } else { 0 };
        let needed = self.silent_blocks < TAIL_BLOCKS;
        if !needed && !self.cancelling {
            return;
        }
        let raw = *microphone;
        self.path.judge(power(playback), power(&raw));
        let needed = needed && !self.path.is_closed();
        self.played.copy_from(&[playback], &self.stream);
        self.canceller.analyze_render(&mut self.played);
        self.heard.copy_from(&[microphone], &self.stream);
        self.canceller.analyze_capture(&mut self.heard);
        self.canceller.process_capture(&mut self.heard, false);
        self.heard.copy_to_stream(&self.stream, &mut [microphone]);
        self.before += FOLLOW * (power(&raw) - self.before);
        self.after += FOLLOW * (power(microphone) - self.after);
        // The canceller delays by some ms; a fade hides where one sound takes the place of the other.
        if needed != self.cancelling {
            for (i, (sample, raw)) in microphone.iter_mut().zip(raw).enumerate() {
                let share = i as f32 / BLOCK as f32;
                let share = if needed { share } else { 1.0 - share };
                *sample = share * *sample + (1.0 - share) * raw;
            }
        } else if !needed {
            *microphone = raw;
        }
        self.cancelling = needed;
    }

    /// Whether what is left is no person but a rest of our own voice: in a quiet room even a rest of −60 dB sounds like speech.
    pub fn only_rest(&self) -> bool {
        self.cancelling && self.after < LEAST_SHARE * self.before
    }

    /// Delay from playing to hearing, as estimated; 0 before it is known.
    pub fn delay_ms(&self) -> u32 {
        self.canceller.metrics().delay_ms.max(0) as u32
    }
}

/// Whether what is played reaches the microphone. The canceller believes so for its first seconds, and until then takes the
/// person's voice for an echo, too.
#[derive(Default)]
struct Path {
    /// Blocks since something loud was played.
    quiet_blocks: u32,
    /// The microphone's power of late, and between what bounds it was.
    level: f32,
    bounds: Option<(f32, f32)>,
    judged: u32,
    /// Judgements for which it counts as closed.
    closed: u32,
}

impl Path {
    fn judge(&mut self, played: f32, heard: f32) {
        self.quiet_blocks = if played < LOUD { self.quiet_blocks.saturating_add(1) } else { 0 };
        self.level += FOLLOW * (heard - self.level);
        if self.quiet_blocks > ECHO_BLOCKS || (self.bounds.is_none() && self.quiet_blocks > 0) {
            return;
        }
        let (low, high) = self.bounds.get_or_insert((self.level, self.level));
        (*low, *high) = (low.min(self.level), high.max(self.level));
        self.judged += 1;
        if self.judged == JUDGED {
            let even = *high + FAINT <= EVEN * (*low + FAINT);
            self.closed = if even { TRUST } else { self.closed.saturating_sub(1) };
            (self.judged, self.bounds) = (0, None);
        }
    }

    /// There is no such way, as with headphones.
    fn is_closed(&self) -> bool {
        self.closed > 0
    }
}

fn power(block: &Block) -> f32 {
    block.iter().map(|sample| sample * sample).sum::<f32>() / BLOCK as f32
}

#[cfg(test)]
mod tests {
    use super::super::room::{Echo, Room};
    use super::super::sounds;
    use super::super::turn::{Effect, FRAME, Input, Turn, TurnSettings};
    use super::super::vad::VoiceDetector;
    use super::*;
    use std::time::Duration;

    /// It speaks for `seconds` in a room, with a person who speaks `person` from a second on; when it was interrupted.
    fn interruptions(seconds: usize, room: Room, noise: f32, person: Option<(f32, usize)>) -> Vec<f32> {
        let (answer, question) = (sounds::answer(), sounds::question());
        let hiss = sounds::noise(seconds * RATE as usize, noise);
        let mut echo = Echo::new(room);
        let mut canceller = EchoCanceller::new();
        let mut detector = VoiceDetector::new();
        let mut turn = Turn::new(TurnSettings::default());
        turn.handle(Duration::ZERO, Input::AnswerBegun);
        let mut times = Vec::new();
        for at in (0..seconds * RATE as usize).step_by(BLOCK) {
            let now = FRAME * (at / BLOCK) as u32;
            let played: Block = std::array::from_fn(|i| answer[(at + i) % answer.len()]);
            echo.play(&played);
            let mut heard: Block = std::array::from_fn(|i| hiss[at + i]);
            echo.add_to(&mut heard);
            if let Some((loudness, second)) = person {
                for (i, sample) in heard.iter_mut().enumerate() {
                    let word = (at + i).checked_sub(second * RATE as usize).and_then(|i| question.get(i));
                    *sample = (*sample + loudness * word.unwrap_or(&0.0)).clamp(-1.0, 1.0);
                }
            }
            canceller.process(&mut heard, &played);
            let voice = if canceller.only_rest() { 0.0 } else { detector.probability(&heard) };
            if turn.handle(now, Input::Voice(voice)).contains(&Effect::BargeIn) {
                times.push(now.as_secs_f32());
                turn.handle(now, Input::Stop);
                turn.handle(now, Input::AnswerBegun);
            }
        }
        times
    }

    #[test]
    fn it_hears_itself_not_in_a_minute_of_its_own_speech() {
        for (delay_ms, gain, noise) in [(80, 0.3, 0.001), (150, 0.7, 0.0), (250, 0.5, 0.001)] {
            let times = interruptions(60, Room::new(delay_ms, gain), noise, None);
            assert_eq!(times, [0.0; 0], "{delay_ms} ms, gain {gain}");
        }
    }

    #[test]
    fn a_person_who_talks_over_it_is_heard() {
        for (delay_ms, gain, loudness) in [(80, 0.3, 1.0), (250, 0.5, 1.0), (120, 0.7, 0.5)] {
            let times = interruptions(14, Room::new(delay_ms, gain), 0.001, Some((loudness, 10)));
            let first = *times.first().expect("nobody was heard");
            assert!((10.2..11.2).contains(&first), "{delay_ms} ms, gain {gain}: {times:?}");
        }
    }

    #[test]
    fn a_person_with_headphones_is_heard() {
        for noise in [0.0, 0.001, 0.01] {
            for (loudness, second) in [(1.0, 2), (0.3, 6), (1.0, 10)] {
                let times = interruptions(second + 4, Room::new(0, 0.0), noise, Some((loudness, second)));
                let first = *times.first().expect("nobody was heard") - second as f32;
                assert!((0.15..1.2).contains(&first), "noise {noise}, loudness {loudness}: after {first} s");
            }
        }
    }

    #[test]
    fn without_playback_every_sample_stays() {
        let mut canceller = EchoCanceller::new();
        for block in sounds::blocks(&sounds::question()) {
            let mut heard = block;
            canceller.process(&mut heard, &[0.0; BLOCK]);
            assert_eq!(heard, block);
        }
        assert!(!canceller.only_rest());
    }
}
