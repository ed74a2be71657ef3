//! The window: eframe's loop around the desk. Drawing goes through GL where only software adapters are there, which is several
//! times cheaper than software Vulkan; the engine computes on its own device either way.

use super::desk::{Desk, Options};
use super::frames::Due;
use super::state::{Page, Phase, Progress, State};
use super::update::Msg;
use super::view::View;
use super::{Meters, show_all, theme};
use crate::ui::widgets::spectrogram::MelImage;
use anyhow::{Result, anyhow};
use eframe::egui;
use eframe::{CreationContext, NativeOptions, Renderer};
use percept::hearing::NUM_MELS;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between frames while level and waveform move, while only the camera's picture does, also where the processor draws, and while
/// nothing moves: what begins to move wakes the window.
const MOVING: Duration = Duration::from_millis(33);
const LOOKING: Duration = Duration::from_millis(100);
const LOOKING_BY_SOFTWARE: Duration = Duration::from_millis(200);
const QUIET: Duration = Duration::from_millis(500);
/// Natural logarithms from the loudest to the darkest colour of the spectrogram.
const MEL_RANGE: f32 = 5.9;

/// Opens the window and stays in it until it is closed.
///
/// # Errors
/// If there is no display, or no adapter that can draw.
pub fn run(options: Options) -> Result<()> {
    let software = percept::adapters().iter().all(|adapter| adapter.capabilities.software);
    let native = NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Percept")
            .with_app_id("percept")
            .with_inner_size([1100.0, 760.0])
            .with_min_inner_size([480.0, 400.0])
            .with_drag_and_drop(true),
        renderer: if software { Renderer::Glow } else { Renderer::Wgpu },
        ..NativeOptions::default()
    };
    let problem = Arc::new(OnceLock::new());
    let told = problem.clone();
    let create = move |context: &CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        let window = Window::new(context, options, software).map_err(|error| {
            let sentence = format!("{error:#}");
            let _ = told.set(error);
            sentence
        })?;
        Ok(Box::new(window) as Box<dyn eframe::App>)
    };
    match (
        eframe::run_native("percept", native, Box::new(create)),
        Arc::into_inner(problem).and_then(OnceLock::into_inner),
    ) {
        (_, Some(error)) => Err(error),
        (Ok(()), None) => Ok(()),
        (Err(error), None) => {
            Err(anyhow!("no window could be opened ({error}); `percept chat` talks in this terminal"))
        }
    }
}

/// What eframe runs.
pub struct Window {
    /// State and workers.
    pub desk: Desk,
    view: View,
    waveform: Vec<(f32, f32)>,
    mel: MelImage,
    due: Due,
    /// The processor draws.
    software: bool,
}

impl Window {
    /// Starts everything behind the window.
    ///
    /// # Errors
    /// As [`Desk::new`].
    pub fn new(context: &CreationContext<'_>, options: Options, software: bool) -> Result<Window> {
        theme::install(&context.egui_ctx);
        let ctx = context.egui_ctx.clone();
        let due = Due::default();
        let woken = due.woken();
        let wake = move || {
            woken.wake();
            ctx.request_repaint();
        };
        let desk = Desk::new(options, Arc::new(wake))?;
        let (view, mel) = (View::default(), MelImage::default());
        Ok(Window { desk, view, waveform: Vec::new(), mel, due, software })
    }

    /// Takes in news; also while the window is hidden.
    pub fn take_in(&mut self) {
        self.desk.drain();
    }

    /// Draws, and does what the person wants.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        theme::set(&ctx, &self.desk.state.settings);
        self.view.now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.view.elapsed = self.desk.now();
        let mut actions = Vec::new();
        let (frames, version) = self.desk.spectrogram();
        if version != self.mel.version {
            self.mel = MelImage::from_log(NUM_MELS, frames.iter().copied().collect(), MEL_RANGE, version);
        }
        {
            let meters = self.desk.meters();
            meters.waveform(&mut self.waveform);
            let preview = meters.preview();
            let shown = Meters {
                level: meters.level(),
                voice: meters.voice(),
                waveform: &self.waveform,
                mel: Some(&self.mel),
                preview: preview.as_ref(),
            };
            show_all(ui, &self.desk.state, &mut self.view, &shown, &mut actions);
        }
        for action in actions {
            self.desk.happen(Msg::Action(action));
        }
        let looking = if self.software { LOOKING_BY_SOFTWARE } else { LOOKING };
        let pause = pause(&self.desk.state, self.desk.meters().is_audible(false), looking);
        if let Some(pause) = pause {
            ctx.request_repaint_after(pause);
        }
        self.due.ask(Instant::now(), pause);
    }

    /// A frame begins: how late it is, and what the one before it cost.
    fn note_frame(&mut self, ctx: &egui::Context, frame: &eframe::Frame) {
        if ctx.input(|input| input.viewport().visible()) == Some(false) {
            return self.due.hidden();
        }
        // A frame that is laid out twice is one frame.
        if ctx.current_pass_index() > 0 {
            return;
        }
        let state = &mut self.desk.state;
        let busy = state.answering() || state.live.phase == Phase::Listening;
        let times = state.figures.frames.of(busy);
        if let Some(late) = self.due.begin(Instant::now()) {
            times.note_late(late);
        }
        let cost = frame.info().cpu_usage.and_then(|seconds| Duration::try_from_secs_f32(seconds).ok());
        if let Some(cost) = cost {
            times.note_cost(cost);
        }
    }
}

/// When the next frame is due although nothing happens, `looking` while the camera is on; `None` if only news asks for one.
fn pause(state: &State, audible: bool, looking: Duration) -> Option<Duration> {
    let moving = matches!(state.live.phase, Phase::Listening | Phase::Speaking) || audible;
    let open = state.conversation.messages.last().is_some_and(|message| message.progress == Progress::Open);
    match (moving, open || !state.live.muted) {
        (true, _) => Some(MOVING),
        (false, _) if state.live.camera => Some(looking),
        (false, true) => Some(QUIET),
        // Where devices are shown they are looked for.
        (false, false) if state.page == Page::Settings => Some(Duration::from_secs(1)),
        (false, false) if !state.notices.is_empty() => Some(Duration::from_secs(1)),
        (false, false) => None,
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.note_frame(ctx, frame);
        self.take_in();
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.draw(ui);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::settings::Settings;

    #[test]
    fn frames_come_as_fast_as_something_moves() {
        let mut state = State::new(Settings::default());
        assert_eq!(pause(&state, false, LOOKING), Some(QUIET));
        assert_eq!(pause(&state, true, LOOKING), Some(MOVING));
        state.live.camera = true;
        assert_eq!(pause(&state, false, LOOKING_BY_SOFTWARE), Some(LOOKING_BY_SOFTWARE));
        state.live.phase = Phase::Speaking;
        assert_eq!(pause(&state, false, LOOKING), Some(MOVING));
        (state.live.phase, state.live.camera, state.live.muted) = (Phase::Idle, false, true);
        assert_eq!(pause(&state, false, LOOKING), None);
        state.page = Page::Settings;
        assert!(pause(&state, false, LOOKING).is_some());
    }
}
