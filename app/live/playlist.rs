//! What waits to be played, and how much of it was heard. Pure.

use super::{BLOCK, Block};
use std::collections::VecDeque;
use std::ops::Range;

/// A sound to be played.
pub struct Clip {
    /// 16 kHz mono.
    pub samples: Vec<f32>,
    /// What it says of an answer.
    pub speech: Option<Speech>,
}

/// Which part of an answer a clip speaks.
pub struct Speech {
    /// Bytes of the answer.
    pub bytes: Range<usize>,
    /// The answer's text of these bytes.
    pub text: String,
}

/// Clips in their order: some written to the speaker already, some of these heard.
#[derive(Default)]
pub struct Playlist {
    clips: VecDeque<Clip>,
    /// Clips from the front that were written, and samples of the one after them.
    written: (usize, usize),
    /// Samples of the first clip that were heard.
    heard: usize,
}

impl Playlist {
    /// One more clip at the end.
    pub fn push(&mut self, clip: Clip) {
        if !clip.samples.is_empty() {
            self.clips.push_back(clip);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Playlist::default();
    }

    /// Whether all of it was heard.
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// Whether something waits to be written.
    pub fn has_more(&self) -> bool {
        self.written.0 < self.clips.len()
    }

    /// The next 10 ms for the speaker; silence stands behind the end.
    pub fn next_block(&mut self) -> Block {
        let mut block = [0.0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK
            && let Some(clip) = self.clips.get(self.written.0)
        {
            let from = &clip.samples[self.written.1..];
            let n = from.len().min(BLOCK - filled);
            block[filled..filled + n].copy_from_slice(&from[..n]);
            filled += n;
            self.written.1 += n;
            if self.written.1 == clip.samples.len() {
                self.written = (self.written.0 + 1, 0);
            }
        }
        block
    }

    /// What was written but not heard is to be written again: the speaker that had it is gone.
    pub fn rewind(&mut self) {
        self.written = (0, self.heard);
    }

    /// So many samples more were heard. Returns how far into the answer that is, if a clip with speech went on.
    pub fn advance(&mut self, mut samples: usize) -> Option<usize> {
        let mut spoken = None;
        while samples > 0
            && let Some(clip) = self.clips.front()
        {
            // Not more than was written: silence behind the end is heard too.
            let written = if self.written.0 > 0 { clip.samples.len() } else { self.written.1 };
            let n = samples.min(written - self.heard);
            if n == 0 {
                break;
            }
            samples -= n;
            self.heard += n;
            if let Some(speech) = &clip.speech {
                spoken = Some(speech.reached(self.heard, clip.samples.len()));
            }
            if self.heard == clip.samples.len() {
                self.clips.pop_front();
                self.written.0 -= 1;
                self.heard = 0;
            }
        }
        spoken
    }
}

impl Speech {
    /// The end of the last whole word that was heard with so many samples of all.
    fn reached(&self, heard: usize, all: usize) -> usize {
        if heard >= all {
            return self.bytes.end;
        }
        let share = (self.text.len() as u128 * heard as u128 / all as u128) as usize;
        let ends = self.text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(i, _)| i);
        self.bytes.start + ends.take_while(|end| *end <= share).last().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(samples: usize, at: usize, text: &str) -> Clip {
        let speech = Speech { bytes: at..at + text.len(), text: text.into() };
        Clip { samples: vec![0.5; samples], speech: Some(speech) }
    }

    #[test]
    fn clips_follow_each_other_without_a_gap() {
        let mut list = Playlist::default();
        list.push(clip(100, 0, "ab"));
        list.push(clip(0, 2, ""));
        list.push(clip(100, 2, "cd"));
        assert_eq!(list.next_block(), [0.5; BLOCK]);
        let block = list.next_block();
        assert_eq!((block[39], block[40]), (0.5, 0.0));
        assert!(!list.has_more() && !list.is_empty());
        assert_eq!(list.advance(50), Some(0));
        assert_eq!(list.advance(50), Some(2));
        assert_eq!(list.advance(1000), Some(4));
        assert!(list.is_empty());
        assert_eq!(list.advance(1000), None);
    }

    #[test]
    fn whole_words_count_as_heard() {
        let mut list = Playlist::default();
        list.push(clip(1600, 10, "größer als zwei"));
        for _ in 0..10 {
            list.next_block();
        }
        assert_eq!(list.advance(400), Some(10));
        assert_eq!(list.advance(500), Some(10 + "größer".len()));
        assert_eq!(list.advance(600), Some(10 + "größer als".len()));
        assert_eq!(list.advance(100), Some(10 + "größer als zwei".len()));
    }

    #[test]
    fn nothing_is_heard_before_it_was_written() {
        let mut list = Playlist::default();
        list.push(clip(1000, 0, "a b c d"));
        assert_eq!(list.advance(500), None);
        list.next_block();
        list.advance(500);
        assert_eq!(list.heard, BLOCK);
    }

    #[test]
    fn sounds_without_speech_move_nothing() {
        let mut list = Playlist::default();
        list.push(Clip { samples: vec![0.1; 320], speech: None });
        list.next_block();
        list.next_block();
        assert_eq!(list.advance(320), None);
        assert!(list.is_empty());
    }
}
