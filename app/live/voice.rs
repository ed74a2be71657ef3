//! Text to sound by the voice that the system has, sentence by sentence on a thread of its own. We own the playback, so that the
//! echo canceller knows it and an interruption stops it.

use super::RATE;
use anyhow::{Context, bail};
use percept::media::Audio;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How answers sound.
#[derive(Clone, Debug, PartialEq)]
pub struct VoiceSettings {
    /// The id of one of [`voices`]; none is what the system takes.
    pub voice: Option<String>,
    /// 1 is normal, 2 twice as fast; from 0.5 to 3.
    pub speed: f32,
}

impl Default for VoiceSettings {
    fn default() -> VoiceSettings {
        VoiceSettings { voice: None, speed: 1.0 }
    }
}

impl VoiceSettings {
    fn speed(&self) -> f32 {
        if self.speed.is_finite() { self.speed.clamp(0.5, 3.0) } else { 1.0 }
    }
}

/// A voice that the system has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// For [`VoiceSettings::voice`].
    pub id: String,
    /// For people.
    pub name: String,
    /// `en-gb` and the like, where it is known.
    pub language: String,
}

/// What makes sound of a sentence. The system's voice is one, a neural voice another.
pub type Synthesis = Box<dyn FnMut(&str, &VoiceSettings) -> anyhow::Result<Audio> + Send>;

/// How long a program may take for one sentence.
const PATIENCE: Duration = Duration::from_secs(20);
/// Words a minute that count as normal.
const NORMAL_RATE: f32 = 165.0;

/// The system's voice: `espeak-ng`, on macOS `say`, on Windows SAPI.
pub fn system() -> Synthesis {
    Box::new(|text, settings| {
        if cfg!(target_os = "macos") {
            by_say(text, settings)
        } else if cfg!(windows) {
            by_sapi(text, settings)
        } else {
            by_espeak(text, settings)
        }
    })
}

/// The voices that the system has. Starts a program, so not for a thread that draws.
pub fn voices() -> anyhow::Result<Vec<Voice>> {
    if cfg!(target_os = "macos") {
        return Ok(say_voices(&text_of(run(Command::new("say").args(["-v", "?"]), "")?)));
    }
    if cfg!(windows) {
        return Ok(text_of(run(&mut powershell(SAPI_VOICES), "")?).lines().filter_map(sapi_voice).collect());
    }
    Ok(espeak_voices(&text_of(espeak(&["--voices"], "")?)))
}

fn by_espeak(text: &str, settings: &VoiceSettings) -> anyhow::Result<Audio> {
    let rate = ((NORMAL_RATE * settings.speed()) as u32).to_string();
    let voice = settings.voice.as_deref().unwrap_or("en");
    let output = espeak(&["--stdin", "--stdout", "-b", "1", "-s", &rate, "-v", voice], text)?;
    decode(output.stdout)
}

/// `espeak-ng`, or the older `espeak` that some systems still have.
fn espeak(args: &[&str], text: &str) -> anyhow::Result<Output> {
    for program in ["espeak-ng", "espeak"] {
        match run(Command::new(program).args(args), text) {
            Err(problem) if is_missing(&problem) => {}
            result => return result,
        }
    }
    bail!("answers are not spoken because there is no espeak-ng; install it (for example `apt install espeak-ng`)")
}

fn is_missing(problem: &anyhow::Error) -> bool {
    let io = problem.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound)
}

fn by_say(text: &str, settings: &VoiceSettings) -> anyhow::Result<Audio> {
    let file = temporary("wav");
    let mut command = Command::new("say");
    command.args(["--file-format=WAVE", "--data-format=LEI16@22050", "-f", "-", "-o"]).arg(&file);
    command.args(["-r", &((NORMAL_RATE * settings.speed()) as u32).to_string()]);
    if let Some(voice) = &settings.voice {
        command.args(["-v", voice]);
    }
    let bytes = run(&mut command, text).and_then(|_| Ok(std::fs::read(&file)?));
    let _ = std::fs::remove_file(&file);
    decode(bytes.context("answers are not spoken because `say` failed; choose another voice in the settings")?)
}

/// Names go by the environment, so that nothing in them is taken for a command.
const SAPI: &str = "[Console]::InputEncoding = [Text.Encoding]::UTF8; Add-Type -AssemblyName System.Speech; \
    $s = New-Object System.Speech.Synthesis.SpeechSynthesizer; \
    if ($env:PERCEPT_VOICE) { $s.SelectVoice($env:PERCEPT_VOICE) }; $s.Rate = [int]$env:PERCEPT_VOICE_RATE; \
    $s.SetOutputToWaveFile($env:PERCEPT_VOICE_FILE); $s.Speak([Console]::In.ReadToEnd()); $s.Dispose()";
const SAPI_VOICES: &str = "Add-Type -AssemblyName System.Speech; \
    (New-Object System.Speech.Synthesis.SpeechSynthesizer).GetInstalledVoices() | \
    ForEach-Object { $_.VoiceInfo.Name + '|' + $_.VoiceInfo.Culture }";

fn powershell(script: &str) -> Command {
    let mut command = Command::new("powershell");
    command.args(["-NoProfile", "-NonInteractive", "-Command", script]);
    command
}

fn by_sapi(text: &str, settings: &VoiceSettings) -> anyhow::Result<Audio> {
    let file = temporary("wav");
    let mut command = powershell(SAPI);
    // Its steps from −10 to 10 are a factor of three each way.
    let steps = (settings.speed().ln() / 3f32.ln() * 10.0).round() as i32;
    command.env("PERCEPT_VOICE", settings.voice.as_deref().unwrap_or(""));
    command.env("PERCEPT_VOICE_RATE", steps.to_string()).env("PERCEPT_VOICE_FILE", &file);
    let bytes = run(&mut command, text).and_then(|_| Ok(std::fs::read(&file)?));
    let _ = std::fs::remove_file(&file);
    decode(bytes.context("answers are not spoken because the speech of Windows failed; choose another voice")?)
}

fn temporary(ending: &str) -> std::path::PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    std::env::temp_dir().join(format!("percept-voice-{}-{number}.{ending}", std::process::id()))
}

/// Runs a program with the text as its input, and not longer than it may take.
fn run(command: &mut Command, input: &str) -> anyhow::Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read tells its reason on standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (sender, output) = channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::spawn(move || {
        let read = |stream: Option<Box<dyn std::io::Read>>| {
            let mut bytes = Vec::new();
            stream.map_or(Ok(0), |mut stream| stream.read_to_end(&mut bytes)).map(|_| bytes)
        };
        let stdout = read(stdout.map(|s| Box::new(s) as Box<dyn std::io::Read>));
        let stderr = read(stderr.map(|s| Box::new(s) as Box<dyn std::io::Read>));
        let _ = sender.send((stdout, stderr));
    });
    let begun = Instant::now();
    let (stdout, stderr) = match output.recv_timeout(PATIENCE) {
        Ok((stdout, stderr)) => (stdout?, stderr?),
        Err(_) => {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{program} took longer than {} s for a sentence; try again", begun.elapsed().as_secs());
        }
    };
    let status = child.wait()?;
    if !status.success() {
        let why = String::from_utf8_lossy(&stderr);
        bail!("{program} failed ({}); choose another voice in the settings", why.lines().next().unwrap_or("no reason"));
    }
    Ok(Output { status, stdout, stderr })
}

fn text_of(output: Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A WAV file. Written to a pipe its lengths are not known and stand at the most; they are put right first.
fn decode(mut bytes: Vec<u8>) -> anyhow::Result<Audio> {
    let all = bytes.len() as u32;
    if bytes.starts_with(b"RIFF") && bytes.get(36..40) == Some(b"data") {
        bytes[4..8].copy_from_slice(&(all - 8).to_le_bytes());
        bytes[40..44].copy_from_slice(&(all - 44).to_le_bytes());
    }
    Ok(Audio::decode(&bytes, Path::new("speech"))?.resampled(RATE)?)
}

/// Lines of `Pty Language Age/Gender VoiceName File Other`.
fn espeak_voices(text: &str) -> Vec<Voice> {
    let voice = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (language, _gender, name) = (words.next()?, words.next()?, words.next()?);
        Some(Voice { id: language.into(), name: name.replace('_', " "), language: language.into() })
    };
    text.lines().skip(1).filter_map(voice).collect()
}

/// Lines of `Name of it   en_GB   # A sentence.`
fn say_voices(text: &str) -> Vec<Voice> {
    let voice = |line: &str| {
        let (name, language) = line.split('#').next()?.trim_end().rsplit_once(char::is_whitespace)?;
        let name = name.trim();
        Some(Voice { id: name.into(), name: name.into(), language: language.replace('_', "-").to_lowercase() })
    };
    text.lines().filter_map(voice).collect()
}

fn sapi_voice(line: &str) -> Option<Voice> {
    let (name, language) = line.trim().split_once('|')?;
    Some(Voice { id: name.into(), name: name.into(), language: language.to_lowercase() })
}

/// A sentence that became sound, or nothing if it could not.
pub struct Spoken {
    /// Bytes of the answer.
    pub bytes: Range<usize>,
    /// 16 kHz mono.
    pub samples: anyhow::Result<Vec<f32>>,
}

struct Job {
    generation: u64,
    text: String,
    bytes: Range<usize>,
    settings: VoiceSettings,
}

/// The thread that speaks.
pub struct Speech {
    jobs: Sender<Job>,
    results: Receiver<(u64, Spoken)>,
    generation: Arc<AtomicU64>,
    settings: VoiceSettings,
    waiting: usize,
}

impl Speech {
    /// Starts the thread; it ends when this is dropped.
    pub fn start(mut synthesis: Synthesis, settings: VoiceSettings) -> Speech {
        let (jobs, work) = channel::<Job>();
        let (done, results) = channel();
        let generation = Arc::new(AtomicU64::new(0));
        let current = generation.clone();
        let thread = std::thread::Builder::new().name("voice".into()).spawn(move || {
            for job in work {
                if job.generation != current.load(Relaxed) {
                    continue;
                }
                let sound = synthesis(&job.text, &job.settings).and_then(|audio| Ok(audio.resampled(RATE)?.samples));
                if done.send((job.generation, Spoken { bytes: job.bytes, samples: sound })).is_err() {
                    return;
                }
            }
        });
        if let Err(problem) = thread {
            tracing::error!("answers are not spoken because there is no thread for it ({problem})");
        }
        Speech { jobs, results, generation, settings, waiting: 0 }
    }

    /// Other settings for what is said from now on.
    pub fn set(&mut self, settings: VoiceSettings) {
        self.settings = settings;
    }

    /// One more sentence to be said.
    pub fn say(&mut self, text: String, bytes: Range<usize>) {
        let generation = self.generation.load(Relaxed);
        let job = Job { generation, text, bytes, settings: self.settings.clone() };
        if self.jobs.send(job).is_ok() {
            self.waiting += 1;
        }
    }

    /// The next sentence that became sound, in the order in which they were said.
    pub fn next(&mut self) -> Option<Spoken> {
        while let Ok((generation, spoken)) = self.results.try_recv() {
            if generation == self.generation.load(Relaxed) {
                self.waiting -= 1;
                return Some(spoken);
            }
        }
        None
    }

    /// Whether all that was said became sound.
    pub fn is_idle(&self) -> bool {
        self.waiting == 0
    }

    /// Forgets what was not yet made.
    pub fn cancel(&mut self) {
        self.generation.fetch_add(1, Relaxed);
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(speech: &mut Speech) -> Spoken {
        let begun = Instant::now();
        loop {
            if let Some(spoken) = speech.next() {
                return spoken;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing was said");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn sentences_become_sound_in_order_and_cancelled_ones_do_not() {
        let synthesis: Synthesis = Box::new(|text, _| {
            anyhow::ensure!(text != "bad", "no voice; install one");
            std::thread::sleep(Duration::from_millis(20));
            Ok(Audio { samples: vec![0.1; text.len() * 220], sample_rate: 22_000 })
        });
        let mut speech = Speech::start(synthesis, VoiceSettings::default());
        speech.say("never".into(), 0..5);
        speech.cancel();
        assert!(speech.is_idle());
        for (text, at) in [("one", 0), ("bad", 3), ("three", 6)] {
            speech.say(text.into(), at..at + text.len());
        }
        let first = wait(&mut speech);
        assert_eq!((first.bytes, first.samples.unwrap().len()), (0..3, 480));
        assert!(wait(&mut speech).samples.is_err());
        assert!(!speech.is_idle());
        assert_eq!(wait(&mut speech).bytes, 6..11);
        assert!(speech.is_idle());
    }

    #[test]
    fn the_systems_voice_speaks() {
        let mut system = system();
        match system("It is red, - and \"quoted\".", &VoiceSettings::default()) {
            Ok(audio) => {
                let loudest = audio.samples.iter().fold(0.0f32, |most, s| most.max(s.abs()));
                assert!(audio.sample_rate == RATE && audio.duration_s() > 0.5 && loudest > 0.05);
                let fast = system("It is red, - and \"quoted\".", &VoiceSettings { speed: 2.0, voice: None }).unwrap();
                assert!(fast.duration_s() < 0.8 * audio.duration_s());
                assert!(!voices().unwrap().is_empty());
            }
            // A machine without a voice is told what to install.
            Err(problem) => assert!(problem.to_string().contains("install"), "{problem:#}"),
        }
    }

    #[test]
    fn lists_of_voices_are_read() {
        let text = "Pty Language Age/Gender VoiceName          File                 Other Languages\n 5  en-gb           \
                    --/M      English_(Great_Britain) gmw/en            (en 2)\n";
        let expected = Voice { id: "en-gb".into(), name: "English (Great Britain)".into(), language: "en-gb".into() };
        assert_eq!(espeak_voices(text), [expected]);
        let say = say_voices("Eddy (German)       de_DE    # Hallo!\nbad\n");
        assert_eq!((say.len(), say[0].id.as_str(), say[0].language.as_str()), (1, "Eddy (German)", "de-de"));
        let sapi = sapi_voice("Microsoft Zira|en-US\r").unwrap();
        assert_eq!((sapi.id.as_str(), sapi.language.as_str()), ("Microsoft Zira", "en-us"));
    }
}
