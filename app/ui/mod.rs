//! The window: what is shown, what a person wants of it. Pages read the state and push actions; nothing here waits, reads
//! files or knows the engine.

pub mod desk;
mod devices;
pub mod frames;
#[cfg(all(test, feature = "embedded-model"))]
mod held;
pub mod keys;
mod media;
pub mod pages;
#[cfg(test)]
mod soak;
pub mod state;
#[cfg(test)]
mod tests;
pub mod theme;
mod update;
pub mod view;
pub mod widgets;
pub mod window;

use eframe::egui;
use state::{Action, Page, State};
pub use view::{Meters, View};

/// Draws everything: the list, the page that is in front, and what lies over them. [`theme::install`] comes once before it,
/// [`theme::set`] and the two clocks of [`View`] before each frame.
pub fn show_all(ui: &mut egui::Ui, state: &State, view: &mut View, meters: &Meters<'_>, actions: &mut Vec<Action>) {
    let ctx = ui.ctx().clone();
    view.follow(state, &ctx);
    keys::handle(&ctx, state, view, actions);
    let window = theme::palette(ui).window;
    ui.painter().rect_filled(ctx.content_rect(), 0.0, window);
    widgets::sidebar::show(ui, state, view, actions);
    widgets::notices::show(ui, state, actions);
    match state.page {
        Page::Conversation => pages::conversation::show(ui, state, view, meters, actions),
        Page::Models => pages::models::show(ui, state, view, actions),
        Page::Engine => pages::engine::show(ui, state, view),
        Page::Settings => pages::settings::show(ui, state, view, actions),
    }
    widgets::composer::take(&ctx, state, actions);
    widgets::message::enlarged(&ctx, view);
    widgets::composer::drop_zone(&ctx);
}
