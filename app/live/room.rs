//! The way of sound from a loudspeaker to a microphone, for devices that are files: delay, loudness and reflections. Pure.

#[cfg(test)]
use super::RATE;
use super::{BLOCK, Block};
use std::collections::VecDeque;

/// What a microphone hears of a loudspeaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// Delay and gain of the direct way and of each reflection.
    paths: Vec<(usize, f32)>,
}

impl Room {
    /// A direct way of `delay_ms` and `gain`, and a few reflections that die away within 120 ms after it.
    #[cfg(test)]
    pub fn new(delay_ms: u32, gain: f32) -> Room {
        const REFLECTIONS: &[(u32, f32)] =
            &[(0, 1.0), (7, 0.45), (13, -0.35), (23, 0.28), (37, -0.2), (61, 0.12), (118, 0.05)];
        let samples = |ms: u32| (ms * RATE / 1000) as usize;
        Room { paths: REFLECTIONS.iter().map(|(ms, share)| (samples(delay_ms + ms), gain * share)).collect() }
    }
}

/// The sound that is on its way through a room.
#[derive(Clone, Debug)]
pub struct Echo {
    room: Room,
    /// What was played, the newest at the end.
    played: VecDeque<f32>,
}

impl Echo {
    /// A silent room.
    #[cfg(test)]
    pub fn new(room: Room) -> Echo {
        let longest = room.paths.iter().map(|(delay, _)| *delay).max().unwrap_or(0);
        Echo { played: VecDeque::from(vec![0.0; longest + BLOCK]), room }
    }

    /// 10 ms leave the loudspeaker.
    pub fn play(&mut self, block: &Block) {
        self.played.drain(..BLOCK);
        self.played.extend(block);
    }

    /// Adds what arrives at the microphone in the 10 ms that were played last.
    pub fn add_to(&self, block: &mut Block) {
        let newest = self.played.len() - BLOCK;
        for (i, sample) in block.iter_mut().enumerate() {
            *sample += self.room.paths.iter().map(|(delay, gain)| gain * self.played[newest + i - delay]).sum::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_arrives_late_and_again() {
        let mut echo = Echo::new(Room::new(80, 0.5));
        let mut heard = Vec::new();
        for i in 0..30 {
            let mut click = [0.0; BLOCK];
            click[3] = if i == 0 { 1.0 } else { 0.0 };
            echo.play(&click);
            let mut block = [0.0; BLOCK];
            echo.add_to(&mut block);
            heard.extend(block);
        }
        let loud: Vec<usize> = (0..heard.len()).filter(|i| heard[*i] != 0.0).collect();
        assert_eq!(loud[0], 3 + 80 * 16);
        assert_eq!(heard[loud[0]], 0.5);
        assert_eq!(loud.len(), 7);
    }
}
