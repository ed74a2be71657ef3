//! Microphone, speaker and camera from files, at the pace of the conversation's clock, so that the whole of it runs without
//! hardware. Handles can be cloned: one goes to the conversation, another speaks, shows and listens from outside.

use super::devices::{Camera, Microphone, Speaker, Take};
use super::room::Echo;
#[cfg(test)]
use super::room::Room;
use super::turn::FRAME;
use super::{BLOCK, Block, RATE};
use anyhow::{Context, bail};
use percept::media::{Audio, Image, Video, VideoOptions};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Samples that a speaker keeps: the last two minutes.
const KEPT: usize = 120 * RATE as usize;
/// Blocks that a speaker wants to have ready.
const READY_BLOCKS: usize = 2;
/// Pictures a second of a camera.
const CAMERA_RATE: f64 = 10.0;

/// When a device is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From when on, since the conversation's start.
    pub from: Duration,
    /// For how long.
    pub lasts: Duration,
}

/// Whether one of the faults holds.
fn broken(faults: &[Fault], now: Duration) -> bool {
    faults.iter().any(|fault| now >= fault.from && now < fault.from + fault.lasts)
}

fn refuse_broken(faults: &[Fault], now: Duration) -> anyhow::Result<()> {
    if broken(faults, now) {
        bail!("the file's device is unplugged for a test; wait for it");
    }
    Ok(())
}

const UNPLUGGED: &str = "it was unplugged for a test";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sound at 16 kHz of a file that `percept` reads.
pub fn read_sound(path: &Path) -> anyhow::Result<Vec<f32>> {
    let audio = Audio::open(path).and_then(|audio| audio.resampled(RATE));
    Ok(audio.with_context(|| format!("{} cannot be the microphone", path.display()))?.samples)
}

/// A microphone that hears what it is given, and silence behind it.
#[derive(Clone, Default)]
pub struct FedMicrophone {
    heard: Arc<Mutex<Heard>>,
    faults: Vec<Fault>,
}

#[derive(Default)]
struct Heard {
    queue: VecDeque<f32>,
    echo: Option<Echo>,
}

impl std::fmt::Debug for FedMicrophone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FedMicrophone").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl FedMicrophone {
    /// That hears a file of sound and silence behind it.
    pub fn open(path: &Path) -> anyhow::Result<FedMicrophone> {
        let microphone = FedMicrophone::default();
        microphone.say(&read_sound(path)?);
        Ok(microphone)
    }

    /// Speaks into it, behind what it was given before. 16 kHz.
    pub fn say(&self, samples: &[f32]) {
        lock(&self.heard).queue.extend(samples);
    }

    /// Whether all that was said was heard.
    #[cfg(test)]
    pub fn is_silent(&self) -> bool {
        lock(&self.heard).queue.is_empty()
    }

    /// From now on it hears a [`KeptSpeaker`] that stands in this room.
    #[cfg(test)]
    pub fn stand_in(&self, room: Room) {
        lock(&self.heard).echo = Some(Echo::new(room));
    }

    /// The same microphone, gone at times.
    #[cfg(test)]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> FedMicrophone {
        self.faults = faults;
        self
    }

    /// Opens it for a conversation.
    pub fn connect(&self, now: Duration) -> anyhow::Result<Box<dyn Microphone>> {
        refuse_broken(&self.faults, now)?;
        Ok(Box::new(FileMicrophone { source: self.clone(), due: now + FRAME }))
    }
}

struct FileMicrophone {
    source: FedMicrophone,
    /// When the next block was heard.
    due: Duration,
}

impl Microphone for FileMicrophone {
    fn name(&self) -> &str {
        "microphone from a file"
    }

    fn id(&self) -> Option<&str> {
        None
    }

    fn take(&mut self, now: Duration) -> Take<Block> {
        if broken(&self.source.faults, now) {
            return Take::Lost(UNPLUGGED.into());
        }
        if now < self.due {
            return Take::NotYet;
        }
        self.due += FRAME;
        let mut heard = lock(&self.source.heard);
        let mut block = [0.0; BLOCK];
        let n = heard.queue.len().min(BLOCK);
        for (sample, word) in block.iter_mut().zip(heard.queue.drain(..n)) {
            *sample = word;
        }
        if let Some(echo) = &heard.echo {
            echo.add_to(&mut block);
        }
        Take::Ready(block)
    }

    fn overruns(&mut self) -> u64 {
        0
    }
}

/// A speaker that keeps what it played, the last two minutes of it.
#[derive(Clone, Default)]
pub struct KeptSpeaker {
    kept: Arc<Mutex<VecDeque<f32>>>,
    heard_by: Option<FedMicrophone>,
    faults: Vec<Fault>,
}

impl std::fmt::Debug for KeptSpeaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptSpeaker").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl KeptSpeaker {
    /// The same speaker, heard by a microphone if that stands in a room.
    #[cfg(test)]
    pub fn heard_by(mut self, microphone: &FedMicrophone) -> KeptSpeaker {
        self.heard_by = Some(microphone.clone());
        self
    }

    /// The same speaker, gone at times.
    #[cfg(test)]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> KeptSpeaker {
        self.faults = faults;
        self
    }

    /// What was played so far at 16 kHz, silence included.
    #[cfg(test)]
    pub fn played(&self) -> Vec<f32> {
        lock(&self.kept).iter().copied().collect()
    }

    /// Opens it for a conversation.
    pub fn connect(&self, now: Duration) -> anyhow::Result<Box<dyn Speaker>> {
        refuse_broken(&self.faults, now)?;
        Ok(Box::new(FileSpeaker { sink: self.clone(), waiting: VecDeque::new(), total: 0 }))
    }
}

struct FileSpeaker {
    sink: KeptSpeaker,
    waiting: VecDeque<Block>,
    total: u64,
}

impl Speaker for FileSpeaker {
    fn name(&self) -> &str {
        "speaker into memory"
    }

    fn id(&self) -> Option<&str> {
        None
    }

    fn room(&self) -> usize {
        READY_BLOCKS.saturating_sub(self.waiting.len())
    }

    fn write(&mut self, block: &Block, _more: bool) {
        self.waiting.push_back(*block);
    }

    fn flush(&mut self) {
        self.waiting.clear();
    }

    fn played(&mut self, now: Duration) -> Take<(Block, u64)> {
        if broken(&self.sink.faults, now) {
            return Take::Lost(UNPLUGGED.into());
        }
        let written = self.waiting.pop_front();
        self.total += written.map_or(0, |block| block.len() as u64);
        let block = written.unwrap_or([0.0; BLOCK]);
        let mut kept = lock(&self.sink.kept);
        kept.extend(block);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
        drop(kept);
        if let Some(microphone) = &self.sink.heard_by
            && let Some(echo) = &mut lock(&microphone.heard).echo
        {
            echo.play(&block);
        }
        Take::Ready((block, self.total))
    }

    fn underruns(&mut self) -> u64 {
        0
    }
}

/// A camera that sees pictures of files, again from the beginning when they are over.
#[derive(Clone, Default)]
pub struct FedCamera {
    scene: Arc<Mutex<Scene>>,
    faults: Vec<Fault>,
}

#[derive(Default)]
struct Scene {
    pictures: Vec<Arc<Image>>,
    per_second: f64,
}

impl std::fmt::Debug for FedCamera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FedCamera").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl FedCamera {
    /// That sees a picture, a video, or the pictures of a folder, one a second in the order of their names.
    pub fn open(path: &Path) -> anyhow::Result<FedCamera> {
        let camera = FedCamera::default();
        *lock(&camera.scene) = read_scene(path).with_context(|| format!("{} cannot be the camera", path.display()))?;
        Ok(camera)
    }

    /// Holds another picture before it.
    #[cfg(test)]
    pub fn show(&self, image: Image) {
        *lock(&self.scene) = Scene { pictures: vec![Arc::new(image)], per_second: 1.0 };
    }

    /// The same camera, gone at times.
    #[cfg(test)]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> FedCamera {
        self.faults = faults;
        self
    }

    /// Opens it for a conversation.
    pub fn connect(&self, now: Duration) -> anyhow::Result<Box<dyn Camera>> {
        refuse_broken(&self.faults, now)?;
        Ok(Box::new(FileCamera { source: self.clone(), last: None }))
    }
}

fn read_scene(path: &Path) -> anyhow::Result<Scene> {
    let is_picture = |path: &Path| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        ["png", "jpg", "jpeg", "webp", "gif"].contains(&ending.as_str())
    };
    if is_picture(path) {
        return Ok(Scene { pictures: vec![Arc::new(Image::open(path)?)], per_second: 1.0 });
    }
    if path.is_dir() && !path.join("video.json").exists() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            files.push(entry?.path());
        }
        files.retain(|file| is_picture(file));
        files.sort();
        let pictures = files.iter().map(|file| Image::open(file).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        if pictures.is_empty() {
            bail!("the folder holds no pictures; put some PNG or JPEG files there");
        }
        return Ok(Scene { pictures, per_second: 1.0 });
    }
    let options = VideoOptions { frames_per_second: 5.0, most_frames: 300, ..VideoOptions::default() };
    let video = Video::open(path, &options)?;
    let pictures = video.frames.into_iter().map(|frame| Arc::new(frame.image)).collect();
    Ok(Scene { pictures, per_second: video.frames_per_second })
}

struct FileCamera {
    source: FedCamera,
    /// Number of the picture that was seen last.
    last: Option<u64>,
}

impl Camera for FileCamera {
    fn name(&self) -> &str {
        "camera from a file"
    }

    fn look(&mut self, now: Duration) -> Take<Arc<Image>> {
        if broken(&self.source.faults, now) {
            return Take::Lost(UNPLUGGED.into());
        }
        let number = (now.as_secs_f64() * CAMERA_RATE) as u64;
        if self.last == Some(number) {
            return Take::NotYet;
        }
        self.last = Some(number);
        let scene = lock(&self.source.scene);
        let at = (now.as_secs_f64() * scene.per_second) as usize;
        match scene.pictures.get(at % scene.pictures.len().max(1)) {
            Some(picture) => Take::Ready(picture.clone()),
            None => Take::NotYet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_file_is_heard_at_its_pace_and_silence_behind_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live/question.wav");
        let source = FedMicrophone::open(&path).unwrap();
        let mut microphone = source.connect(ms(1000)).unwrap();
        assert_eq!(microphone.take(ms(1009)), Take::NotYet);
        let mut heard = Vec::new();
        for i in 1..=400 {
            let Take::Ready(block) = microphone.take(ms(1000 + 10 * i)) else { panic!("late at {i}") };
            assert_eq!(microphone.take(ms(1000 + 10 * i)), Take::NotYet);
            heard.extend(block);
        }
        let sound = read_sound(&path).unwrap();
        assert_eq!(heard[..sound.len()], sound);
        assert!(heard[sound.len()..].iter().all(|s| *s == 0.0) && source.is_silent());
        assert!(FedMicrophone::open(Path::new("no such.wav")).is_err());
    }

    #[test]
    fn faults_take_a_device_away_and_bring_it_back() {
        let fault = Fault { from: ms(100), lasts: ms(50) };
        let source = FedMicrophone::default().with_faults(vec![fault]);
        let mut microphone = source.connect(ms(0)).unwrap();
        assert!(matches!(microphone.take(ms(99)), Take::Ready(_)));
        assert!(matches!(microphone.take(ms(100)), Take::Lost(_)));
        assert!(source.connect(ms(149)).is_err());
        assert!(source.connect(ms(150)).is_ok());
    }

    #[test]
    fn a_speaker_in_a_room_is_heard() {
        let source = FedMicrophone::default();
        source.stand_in(Room::new(80, 0.5));
        let sink = KeptSpeaker::default().heard_by(&source);
        let (mut microphone, mut speaker) = (source.connect(ms(0)).unwrap(), sink.connect(ms(0)).unwrap());
        assert_eq!(speaker.room(), 2);
        speaker.write(&[1.0; BLOCK], false);
        let mut heard = Vec::new();
        for i in 1..=20 {
            let Take::Ready(block) = microphone.take(ms(10 * i)) else { panic!("late") };
            heard.extend(block);
            assert!(matches!(speaker.played(ms(10 * i)), Take::Ready((_, BLOCK_PLAYED))));
        }
        let first = heard.iter().position(|s| *s != 0.0).unwrap();
        assert_eq!(first, 90 * 16, "80 ms, and one block for the loop");
        assert_eq!(sink.played().len(), 20 * BLOCK);
    }
    const BLOCK_PLAYED: u64 = BLOCK as u64;

    #[test]
    fn a_camera_sees_pictures_folders_and_what_is_held_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let problem = format!("{:#}", FedCamera::open(folder.path()).unwrap_err());
        assert!(problem.contains("no pictures"), "{problem}");
        for (i, grey) in [10u8, 200].iter().enumerate() {
            let picture = image::RgbImage::from_pixel(4, 3, image::Rgb([*grey; 3]));
            picture.save(folder.path().join(format!("{i}.png"))).unwrap();
        }
        let source = FedCamera::open(folder.path()).unwrap();
        let mut camera = source.connect(ms(0)).unwrap();
        let grey = |take: Take<Arc<Image>>| match take {
            Take::Ready(image) => Some(image.rgb[0]),
            _ => None,
        };
        assert_eq!(grey(camera.look(ms(0))), Some(10));
        assert_eq!(grey(camera.look(ms(50))), None);
        assert_eq!(grey(camera.look(ms(1100))), Some(200));
        assert_eq!(grey(camera.look(ms(2100))), Some(10));
        source.show(Image { width: 1, height: 1, rgb: vec![7; 3] });
        assert_eq!(grey(camera.look(ms(2200))), Some(7));
    }
}
