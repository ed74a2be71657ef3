//! The conversation, 10 ms at a time: devices, sound, turns and pictures in their order.

use super::camera::WebCamera;
use super::devices::{Camera, Choice, Kind, Microphone, Speaker, Take, Watch};
use super::echo::EchoCanceller;
use super::frames::{FrameBudget, FrameChooser, Thumbnail};
use super::microphone::CardMicrophone;
use super::slot::{Opener, Slot, sentence};
use super::speaker::CardSpeaker;
use super::spoken::SpokenAnswer;
use super::turn::{Effect, FRAME, Input, LONGEST_LEAD, Phase, Turn};
use super::vad::VoiceDetector;
use super::{
    BLOCK, Block, CameraChoice, LiveCommand, LiveEvent, LiveOptions, Meters, MicrophoneChoice, RATE, SpeakerChoice,
    voice,
};
use percept::media::Image;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Samples of the open turn that are told at once (40 ms, what one token of sound is made of).
const TOLD_AT_ONCE: usize = 640;
/// A microphone that is open but says nothing holds the clock up for so long.
const LATE: Duration = Duration::from_millis(150);
/// Blocks of silence behind a clip, which push its end through the speaker's sample-rate converter.
const PADDING: usize = 2;
/// Ticks between two looks at the delay of the echo.
const DELAY_EVERY: u64 = 50;

/// Everything that one step needs.
pub struct Pipeline {
    microphone_choice: MicrophoneChoice,
    speaker_choice: SpeakerChoice,
    camera_choice: CameraChoice,
    microphone: Slot<dyn Microphone>,
    speaker: Slot<dyn Speaker>,
    camera: Slot<dyn Camera>,
    watch: Option<Watch>,
    echo: EchoCanceller,
    detector: VoiceDetector,
    turn: Turn,
    answer: SpokenAnswer,
    chooser: FrameChooser,
    /// A command to stop is obeyed.
    asked_to_stop: bool,
    /// The camera's last picture, and how it looks from afar.
    picture: Option<(Arc<Image>, Thumbnail)>,
    /// What was heard of late, for the beginning of a turn.
    history: VecDeque<f32>,
    /// What was heard in the open turn and not yet told.
    heard: Vec<f32>,
    ticks: u64,
    /// When the last block was taken or made.
    last_tick: Duration,
    /// Samples that the open speaker has played of what was written.
    played: u64,
    padding: usize,
    phase: Phase,
    events: Sender<LiveEvent>,
    news: bool,
    /// The last block could be heard.
    audible: bool,
    meters: Arc<Meters>,
}

impl Pipeline {
    /// Opens nothing yet.
    pub fn new(options: LiveOptions, events: Sender<LiveEvent>, meters: Arc<Meters>) -> Pipeline {
        let synthesis = options.synthesis.unwrap_or_else(voice::system);
        Pipeline {
            microphone_choice: options.microphone,
            speaker_choice: options.speaker,
            camera_choice: options.camera,
            microphone: Slot::new(Kind::Microphone),
            speaker: Slot::new(Kind::Speaker),
            camera: Slot::new(Kind::Camera),
            watch: None,
            echo: EchoCanceller::new(),
            detector: VoiceDetector::new(),
            turn: Turn::new(options.turn),
            answer: SpokenAnswer::new(synthesis, options.voice, options.speak),
            chooser: FrameChooser::new(options.frames),
            asked_to_stop: false,
            picture: None,
            history: VecDeque::new(),
            heard: Vec::new(),
            ticks: 0,
            last_tick: Duration::ZERO,
            played: 0,
            padding: 0,
            phase: Phase::Idle,
            events,
            news: false,
            audible: false,
            meters,
        }
    }

    /// Whether there were events since it was asked last, or silence ended, which can be seen.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    fn tell(&mut self, event: LiveEvent) {
        self.news = true;
        // Nobody listens any more when the conversation ends.
        let _ = self.events.send(event);
    }

    /// The conversation's clock: it goes on with each block.
    fn clock(&self) -> Duration {
        FRAME * self.ticks as u32
    }

    /// Follows a command.
    pub fn obey(&mut self, now: Duration, command: LiveCommand) {
        match command {
            LiveCommand::AnswerBegun => {
                self.input(Input::AnswerBegun);
                if self.turn.phase() == Phase::Speaking {
                    self.answer.begin();
                }
            }
            LiveCommand::Say { delta } => self.answer.say(&delta),
            LiveCommand::AnswerEnded => {
                self.input(Input::AnswerEnded);
                self.answer.end();
            }
            LiveCommand::Stop => {
                self.asked_to_stop = true;
                self.input(Input::Stop);
                self.asked_to_stop = false;
                self.silence();
            }
            LiveCommand::Mute(muted) => self.input(Input::Mute(muted)),
            LiveCommand::PushToTalk(pressed) => self.input(Input::PushToTalk(pressed)),
            LiveCommand::Speak(speak) => {
                self.answer.set_speak(speak);
                if !speak && let Some(speaker) = self.speaker.device() {
                    speaker.flush();
                }
            }
            LiveCommand::SetMicrophone(choice) => {
                self.microphone_choice = choice;
                self.microphone.reopen(now);
                self.input(Input::MicrophoneLost);
            }
            LiveCommand::SetSpeaker(choice) => {
                self.speaker_choice = choice;
                self.lose_speaker();
                self.speaker.reopen(now);
            }
            LiveCommand::SetCamera(choice) => {
                self.camera_choice = choice;
                self.camera.reopen(now);
                self.lose_camera();
            }
            LiveCommand::SetTurn(settings) => self.turn.set(settings),
            LiveCommand::SetVoice(settings) => self.answer.set_voice(settings),
            LiveCommand::Budget { tokens_per_frame, prefill_tokens_per_s } => {
                let budget = self.chooser.budget();
                self.chooser.set_budget(FrameBudget { tokens_per_frame, prefill_tokens_per_s, ..budget });
            }
            LiveCommand::Play(samples) => self.answer.play(samples),
        }
    }

    /// Takes one step of 10 ms, if one is due at the time `now`, and says whether it did.
    pub fn step(&mut self, now: Duration) -> bool {
        self.attend(now);
        let mut block = [0.0; BLOCK];
        let mut heard = false;
        if let Some(microphone) = self.microphone.device() {
            let overruns = microphone.overruns();
            match microphone.take(now) {
                Take::Ready(taken) => {
                    block = taken;
                    heard = true;
                }
                Take::NotYet if now.saturating_sub(self.last_tick) < LATE => return false,
                Take::NotYet => {}
                Take::Lost(why) => {
                    let lost = self.microphone.lost(now, &why);
                    self.tell(lost);
                    self.input(Input::MicrophoneLost);
                }
            }
            self.meters.add_overruns(overruns);
        }
        if heard {
            self.last_tick = now;
        } else if now < self.last_tick + FRAME {
            return false;
        } else {
            // Without a microphone the clock on the wall counts; what was missed by far is not caught up with.
            self.last_tick = (self.last_tick + FRAME).max(now.saturating_sub(LATE));
        }
        self.tick(now, block, heard);
        true
    }

    fn tick(&mut self, now: Duration, mut block: Block, heard: bool) {
        self.ticks += 1;
        let played = self.take_played(now);
        for sample in &mut block {
            *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        }
        self.echo.process(&mut block, &played);
        if self.turn.muted() {
            block = [0.0; BLOCK];
        }
        let voice = self.detector.probability(&block);
        let voice = if self.echo.only_rest() { 0.0 } else { voice };
        self.meters.set_heard(&block, voice);
        let audible = self.meters.is_audible(self.audible);
        self.news |= audible && !self.audible;
        self.audible = audible;
        if heard {
            let effects = self.turn.handle(self.clock(), Input::Voice(voice));
            self.follow(&effects, Some(&block));
        }
        self.history.extend(block);
        let kept = (LONGEST_LEAD.as_millis() as usize) * RATE as usize / 1000;
        let over = self.history.len().saturating_sub(kept);
        self.history.drain(..over);

        self.see(now);
        self.speak();
        if self.ticks.is_multiple_of(DELAY_EVERY) {
            self.meters.set_echo_delay(self.echo.delay_ms());
        }
        self.tell_phase();
    }

    fn input(&mut self, input: Input) {
        let effects = self.turn.handle(self.clock(), input);
        self.follow(&effects, None);
        self.tell_phase();
    }

    fn tell_phase(&mut self) {
        let phase = self.turn.phase();
        self.meters.set_phase(phase, self.turn.muted());
        if phase != self.phase {
            self.phase = phase;
            self.tell(LiveEvent::Phase(phase));
        }
    }

    /// Does what the turn's machine says; `block` is what was heard just now.
    fn follow(&mut self, effects: &[Effect], block: Option<&Block>) {
        for effect in effects {
            match effect {
                Effect::BargeIn => {
                    let spoken_bytes = self.silence();
                    self.tell(LiveEvent::Interrupted { spoken_bytes, asked: self.asked_to_stop });
                }
                Effect::OpenTurn { lead } => {
                    // A clip that is replayed would be heard in the turn.
                    self.silence();
                    self.tell(LiveEvent::TurnOpened);
                    let n = (lead.as_millis() as usize * RATE as usize / 1000).min(self.history.len());
                    self.heard.clear();
                    self.heard.extend(self.history.range(self.history.len() - n..));
                    self.tell_heard();
                    self.chooser.turn_opened();
                    self.offer_picture();
                }
                Effect::Hear => {
                    self.heard.extend(block.into_iter().flatten());
                    if self.heard.len() >= TOLD_AT_ONCE {
                        self.tell_heard();
                    }
                }
                Effect::FalseStart => {
                    self.heard.clear();
                    self.tell(LiveEvent::TurnForgotten);
                }
                Effect::EndTurn => {
                    self.tell_heard();
                    self.tell(LiveEvent::TurnEnded);
                }
            }
        }
    }

    fn tell_heard(&mut self) {
        if !self.heard.is_empty() {
            let heard = std::mem::take(&mut self.heard);
            self.tell(LiveEvent::Heard(heard));
        }
    }

    /// Stops what is said and played. Returns how far the answer was heard.
    fn silence(&mut self) -> usize {
        let heard = self.answer.interrupt();
        self.padding = 0;
        if let Some(speaker) = self.speaker.device() {
            speaker.flush();
        }
        heard
    }

    /// What the speaker played in the last 10 ms. Without a speaker the answer goes on unheard, so that nothing waits for it.
    fn take_played(&mut self, now: Duration) -> Block {
        let Some(speaker) = self.speaker.device() else {
            if self.answer.has_more() {
                self.answer.next_block();
            }
            self.advance(BLOCK);
            return [0.0; BLOCK];
        };
        let underruns = speaker.underruns();
        let played = speaker.played(now);
        self.meters.add_underruns(underruns);
        match played {
            Take::Ready((block, total)) => {
                let more = total.saturating_sub(self.played);
                self.played = total;
                self.meters.add_played(more);
                self.advance(more as usize);
                block
            }
            Take::NotYet => [0.0; BLOCK],
            Take::Lost(why) => {
                let lost = self.speaker.lost(now, &why);
                self.lose_speaker();
                self.tell(lost);
                [0.0; BLOCK]
            }
        }
    }

    fn lose_speaker(&mut self) {
        self.answer.rewind();
        self.played = 0;
        self.padding = 0;
    }

    fn advance(&mut self, samples: usize) {
        if let Some(bytes) = self.answer.advance(samples) {
            self.tell(LiveEvent::SpokenTo { bytes });
        }
    }

    /// Fills the speaker and notices the end of an answer.
    fn speak(&mut self) {
        if let Some(problem) = self.answer.collect() {
            self.tell(LiveEvent::Note(sentence(&format!("{problem:#}"))));
        }
        if let Some(speaker) = self.speaker.device() {
            for _ in 0..speaker.room() {
                if self.answer.has_more() {
                    let block = self.answer.next_block();
                    speaker.write(&block, self.answer.has_more());
                    self.padding = PADDING;
                } else if self.padding > 0 {
                    self.padding -= 1;
                    speaker.write(&[0.0; BLOCK], false);
                } else {
                    break;
                }
            }
        }
        if let Some((bytes, spoken)) = self.answer.finished() {
            if spoken {
                self.tell(LiveEvent::SpokenTo { bytes });
                self.tell(LiveEvent::DoneSpeaking);
            }
            self.input(Input::PlaybackDrained);
        }
    }

    /// Looks at the camera, and gives the model a picture if there is one for it.
    fn see(&mut self, now: Duration) {
        let Some(camera) = self.camera.device() else { return };
        match camera.look(now) {
            Take::Ready(image) => {
                self.meters.set_preview(Some(image.clone()));
                let thumbnail = Thumbnail::of(&image);
                self.picture = Some((image, thumbnail));
                self.offer_picture();
            }
            Take::NotYet => {}
            Take::Lost(why) => {
                let lost = self.camera.lost(now, &why);
                self.lose_camera();
                self.tell(lost);
            }
        }
    }

    fn offer_picture(&mut self) {
        let clock = self.clock();
        if self.turn.phase() == Phase::Listening
            && let Some((image, thumbnail)) = &self.picture
            && self.chooser.offer(clock, thumbnail)
        {
            let image = image.clone();
            self.tell(LiveEvent::Frame(image));
        }
    }

    fn lose_camera(&mut self) {
        self.picture = None;
        self.meters.set_preview(None);
    }

    /// Opens devices that are chosen and not there, and follows the system's default.
    fn attend(&mut self, now: Duration) {
        let found = self.microphone.attend(now, |m| m.name().into(), || open_microphone(&self.microphone_choice, now));
        if let Some(event) = found {
            if self.microphone.is_open() {
                self.detector.reset();
                self.echo = EchoCanceller::new();
                self.last_tick = now;
            }
            self.tell(event);
        }
        let found = self.speaker.attend(now, |s| s.name().into(), || open_speaker(&self.speaker_choice, now));
        if let Some(event) = found {
            if self.speaker.is_open() {
                self.answer.rewind();
                self.played = 0;
                self.echo = EchoCanceller::new();
            }
            self.tell(event);
        }
        let found = self.camera.attend(now, |c| c.name().into(), || open_camera(&self.camera_choice, now));
        if let Some(event) = found {
            self.tell(event);
        }
        self.follow_defaults(now);
    }

    fn follow_defaults(&mut self, now: Duration) {
        let (microphone, speaker) = (is_default(&self.microphone_choice), is_default(&self.speaker_choice));
        if !(microphone || speaker) {
            self.watch = None;
            return;
        }
        let Some(defaults) = self.watch.get_or_insert_with(Watch::start).changed() else { return };
        let differs =
            |open: Option<&str>, wanted: Option<String>| open.zip(wanted).is_some_and(|(open, wanted)| open != wanted);
        if microphone && differs(self.microphone.device().and_then(|m| m.id()), defaults.microphone) {
            self.microphone.reopen(now);
        }
        if speaker && differs(self.speaker.device().and_then(|s| s.id()), defaults.speaker) {
            self.lose_speaker();
            self.speaker.reopen(now);
        }
    }
}

fn is_default<F>(choice: &Choice<F>) -> bool {
    matches!(choice, Choice::Default)
}

/// What opens the device, and whether it does so at once; none if none is wanted.
fn open_microphone(choice: &MicrophoneChoice, now: Duration) -> Option<(Opener<dyn Microphone>, bool)> {
    match choice.clone() {
        Choice::Off => None,
        Choice::File(source) => Some((Box::new(move || source.connect(now)), true)),
        choice => Some((Box::new(move || Ok(Box::new(CardMicrophone::open(&choice)?) as Box<dyn Microphone>)), false)),
    }
}

fn open_speaker(choice: &SpeakerChoice, now: Duration) -> Option<(Opener<dyn Speaker>, bool)> {
    match choice.clone() {
        Choice::Off => None,
        Choice::File(sink) => Some((Box::new(move || sink.connect(now)), true)),
        choice => Some((Box::new(move || Ok(Box::new(CardSpeaker::open(&choice)?) as Box<dyn Speaker>)), false)),
    }
}

fn open_camera(choice: &CameraChoice, now: Duration) -> Option<(Opener<dyn Camera>, bool)> {
    match choice.clone() {
        Choice::Off => None,
        Choice::File(source) => Some((Box::new(move || source.connect(now)), true)),
        choice => Some((Box::new(move || Ok(Box::new(WebCamera::open(&choice)?) as Box<dyn Camera>)), false)),
    }
}
