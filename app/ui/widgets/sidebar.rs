//! The left edge: pages, and the list of conversations with its search. Where there is little room, icons alone.

use super::controls::{self, Kind};
use super::icon::{self, Icon};
use crate::ui::keys::{self, Does};
use crate::ui::state::{Action, Engine, Line, Page, State};
use crate::ui::theme::{self, TOUCH};
use crate::ui::view::{Field, View};
use eframe::egui;
use egui::accesskit::Role;
use egui::{
    Align, Color32, Frame, Id, Key, Layout, Margin, Popup, Rect, RichText, ScrollArea, Sense, TextEdit, Ui, UiBuilder,
    WidgetInfo, pos2, vec2,
};

const PAGES: [(Page, Icon, &str); 4] = [
    (Page::Conversation, Icon::Chat, "Conversation"),
    (Page::Models, Icon::Model, "Models"),
    (Page::Engine, Icon::Engine, "Engine"),
    (Page::Settings, Icon::Settings, "Settings"),
];

/// The field of the search.
pub fn search_field() -> Id {
    Id::unique("search")
}

/// Whether the list has its room.
pub fn is_open(view: &View, width: f32) -> bool {
    view.list.unwrap_or(width >= theme::WIDE)
}

/// Shows it.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let open = is_open(view, ui.ctx().content_rect().width());
    let width = if open { theme::SIDEBAR } else { theme::RAIL };
    let frame = Frame::new().fill(colours.sidebar).inner_margin(Margin::same(12));
    egui::Panel::left("sidebar").exact_size(width).resizable(false).show_separator_line(false).frame(frame).show(
        ui,
        |ui| {
            head(ui, state, view, open, actions);
            ui.add_space(theme::SMALL);
            if open {
                search(ui, state, view, actions);
            }
            ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
                foot(ui, state, open);
                ui.add_space(theme::SMALL);
                for (page, icon, title) in PAGES.into_iter().rev() {
                    if entry(ui, state, page, icon, title, open) {
                        actions.push(Action::Show(page));
                    }
                }
                ui.add_space(theme::SMALL);
                if open {
                    ui.with_layout(Layout::top_down(Align::Min), |ui| list(ui, state, view, actions));
                }
            });
        },
    );
}

fn head(ui: &mut Ui, state: &State, view: &mut View, open: bool, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let told = |does| keys::told(&state.settings, does);
    let new = format!("New conversation ({})", told(Does::New));
    if open {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(26.0, TOUCH), Sense::hover());
            icon::logo(
                ui.painter(),
                Rect::from_center_size(rect.center(), vec2(26.0, 26.0)),
                colours.accent,
                colours.sidebar,
            );
            ui.label(RichText::new("Percept").font(egui::FontId { size: 17.0, ..theme::strong() }));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if controls::icon_button(ui, Kind::Quiet, Icon::List, &format!("Hide the list ({})", told(Does::List)))
                    .clicked()
                {
                    view.list = Some(false);
                }
            });
        });
        ui.add_space(theme::SMALL);
        if controls::wide_button(ui, Kind::Plain, Some(Icon::Plus), "New conversation", ui.available_width())
            .on_hover_text(told(Does::New))
            .clicked()
        {
            actions.push(Action::New);
            view.focus = Some(Field::Composer);
        }
    } else {
        let buttons = [
            (Icon::List, format!("Show the list ({})", told(Does::List))),
            (Icon::Plus, new),
            (Icon::Search, format!("Search conversations ({})", told(Does::Search))),
        ];
        for (icon, name) in buttons {
            if controls::icon_button(ui, Kind::Quiet, icon, &name).clicked() {
                match icon {
                    Icon::List => view.list = Some(true),
                    Icon::Plus => {
                        actions.push(Action::New);
                        view.focus = Some(Field::Composer);
                    }
                    _ => (view.list, view.focus) = (Some(true), Some(Field::Search)),
                }
            }
        }
    }
}

fn search(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let before = view.search.clone();
    let full = ui.available_width();
    let margin = Margin { left: 32, right: 30, top: 6, bottom: 6 };
    let edit = TextEdit::singleline(&mut view.search).id(search_field()).hint_text("Search");
    let edit = edit.desired_width(full).margin(margin);
    let response = ui.add(edit).accessible_name("Search conversations");
    let lens = Rect::from_center_size(response.rect.left_center() + vec2(18.0, 0.0), vec2(16.0, 16.0));
    Icon::Search.paint(ui.painter(), lens, colours.weak);
    if !view.search.is_empty() {
        let place = Rect::from_center_size(response.rect.right_center() - vec2(17.0, 0.0), vec2(24.0, 24.0));
        ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
            if controls::tinted_button(ui, Kind::Quiet, Icon::Close, "Clear the search", 24.0, None).clicked() {
                view.search.clear();
            }
        });
    }
    if view.focus == Some(Field::Search) {
        view.focus = None;
        response.request_focus();
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
        view.search.clear();
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        view.open_first = !view.search.trim().is_empty();
    }
    if view.search != before {
        view.open_first = false;
        actions.push(Action::Search(view.search.trim().into()));
    } else if view.open_first && !state.searching {
        view.open_first = false;
        if let Some(line) = state.lines.first() {
            view.found = line.message;
            view.focus = Some(Field::Composer);
            actions.extend([line.open(), Action::Show(Page::Conversation)]);
        }
    }
}

fn list(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    if state.lines.is_empty() {
        ui.add_space(theme::SPACE);
        let told = match (state.searching, state.search.is_empty()) {
            (true, _) => "",
            (false, true) => "Conversations are kept here.",
            (false, false) => "Nothing was found.",
        };
        ui.vertical_centered(|ui| ui.label(RichText::new(told).font(theme::small()).color(colours.weak)));
        return;
    }
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for line in &state.lines {
            ui.push_id((line.id, line.message), |ui| row(ui, state, view, line, actions));
        }
    });
}

fn row(ui: &mut Ui, state: &State, view: &mut View, line: &Line, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    if view.renaming.as_ref().is_some_and(|(id, _)| *id == line.id) {
        return rename(ui, view, actions);
    }
    let chosen = state.conversation.id == Some(line.id);
    let height = if line.snippet.is_some() { 52.0 } else { 34.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &line.title));
    let hot = response.hovered() || response.has_focus() || response.contains_pointer();
    let fill = match (chosen, hot) {
        (true, _) => colours.accent_soft,
        (false, true) => colours.hovered,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, theme::ROUND, fill);
    let menu_id = response.id.with("menu");
    let with_menu = chosen || hot || Popup::is_id_open(ui.ctx(), menu_id);
    let ago = ago(view.now.saturating_sub(line.changed));
    let time = ui.painter().layout_no_wrap(ago, theme::small(), colours.weak);
    let aside = if with_menu { 30.0 } else { time.size().x + 8.0 };
    let title = controls::one_line(ui, &line.title, theme::body(), colours.text, rect.width() - 20.0 - aside);
    ui.painter().galley(pos2(rect.left() + 10.0, rect.top() + 17.0 - title.size().y / 2.0), title, colours.text);
    if let Some(snippet) = &line.snippet {
        let snippet = controls::one_line(ui, snippet, theme::small(), colours.weak, rect.width() - 20.0);
        ui.painter().galley(pos2(rect.left() + 10.0, rect.top() + 29.0), snippet, colours.weak);
    }
    controls::focus_ring(ui, &response, theme::ROUND);
    if response.clicked() {
        view.found = line.message;
        actions.extend([line.open(), Action::Show(Page::Conversation)]);
    }
    if response.double_clicked() {
        keys::rename(line.id, state, view);
    }
    if !with_menu {
        ui.painter().galley(
            pos2(rect.right() - 10.0 - time.size().x, rect.top() + 17.0 - time.size().y / 2.0),
            time,
            colours.weak,
        );
        return;
    }
    let place = Rect::from_center_size(pos2(rect.right() - 18.0, rect.top() + 17.0), vec2(26.0, 26.0));
    let more = ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
        controls::tinted_button(ui, Kind::Quiet, Icon::More, &format!("More for {}", line.title), 26.0, None)
    });
    Popup::menu(&more.inner).id(menu_id).show(|ui| {
        ui.set_width(190.0);
        let mut item = |icon, text: &str, danger| menu_item(ui, icon, text, danger);
        if item(Icon::Pencil, "Rename", false) {
            keys::rename(line.id, state, view);
        }
        if item(Icon::Export, "Export as Markdown", false) {
            actions.push(Action::Export(line.id));
        }
        if item(Icon::Bin, "Delete", true) {
            actions.push(Action::Delete(line.id));
        }
    });
}

fn menu_item(ui: &mut Ui, icon: Icon, text: &str, danger: bool) -> bool {
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width().max(170.0), TOUCH), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::MenuItem, true, text));
    let front = if danger { colours.error } else { colours.text };
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, theme::ROUND - 2, colours.hovered);
    }
    icon.paint(ui.painter(), Rect::from_center_size(rect.left_center() + vec2(18.0, 0.0), vec2(16.0, 16.0)), front);
    ui.painter().text(rect.left_center() + vec2(36.0, 0.0), egui::Align2::LEFT_CENTER, text, theme::body(), front);
    controls::focus_ring(ui, &response, theme::ROUND - 2);
    let clicked = response.clicked();
    if clicked {
        ui.close();
    }
    clicked
}

fn rename(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let Some((id, mut title)) = view.renaming.take() else { return };
    let response = ui.add(TextEdit::singleline(&mut title).desired_width(f32::INFINITY)).accessible_name("New title");
    if view.focus == Some(Field::Rename) {
        view.focus = None;
        response.request_focus();
        let all = egui::text::CCursorRange::two(
            egui::text::CCursor::default(),
            egui::text::CCursor::new(title.chars().count()),
        );
        let mut state = TextEdit::load_state(ui.ctx(), response.id).unwrap_or_default();
        state.cursor.set_char_range(Some(all));
        TextEdit::store_state(ui.ctx(), response.id, state);
        view.renaming = Some((id, title));
    } else if !response.lost_focus() {
        view.renaming = Some((id, title));
    } else if !ui.input(|input| input.key_pressed(Key::Escape)) && !title.trim().is_empty() {
        actions.push(Action::Rename(id, title.trim().into()));
    }
}

fn entry(ui: &mut Ui, state: &State, page: Page, icon: Icon, title: &str, open: bool) -> bool {
    let colours = theme::palette(ui);
    let chosen = state.page == page;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 34.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, title));
    let fill = match (chosen, response.hovered()) {
        (true, _) => colours.hovered,
        (false, true) => colours.hovered,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, theme::ROUND, fill);
    let front = if chosen { colours.accent } else { colours.weak };
    let left = if open { rect.left() + 20.0 } else { rect.center().x };
    icon.paint(
        ui.painter(),
        Rect::from_center_size(pos2(left, rect.center().y), vec2(theme::ICON, theme::ICON)),
        front,
    );
    if open {
        let front = if chosen { colours.text } else { colours.weak };
        ui.painter().text(
            pos2(rect.left() + 40.0, rect.center().y),
            egui::Align2::LEFT_CENTER,
            title,
            theme::body(),
            front,
        );
    }
    controls::focus_ring(ui, &response, theme::ROUND);
    let keys = keys::told(&state.settings, Does::Show(page));
    let clicked = response.clicked();
    response.on_hover_text(if open { keys } else { format!("{title} ({keys})") });
    clicked
}

/// The model, and how it is.
fn foot(ui: &mut Ui, state: &State, open: bool) {
    let colours = theme::palette(ui);
    let (colour, word, name) = match &state.engine {
        Engine::Ready(loaded) => (colours.accent, "Ready", loaded.model.as_str()),
        Engine::Loading { model, .. } => (colours.warn, "Loading", model.as_str()),
        Engine::Failed(_) => (colours.error, "No model", "Choose one under Models"),
    };
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), if open { 36.0 } else { 20.0 }), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{word}: {name}")));
    let dot = if open { pos2(rect.left() + 20.0, rect.top() + 11.0) } else { rect.center() };
    ui.painter().circle_filled(dot, 4.0, colour);
    if open {
        let at = rect.min + vec2(40.0, 2.0);
        // First what it is about, then how it is.
        let (first, second) = match state.engine {
            Engine::Failed(_) => (word, name),
            _ => (name, word),
        };
        let first = controls::one_line(ui, first, theme::small(), colours.text, rect.width() - 44.0);
        ui.painter().galley(at, first, colours.text);
        ui.painter().text(at + vec2(0.0, 16.0), egui::Align2::LEFT_TOP, second, theme::small(), colours.weak);
    } else {
        response.on_hover_text(format!("{word}: {name}"));
    }
}

/// "now", "5 min", "3 h", "2 d", "6 w".
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "now".into(),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..1_209_600 => format!("{} d", seconds / 86_400),
        _ => format!("{} w", seconds / 604_800),
    }
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn ages_are_short() {
        assert_eq!([0, 59, 60, 7_300, 200_000, 2_000_000].map(ago), ["now", "now", "1 min", "2 h", "2 d", "3 w"]);
    }
}
