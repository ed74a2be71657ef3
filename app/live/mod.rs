//! The live conversation without its window and its model: hears, sees, speaks, and knows who has the word.
//!
//! One thread goes through it every 10 ms (`pipeline.rs`): microphone, echo canceller, voice detection, turn-taking, speaker.
//! Drivers and the voice have threads of their own, which it never waits for.

mod camera;
mod devices;
mod echo;
mod frames;
mod from_file;
mod meters;
mod microphone;
mod pipeline;
mod pixels;
mod playlist;
mod rate;
mod room;
mod sentences;
mod slot;
mod sound_cards;
mod speaker;
mod spoken;
mod turn;
mod vad;
mod voice;

#[cfg(test)]
mod sound_server;
#[cfg(test)]
pub mod sounds;
#[cfg(test)]
mod tests;

pub use camera::cameras;
pub use devices::{Choice, Kind, Listed};
pub use frames::FrameBudget;
pub use from_file::{FedCamera, FedMicrophone, KeptSpeaker, read_sound};
pub use meters::Meters;
#[cfg(test)]
pub use room::Room;
pub use sound_cards::{microphones, speakers};
pub use turn::{Phase, TurnSettings};
pub use voice::{Synthesis, Voice, VoiceSettings, voices};

#[cfg(test)]
use from_file::Fault;
use percept::media::Image;
use pipeline::Pipeline;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Samples a second inside of the app.
pub const RATE: u32 = 16_000;
/// Samples of 10 ms.
pub const BLOCK: usize = RATE as usize / 100;
/// 10 ms of sound.
pub type Block = [f32; BLOCK];

/// Which microphone.
pub type MicrophoneChoice = Choice<FedMicrophone>;
/// Which speaker.
pub type SpeakerChoice = Choice<KeptSpeaker>;
/// Which camera.
pub type CameraChoice = Choice<FedCamera>;

/// How a conversation begins; all of it can be changed by [`LiveCommand`]s.
pub struct LiveOptions {
    /// Which microphone.
    pub microphone: MicrophoneChoice,
    /// Which speaker.
    pub speaker: SpeakerChoice,
    /// Which camera.
    pub camera: CameraChoice,
    /// When turns begin and end.
    pub turn: TurnSettings,
    /// How answers sound.
    pub voice: VoiceSettings,
    /// Whether answers are spoken.
    pub speak: bool,
    /// What camera frames may cost.
    pub frames: FrameBudget,
    /// What makes sound of sentences; none is the system's voice.
    pub synthesis: Option<Synthesis>,
    /// How many seconds pass in one: 1 but for devices that are files.
    pub pace: f64,
    /// Called when there are events.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

impl Default for LiveOptions {
    /// The system's devices and voice, nobody woken.
    fn default() -> LiveOptions {
        LiveOptions {
            microphone: Choice::Default,
            speaker: Choice::Default,
            camera: Choice::Default,
            turn: TurnSettings::default(),
            voice: VoiceSettings::default(),
            speak: true,
            frames: FrameBudget::default(),
            synthesis: None,
            pace: 1.0,
            wake: Arc::new(|| {}),
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// Somebody began to speak: a message begins.
    TurnOpened,
    /// 16 kHz mono of the open turn: first what was heard before it opened, then 40 ms each.
    Heard(Vec<f32>),
    /// It was nothing: the message is to be forgotten.
    TurnForgotten,
    /// The message is whole: answer now.
    TurnEnded,
    /// The answer was interrupted: stop generating.
    Interrupted {
        /// How far into the answer's text it was heard.
        spoken_bytes: usize,
        /// By [`LiveCommand::Stop`], not by a voice.
        asked: bool,
    },
    /// The answer was spoken so far.
    SpokenTo {
        /// Bytes of the answer's text.
        bytes: usize,
    },
    /// The whole answer was spoken.
    DoneSpeaking,
    /// A picture for the model, always within a turn.
    Frame(Arc<Image>),
    /// Who has the word now.
    Phase(Phase),
    /// A device is gone; it is tried again.
    DeviceLost {
        /// Which.
        which: Kind,
        /// Its name.
        name: String,
        /// In a few words.
        why: String,
    },
    /// A device is there, for the first time or again.
    DeviceFound {
        /// Which.
        which: Kind,
        /// Its name.
        name: String,
    },
    /// A sentence for the person.
    Note(String),
}

/// What to do.
#[derive(Clone, Debug)]
pub enum LiveCommand {
    /// The model begins to answer.
    AnswerBegun,
    /// More of the answer's text.
    Say {
        /// The text behind what was said before.
        delta: String,
    },
    /// The answer is whole, or was given up.
    AnswerEnded,
    /// Be silent and stop answering.
    Stop,
    /// Hear nothing, or hear again.
    Mute(bool),
    /// The key to speak is pressed or let go.
    PushToTalk(bool),
    /// Whether answers are spoken.
    Speak(bool),
    /// Another microphone.
    SetMicrophone(MicrophoneChoice),
    /// Another speaker.
    SetSpeaker(SpeakerChoice),
    /// Another camera.
    SetCamera(CameraChoice),
    /// Other rules for turns.
    SetTurn(TurnSettings),
    /// Another voice.
    SetVoice(VoiceSettings),
    /// What a frame costs and how fast the model reads, as measured.
    Budget {
        /// Tokens that one frame becomes.
        tokens_per_frame: f32,
        /// Tokens a second.
        prefill_tokens_per_s: f32,
    },
    /// Play a clip of 16 kHz mono.
    Play(Vec<f32>),
}

/// A conversation that runs. Dropped, it ends its threads.
pub struct Live {
    commands: Option<Sender<LiveCommand>>,
    events: Receiver<LiveEvent>,
    meters: Arc<Meters>,
    thread: Option<JoinHandle<()>>,
}

/// How long the thread sleeps when nothing is due.
const NAP: Duration = Duration::from_millis(3);
/// Blocks in a row before commands are looked at again.
const MOST_BLOCKS: usize = 50;

impl Live {
    /// Opens the devices and begins to listen. Does not wait for them.
    pub fn start(options: LiveOptions) -> Live {
        #[cfg(target_os = "linux")]
        sound_cards::quiet_alsa();
        let (commands, orders) = channel();
        let (sender, events) = channel();
        let meters = Arc::new(Meters::default());
        let (pace, wake) = (options.pace, options.wake.clone());
        let (failed, failure) = (wake.clone(), sender.clone());
        let shown = meters.clone();
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
            // Made here: the echo canceller stays on its thread.
            let mut pipeline = Pipeline::new(options, sender, shown);
            let start = Instant::now();
            loop {
                let now = start.elapsed().mul_f64(pace.max(0.01));
                match orders.try_recv() {
                    Ok(command) => pipeline.obey(now, command),
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => {
                        let blocks = (0..MOST_BLOCKS).take_while(|_| pipeline.step(now)).count();
                        if blocks == 0 {
                            std::thread::sleep(NAP);
                        }
                    }
                }
                if pipeline.take_news() {
                    wake();
                }
            }
        });
        if let Err(problem) = &thread {
            let note =
                format!("The live conversation has no thread ({problem}); close other programs and start again.");
            let _ = failure.send(LiveEvent::Note(note));
            failed();
        }
        Live { commands: Some(commands), events, meters, thread: thread.ok() }
    }

    /// Tells it what to do; never waits.
    pub fn send(&self, command: LiveCommand) {
        if let Some(commands) = &self.commands {
            // Without its thread the person was told already.
            let _ = commands.send(command);
        }
    }

    /// What happened.
    pub fn events(&self) -> &Receiver<LiveEvent> {
        &self.events
    }

    /// What happens just now.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
