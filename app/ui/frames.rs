//! How smooth the window is: what its frames cost and how late they come, while the engine works and otherwise.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Frames of each kind that are remembered: some ten seconds of those that move.
const KEPT: usize = 512;
/// egui draws a frame that was asked for up to one frame of the display earlier, so that it is seen in time.
const EARLY: Duration = Duration::from_millis(17);

/// The last frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// While the engine reads or answers.
    pub busy: Times,
    /// While it does not.
    pub quiet: Times,
}

/// Milliseconds of frames, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// What each cost: layout, tessellation, handing over to the adapter; without waiting for the display.
    pub cost_ms: VecDeque<f32>,
    /// How much later than it was due each began, of those that were due at a known time.
    pub late_ms: VecDeque<f32>,
}

impl Frames {
    /// Of one kind.
    pub fn of(&mut self, busy: bool) -> &mut Times {
        if busy { &mut self.busy } else { &mut self.quiet }
    }
}

impl Times {
    /// What a frame cost.
    pub fn note_cost(&mut self, time: Duration) {
        note(&mut self.cost_ms, time);
    }

    /// How late a frame began.
    pub fn note_late(&mut self, time: Duration) {
        note(&mut self.late_ms, time);
    }
}

fn note(ring: &mut VecDeque<f32>, time: Duration) {
    ring.push_back(time.as_secs_f32() * 1e3);
    if ring.len() > KEPT {
        ring.pop_front();
    }
}

/// What shares of frames keep, each a frame that was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// Half of them.
    pub half: f32,
    /// 95 of 100.
    pub most: f32,
    /// 99 of 100.
    pub nearly: f32,
    /// All.
    pub longest: f32,
    /// How many there are.
    pub count: usize,
}

impl Quantiles {
    /// Of what is a number; `None` if nothing is.
    pub fn of(ms: impl IntoIterator<Item = f32>) -> Option<Quantiles> {
        let mut sorted: Vec<f32> = ms.into_iter().filter(|ms| ms.is_finite()).collect();
        sorted.sort_by(f32::total_cmp);
        let longest = *sorted.last()?;
        let within = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)];
        Some(Quantiles { half: within(50), most: within(95), nearly: within(99), longest, count: sorted.len() })
    }
}

/// When the next frame is due: at the end of the pause that was asked for, or when news woke the window before.
#[derive(Debug, Default)]
pub struct Due {
    asked: Option<Instant>,
    woken: Woken,
}

/// When news first woke the window since its last frame; told from any thread.
#[derive(Clone, Debug, Default)]
pub struct Woken(Arc<Mutex<Option<Instant>>>);

impl Woken {
    /// There is news.
    pub fn wake(&self) {
        self.first().get_or_insert_with(Instant::now);
    }

    fn first(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Due {
    /// What news tells.
    pub fn woken(&self) -> Woken {
        self.woken.clone()
    }

    /// After a frame: the next one is asked for after this pause, or not at all.
    pub fn ask(&mut self, now: Instant, pause: Option<Duration>) {
        self.asked = pause.map(|pause| now + pause);
    }

    /// A frame begins: how late it is. `None` if it was not due, since a key or the mouse brought it.
    pub fn begin(&mut self, now: Instant) -> Option<Duration> {
        let woken = self.woken.first().take();
        let due = [self.asked.take(), woken].into_iter().flatten().min()?;
        let early = due.saturating_duration_since(now);
        (early <= EARLY).then(|| now.saturating_duration_since(due))
    }

    /// Nothing is shown, so nothing is late.
    pub fn hidden(&mut self) {
        self.asked = None;
        self.woken.first().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(ms: &[f32]) -> Option<[f32; 4]> {
        Quantiles::of(ms.iter().copied()).map(|it| [it.half, it.most, it.nearly, it.longest])
    }

    #[test]
    fn quantiles_are_frames_that_were() {
        let falling: Vec<f32> = (1..=100).rev().map(|ms| ms as f32).collect();
        assert_eq!(quantiles(&falling), Some([50.0, 95.0, 99.0, 100.0]));
        assert_eq!(quantiles(&[7.0]), Some([7.0; 4]));
        assert_eq!(quantiles(&[1.0, 9.0]), Some([1.0, 9.0, 9.0, 9.0]));
        assert_eq!(Quantiles::of(falling).map(|it| it.count), Some(100));
    }

    #[test]
    fn what_is_no_number_is_no_frame() {
        assert_eq!(quantiles(&[]), None);
        assert_eq!(quantiles(&[f32::NAN, f32::INFINITY]), None);
        let mixed = Quantiles::of([f32::NAN, 3.0, f32::NEG_INFINITY, 5.0]).unwrap();
        assert_eq!((mixed.half, mixed.longest, mixed.count), (3.0, 5.0, 2));
    }

    #[test]
    fn only_the_last_frames_are_kept() {
        let mut frames = Frames::default();
        for ms in 0..KEPT as u64 + 3 {
            frames.of(true).note_cost(Duration::from_millis(ms));
        }
        assert_eq!((frames.busy.cost_ms.len(), frames.busy.cost_ms[0]), (KEPT, 3.0));
        frames.of(false).note_late(Duration::from_micros(2500));
        assert_eq!((frames.quiet.late_ms[0], frames.quiet.cost_ms.len(), frames.busy.late_ms.len()), (2.5, 0, 0));
    }

    #[test]
    fn a_frame_is_late_by_what_was_asked() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut due = Due::default();
        assert_eq!(due.begin(start), None);
        due.ask(start, Some(ms(33)));
        assert_eq!(due.begin(start + ms(40)), Some(ms(7)));
        // It was due once.
        assert_eq!(due.begin(start + ms(90)), None);
        due.ask(start, Some(ms(33)));
        assert_eq!(due.begin(start + ms(20)), Some(ms(0)), "as early as egui draws it");
        due.ask(start, Some(ms(150)));
        assert_eq!(due.begin(start + ms(20)), None, "the mouse brought it");
        due.ask(start, None);
        assert_eq!(due.begin(start + ms(500)), None);
    }

    #[test]
    fn news_makes_a_frame_due_at_once() {
        let ms = Duration::from_millis;
        let mut due = Due::default();
        let before = Instant::now();
        due.ask(before, Some(ms(150)));
        due.woken().wake();
        let woken = Instant::now();
        std::thread::sleep(ms(2));
        // Only the first of several counts.
        due.woken().wake();
        let late = due.begin(woken + ms(30)).unwrap();
        assert!(late >= ms(30) && late <= ms(30) + (woken - before), "{late:?}");
        due.woken().wake();
        due.ask(woken, Some(ms(33)));
        due.hidden();
        assert_eq!(due.begin(woken + ms(5000)), None, "nobody saw it");
    }
}
