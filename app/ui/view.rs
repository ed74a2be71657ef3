//! What only the pages keep: half-typed text, what is folded, pictures on the adapter. Nothing of it is stored.

use super::state::{Message, Page, Part, State};
use super::widgets::spectrogram::MelImage;
use eframe::egui;
use egui::{ColorImage, TextureHandle, TextureId, TextureOptions, Vec2};
use egui_commonmark::CommonMarkCache;
use percept::Image;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What is drawn live, fresh for each frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meters<'a> {
    /// Loudness of the microphone, 0 to 1.
    pub level: f32,
    /// How likely somebody speaks, 0 to 1.
    pub voice: f32,
    /// Lowest and highest sample of each 10 ms, oldest first.
    pub waveform: &'a [(f32, f32)],
    /// The mel spectrogram of the same seconds.
    pub mel: Option<&'a MelImage>,
    /// The camera's last picture.
    pub preview: Option<&'a Arc<Image>>,
}

/// Where the keyboard should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// What is typed to the model.
    Composer,
    /// The search over conversations.
    Search,
    /// The new title.
    Rename,
    /// The path of a file.
    Path,
}

/// A message that waits for its files; whoever changes anything of it has to send it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsent {
    /// Its text.
    pub draft: String,
    /// Where.
    pub conversation: Option<i64>,
    /// In whose place.
    pub editing: Option<i64>,
    /// So many belong to it.
    pub files: usize,
}

/// See the module.
#[derive(Default)]
pub struct View {
    /// Seconds since 1970; the window sets it before each frame.
    pub now: u64,
    /// Since the start, on the clock of [`State`]; likewise.
    pub elapsed: Duration,
    /// What is typed to the model.
    pub draft: String,
    /// What was typed when an earlier message began to be edited; comes back when that ends.
    pub put_aside: String,
    /// The message whose text was put into the draft.
    pub editing: Option<i64>,
    /// What is typed into the search.
    pub search: String,
    /// The first line of what is found shall be opened as soon as it is there.
    pub open_first: bool,
    /// The message that shall be sent as soon as its files are read.
    pub unsent: Option<Unsent>,
    /// The path that is typed, while its field is open.
    pub path: Option<String>,
    /// The conversation that gets another title, and the title so far.
    pub renaming: Option<(i64, String)>,
    /// The list of conversations is shown or not, other than the width of the window has it.
    pub list: Option<bool>,
    /// Where the keyboard should go with the next frame.
    pub focus: Option<Field>,
    /// Messages whose thinking is shown.
    pub unfolded: HashSet<i64>,
    /// The answer of which is shown where it looked, and the word of it that is chosen.
    pub looking: Option<(i64, Option<usize>)>,
    /// The message that a search found: the page goes there when it is shown.
    pub found: Option<i64>,
    /// The picture that is shown large, with its name.
    pub enlarged: Option<(String, Arc<Image>)>,
    /// The message or the code that was copied last, and when.
    pub copied: Option<(egui::Id, f64)>,
    /// The name or path of a model that is typed.
    pub model: String,
    /// The model that would be removed.
    pub removing: Option<String>,
    /// The name of the binding that waits for its new keys.
    pub capturing: Option<&'static str>,
    /// Everything would be set back.
    pub resetting: bool,
    /// The key for talking is held.
    pub talking: bool,
    /// The page with the message field was laid out before.
    pub laid_out: bool,
    /// The page that was shown last.
    pub page: Option<Page>,
    /// Of egui_commonmark.
    pub markdown: CommonMarkCache,
    /// Pictures on the adapter.
    pub textures: Textures,
    /// Peaks of sound clips, by the address of their samples.
    pub peaks: Peaks,
    /// How tall the messages are.
    pub heights: Heights,
}

impl View {
    /// Before each frame: what follows from the state by itself.
    pub fn follow(&mut self, state: &State, ctx: &egui::Context) {
        if self.page.replace(state.page).is_some_and(|before| before != state.page) {
            (self.capturing, self.removing, self.resetting) = (None, None, false);
        }
        if self.editing != state.editing {
            if self.editing.is_none() {
                self.put_aside = std::mem::take(&mut self.draft);
            }
            let message = state.editing.and_then(|id| state.conversation.messages.iter().find(|m| m.id == id));
            self.draft = match message {
                Some(message) => message.text().into(),
                None => std::mem::take(&mut self.put_aside),
            };
            (self.editing, self.focus) = (state.editing, Some(Field::Composer));
        }
        self.textures.sweep(ctx);
        self.peaks.sweep();
    }

    /// Copies a text and remembers by which button.
    pub fn copy(&mut self, ctx: &egui::Context, button: egui::Id, text: &str) {
        ctx.copy_text(text.into());
        self.copied = Some((button, ctx.input(|i| i.time)));
    }

    /// Whether this button copied just now.
    pub fn just_copied(&self, ctx: &egui::Context, button: egui::Id) -> bool {
        let now = ctx.input(|i| i.time);
        let copied = self.copied.is_some_and(|(id, at)| id == button && now - at < 2.0);
        if copied {
            ctx.request_repaint_after(Duration::from_millis(500));
        }
        copied
    }
}

/// Frames for which an unused picture stays on the adapter.
const KEPT_FRAMES: u64 = 600;

struct Kept {
    // Holds the address, which is the key.
    image: Arc<Image>,
    texture: TextureHandle,
    used: u64,
}

/// Pictures on the adapter, uploaded once.
#[derive(Default)]
pub struct Textures {
    pictures: HashMap<(usize, usize), Kept>,
    live: HashMap<&'static str, (u64, TextureHandle)>,
}

impl Textures {
    /// A picture, no larger than `most` texels on a side, and its own size.
    pub fn picture(&mut self, ctx: &egui::Context, image: &Arc<Image>, most: usize) -> (TextureId, Vec2) {
        let most = most.next_power_of_two();
        let kept = self.pictures.entry((Arc::as_ptr(image) as usize, most)).or_insert_with(|| Kept {
            image: image.clone(),
            texture: ctx.load_texture("picture", shrink(image, most), TextureOptions::LINEAR),
            used: 0,
        });
        kept.used = ctx.cumulative_frame_nr();
        (kept.texture.id(), egui::vec2(kept.image.width as f32, kept.image.height as f32))
    }

    /// A picture that changes all the time: one texture by name, written again when `version` is another.
    pub fn live(
        &mut self,
        ctx: &egui::Context,
        name: &'static str,
        version: u64,
        make: impl FnOnce() -> ColorImage,
    ) -> TextureId {
        match self.live.get_mut(name) {
            Some((shown, texture)) => {
                if *shown != version {
                    *shown = version;
                    texture.set(make(), TextureOptions::LINEAR);
                }
                texture.id()
            }
            None => {
                let texture = ctx.load_texture(name, make(), TextureOptions::LINEAR);
                let id = texture.id();
                self.live.insert(name, (version, texture));
                id
            }
        }
    }

    /// A picture of the camera: each one is another, so they share a texture.
    pub fn camera(&mut self, ctx: &egui::Context, image: &Arc<Image>) -> TextureId {
        self.live(ctx, "camera", Arc::as_ptr(image) as u64, || shrink(image, 640))
    }

    fn sweep(&mut self, ctx: &egui::Context) {
        let now = ctx.cumulative_frame_nr();
        self.pictures.retain(|_, kept| now.saturating_sub(kept.used) < KEPT_FRAMES);
    }
}

/// The picture with at most `most` pixels on a side; a pixel is the mean of up to 16 of those it stands for, so that a huge
/// picture costs no more than a small one.
pub fn shrink(image: &Image, most: usize) -> ColorImage {
    let (width, height) = (image.width as usize, image.height as usize);
    if width.max(height) <= most {
        return ColorImage::from_rgb([width, height], &image.rgb);
    }
    let scale = most as f64 / width.max(height) as f64;
    let size = [width, height].map(|side| ((side as f64 * scale).round() as usize).max(1));
    let mut rgb = Vec::with_capacity(size[0] * size[1] * 3);
    for y in 0..size[1] {
        let rows = spread(y, size[1], height);
        for x in 0..size[0] {
            let mut sum = [0u32; 3];
            let columns = spread(x, size[0], width);
            for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
                let at = (row * width + column) * 3;
                (0..3).for_each(|i| sum[i] += u32::from(image.rgb[at + i]));
            }
            rgb.extend(sum.map(|sum| (sum / 16) as u8));
        }
    }
    ColorImage::from_rgb(size, &rgb)
}

/// Four places, evenly over the part of `from` that stands for number `i` of `to`.
fn spread(i: usize, to: usize, from: usize) -> [usize; 4] {
    [0, 1, 2, 3].map(|part| ((4 * i + part) * from + from / 2) / (4 * to)).map(|at| at.min(from - 1))
}

/// How tall messages are on the screen, as far as they were laid out.
#[derive(Default)]
pub struct Heights {
    /// Width, font and scale by which they are.
    by: [f32; 3],
    known: HashMap<i64, f32>,
    /// The last message is not in sight.
    pub scrolled: bool,
}

impl Heights {
    /// Forgets them all if they are by another width, font or scale.
    pub fn fit(&mut self, by: [f32; 3]) {
        if self.by != by {
            self.by = by;
            self.known.clear();
        }
    }

    /// The height of a message, and whether it is more than a guess.
    pub fn of(&self, message: &Message) -> (f32, bool) {
        if let Some(height) = self.known.get(&message.id) {
            return (*height, true);
        }
        let [width, font, _] = self.by;
        let of = |part: &Part| match part {
            Part::Text(text) => font * (1.0 + text.len() as f32 * font * 0.4 / width.max(font)),
            _ => 100.0,
        };
        (40.0 + message.parts.iter().map(of).sum::<f32>(), false)
    }

    /// So it was laid out.
    pub fn set(&mut self, message: i64, height: f32) {
        self.known.insert(message, height);
    }
}

/// Pairs of lowest and highest samples.
type Pairs = Arc<Vec<(f32, f32)>>;

/// Lowest and highest samples of sound clips: computed once, for a minute of sound has a million samples.
#[derive(Default)]
pub struct Peaks {
    clips: HashMap<usize, (Arc<Vec<f32>>, Pairs)>,
}

impl Peaks {
    /// Pairs of the whole clip, `COUNT` of them.
    pub fn of(&mut self, samples: &Arc<Vec<f32>>) -> Pairs {
        const COUNT: usize = 160;
        let entry = self.clips.entry(Arc::as_ptr(samples) as usize).or_insert_with(|| {
            let pairs = (0..COUNT).map(|i| {
                let range = i * samples.len() / COUNT..(i + 1) * samples.len() / COUNT;
                samples[range].iter().fold((0.0f32, 0.0f32), |(low, high), s| (low.min(*s), high.max(*s)))
            });
            (samples.clone(), Arc::new(pairs.collect()))
        });
        entry.1.clone()
    }

    /// Clips that nobody else holds go.
    fn sweep(&mut self) {
        self.clips.retain(|_, (samples, _)| Arc::strong_count(samples) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_shrunk_to_its_means() {
        let (width, height) = (400, 100);
        let rgb = (0..width * height).flat_map(|i| if (i % width) < 200 { [200, 0, 0] } else { [0, 0, 100] }).collect();
        let small = shrink(&Image { width: width as u32, height: height as u32, rgb }, 40);
        assert_eq!(small.size, [40, 10]);
        assert_eq!((small.pixels[0].r(), small.pixels[39].b(), small.pixels[19].r()), (200, 100, 200));
        let thin = Image { width: 1000, height: 1, rgb: vec![7; 3000] };
        assert_eq!(shrink(&thin, 10).size, [10, 1]);
    }

    #[test]
    fn peaks_hold_the_extremes_and_go_with_the_clip() {
        let mut peaks = Peaks::default();
        let mut samples = vec![0.0; 16_000];
        (samples[0], samples[15_999]) = (-0.5, 0.75);
        let samples = Arc::new(samples);
        let pairs = peaks.of(&samples);
        assert_eq!((pairs[0].0, pairs[pairs.len() - 1].1), (-0.5, 0.75));
        peaks.sweep();
        assert_eq!(peaks.clips.len(), 1);
        drop(samples);
        peaks.sweep();
        assert_eq!(peaks.clips.len(), 0);
        assert!(peaks.of(&Arc::new(Vec::new())).iter().all(|pair| *pair == (0.0, 0.0)));
    }
}
