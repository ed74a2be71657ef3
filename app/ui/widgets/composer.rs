//! Where a message is typed: attachments above, the text, and the buttons beside it.

use super::controls::{self, Kind};
use super::icon::Icon;
use super::{clip, message};
use crate::ui::keys::{self, Does};
use crate::ui::state::{Action, Engine, Page, Part, State};
use crate::ui::theme::{self, TOUCH};
use crate::ui::view::{Field, Unsent, View};
use eframe::egui;
use egui::{
    Align, Context, Event, EventFilter, Frame, Id, Key, Label, Layout, Margin, Modifiers, Rect, RichText, ScrollArea,
    Sense, Stroke, TextEdit, Ui, UiBuilder, vec2,
};
use percept::Image;
use std::path::PathBuf;
use std::sync::Arc;

/// Lines of text that are seen at once.
const LINES: f32 = 6.0;

/// The field of the composer.
pub fn field() -> Id {
    Id::unique("composer")
}

/// Shows it, as wide as there is room.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let focused = ui.memory(|memory| memory.has_focus(field()));
    let edge = if focused { Stroke::new(2.0, colours.accent) } else { Stroke::new(1.0, colours.edge) };
    let margin = Margin::same(if focused { 5 } else { 6 });
    let frame = Frame::new().fill(colours.surface).stroke(edge).corner_radius(14).inner_margin(margin);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        if state.editing.is_some() {
            editing(ui, actions);
        }
        if !state.attached.is_empty() || state.reading > 0 {
            attached(ui, state, view, actions);
        }
        line(ui, state, view, actions);
    });
    path(ui.ctx(), state, view, actions);
}

fn editing(ui: &mut Ui, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    ui.horizontal(|ui| {
        ui.add_space(6.0);
        let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
        Icon::Pencil.paint(ui.painter(), rect, colours.accent);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if controls::button(ui, Kind::Quiet, None, "Cancel").clicked() {
                actions.push(Action::CancelEdit);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let told = "Editing an earlier message. As it was, it stays an earlier version.";
                ui.add(Label::new(RichText::new(told).font(theme::small()).color(colours.weak)).truncate());
            });
        });
    });
}

fn attached(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    ui.with_layout(Layout::left_to_right(Align::Min).with_main_wrap(true), |ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
        for (number, part) in state.attached.iter().enumerate() {
            let (name, kind) = match part {
                Part::Text(text) => (text.lines().next().unwrap_or("").trim(), "Text".to_string()),
                Part::Picture { name, image, .. } => (name.as_str(), format!("{} × {}", image.width, image.height)),
                Part::Sound { name, samples, .. } => {
                    (name.as_str(), format!("Sound, {}", clip::clock(samples.len() as f64 / 16e3)))
                }
                Part::Video { name, duration, .. } => {
                    (name.as_str(), format!("Video, {}", clip::clock(duration.as_secs_f64())))
                }
                Part::Away { name, .. } => (name.as_str(), String::new()),
            };
            let frame = Frame::new().fill(colours.raised).corner_radius(10).inner_margin(Margin {
                left: 5,
                right: 3,
                top: 5,
                bottom: 5,
            });
            frame.show(ui, |ui| {
                ui.push_id(number, |ui| {
                    ui.horizontal(|ui| {
                        ui.set_height(36.0);
                        if let Part::Picture { image, .. } | Part::Video { image, .. } = part {
                            let size = message::fitted(image, vec2(56.0, 36.0));
                            if message::picture(ui, view, name, image, size).clicked() {
                                view.enlarged = Some((name.into(), image.clone()));
                            }
                        } else {
                            let (rect, _) = ui.allocate_exact_size(vec2(30.0, 36.0), Sense::hover());
                            let icon = if matches!(part, Part::Text(_)) { Icon::Clip } else { Icon::Speaker };
                            icon.paint(ui.painter(), rect.shrink(6.0), colours.weak);
                        }
                        let lines = [(name, colours.text), (&kind, colours.weak)];
                        let lines =
                            lines.map(|(text, colour)| controls::one_line(ui, text, theme::small(), colour, 150.0));
                        let size = vec2(lines[0].size().x.max(lines[1].size().x), 36.0);
                        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
                        response.widget_info(|| {
                            egui::WidgetInfo::labeled(egui::accesskit::Role::Label, true, format!("{name}, {kind}"))
                        });
                        for (galley, middle) in lines.into_iter().zip([9.5, 26.5]) {
                            let at = rect.min + vec2(0.0, middle - galley.size().y / 2.0);
                            ui.painter().galley(at, galley, colours.text);
                        }
                        let remove = format!("Remove {name}");
                        if controls::tinted_button(ui, Kind::Quiet, Icon::Close, &remove, 28.0, None).clicked() {
                            actions.push(Action::Detach(number));
                        }
                    });
                });
            });
        }
        if state.reading > 0 {
            reading(ui, state, view, actions);
        }
    });
    ui.add_space(4.0);
}

fn reading(ui: &mut Ui, state: &State, view: &View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let margin = Margin { left: 10, right: 3, top: 5, bottom: 5 };
    let frame = Frame::new().fill(colours.raised).corner_radius(10).inner_margin(margin);
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_height(36.0);
            controls::dots(ui, colours.accent);
            let told = match state.reading {
                1 => "Reading a file".to_string(),
                more => format!("Reading {more} files"),
            };
            let then = if view.unsent.is_some() { ", then it is sent" } else { "" };
            ui.label(RichText::new(told + then).font(theme::small()).color(colours.weak));
            if controls::tinted_button(ui, Kind::Quiet, Icon::Close, "Wait for no file", 28.0, None).clicked() {
                actions.push(Action::ForgetFiles);
            }
        });
    });
}

fn line(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let width = ui.available_width();
    let text_width = width - 2.0 * (TOUCH + 6.0);
    let galley = ui.painter().layout(view.draft.clone(), theme::body(), colours.text, text_width - 8.0);
    let row = ui.fonts_mut(|fonts| fonts.row_height(&theme::body()));
    let height = (galley.size().y.clamp(row, LINES * row) + 12.0).max(TOUCH);
    let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let corner = |left: f32| Rect::from_min_size(egui::pos2(left, rect.bottom() - TOUCH), vec2(TOUCH, TOUCH));
    let at = |place: Rect, ui: &mut Ui, add: &mut dyn FnMut(&mut Ui)| {
        ui.scope_builder(UiBuilder::new().max_rect(place), add);
    };

    at(corner(rect.left()), ui, &mut |ui| {
        let name = format!("Attach a file ({})", keys::told(&state.settings, Does::Attach));
        if controls::icon_button(ui, Kind::Quiet, Icon::Clip, &name).clicked() {
            keys::attach(state, view, actions);
        }
    });

    let place = Rect::from_min_size(rect.min + vec2(TOUCH + 6.0, 0.0), vec2(text_width, height));
    // If one of its files cannot be read, the person decides, as with any other change.
    let waits = view.unsent.as_ref() == Some(&unsent(state, view));
    if !waits || state.reading == 0 {
        view.unsent = None;
    }
    let mut wants_to_send = waits && state.reading == 0;
    ui.scope_builder(UiBuilder::new().max_rect(place).layout(Layout::top_down(Align::Min)), |ui| {
        wants_to_send |= typed(ui, state, view, row);
    });

    at(corner(rect.right() - TOUCH), ui, &mut |ui| {
        if state.answering() && view.draft.trim().is_empty() {
            let name = format!("Stop ({})", keys::told(&state.settings, Does::Stop));
            if controls::icon_button(ui, Kind::Primary, Icon::Stop, &name).clicked() {
                actions.push(Action::Stop);
            }
        } else {
            let ready = can_send(state, view);
            let kind = if ready { Kind::Primary } else { Kind::Plain };
            let name = format!("Send ({})", keys::told(&state.settings, Does::Send));
            let pressed =
                ui.add_enabled_ui(ready, |ui| controls::icon_button(ui, kind, Icon::Send, &name).clicked()).inner;
            wants_to_send |= pressed;
        }
    });
    if wants_to_send && state.reading > 0 && can_send(state, view) {
        view.unsent = Some(unsent(state, view));
    } else if wants_to_send && can_send(state, view) {
        actions.push(Action::Send(std::mem::take(&mut view.draft).trim().into()));
        view.focus = Some(Field::Composer);
    }
}

/// The message as it is now.
fn unsent(state: &State, view: &View) -> Unsent {
    Unsent {
        draft: view.draft.clone(),
        conversation: state.conversation.id,
        editing: state.editing,
        files: state.attached.len() + state.reading,
    }
}

fn can_send(state: &State, view: &View) -> bool {
    state.loaded().is_some()
        && !state.conversation.loading
        && (!view.draft.trim().is_empty() || !state.attached.is_empty() || state.reading > 0)
}

/// The text field; says whether the keys to send were pressed in it.
fn typed(ui: &mut Ui, state: &State, view: &mut View, row: f32) -> bool {
    let send = keys::shortcut(&state.settings, Does::Send);
    let mut wants = false;
    if ui.memory(|memory| memory.has_focus(field())) {
        let always = egui::KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);
        wants = ui.input_mut(|input| send.into_iter().chain([always]).any(|keys| keys::pressed(input, keys)));
    }
    let hint = match &state.engine {
        Engine::Ready(loaded) if loaded.sees => "Ask something, or drop a picture",
        Engine::Ready(_) => "Ask something",
        Engine::Loading { .. } => "You can type already; the model is on its way",
        Engine::Failed(_) => "There is no model to ask; choose one",
    };
    ScrollArea::vertical().max_height(LINES * row + 12.0).show(ui, |ui| {
        let edit = TextEdit::multiline(&mut view.draft)
            .id(field())
            .hint_text(hint)
            .desired_rows(1)
            .desired_width(f32::INFINITY)
            .frame(Frame::new().inner_margin(Margin { left: 2, right: 2, top: 7, bottom: 5 }))
            .return_key(keys::shortcut(&state.settings, Does::NewLine))
            .event_filter(EventFilter { tab: false, horizontal_arrows: true, vertical_arrows: true, escape: true });
        let response = ui.add(edit).accessible_name("Message");
        if view.focus == Some(Field::Composer) {
            view.focus = None;
            response.request_focus();
        }
    });
    wants
}

/// What is dropped on the window or pasted as a picture, on whatever page.
pub fn take(ctx: &Context, state: &State, actions: &mut Vec<Action>) {
    let before = actions.len();
    let dropped: Vec<PathBuf> =
        ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().into()).collect());
    if !dropped.is_empty() {
        actions.push(Action::Attach(dropped));
    }
    let pasted = ctx.input(|input| {
        let picture = |event: &Event| if let Event::PasteImage(image) = event { Some(image.clone()) } else { None };
        input.events.iter().find_map(picture)
    });
    if let Some(picture) = pasted {
        let [width, height] = picture.size.map(|side| side as u32);
        let rgb = picture.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
        if width > 0 && height > 0 {
            actions.push(Action::AttachPicture {
                image: Arc::new(Image { width, height, rgb }),
                name: "Pasted picture".into(),
            });
        }
    }
    if actions.len() > before && state.page != Page::Conversation {
        actions.push(Action::Show(Page::Conversation));
    }
}

/// The path of a file, where the system has no dialog to choose it.
fn path(ctx: &Context, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let Some(mut path) = view.path.take() else { return };
    let shown = egui::Modal::new(Id::unique("path")).frame(controls::dialog(ctx)).show(ctx, |ui| {
        let colours = theme::palette(ui);
        ui.set_width(440.0f32.min(ui.ctx().content_rect().width() - 80.0));
        ui.label(RichText::new("Attach a file").font(theme::strong()));
        let told = match state.loaded() {
            Some(loaded) if !loaded.sees && !loaded.hears => {
                "This model takes text files. You can also drop them on the window."
            }
            _ => "A picture, sound, video or text file. You can also drop it on the window, or paste a picture.",
        };
        ui.add(Label::new(RichText::new(told).color(colours.weak)).wrap());
        ui.add_space(theme::SMALL);
        let edit = TextEdit::singleline(&mut path).hint_text("Path of the file").desired_width(f32::INFINITY);
        let response = ui.add(edit).accessible_name("Path of the file");
        if view.focus == Some(Field::Path) {
            view.focus = None;
            response.request_focus();
        }
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        ui.add_space(theme::SMALL);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let attach = controls::button(ui, Kind::Primary, None, "Attach").clicked();
            let cancel = controls::button(ui, Kind::Plain, None, "Cancel").clicked();
            (attach || entered, cancel)
        })
        .inner
    });
    let (attach, cancel) = shown.inner;
    if attach && !path.trim().is_empty() {
        actions.push(Action::Attach(vec![home(path.trim())]));
        view.focus = Some(Field::Composer);
    } else if !cancel && !shown.should_close() {
        view.path = Some(path);
    }
}

/// A path as people write it: quotes around it and a tilde for the home folder.
pub fn home(path: &str) -> PathBuf {
    let bare = path.trim_matches(|c| c == '"' || c == '\'');
    let bare = bare.strip_prefix("file://").unwrap_or(bare);
    match (bare.strip_prefix("~/"), dirs::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => bare.into(),
    }
}

/// While files hover over the window: what will happen to them.
pub fn drop_zone(ctx: &Context) {
    let count = ctx.input(|input| input.raw.hovered_files.len());
    if count == 0 {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, Id::unique("drop zone"));
    let painter = ctx.layer_painter(layer);
    let colours = if ctx.theme() == egui::Theme::Dark { &theme::DARK } else { &theme::LIGHT };
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, colours.window.gamma_multiply(0.94));
    let inner = rect.shrink(20.0);
    let corners = [inner.left_top(), inner.right_top(), inner.right_bottom(), inner.left_bottom(), inner.left_top()];
    painter.extend(egui::Shape::dashed_line(&corners, Stroke::new(2.0, colours.accent), 10.0, 7.0));
    let text = if count == 1 { "Drop to attach it".to_string() } else { format!("Drop to attach {count} files") };
    Icon::Picture.paint(
        &painter,
        Rect::from_center_size(inner.center() - vec2(0.0, 34.0), vec2(44.0, 44.0)),
        colours.accent,
    );
    painter.text(inner.center() + vec2(0.0, 16.0), egui::Align2::CENTER_CENTER, text, theme::title(), colours.text);
}

#[cfg(test)]
mod tests {
    use super::home;
    use std::path::PathBuf;

    #[test]
    fn paths_are_taken_as_people_write_them() {
        assert_eq!(home("'/media/a b.png'"), PathBuf::from("/media/a b.png"));
        assert_eq!(home("file:///media/a.png"), PathBuf::from("/media/a.png"));
        if let Some(folder) = dirs::home_dir() {
            assert_eq!(home("~/a.png"), folder.join("a.png"));
        }
    }
}
