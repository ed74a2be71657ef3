//! A real camera, on a thread of its own: drivers hang. The latest picture lies in a slot.

use super::devices::{Camera, Choice, Kind, Listed, Take, pick};
use super::pixels;
use anyhow::{Context, anyhow, bail};
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType,
};
use percept::media::Image;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a camera may take to open, and to give a picture.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest time between two pictures that are decoded.
const EVERY: Duration = Duration::from_millis(60);
/// The width that is asked for; models look at less.
const WIDTH: u32 = 1280;
/// Threads that a driver never gave back, until we ask no more.
const MOST_HANGING: usize = 3;
static HANGING: AtomicUsize = AtomicUsize::new(0);

const FORMATS: &[FrameFormat] = &[
    FrameFormat::MJPEG,
    FrameFormat::YUYV,
    FrameFormat::NV12,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
    FrameFormat::GRAY,
];

/// What the camera's thread and the conversation share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// A new picture, taken by who looks.
    latest: Mutex<Option<Arc<Image>>>,
    failed: Mutex<Option<String>>,
}

/// A camera of the system.
pub struct WebCamera {
    name: String,
    shared: Arc<Shared>,
    last_picture: Option<Duration>,
}

/// The cameras that are there. Asks the system, so not for a thread that draws.
pub fn cameras() -> Vec<Listed> {
    query().into_iter().map(|(listed, _)| listed).collect()
}

fn query() -> Vec<(Listed, CameraIndex)> {
    let found: Vec<CameraInfo> = nokhwa::query(ApiBackend::Auto).unwrap_or_default();
    let mut listed: Vec<(Listed, CameraIndex)> = Vec::new();
    for info in found {
        // Numbers change with each restart and each plug; names do not.
        let name = info.human_name();
        let same = listed.iter().filter(|(other, _)| other.name == name).count();
        let id = if same == 0 { name.clone() } else { format!("{name} #{}", same + 1) };
        listed.push((Listed { id, name, default: listed.is_empty() }, info.index().clone()));
    }
    listed
}

impl WebCamera {
    /// Opens the camera that is meant, and gives up when the driver does not answer.
    pub fn open<F>(choice: &Choice<F>) -> anyhow::Result<WebCamera> {
        if HANGING.load(Relaxed) >= MOST_HANGING {
            bail!("the camera's driver hangs; unplug the camera or restart the program to try it again");
        }
        let choice = match choice {
            Choice::Device(id) => Choice::<()>::Device(id.clone()),
            _ => Choice::Default,
        };
        let shared = Arc::new(Shared::default());
        let (sender, opened) = channel();
        let theirs = shared.clone();
        HANGING.fetch_add(1, Relaxed);
        let thread = std::thread::Builder::new().name("camera".into()).spawn(move || {
            if let Err(problem) = watch(&choice, &theirs, &sender) {
                let text = format!("{problem:#}");
                if sender.send(Err(problem)).is_err() {
                    *theirs.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                }
            }
            HANGING.fetch_sub(1, Relaxed);
        });
        if let Err(problem) = thread {
            HANGING.fetch_sub(1, Relaxed);
            return Err(problem).context("no thread for the camera");
        }
        let name = match opened.recv_timeout(PATIENCE) {
            Ok(name) => name?,
            Err(RecvTimeoutError::Timeout) => {
                shared.stop.store(true, Relaxed);
                bail!("the camera did not answer within {} s; unplug it and plug it in again", PATIENCE.as_secs());
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the camera's driver gave up; unplug it and plug it in again"),
        };
        Ok(WebCamera { name, shared, last_picture: None })
    }
}

/// The camera's thread: opens it, says so, and puts its pictures into the slot until it is told to stop.
fn watch(choice: &Choice<()>, shared: &Shared, opened: &Sender<anyhow::Result<String>>) -> anyhow::Result<()> {
    let (sender, granted) = channel();
    nokhwa::nokhwa_initialize(move |yes| {
        let _ = sender.send(yes);
    });
    if granted.recv_timeout(PATIENCE) != Ok(true) {
        bail!("the system does not allow the camera; allow it in its privacy settings");
    }
    let (listed, indices): (Vec<Listed>, Vec<CameraIndex>) = query().into_iter().unzip();
    let device = pick(Kind::Camera, choice, &listed)?;
    let name = &device.name;
    let at = listed.iter().position(|other| other.id == device.id).context("the camera went away")?;
    let unusable = |problem: nokhwa::NokhwaError| {
        anyhow!("the camera \"{name}\" cannot be used ({problem}); close other programs that use it or choose another")
    };
    let any = RequestedFormat::with_formats(RequestedFormatType::None, FORMATS);
    let mut camera = nokhwa::Camera::new(indices[at].clone(), any).map_err(unusable)?;
    if let Some(format) = camera.compatible_camera_formats().ok().and_then(|formats| best(&formats)) {
        let wanted = [format.format()];
        let exact = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &wanted);
        // Otherwise it stays at what it opened with.
        if let Err(problem) = camera.set_camera_requset(exact) {
            tracing::debug!("{name} does not take {format}: {problem}");
        }
    }
    camera.open_stream().map_err(unusable)?;
    if opened.send(Ok(name.clone())).is_err() {
        return Ok(());
    }
    let mut last: Option<Instant> = None;
    while !shared.stop.load(Relaxed) {
        let frame = camera.frame();
        if shared.stop.load(Relaxed) {
            break;
        }
        let frame = frame.map_err(|problem| anyhow!("it gives no pictures ({problem})"));
        let frame = match frame {
            Ok(frame) => frame,
            Err(problem) => {
                *shared.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.to_string());
                break;
            }
        };
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            continue;
        }
        last = Some(Instant::now());
        let size = frame.resolution();
        match pixels::decode(frame.source_frame_format(), size.width(), size.height(), frame.buffer()) {
            Ok(image) => *shared.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(image)),
            // A torn frame now and then is no reason to stop.
            Err(problem) => tracing::debug!("{name}: {problem}"),
        }
    }
    let _ = camera.stop_stream();
    Ok(())
}

/// The format nearest to our width that has at least 10 frames a second; compressed ones first, since they leave the cable free.
fn best(formats: &[CameraFormat]) -> Option<CameraFormat> {
    let known = formats.iter().filter(|format| FORMATS.contains(&format.format()));
    let cost = |format: &&CameraFormat| {
        let order = FORMATS.iter().position(|known| *known == format.format());
        (format.frame_rate() < 10, format.width().abs_diff(WIDTH), order, format.frame_rate().abs_diff(30))
    };
    known.min_by_key(cost).copied()
}

impl Camera for WebCamera {
    fn name(&self) -> &str {
        &self.name
    }

    fn look(&mut self, now: Duration) -> Take<Arc<Image>> {
        if let Some(why) = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Take::Lost(why);
        }
        let latest = self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let last = *self.last_picture.get_or_insert(now);
        match latest {
            Some(image) => {
                self.last_picture = Some(now);
                Take::Ready(image)
            }
            None if now.saturating_sub(last) > PATIENCE => Take::Lost("it gives no pictures any more".into()),
            None => Take::NotYet,
        }
    }
}

impl Drop for WebCamera {
    fn drop(&mut self) {
        // Not joined: it may hang in the driver, and ends by itself if it does not.
        self.shared.stop.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nokhwa::utils::Resolution;

    #[test]
    fn the_format_is_near_to_what_is_needed() {
        let format = |w, h, kind, fps| CameraFormat::new(Resolution::new(w, h), kind, fps);
        let all = [
            format(1920, 1080, FrameFormat::MJPEG, 30),
            format(1280, 720, FrameFormat::YUYV, 5),
            format(1280, 720, FrameFormat::YUYV, 10),
            format(1280, 720, FrameFormat::MJPEG, 60),
            format(1280, 720, FrameFormat::MJPEG, 30),
            format(640, 480, FrameFormat::YUYV, 30),
        ];
        assert_eq!(best(&all), Some(all[4]));
        assert_eq!(best(&all[..3]), Some(all[2]));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn a_camera_that_is_not_there_is_told() {
        let missing = Choice::<()>::Device("no such camera".into());
        let problem = WebCamera::open(&missing).err().expect("there is none").to_string();
        assert!(problem.contains("no such camera") || problem.contains("privacy"), "{problem}");
    }
}
