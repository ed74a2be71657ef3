//! A real microphone: the driver's thread puts samples into a ring, the conversation takes blocks at 16 kHz from it.

use super::devices::{Choice, Kind, Microphone, Take};
use super::rate::Converter;
use super::sound_cards::{Card, PATIENCE, Trouble};
use super::{BLOCK, Block};
use anyhow::bail;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, Stream, StreamConfig};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A stream that gives nothing for so long is dead, whatever the driver says.
const STALLED: Duration = Duration::from_secs(2);

/// What the driver's thread and the conversation share.
#[derive(Default)]
struct Shared {
    trouble: Trouble,
    overruns: AtomicU64,
}

/// A sound card's input.
pub struct CardMicrophone {
    name: String,
    id: String,
    ring: Consumer<f32>,
    converter: Converter,
    /// At 16 kHz, the next sample first.
    ready: Vec<f32>,
    taken: Vec<f32>,
    shared: Arc<Shared>,
    last_sample: Option<Duration>,
    _stream: Stream,
}

impl CardMicrophone {
    /// Opens the microphone that is meant. Drivers take their time, so not on a thread that others wait for.
    pub fn open<F>(choice: &Choice<F>) -> anyhow::Result<CardMicrophone> {
        let card = Card::find(Kind::Microphone, choice)?;
        let converter = Converter::from_device(card.config.sample_rate)?;
        let shared = Arc::new(Shared::default());
        let (stream, ring) = card.open(Kind::Microphone, |config| {
            // One second; a fresh ring for each try, since a stream takes its end along.
            let (producer, consumer) = RingBuffer::new(config.sample_rate as usize);
            let stream = build(&card, config, producer, &shared)?;
            stream.play()?;
            Ok((stream, consumer))
        })?;
        if card.config.channels == 0 {
            bail!("the microphone \"{}\" has no channels; choose another one in the settings", card.listed.name);
        }
        Ok(CardMicrophone {
            name: card.listed.name,
            id: card.listed.id,
            ring,
            converter,
            ready: Vec::new(),
            taken: Vec::new(),
            shared,
            last_sample: None,
            _stream: stream,
        })
    }
}

fn build(card: &Card, config: StreamConfig, ring: Producer<f32>, shared: &Arc<Shared>) -> Result<Stream, cpal::Error> {
    match card.format {
        SampleFormat::I8 => build_as::<i8>(card, config, ring, shared),
        SampleFormat::I16 => build_as::<i16>(card, config, ring, shared),
        SampleFormat::I24 => build_as::<cpal::I24>(card, config, ring, shared),
        SampleFormat::I32 => build_as::<i32>(card, config, ring, shared),
        SampleFormat::U8 => build_as::<u8>(card, config, ring, shared),
        SampleFormat::U16 => build_as::<u16>(card, config, ring, shared),
        SampleFormat::U32 => build_as::<u32>(card, config, ring, shared),
        SampleFormat::F64 => build_as::<f64>(card, config, ring, shared),
        _ => build_as::<f32>(card, config, ring, shared),
    }
}

fn build_as<T>(
    card: &Card,
    config: StreamConfig,
    mut ring: Producer<f32>,
    shared: &Arc<Shared>,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels).max(1);
    let (counters, errors) = (shared.clone(), shared.clone());
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| {
        let dropped = put(&mut ring, data, channels);
        counters.overruns.fetch_add(dropped as u64, Relaxed);
    };
    card.device.build_input_stream(config, heard, move |error| errors.trouble.report(&error), Some(PATIENCE))
}

/// The mean of the channels into the ring; how many samples found no place. Runs on the driver's thread: no lock, no memory.
fn put<T>(ring: &mut Producer<f32>, data: &[T], channels: usize) -> usize
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let frames = data.chunks_exact(channels);
    let all = frames.len();
    let n = all.min(ring.slots());
    let mean = |frame: &[T]| frame.iter().map(|s| f32::from_sample_(*s)).sum::<f32>() / channels as f32;
    match ring.write_chunk_uninit(n) {
        Ok(chunk) => all - chunk.fill_from_iter(frames.map(mean)),
        Err(_) => all,
    }
}

impl Microphone for CardMicrophone {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn take(&mut self, now: Duration) -> Take<Block> {
        if let Some(why) = self.shared.trouble.lost() {
            return Take::Lost(why.into());
        }
        if self.ready.len() < BLOCK {
            let n = self.ring.slots();
            if let Ok(chunk) = self.ring.read_chunk(n) {
                self.taken.clear();
                self.taken.extend(chunk);
                self.converter.push(&self.taken, &mut self.ready);
            }
            let last = *self.last_sample.get_or_insert(now);
            if n > 0 {
                self.last_sample = Some(now);
            } else if now.saturating_sub(last) > STALLED {
                return Take::Lost("it gives no sound any more".into());
            }
        }
        let Some(block) = self.ready.first_chunk::<BLOCK>().copied() else { return Take::NotYet };
        self.ready.drain(..BLOCK);
        Take::Ready(block)
    }

    fn overruns(&mut self) -> u64 {
        self.shared.trouble.hiccups();
        self.shared.overruns.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_one_and_what_finds_no_place_is_counted() {
        let (mut producer, mut consumer) = RingBuffer::new(4);
        assert_eq!(put(&mut producer, &[16384i16, 0, -32768, 0, 100], 2), 0);
        assert_eq!((consumer.pop(), consumer.pop()), (Ok(0.25), Ok(-0.5)));
        assert_eq!(put(&mut producer, &[0.5f32; 7], 1), 3);
        assert_eq!(consumer.slots(), 4);
        assert_eq!(put(&mut producer, &[0u8; 3], 1), 3);
    }
}
