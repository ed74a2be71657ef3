//! An answer on its way from text to the speaker.

use super::Block;
use super::playlist::{Clip, Playlist, Speech as Part};
use super::sentences::Sentences;
use super::voice::{Speech, Synthesis, VoiceSettings};

/// The answer that is being written and spoken, and clips that are replayed.
pub struct SpokenAnswer {
    sentences: Sentences,
    speech: Speech,
    playlist: Playlist,
    /// The answer so far.
    text: String,
    /// Bytes of it that were heard.
    heard: usize,
    begun: bool,
    ended: bool,
    speak: bool,
    /// Whether the voice failed, so that answers are only written.
    silent: bool,
}

impl SpokenAnswer {
    /// Nothing to say yet.
    pub fn new(synthesis: Synthesis, settings: VoiceSettings, speak: bool) -> SpokenAnswer {
        SpokenAnswer {
            sentences: Sentences::default(),
            speech: Speech::start(synthesis, settings),
            playlist: Playlist::default(),
            text: String::new(),
            heard: 0,
            begun: false,
            ended: false,
            speak,
            silent: false,
        }
    }

    fn aloud(&self) -> bool {
        self.speak && !self.silent
    }

    /// A new answer begins.
    pub fn begin(&mut self) {
        self.forget();
        self.begun = true;
    }

    /// More of its text.
    pub fn say(&mut self, delta: &str) {
        if !self.begun || self.ended {
            return;
        }
        self.text.push_str(delta);
        if self.aloud() {
            for sentence in self.sentences.push(delta) {
                self.speech.say(sentence.spoken, sentence.bytes);
            }
        }
    }

    /// Its text is whole.
    pub fn end(&mut self) {
        if self.begun && !self.ended && self.aloud() {
            for sentence in self.sentences.finish() {
                self.speech.say(sentence.spoken, sentence.bytes);
            }
        }
        self.ended = true;
    }

    /// Forgets what was not heard. Returns how far it was heard; what is not spoken counts as read.
    pub fn interrupt(&mut self) -> usize {
        let heard = if self.aloud() { self.heard } else { self.text.len() };
        self.forget();
        heard
    }

    fn forget(&mut self) {
        self.speech.cancel();
        self.playlist.clear();
        self.sentences = Sentences::default();
        self.text.clear();
        (self.heard, self.begun, self.ended) = (0, false, false);
    }

    /// Whether answers are spoken; not from now on, or from the next answer on.
    pub fn set_speak(&mut self, speak: bool) {
        if !speak {
            self.speech.cancel();
            self.playlist.clear();
        } else if !self.speak {
            // An answer whose beginning was not spoken stays silent to its end.
            self.begun = false;
        }
        self.speak = speak;
    }

    /// Another voice, which may work where the last one failed.
    pub fn set_voice(&mut self, settings: VoiceSettings) {
        self.speech.set(settings);
        self.silent = false;
    }

    /// A clip behind what is played.
    pub fn play(&mut self, samples: Vec<f32>) {
        self.playlist.push(Clip { samples, speech: None });
    }

    /// Takes what the voice has made. Returns what is wrong with it, once.
    pub fn collect(&mut self) -> Option<anyhow::Error> {
        while let Some(spoken) = self.speech.next() {
            match spoken.samples {
                Ok(samples) => {
                    let text = self.text.get(spoken.bytes.clone()).unwrap_or_default().to_string();
                    self.playlist.push(Clip { samples, speech: Some(Part { bytes: spoken.bytes, text }) });
                }
                Err(problem) => {
                    self.speech.cancel();
                    self.playlist.clear();
                    let news = !std::mem::replace(&mut self.silent, true);
                    return news.then_some(problem);
                }
            }
        }
        None
    }

    /// Whether something waits to be written to the speaker.
    pub fn has_more(&self) -> bool {
        self.playlist.has_more()
    }

    /// The next 10 ms for the speaker.
    pub fn next_block(&mut self) -> Block {
        self.playlist.next_block()
    }

    /// The speaker that had the last blocks is gone.
    pub fn rewind(&mut self) {
        self.playlist.rewind();
    }

    /// So many samples more were heard. Returns how far into the text that is, when it went on.
    pub fn advance(&mut self, samples: usize) -> Option<usize> {
        let heard = self.playlist.advance(samples).filter(|heard| *heard > self.heard)?;
        self.heard = heard;
        Some(heard)
    }

    /// Once: the whole answer was written and heard. Its length, and whether it was spoken.
    pub fn finished(&mut self) -> Option<(usize, bool)> {
        if !self.ended || !self.speech.is_idle() || !self.playlist.is_empty() {
            return None;
        }
        let (length, spoken) = (self.text.len(), self.aloud() && self.begun);
        self.forget();
        Some((length, spoken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept::media::Audio;
    use std::time::{Duration, Instant};

    fn answer(speak: bool) -> SpokenAnswer {
        let synthesis: Synthesis = Box::new(|text, _| {
            anyhow::ensure!(!text.contains("fail"), "there is no voice; install one");
            Ok(Audio { samples: vec![0.5; 160 * text.len()], sample_rate: 16_000 })
        });
        SpokenAnswer::new(synthesis, VoiceSettings::default(), speak)
    }

    fn settle(answer: &mut SpokenAnswer) -> Option<anyhow::Error> {
        let begun = Instant::now();
        let mut problem = None;
        while !answer.speech.is_idle() {
            problem = answer.collect().or(problem);
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(1));
        }
        problem
    }

    #[test]
    fn an_answer_is_heard_to_its_end() {
        let mut answer = answer(true);
        answer.begin();
        answer.say("One two. Thr");
        answer.say("ee four.");
        assert_eq!(answer.finished(), None);
        answer.end();
        settle(&mut answer);
        let mut last = 0;
        while answer.has_more() {
            answer.next_block();
            last = answer.advance(160).unwrap_or(last);
        }
        assert_eq!(last, "One two. Three four.".len());
        assert_eq!(answer.finished(), Some((20, true)));
        assert_eq!(answer.finished(), None);
    }

    #[test]
    fn an_interrupted_answer_was_heard_in_part() {
        let mut answer = answer(true);
        answer.begin();
        answer.say("One two three. Four five. ");
        settle(&mut answer);
        for _ in 0..9 {
            answer.next_block();
            answer.advance(160);
        }
        assert_eq!(answer.interrupt(), "One two".len());
        assert!(!answer.has_more());
        answer.say("This comes too late. ");
        assert!(answer.speech.is_idle());
    }

    #[test]
    fn without_a_voice_it_goes_on_in_text_and_says_so_once() {
        let mut answer = answer(true);
        answer.begin();
        answer.say("This will fail. ");
        let problem = settle(&mut answer).expect("nothing was said").to_string();
        assert!(problem.contains("install"), "{problem}");
        answer.say("So it is only written. ");
        answer.end();
        assert!(settle(&mut answer).is_none());
        assert_eq!(answer.finished(), Some((39, false)));
        // Another voice may work.
        answer.set_voice(VoiceSettings::default());
        answer.begin();
        answer.say("Good. ");
        settle(&mut answer);
        assert!(answer.has_more());
    }

    #[test]
    fn text_that_is_not_spoken_counts_as_read() {
        let mut answer = answer(false);
        answer.begin();
        answer.say("One two three. ");
        assert!(answer.speech.is_idle());
        assert_eq!(answer.interrupt(), 15);
        answer.begin();
        answer.end();
        assert_eq!(answer.finished(), Some((0, false)));
    }
}
