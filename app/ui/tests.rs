//! The window as a person has it: pictures of every page, the keyboard alone, names for screen readers, nothing cut off.

mod long;
mod pressed;
pub mod samples;
mod snapshots;

use super::state::*;
use super::{Meters, View, show_all, theme};
use eframe::egui;
use egui::accesskit::Role as Kind;
use egui::{Event, Key, Modifiers, Rect, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use samples::Senses;

const SMALL: Vec2 = vec2(640.0, 480.0);
const MIDDLE: Vec2 = vec2(1100.0, 760.0);
const LARGE: Vec2 = vec2(1600.0, 1000.0);
const PAGES: [(&str, Page); 4] = [
    ("conversation", Page::Conversation),
    ("models", Page::Models),
    ("engine", Page::Engine),
    ("settings", Page::Settings),
];
const THEMES: [(&str, egui::Theme); 2] = [("dark", egui::Theme::Dark), ("light", egui::Theme::Light)];

/// Makes a state.
type Make = fn() -> State;

struct Window {
    state: State,
    view: View,
    senses: Senses,
    /// Everything that was wanted, in order.
    wanted: Vec<Action>,
}

impl Window {
    fn new(state: State) -> Window {
        Window { state, view: samples::view(), senses: Senses::default(), wanted: Vec::new() }
    }
}

fn draw(ui: &mut egui::Ui, window: &mut Window) {
    let Window { state, view, senses, wanted } = window;
    let hears = state.engine_is_ready();
    let meters = if hears { senses.meters(state.live.camera) } else { Meters::default() };
    let before = wanted.len();
    // The test's window has a margin; the real one has none.
    let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
    let mut ui = ui.new_child(whole);
    ui.set_clip_rect(ui.max_rect());
    show_all(&mut ui, state, view, &meters, wanted);
    for action in &wanted[before..] {
        answer(state, action.clone());
    }
}

impl State {
    fn engine_is_ready(&self) -> bool {
        self.loaded().is_some()
    }
}

/// As much of what the program does with actions as these tests need.
fn answer(state: &mut State, action: Action) {
    let messages = &mut state.conversation.messages;
    let new = |id, role, text: &str, progress| Message::new(id, role, vec![Part::Text(text.into())], progress);
    match action {
        Action::Show(page) => state.page = page,
        Action::Send(text) => {
            if let Some(at) = state.editing.take().and_then(|id| messages.iter().position(|m| m.id == id)) {
                messages.truncate(at);
            }
            let id = messages.len() as i64 + 1;
            messages
                .extend([new(id, Role::User, &text, Progress::Whole), new(id + 1, Role::Model, "", Progress::Open)]);
            state.attached.clear();
        }
        Action::Stop => messages.iter_mut().for_each(|m| m.progress = Progress::Whole),
        Action::Edit(id) => state.editing = Some(id),
        Action::CancelEdit => state.editing = None,
        Action::New => state.conversation = Conversation::default(),
        Action::Search(text) => state.search = text,
        Action::Set(settings) => state.settings = *settings,
        Action::Mute(muted) => state.live.muted = muted,
        Action::Talk(talking) => state.live.talking = talking,
        Action::Dismiss(number) => drop(state.notices.remove(number)),
        _ => {}
    }
}

fn harness(window: Window, size: Vec2, colours: egui::Theme) -> Harness<'static, Window> {
    let builder = Harness::builder().with_size(size).with_theme(colours).with_max_steps(8);
    let mut harness = builder.with_context_setup(theme::install).wgpu().build_ui_state(draw, window);
    harness.run();
    harness
}

/// Without an adapter, for what is not looked at.
fn blind(window: Window, size: Vec2) -> Harness<'static, Window> {
    let builder = Harness::builder().with_size(size).with_max_steps(8);
    let mut harness = builder.with_context_setup(theme::install).build_ui_state(draw, window);
    harness.run();
    harness
}

fn on(page: Page, mut state: State) -> Window {
    state.page = page;
    Window::new(state)
}

// Keyboard.

fn press(harness: &mut Harness<'static, Window>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(2);
}

fn type_text(harness: &mut Harness<'static, Window>, text: &str) {
    harness.event(Event::Text(text.into()));
    harness.run_steps(2);
}

fn taken(harness: &mut Harness<'static, Window>) -> Vec<Action> {
    std::mem::take(&mut harness.state_mut().wanted)
}

#[test]
fn a_conversation_by_the_keyboard_alone() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    press(h, Modifiers::COMMAND, Key::L);
    type_text(h, "What is seven");
    press(h, Modifiers::SHIFT, Key::Enter);
    type_text(h, "times eight?");
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), [Action::Send("What is seven\ntimes eight?".into())]);
    assert_eq!(h.state().view.draft, "");
    // The answer comes; Escape stops it, and the field keeps the keyboard.
    press(h, Modifiers::NONE, Key::Escape);
    assert_eq!(taken(h), [Action::Stop]);
    assert!(h.get_by_label("Message").is_focused());
    // Back into the field, changed, and sent again in place of the first.
    press(h, Modifiers::COMMAND, Key::E);
    assert_eq!(taken(h), [Action::Edit(1)]);
    assert_eq!(h.state().view.draft, "What is seven\ntimes eight?");
    type_text(h, "?");
    press(h, Modifiers::COMMAND, Key::Enter);
    assert!(matches!(&taken(h)[..], [Action::Send(text)] if text.len() == "What is seven\ntimes eight??".len()));
    assert_eq!(h.state().state.conversation.messages.len(), 2);
    press(h, Modifiers::NONE, Key::Escape);
    press(h, Modifiers::COMMAND, Key::R);
    assert_eq!(taken(h), [Action::Stop, Action::Retry]);
    press(h, Modifiers::COMMAND, Key::N);
    assert_eq!(taken(h), [Action::New]);
    press(h, Modifiers::COMMAND, Key::K);
    type_text(h, "star");
    assert_eq!(taken(h), [Action::Search("star".into())]);
    for (key, page) in [
        (Key::Num2, Page::Models),
        (Key::Num3, Page::Engine),
        (Key::Num4, Page::Settings),
        (Key::Num1, Page::Conversation),
    ] {
        press(h, Modifiers::COMMAND, key);
        assert_eq!(taken(h), [Action::Show(page)]);
    }
}

#[test]
fn what_was_typed_comes_back_after_editing() {
    let mut harness = blind(Window::new(samples::full()), MIDDLE);
    let h = &mut harness;
    h.state_mut().state.live.phase = Phase::Idle;
    h.state_mut().view.draft = "half a question".into();
    press(h, Modifiers::COMMAND, Key::E);
    assert_eq!(h.state().view.draft, "And the triangle? Where is it, and how large?");
    press(h, Modifiers::NONE, Key::Escape);
    assert_eq!(taken(h), [Action::Edit(3), Action::CancelEdit]);
    assert_eq!(h.state().view.draft, "half a question");
}

#[test]
fn the_key_for_talking_counts_only_where_it_types_nothing() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    h.key_down(Key::Space);
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Talk(true)]);
    h.key_up(Key::Space);
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Talk(false)]);
    press(h, Modifiers::COMMAND, Key::L);
    press(h, Modifiers::NONE, Key::Space);
    assert_eq!(taken(h), []);
}

#[test]
fn letters_typed_anywhere_begin_a_message() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    type_text(h, "W");
    type_text(h, "hy?");
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), [Action::Send("Why?".into())]);
}

#[test]
fn what_is_typed_within_one_slow_frame_is_typed() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    let key = |key, pressed, modifiers| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    let words = || {
        "So what?".chars().flat_map(move |letter| {
            // The key for talking is one of them.
            let code = if letter == ' ' { Key::Space } else { Key::A };
            let text = Event::Text(letter.into());
            [key(code, true, Modifiers::NONE), text, key(code, false, Modifiers::NONE)]
        })
    };
    // Where nothing has the keyboard, where the search has it, and where it is to have it.
    let send = Action::Send("So what?".into());
    for (first, begin, expected) in [
        ((Modifiers::NONE, Key::Escape), None, vec![send.clone()]),
        ((Modifiers::COMMAND, Key::K), Some(Key::L), vec![send]),
        ((Modifiers::NONE, Key::Escape), Some(Key::K), vec![Action::Search("So what?".into())]),
    ] {
        h.state_mut().state.conversation = Conversation::default();
        press(h, first.0, first.1);
        let begin = begin.map(|code| key(code, true, Modifiers::COMMAND));
        h.input_mut().events.extend(begin.into_iter().chain(words()));
        h.run_steps(2);
        press(h, Modifiers::NONE, Key::Enter);
        assert_eq!(taken(h), expected);
    }
}

#[test]
fn the_size_is_a_setting_with_keys() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    press(h, Modifiers::COMMAND, Key::Plus);
    assert!(matches!(&taken(h)[..], [Action::Set(settings)] if settings.zoom == 1.1));
    press(h, Modifiers::COMMAND, Key::Minus);
    assert!(matches!(&taken(h)[..], [Action::Set(settings)] if settings.zoom == 1.0));
}

#[test]
fn keys_are_changed_by_pressing_them() {
    let mut harness = blind(on(Page::Settings, samples::empty()), vec2(1100.0, 3000.0));
    let h = &mut harness;
    h.get_by_label("Keys for: microphone off or on, Ctrl+M").click_accesskit();
    h.run_steps(2);
    assert_eq!(h.state().view.capturing, Some("mute"));
    press(h, Modifiers::NONE, Key::F8);
    assert!(matches!(&taken(h)[..], [Action::Set(settings)] if settings.keys["mute"] == "F8"));
    press(h, Modifiers::NONE, Key::F8);
    assert_eq!(taken(h), [Action::Mute(true)]);
    press(h, Modifiers::COMMAND, Key::M);
    assert_eq!(taken(h), []);
}

#[test]
fn every_control_is_reached_by_tabs() {
    for (page_name, page) in PAGES {
        let mut harness = blind(on(page, samples::full()), vec2(1100.0, 3000.0));
        let mut reached = std::collections::BTreeSet::new();
        for _ in 0..200 {
            harness.key_press(Key::Tab);
            harness.run_steps(1);
            let focused = harness.root().children_recursive().find(|node| node.is_focused());
            reached.extend(focused.and_then(|node| node.accesskit_node().label()));
        }
        let missing: Vec<_> = controls(&harness).into_iter().filter(|(label, _)| !reached.contains(label)).collect();
        assert!(missing.is_empty(), "{page_name}: {missing:?}");
    }
}

// Devices, files.

#[test]
fn pasted_and_dropped_things_are_attached() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    h.event(Event::PasteImage(std::sync::Arc::new(egui::ColorImage::filled([2, 1], egui::Color32::RED))));
    h.run_steps(1);
    let [Action::AttachPicture { image, .. }] = &taken(h)[..] else { panic!("no picture") };
    assert_eq!((image.width, image.height, &image.rgb[..]), (2, 1, &[255, 0, 0, 255, 0, 0][..]));
    press(h, Modifiers::COMMAND, Key::O);
    assert_eq!((taken(h), h.state().view.path.as_deref()), (vec![Action::PickFiles], None));
    // Without a dialog its path is typed.
    h.state_mut().state.file_dialog = false;
    press(h, Modifiers::COMMAND, Key::O);
    type_text(h, "/media/a.png");
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), [Action::Attach(vec!["/media/a.png".into()])]);
    assert_eq!(h.state().view.path, None);
}

#[test]
fn without_a_model_nothing_can_be_sent() {
    let mut harness = blind(Window::new(samples::failed()), MIDDLE);
    let h = &mut harness;
    press(h, Modifiers::COMMAND, Key::L);
    type_text(h, "Hello");
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!((taken(h), h.state().view.draft.as_str()), (vec![], "Hello"));
    h.get_by_label("Choose a model").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Show(Page::Models)]);
}

#[test]
fn a_model_is_removed_only_after_a_second_word() {
    let mut harness = blind(on(Page::Models, samples::full()), MIDDLE);
    let h = &mut harness;
    h.get_by_label("Remove google/gemma-3-1b-it").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), []);
    h.get_by_label("Remove").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Remove("google/gemma-3-1b-it".into())]);
    assert!(h.query_by_label("Remove seedling").is_none());
}

// Room.

/// What can be operated, with its place.
fn controls(harness: &Harness<'static, Window>) -> Vec<(String, Rect)> {
    let all = harness.root().children_recursive();
    let meant = all.filter(|node| {
        egui::accessibility::is_input(node.accesskit_node().role()) && !node.accesskit_node().is_disabled()
    });
    meant
        .filter(|node| !node.accesskit_node().data().is_read_only())
        .filter_map(|node| Some((node.accesskit_node().label()?, node.rect())))
        .collect()
}

#[test]
fn nothing_overlaps_or_is_cut_off() {
    let states: [Make; 4] = [samples::empty, samples::loading, samples::failed, samples::full];
    for (page_name, page) in PAGES {
        for size in [SMALL, MIDDLE, LARGE, vec2(480.0, 640.0)] {
            for (number, state) in states.iter().enumerate() {
                let harness = blind(on(page, state()), size);
                let place = format!("{page_name}, state {number}, {size}");
                for node in
                    harness.root().children_recursive().filter(|node| node.accesskit_node().role() != Kind::Window)
                {
                    let Some(bounds) = node.accesskit_node().bounding_box() else { continue };
                    let label = node.accesskit_node().label().or(node.accesskit_node().value()).unwrap_or_default();
                    let sideways = bounds.x0 >= -0.5 && bounds.x1 <= f64::from(size.x) + 0.5;
                    assert!(sideways, "{place}: {label:?} from {} to {}", bounds.x0, bounds.x1);
                }
                let controls = controls(&harness);
                // What is scrolled away lies behind what stands still.
                let seen = |rect: &Rect| rect.top() >= 0.0 && rect.bottom() <= size.y;
                let still = ["Message", "Send (Enter)", "Stop (Escape)", "Settings", "Models", "Engine"];
                for (label, rect) in controls.iter().filter(|(label, _)| still.contains(&label.as_str())) {
                    assert!(seen(rect), "{place}: {label} at {rect:?}");
                }
                let top = controls
                    .iter()
                    .find(|(label, _)| label.contains("icrophone o"))
                    .map_or(size.y, |(_, rect)| rect.top());
                let of_messages = |label: &str, rect: &Rect| {
                    let kinds = ["Show", "Play", "Copy", "Edit", "Answer", "Where", "What", "Drop", "Earlier", "Later"];
                    rect.top() < top && kinds.iter().any(|kind| label.starts_with(kind))
                };
                for (i, (one, a)) in controls.iter().enumerate() {
                    for (other, b) in &controls[i + 1..] {
                        let scrolled = page == Page::Conversation && (of_messages(one, a) != of_messages(other, b));
                        let both = a.intersect(*b);
                        let within =
                            [one, other].iter().any(|name| name.starts_with("More for") || *name == "Clear the search");
                        let apart = both.width() <= 1.0 || both.height() <= 1.0 || within;
                        assert!(apart || scrolled, "{place}: {one} {a:?} and {other} {b:?}");
                    }
                }
            }
        }
    }
}
