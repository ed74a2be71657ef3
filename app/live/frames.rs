//! Which camera frames the model is given: those that show something new, as many as the prefill can take. Pure.

use percept::media::Image;
use std::time::Duration;

/// Columns and rows of a thumbnail.
const WIDTH: usize = 16;
const HEIGHT: usize = 12;
const CELLS: usize = WIDTH * HEIGHT;
/// Share of the cells whose change counts: what moves is rarely the whole picture.
const MOVING_CELLS: usize = CELLS / 8;
/// Samples a cell and direction.
const STEPS: u32 = 4;

/// A small grey picture, to see change by.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail([f32; CELLS]);

impl Thumbnail {
    /// Of a whole picture; a few of its pixels are looked at.
    pub fn of(image: &Image) -> Thumbnail {
        let mut cells = [0.0; CELLS];
        let grey = |x: u32, y: u32| {
            let at = 3 * (y as usize * image.width as usize + x as usize);
            image
                .rgb
                .get(at..at + 3)
                .map_or(0.0, |p| (f32::from(p[0]) + 2.0 * f32::from(p[1]) + f32::from(p[2])) / 1020.0)
        };
        let place = |step: usize, of: usize, size: u32| {
            let steps = of as u64 * u64::from(STEPS);
            ((2 * step as u64 + 1) * u64::from(size) / (2 * steps)) as u32
        };
        for (i, cell) in cells.iter_mut().enumerate() {
            let (column, row) = (i % WIDTH, i / WIDTH);
            for y in 0..STEPS as usize {
                for x in 0..STEPS as usize {
                    let x = place(column * STEPS as usize + x, WIDTH, image.width);
                    let y = place(row * STEPS as usize + y, HEIGHT, image.height);
                    *cell += grey(x, y) / (STEPS * STEPS) as f32;
                }
            }
        }
        Thumbnail(cells)
    }

    /// How much has changed, 0 to 1: the mean over the cells that changed most, and nothing where the light alone did.
    pub fn change(&self, other: &Thumbnail) -> f32 {
        let light = self.0.iter().zip(&other.0).map(|(a, b)| a - b).sum::<f32>() / CELLS as f32;
        let mut changes = [0.0; CELLS];
        for ((change, a), b) in changes.iter_mut().zip(&self.0).zip(&other.0) {
            *change = (a - b - light).abs();
        }
        changes.sort_by(|a, b| b.total_cmp(a));
        changes[..MOVING_CELLS].iter().sum::<f32>() / MOVING_CELLS as f32
    }
}

/// What frames may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameBudget {
    /// Tokens that one frame becomes.
    pub tokens_per_frame: f32,
    /// Tokens a second that the prefill was measured to read.
    pub prefill_tokens_per_s: f32,
    /// Share of the time that may be spent on frames while somebody speaks.
    pub share: f32,
    /// Most frames a second, however fast the machine is.
    pub most_per_s: f32,
    /// Change from which a frame is worth its tokens, 0 to 1.
    pub least_change: f32,
}

impl Default for FrameBudget {
    /// Half of the time, at most two frames a second; the speed is a guess until it is measured.
    fn default() -> FrameBudget {
        FrameBudget {
            tokens_per_frame: 256.0,
            prefill_tokens_per_s: 200.0,
            share: 0.5,
            most_per_s: 2.0,
            least_change: 0.05,
        }
    }
}

/// Chooses while a turn is open.
#[derive(Clone, Debug, Default)]
pub struct FrameChooser {
    budget: FrameBudget,
    /// Tokens that may be spent; a fresh frame at the beginning of a turn may leave it below 0.
    credit: f32,
    counted_at: Duration,
    /// The frame given last.
    last: Option<(Duration, Thumbnail)>,
    /// Whether the open turn has no frame yet.
    wants_first: bool,
}

impl FrameChooser {
    /// Nothing was given yet.
    pub fn new(budget: FrameBudget) -> FrameChooser {
        FrameChooser { budget, credit: budget.tokens_per_frame, ..FrameChooser::default() }
    }

    /// Another budget, when the speed was measured or another model is there.
    pub fn set_budget(&mut self, budget: FrameBudget) {
        self.budget = budget;
    }

    /// The budget that holds.
    pub fn budget(&self) -> FrameBudget {
        self.budget
    }

    /// A turn begins: it gets one fresh frame whatever was given before.
    pub fn turn_opened(&mut self) {
        self.wants_first = true;
    }

    /// Whether the model is given this frame. Asked at each frame of an open turn, in order of time.
    pub fn offer(&mut self, now: Duration, thumbnail: &Thumbnail) -> bool {
        let budget = self.budget;
        let income = (budget.prefill_tokens_per_s * budget.share).max(0.0);
        let passed = now.saturating_sub(self.counted_at).as_secs_f32();
        self.counted_at = now;
        // Saved up is one frame, so that a still minute is not followed by a burst.
        self.credit = (self.credit + income * passed).min(budget.tokens_per_frame.max(0.0));
        let too_soon =
            self.last.as_ref().is_some_and(|(at, _)| (now.saturating_sub(*at)).as_secs_f32() * budget.most_per_s < 1.0);
        if too_soon {
            return false;
        }
        let news = self.last.as_ref().is_none_or(|(_, last)| thumbnail.change(last) >= budget.least_change);
        if !(self.wants_first || news && self.credit >= budget.tokens_per_frame) {
            return false;
        }
        self.wants_first = false;
        self.credit -= budget.tokens_per_frame;
        self.last = Some((now, thumbnail.clone()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with a bright square at a place.
    fn picture(x: u32, light: u8) -> Thumbnail {
        let (width, height) = (160, 120);
        let inside = |i: u32| (x..x + 30).contains(&(i % width)) && (40..70).contains(&(i / width));
        let rgb = (0..width * height).flat_map(|i| [if inside(i) { 200 } else { 20 } + light; 3]).collect();
        Thumbnail::of(&Image { width, height, rgb })
    }

    /// Times in ms at which frames were given, of 30 a second.
    fn given(chooser: &mut FrameChooser, from_s: f32, to_s: f32, scene: impl Fn(f32) -> Thumbnail) -> Vec<f32> {
        let frames = (from_s * 30.0) as u32..(to_s * 30.0) as u32;
        let times = frames.map(|i| i as f32 / 30.0);
        times.filter(|t| chooser.offer(Duration::from_secs_f32(*t), &scene(*t))).collect()
    }

    fn fast() -> FrameBudget {
        FrameBudget { prefill_tokens_per_s: 1e5, ..FrameBudget::default() }
    }

    #[test]
    fn change_is_what_moves_and_not_the_light() {
        let still = picture(10, 0);
        assert_eq!(still.change(&still), 0.0);
        assert!(still.change(&picture(10, 40)) < 0.02);
        assert!(still.change(&picture(90, 0)) > 0.2);
    }

    #[test]
    fn a_still_scene_is_given_once_a_turn() {
        let mut chooser = FrameChooser::new(fast());
        chooser.turn_opened();
        assert_eq!(given(&mut chooser, 0.0, 20.0, |_| picture(10, 0)), [0.0]);
        chooser.turn_opened();
        assert_eq!(given(&mut chooser, 20.0, 40.0, |_| picture(10, 0)), [20.0]);
    }

    #[test]
    fn what_changes_is_given_but_never_above_the_rate() {
        let mut chooser = FrameChooser::new(fast());
        chooser.turn_opened();
        let times = given(&mut chooser, 0.0, 10.0, |t| picture((t * 50.0) as u32 % 120, 0));
        assert!((18..=20).contains(&times.len()), "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 0.499), "{times:?}");
    }

    #[test]
    fn the_budget_holds_on_a_slow_machine() {
        // 100 tokens a second, half of them for frames of 256: one in 5.12 s.
        let slow = FrameBudget { prefill_tokens_per_s: 100.0, ..FrameBudget::default() };
        let mut chooser = FrameChooser::new(slow);
        chooser.turn_opened();
        let times = given(&mut chooser, 0.0, 60.0, |t| picture((t * 50.0) as u32 % 120, 0));
        assert!((11..=13).contains(&times.len()), "{times:?}");
    }

    #[test]
    fn each_turn_has_a_fresh_frame_even_without_budget() {
        let none = FrameBudget { prefill_tokens_per_s: 0.0, ..FrameBudget::default() };
        let mut chooser = FrameChooser::new(none);
        for turn in 0..5 {
            chooser.turn_opened();
            let times = given(&mut chooser, turn as f32 * 4.0, turn as f32 * 4.0 + 4.0, |_| picture(10, 0));
            assert_eq!(times, [turn as f32 * 4.0]);
        }
        // Two turns in a quarter of a second: the rate holds, the frame comes when it may.
        chooser.turn_opened();
        let first = given(&mut chooser, 20.0, 20.1, |_| picture(10, 0));
        chooser.turn_opened();
        let second = given(&mut chooser, 20.1, 21.0, |_| picture(10, 0));
        assert_eq!((first.len(), second.len()), (1, 1));
        assert!(second[0] - first[0] >= 0.499);
    }

    #[test]
    fn after_a_still_minute_there_is_no_burst() {
        let mut chooser = FrameChooser::new(FrameBudget { prefill_tokens_per_s: 256.0, ..FrameBudget::default() });
        chooser.turn_opened();
        given(&mut chooser, 0.0, 60.0, |_| picture(10, 0));
        let times = given(&mut chooser, 60.0, 64.0, |t| picture((t * 50.0) as u32 % 120, 0));
        assert!(times.len() <= 3, "{times:?}");
    }

    #[test]
    fn odd_pictures_have_thumbnails() {
        for (width, height) in [(1, 1), (3, 2), (5000, 1)] {
            let thumbnail = Thumbnail::of(&Image { width, height, rgb: vec![128; (width * height * 3) as usize] });
            assert!(thumbnail.0.iter().all(|cell| (0.5..0.51).contains(cell)));
        }
        // Fewer bytes than it says.
        Thumbnail::of(&Image { width: 100, height: 100, rgb: vec![1; 30] });
    }
}
