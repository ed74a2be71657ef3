//! Who has the word: the state machine of a spoken conversation. Pure; time comes in with each input.

use std::time::Duration;

/// What the conversation does just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nobody speaks; a voice opens a turn.
    #[default]
    Idle,
    /// A turn is open: the person speaks.
    Listening,
    /// The turn is closed, the answer has not begun.
    Thinking,
    /// The answer is written and spoken; a voice interrupts it.
    Speaking,
}

/// What the machine is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// One frame of 10 ms: how likely somebody speaks in it, after our own playback was taken out.
    Voice(f32),
    /// The key to speak was pressed or let go.
    PushToTalk(bool),
    /// The microphone was muted or opened again by the person.
    Mute(bool),
    /// The model begins to answer.
    AnswerBegun,
    /// The model has written its last word (or gave up).
    AnswerEnded,
    /// The last word of a finished answer was heard.
    PlaybackDrained,
    /// The person wants silence at once.
    Stop,
    /// The microphone is gone.
    MicrophoneLost,
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Stop speech and generation at once.
    BargeIn,
    /// A turn begins; it already began `lead` ago, so that much earlier sound belongs to it.
    OpenTurn {
        /// How much of what was heard before this frame belongs to the turn.
        lead: Duration,
    },
    /// This frame belongs to the open turn.
    Hear,
    /// It was a cough: forget the open turn.
    FalseStart,
    /// The turn is over: answer now.
    EndTurn,
}

/// When a turn begins and ends. All of it can be set by the person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TurnSettings {
    /// Whether a voice opens a turn by itself; otherwise only the key does.
    pub hands_free: bool,
    /// Probability from which a frame counts as voice.
    pub threshold: f32,
    /// Voice needed before a turn opens, in ms. Less makes it jumpy; the sound before it is not lost.
    pub onset_ms: u32,
    /// A turn with less voice than this is a cough and is forgotten, in ms.
    pub least_speech_ms: u32,
    /// Silence that ends a turn, in ms. More waits for those who think while they speak, and answers later.
    pub hangover_ms: u32,
    /// Voice needed to interrupt an answer, in ms.
    pub barge_in_ms: u32,
    /// A turn that is longer is answered as it is, in seconds.
    pub longest_turn_s: u32,
}

impl Default for TurnSettings {
    fn default() -> TurnSettings {
        TurnSettings {
            hands_free: true,
            threshold: 0.5,
            onset_ms: 100,
            least_speech_ms: 200,
            hangover_ms: 600,
            barge_in_ms: 200,
            longest_turn_s: 60,
        }
    }
}

/// Length of a frame.
pub const FRAME: Duration = Duration::from_millis(10);
const FRAME_MS: u32 = 10;
/// Sound before the first voiced frame that belongs to a turn: the detector misses soft beginnings.
const LEAD: Duration = Duration::from_millis(200);
/// Longest sound that a turn takes from before it was opened.
pub const LONGEST_LEAD: Duration = Duration::from_millis(1200);
/// What is still heard when the key was let go: the last word is on its way from the microphone.
const TAIL: Duration = Duration::from_millis(80);

/// A turn that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    since: Duration,
    voiced_ms: u32,
    silent_ms: u32,
    key: Key,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    /// The voice opened the turn, silence ends it.
    Unused,
    /// Since when.
    Held(Duration),
    /// For how long it was held, and when it was let go.
    LetGo(Duration, Duration),
}

/// The state machine.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    settings: TurnSettings,
    phase: Phase,
    muted: bool,
    open: Option<Open>,
    answer_ended: bool,
    /// Voice of late, in ms: grows with voiced frames and leaks with others, so that knocks do not add up.
    voice_ms: u32,
    /// When `voice_ms` was last 0.
    voice_since: Duration,
}

impl Turn {
    /// Nobody speaks yet.
    pub fn new(settings: TurnSettings) -> Turn {
        Turn { settings, ..Turn::default() }
    }

    /// What the conversation does just now.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the person muted the microphone.
    pub fn muted(&self) -> bool {
        self.muted
    }

    /// Other settings from now on; an open turn goes on under them.
    pub fn set(&mut self, settings: TurnSettings) {
        self.settings = settings;
        self.voice_ms = 0;
    }

    /// Takes one input at the time `now` and says what to do.
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        match input {
            Input::Voice(probability) => self.frame(now, probability >= self.settings.threshold),
            Input::PushToTalk(true) => self.press(now),
            Input::PushToTalk(false) => self.let_go(now),
            Input::Mute(muted) => {
                self.muted = muted;
                self.voice_ms = 0;
                // Who mutes right behind a question wants it answered.
                if muted { self.close() } else { Vec::new() }
            }
            Input::MicrophoneLost => {
                self.voice_ms = 0;
                self.close()
            }
            Input::AnswerBegun => {
                // While the person speaks, an answer to something else stays silent.
                if self.phase != Phase::Listening {
                    self.phase = Phase::Speaking;
                    self.answer_ended = false;
                }
                Vec::new()
            }
            Input::AnswerEnded => {
                self.answer_ended = true;
                if self.phase == Phase::Thinking {
                    self.phase = Phase::Idle;
                }
                Vec::new()
            }
            Input::PlaybackDrained => {
                if self.phase == Phase::Speaking && self.answer_ended {
                    self.phase = Phase::Idle;
                }
                Vec::new()
            }
            Input::Stop => {
                self.voice_ms = 0;
                let before = std::mem::take(&mut self.phase);
                let effect = match before {
                    Phase::Idle => None,
                    Phase::Listening => Some(Effect::FalseStart),
                    Phase::Thinking | Phase::Speaking => Some(Effect::BargeIn),
                };
                self.open = None;
                effect.into_iter().collect()
            }
        }
    }

    fn frame(&mut self, now: Duration, voiced: bool) -> Vec<Effect> {
        if self.muted {
            return Vec::new();
        }
        if self.voice_ms == 0 {
            self.voice_since = now;
        }
        self.voice_ms = if voiced { self.voice_ms + FRAME_MS } else { self.voice_ms.saturating_sub(FRAME_MS) };
        if let Some(open) = &mut self.open {
            if voiced {
                open.voiced_ms += FRAME_MS;
                open.silent_ms = 0;
            } else {
                open.silent_ms += FRAME_MS;
            }
            let over = match open.key {
                Key::Unused => open.silent_ms >= self.settings.hangover_ms,
                Key::Held(_) => false,
                Key::LetGo(_, at) => now >= at + TAIL,
            };
            let mut effects = vec![Effect::Hear];
            if over || now >= open.since + Duration::from_secs(self.settings.longest_turn_s.into()) {
                effects.extend(self.close());
            }
            return effects;
        }
        let needed = match self.phase {
            Phase::Idle => self.settings.onset_ms,
            _ => self.settings.barge_in_ms,
        };
        // At least one voiced frame, whatever a person sets.
        if !self.settings.hands_free || self.voice_ms < needed.max(FRAME_MS) {
            // A little noise all the time must not make a turn reach back minutes.
            self.voice_since = self.voice_since.max(now.saturating_sub(LONGEST_LEAD));
            return Vec::new();
        }
        let lead = (now.saturating_sub(self.voice_since) + LEAD).min(LONGEST_LEAD);
        let mut effects = self.open(now, lead, self.voice_ms, Key::Unused);
        effects.push(Effect::Hear);
        effects
    }

    /// Opens a turn, in the middle of an answer too.
    fn open(&mut self, now: Duration, lead: Duration, voiced_ms: u32, key: Key) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.phase != Phase::Idle {
            effects.push(Effect::BargeIn);
        }
        effects.push(Effect::OpenTurn { lead });
        self.phase = Phase::Listening;
        self.open = Some(Open { since: now, voiced_ms, silent_ms: 0, key });
        self.voice_ms = 0;
        effects
    }

    fn press(&mut self, now: Duration) -> Vec<Effect> {
        if self.muted {
            return Vec::new();
        }
        let key = Key::Held(now);
        match &mut self.open {
            Some(open) => {
                open.key = key;
                Vec::new()
            }
            // Who waits for the key speaks with it; half a word before it is not rare.
            None => self.open(now, LEAD, 0, key),
        }
    }

    fn let_go(&mut self, now: Duration) -> Vec<Effect> {
        if let Some(open) = &mut self.open
            && let Key::Held(since) = open.key
        {
            open.key = Key::LetGo(now.saturating_sub(since), now);
        }
        Vec::new()
    }

    /// Ends the open turn, if there is one: to be answered if somebody spoke in it, otherwise forgotten.
    fn close(&mut self) -> Vec<Effect> {
        let Some(open) = self.open.take() else { return Vec::new() };
        let least = self.settings.least_speech_ms;
        // The key says that there is something to hear, so a single voiced frame will do, but not a slip of the finger.
        let spoken = match open.key {
            Key::Unused => open.voiced_ms >= least,
            Key::Held(_) => open.voiced_ms > 0,
            Key::LetGo(held, _) => open.voiced_ms > 0 && held >= Duration::from_millis(least.into()),
        };
        self.voice_ms = 0;
        self.phase = if spoken { Phase::Thinking } else { Phase::Idle };
        vec![if spoken { Effect::EndTurn } else { Effect::FalseStart }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The machine with a clock of its own that goes on 10 ms a frame.
    struct Table {
        turn: Turn,
        now: Duration,
    }

    impl Table {
        fn new() -> Table {
            Table::with(TurnSettings::default())
        }

        fn with(settings: TurnSettings) -> Table {
            Table { turn: Turn::new(settings), now: Duration::ZERO }
        }

        /// A table at which `phase` holds just now.
        fn at(phase: Phase) -> Table {
            let mut table = Table::new();
            table.silence(500);
            if phase != Phase::Idle {
                table.voice(700);
            }
            if matches!(phase, Phase::Thinking | Phase::Speaking) {
                table.silence(700);
            }
            if phase == Phase::Speaking {
                table.say(Input::AnswerBegun);
            }
            assert_eq!(table.turn.phase(), phase);
            table
        }

        fn say(&mut self, input: Input) -> Vec<Effect> {
            self.turn.handle(self.now, input)
        }

        /// Frames for so long; what they caused but for `Hear`.
        fn frames(&mut self, ms: u32, probability: f32) -> Vec<Effect> {
            let mut effects = Vec::new();
            for _ in 0..ms / FRAME_MS {
                self.now += FRAME;
                effects.extend(self.say(Input::Voice(probability)).into_iter().filter(|e| *e != Effect::Hear));
            }
            effects
        }

        fn voice(&mut self, ms: u32) -> Vec<Effect> {
            self.frames(ms, 0.9)
        }

        fn silence(&mut self, ms: u32) -> Vec<Effect> {
            self.frames(ms, 0.1)
        }
    }

    fn opens(effects: &[Effect]) -> bool {
        effects.iter().any(|effect| matches!(effect, Effect::OpenTurn { .. }))
    }

    #[test]
    fn a_question_opens_a_turn_and_silence_ends_it() {
        let mut table = Table::new();
        table.silence(1000);
        let effects = table.voice(100);
        assert_eq!(effects, [Effect::OpenTurn { lead: Duration::from_millis(290) }]);
        assert_eq!(table.voice(800), []);
        assert_eq!(table.silence(590), []);
        assert_eq!(table.turn.phase(), Phase::Listening);
        assert_eq!(table.silence(10), [Effect::EndTurn]);
        assert_eq!(table.turn.phase(), Phase::Thinking);
        table.say(Input::AnswerBegun);
        table.say(Input::AnswerEnded);
        assert_eq!(table.turn.phase(), Phase::Speaking);
        table.say(Input::PlaybackDrained);
        assert_eq!(table.turn.phase(), Phase::Idle);
    }

    #[test]
    fn every_frame_of_a_turn_is_heard_the_last_one_too() {
        let mut table = Table::new();
        table.voice(100);
        let mut heard = 0;
        for _ in 0..60 {
            table.now += FRAME;
            heard += table.say(Input::Voice(0.0)).iter().filter(|e| **e == Effect::Hear).count();
        }
        assert_eq!(heard, 60);
        assert_eq!(table.turn.phase(), Phase::Idle, "100 ms are a cough");
    }

    #[test]
    fn pauses_inside_a_question_do_not_end_it() {
        let mut table = Table::at(Phase::Listening);
        for _ in 0..20 {
            assert_eq!(table.silence(500), []);
            assert_eq!(table.voice(200), []);
        }
        assert_eq!(table.silence(600), [Effect::EndTurn]);
    }

    #[test]
    fn a_cough_is_forgotten() {
        let mut table = Table::new();
        let effects = table.voice(150);
        assert!(opens(&effects));
        assert_eq!(table.silence(600), [Effect::FalseStart]);
        assert_eq!(table.turn.phase(), Phase::Idle);
    }

    #[test]
    fn long_silence_changes_nothing() {
        let mut table = Table::new();
        assert_eq!(table.silence(600_000), []);
        assert_eq!(table.turn.phase(), Phase::Idle);
        assert!(opens(&table.voice(100)));
    }

    #[test]
    fn any_noise_interrupts_it_not() {
        for phase in [Phase::Thinking, Phase::Speaking] {
            let mut table = Table::at(phase);
            for _ in 0..200 {
                assert_eq!(table.voice(120), [], "a knock interrupted at {phase:?}");
                assert_eq!(table.silence(130), []);
            }
            assert_eq!(table.turn.phase(), phase);
        }
        let mut table = Table::new();
        for _ in 0..100 {
            assert_eq!(table.voice(60), [], "a knock opened a turn");
            assert_eq!(table.silence(80), []);
        }
    }

    #[test]
    fn overlapping_speech_interrupts_the_answer_and_becomes_a_turn() {
        for phase in [Phase::Thinking, Phase::Speaking] {
            let mut table = Table::at(phase);
            table.silence(2000);
            assert_eq!(table.voice(190), []);
            let effects = table.voice(10);
            assert_eq!(effects, [Effect::BargeIn, Effect::OpenTurn { lead: Duration::from_millis(390) }]);
            table.voice(500);
            // The stopped answer has the last word; nobody listens to it.
            table.say(Input::AnswerBegun);
            table.say(Input::AnswerEnded);
            table.say(Input::PlaybackDrained);
            assert_eq!(table.turn.phase(), Phase::Listening);
            assert_eq!(table.silence(600), [Effect::EndTurn]);
        }
    }

    #[test]
    fn a_turn_without_end_is_answered() {
        let mut table = Table::with(TurnSettings { longest_turn_s: 5, ..TurnSettings::default() });
        let effects = table.voice(5200);
        assert!(opens(&effects));
        assert!(effects.contains(&Effect::EndTurn));
    }

    #[test]
    fn without_hands_free_only_the_key_opens_a_turn() {
        let mut table = Table::with(TurnSettings { hands_free: false, ..TurnSettings::default() });
        assert_eq!(table.voice(3000), []);
        assert_eq!(table.say(Input::PushToTalk(true)), [Effect::OpenTurn { lead: LEAD }]);
        assert_eq!(table.voice(500), []);
        assert_eq!(table.silence(3000), [], "the key is held, so nothing ends");
        assert_eq!(table.voice(500), []);
        assert_eq!(table.say(Input::PushToTalk(false)), []);
        assert_eq!(table.silence(70), [], "the last syllable is on its way");
        assert_eq!(table.silence(10), [Effect::EndTurn]);
        table.say(Input::AnswerBegun);
        assert_eq!(table.voice(3000), [], "a voice interrupts only with the key");
        assert_eq!(table.say(Input::PushToTalk(true)), [Effect::BargeIn, Effect::OpenTurn { lead: LEAD }]);
    }

    #[test]
    fn a_tap_on_the_key_and_a_held_key_without_a_word_are_forgotten() {
        let mut table = Table::with(TurnSettings { hands_free: false, ..TurnSettings::default() });
        table.say(Input::PushToTalk(true));
        table.voice(100);
        table.say(Input::PushToTalk(false));
        assert_eq!(table.voice(200), [Effect::FalseStart]);
        table.say(Input::PushToTalk(true));
        table.silence(4000);
        table.say(Input::PushToTalk(false));
        assert_eq!(table.silence(100), [Effect::FalseStart]);
        assert_eq!(table.turn.phase(), Phase::Idle);
    }

    #[test]
    fn the_key_holds_a_turn_that_a_voice_opened() {
        let mut table = Table::at(Phase::Listening);
        assert_eq!(table.say(Input::PushToTalk(true)), []);
        assert_eq!(table.silence(2000), []);
        table.say(Input::PushToTalk(false));
        assert_eq!(table.silence(80), [Effect::EndTurn]);
    }

    #[test]
    fn mute_in_each_state() {
        let mut table = Table::at(Phase::Idle);
        assert_eq!(table.say(Input::Mute(true)), []);
        assert_eq!(table.voice(5000), [], "there is a mute");
        assert_eq!(table.say(Input::PushToTalk(true)), [], "which the key does not lift");
        assert_eq!(table.voice(1000), []);
        assert_eq!(table.say(Input::Mute(false)), []);
        assert!(opens(&table.voice(100)));

        // A word and a half is no question, a question is.
        assert_eq!(table.say(Input::Mute(true)), [Effect::FalseStart]);
        assert_eq!(table.turn.phase(), Phase::Idle);
        let mut table = Table::at(Phase::Listening);
        assert_eq!(table.say(Input::Mute(true)), [Effect::EndTurn]);
        assert_eq!(table.turn.phase(), Phase::Thinking);

        for phase in [Phase::Thinking, Phase::Speaking] {
            let mut table = Table::at(phase);
            assert_eq!(table.say(Input::Mute(true)), []);
            assert_eq!(table.voice(2000), [], "muted, so nothing interrupts");
            assert_eq!(table.turn.phase(), phase);
        }
    }

    #[test]
    fn microphone_loss_in_each_state() {
        for phase in [Phase::Idle, Phase::Thinking, Phase::Speaking] {
            let mut table = Table::at(phase);
            table.voice(50);
            assert_eq!(table.say(Input::MicrophoneLost), []);
            assert_eq!(table.turn.phase(), phase, "the answer goes on");
            assert_eq!(table.voice(90), [], "what was heard before does not count");
        }
        let mut table = Table::at(Phase::Listening);
        assert_eq!(table.say(Input::MicrophoneLost), [Effect::EndTurn]);
        let mut table = Table::new();
        table.voice(120);
        assert_eq!(table.say(Input::MicrophoneLost), [Effect::FalseStart]);
        assert_eq!(table.turn.phase(), Phase::Idle);
    }

    #[test]
    fn stop_in_each_state() {
        for (phase, expected) in [
            (Phase::Idle, None),
            (Phase::Listening, Some(Effect::FalseStart)),
            (Phase::Thinking, Some(Effect::BargeIn)),
            (Phase::Speaking, Some(Effect::BargeIn)),
        ] {
            let mut table = Table::at(phase);
            assert_eq!(table.say(Input::Stop), Vec::from_iter(expected));
            assert_eq!(table.turn.phase(), Phase::Idle);
            assert_eq!(table.silence(2000), []);
        }
    }

    #[test]
    fn typed_questions_are_answered_aloud_too() {
        let mut table = Table::new();
        table.say(Input::AnswerBegun);
        assert_eq!(table.turn.phase(), Phase::Speaking);
        table.say(Input::PlaybackDrained);
        assert_eq!(table.turn.phase(), Phase::Speaking, "more of it is being written");
        table.say(Input::AnswerEnded);
        table.say(Input::PlaybackDrained);
        assert_eq!(table.turn.phase(), Phase::Idle);
    }

    #[test]
    fn an_answer_that_never_began_gives_the_word_back() {
        let mut table = Table::at(Phase::Thinking);
        table.say(Input::AnswerEnded);
        assert_eq!(table.turn.phase(), Phase::Idle);
    }

    #[test]
    fn settings_without_sense_do_no_harm() {
        let none = TurnSettings {
            onset_ms: 0,
            least_speech_ms: 0,
            hangover_ms: 0,
            barge_in_ms: 0,
            longest_turn_s: 0,
            threshold: f32::NAN,
            hands_free: true,
        };
        let mut table = Table::with(none);
        assert_eq!(table.voice(1000), []);
        table.turn.set(TurnSettings { threshold: 0.5, ..none });
        assert_eq!(table.silence(1000), []);
        let effects = table.voice(1000);
        assert!(opens(&effects));
    }
}
