//! A real speaker: the conversation keeps a ring filled, the driver's thread empties it and tells what it really played.

use super::devices::{Choice, Kind, Speaker, Take};
use super::rate::Converter;
use super::sound_cards::{Card, PATIENCE, Trouble};
use super::{BLOCK, Block, RATE};
use anyhow::bail;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, Stream, StreamConfig};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Blocks that lie ready (50 ms): enough for a loop that is late, little enough to be silent soon.
const READY_BLOCKS: usize = 5;
/// More of what was played than this is not kept (60 ms): it must reach the echo canceller before its echo does.
const MOST_PLAYED: usize = 6 * BLOCK;
/// How much of what was played waits at most before samples are left out, one a block, against drifting clocks.
const PLAYED_TARGET: usize = 3 * BLOCK;

/// What the driver's thread and the conversation share.
#[derive(Default)]
struct Shared {
    trouble: Trouble,
    /// Frames taken from the ring and played.
    played: AtomicU64,
    /// Frames taken from the ring and thrown away.
    flushed: AtomicU64,
    /// How often silence at once was asked for, and how often it was given.
    flush_asked: AtomicU64,
    flush_done: AtomicU64,
    underruns: AtomicU64,
    /// Whether the conversation has more to say than lies in the ring.
    more: AtomicBool,
}

/// A sound card's output.
pub struct CardSpeaker {
    name: String,
    id: String,
    rate: u32,
    ring: Producer<f32>,
    echo: Consumer<f32>,
    to_device: Converter,
    from_device: Converter,
    converted: Vec<f32>,
    /// What was played, at 16 kHz, the next sample first.
    heard: Vec<f32>,
    /// Frames put into the ring.
    written: u64,
    shared: Arc<Shared>,
    _stream: Stream,
}

impl CardSpeaker {
    /// Opens the speaker that is meant. Drivers take their time, so not on a thread that others wait for.
    pub fn open<F>(choice: &Choice<F>) -> anyhow::Result<CardSpeaker> {
        let card = Card::find(Kind::Speaker, choice)?;
        let rate = card.config.sample_rate;
        let (to_device, from_device) = (Converter::to_device(rate)?, Converter::from_device(rate)?);
        let shared = Arc::new(Shared::default());
        if card.config.channels == 0 {
            bail!("the speaker \"{}\" has no channels; choose another one in the settings", card.listed.name);
        }
        let (stream, ring, echo) = card.open(Kind::Speaker, |config| {
            let (producer, consumer) = RingBuffer::new(rate as usize);
            let (echo_in, echo_out) = RingBuffer::new(rate as usize);
            let stream = build(&card, config, Callback::new(consumer, echo_in, &shared, &config))?;
            stream.play()?;
            Ok((stream, producer, echo_out))
        })?;
        Ok(CardSpeaker {
            name: card.listed.name,
            id: card.listed.id,
            rate,
            ring,
            echo,
            to_device,
            from_device,
            converted: Vec::new(),
            heard: Vec::new(),
            written: 0,
            shared,
            _stream: stream,
        })
    }
}

/// The state of the driver's callback.
struct Callback {
    ring: Consumer<f32>,
    echo: Producer<f32>,
    shared: Arc<Shared>,
    channels: usize,
    /// Frames of the fade at a sudden end (4 ms).
    fade: usize,
}

impl Callback {
    fn new(ring: Consumer<f32>, echo: Producer<f32>, shared: &Arc<Shared>, config: &StreamConfig) -> Callback {
        let channels = usize::from(config.channels).max(1);
        Callback { ring, echo, shared: shared.clone(), channels, fade: config.sample_rate as usize / 250 }
    }

    /// Fills the driver's block. No lock, no memory, nothing to wait for.
    fn fill<T: SizedSample + FromSample<f32>>(&mut self, data: &mut [T]) {
        let shared = &self.shared;
        let asked = shared.flush_asked.load(Relaxed);
        let flush = asked != shared.flush_done.load(Relaxed);
        let frames = data.chunks_exact_mut(self.channels);
        let wanted = frames.len();
        let there = self.ring.slots();
        let n = if flush { there.min(self.fade).min(wanted) } else { there.min(wanted) };
        if n < wanted && !flush && shared.more.load(Relaxed) {
            shared.underruns.fetch_add(1, Relaxed);
        }
        for (i, frame) in frames.enumerate() {
            let mut sample = if i < n { self.ring.pop().unwrap_or(0.0) } else { 0.0 };
            if flush && i < n {
                sample *= 1.0 - (i + 1) as f32 / n as f32;
            }
            frame.fill(T::from_sample_(sample));
            // Full only if the conversation stands still, and then nobody cancels an echo.
            let _ = self.echo.push(sample);
        }
        shared.played.fetch_add(n as u64, Relaxed);
        if flush {
            let rest = self.ring.slots();
            if let Ok(chunk) = self.ring.read_chunk(rest) {
                chunk.commit_all();
            }
            shared.flushed.fetch_add(rest as u64, Relaxed);
            shared.flush_done.store(asked, Relaxed);
        }
    }
}

fn build(card: &Card, config: StreamConfig, callback: Callback) -> Result<Stream, cpal::Error> {
    match card.format {
        SampleFormat::I8 => build_as::<i8>(card, config, callback),
        SampleFormat::I16 => build_as::<i16>(card, config, callback),
        SampleFormat::I24 => build_as::<cpal::I24>(card, config, callback),
        SampleFormat::I32 => build_as::<i32>(card, config, callback),
        SampleFormat::U8 => build_as::<u8>(card, config, callback),
        SampleFormat::U16 => build_as::<u16>(card, config, callback),
        SampleFormat::U32 => build_as::<u32>(card, config, callback),
        SampleFormat::F64 => build_as::<f64>(card, config, callback),
        _ => build_as::<f32>(card, config, callback),
    }
}

fn build_as<T>(card: &Card, config: StreamConfig, mut callback: Callback) -> Result<Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let shared = callback.shared.clone();
    let fill = move |data: &mut [T], _: &cpal::OutputCallbackInfo| callback.fill(data);
    card.device.build_output_stream(config, fill, move |error| shared.trouble.report(&error), Some(PATIENCE))
}

impl Speaker for CardSpeaker {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn room(&self) -> usize {
        if self.shared.flush_asked.load(Relaxed) != self.shared.flush_done.load(Relaxed) {
            return 0;
        }
        let gone = self.shared.played.load(Relaxed) + self.shared.flushed.load(Relaxed);
        let waiting = self.written.saturating_sub(gone) * u64::from(RATE) / u64::from(self.rate);
        READY_BLOCKS.saturating_sub((waiting as usize).div_ceil(BLOCK))
    }

    fn write(&mut self, block: &Block, more: bool) {
        self.converted.clear();
        self.to_device.push(block, &mut self.converted);
        let (put, _) = self.ring.push_partial_slice(&self.converted);
        self.written += put.len() as u64;
        self.shared.more.store(more, Relaxed);
    }

    fn flush(&mut self) {
        self.to_device.reset();
        self.shared.more.store(false, Relaxed);
        self.shared.flush_asked.fetch_add(1, Relaxed);
    }

    fn played(&mut self, _now: Duration) -> Take<(Block, u64)> {
        if let Some(why) = self.shared.trouble.lost() {
            return Take::Lost(why.into());
        }
        if let Ok(chunk) = self.echo.read_chunk(self.echo.slots()) {
            self.converted.clear();
            self.converted.extend(chunk);
            self.from_device.push(&self.converted, &mut self.heard);
        }
        let block = next_played(&mut self.heard);
        let total = self.shared.played.load(Relaxed) * u64::from(RATE) / u64::from(self.rate);
        Take::Ready((block, total))
    }

    fn underruns(&mut self) -> u64 {
        self.shared.trouble.hiccups();
        self.shared.underruns.swap(0, Relaxed)
    }
}

/// The next 10 ms of what was played. The clocks of speaker and microphone differ a little, so that samples pile up or lack.
fn next_played(heard: &mut Vec<f32>) -> Block {
    if heard.len() > MOST_PLAYED {
        heard.drain(..heard.len() - PLAYED_TARGET);
    }
    let mut block = [0.0; BLOCK];
    let n = heard.len().min(BLOCK);
    block[..n].copy_from_slice(&heard[..n]);
    let extra = usize::from(heard.len() > PLAYED_TARGET);
    heard.drain(..(n + extra).min(heard.len()));
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(shared: &Arc<Shared>) -> (Producer<f32>, Consumer<f32>, Callback) {
        let (ring_in, ring_out) = RingBuffer::new(48_000);
        let (echo_in, echo_out) = RingBuffer::new(48_000);
        let config = StreamConfig { channels: 2, sample_rate: 48_000, buffer_size: cpal::BufferSize::Default };
        (ring_in, echo_out, Callback::new(ring_out, echo_in, shared, &config))
    }

    #[test]
    fn what_is_played_is_told_and_what_lacks_is_counted() {
        let shared = Arc::new(Shared::default());
        let (mut ring, mut echo, mut callback) = callback(&shared);
        ring.push_entire_slice(&[0.5; 100]).unwrap();
        shared.more.store(true, Relaxed);
        let mut data = [0i16; 960];
        callback.fill(&mut data);
        assert_eq!((data[0], data[1], data[199], data[200]), (16384, 16384, 16384, 0));
        assert_eq!((shared.played.load(Relaxed), shared.underruns.load(Relaxed)), (100, 1));
        assert_eq!(echo.slots(), 480);
        assert_eq!((echo.pop(), echo.peek().copied()), (Ok(0.5), Ok(0.5)));
    }

    #[test]
    fn a_flush_is_silent_within_milliseconds() {
        let shared = Arc::new(Shared::default());
        let (mut ring, _echo, mut callback) = callback(&shared);
        ring.push_entire_slice(&[0.5; 20_000]).unwrap();
        shared.flush_asked.store(1, Relaxed);
        let mut data = [0f32; 960];
        callback.fill(&mut data);
        assert!(data[2 * 192..].iter().all(|s| *s == 0.0), "4 ms at 48 kHz");
        assert!(data.windows(3).all(|w| (w[2] - w[0]).abs() < 0.01), "no click");
        assert_eq!(shared.played.load(Relaxed) + shared.flushed.load(Relaxed), 20_000);
        assert_eq!(shared.flush_done.load(Relaxed), 1);
        ring.push_entire_slice(&[0.25; 960]).unwrap();
        callback.fill(&mut data);
        assert_eq!(data[0], 0.25);
    }

    #[test]
    fn drifting_clocks_neither_pile_up_nor_starve_the_echo_canceller() {
        // The speaker's clock is 0.1 % fast.
        let (mut heard, mut most, mut due) = (Vec::new(), 0, 0.0);
        for _ in 0..60_000 {
            due += 160.16;
            while due >= 1.0 {
                heard.push(0.1);
                due -= 1.0;
            }
            next_played(&mut heard);
            most = most.max(heard.len());
        }
        assert!(most <= PLAYED_TARGET + 2, "{most}");
        // A burst after a stall is cut to what is still of use.
        heard.extend([0.1; 10_000]);
        next_played(&mut heard);
        assert!(heard.len() <= PLAYED_TARGET);
    }
}
