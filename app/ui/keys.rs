//! What keys do. Each binding has a name, under which settings may give it other keys.

use super::state::{Action, Line, Page, Role, State};
use super::view::{Field, View};
use super::widgets::{composer, sidebar};
use crate::store::settings::Settings;
use eframe::egui;
use egui::{Context, Event, InputState, Key, KeyboardShortcut, ModifierNames, Modifiers};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    New,
    Send,
    NewLine,
    Stop,
    Retry,
    Edit,
    Copy,
    Look,
    Attach,
    Input,
    Mute,
    Talk,
    Speak,
    Camera,
    Search,
    List,
    Previous,
    Next,
    Rename,
    Delete,
    Export,
    Undo,
    Show(Page),
    Larger,
    Smaller,
}

/// A line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub does: Does,
    /// In the settings.
    pub name: &'static str,
    /// On the screen.
    pub title: &'static str,
    keys: &'static str,
}

const fn binding(does: Does, name: &'static str, title: &'static str, keys: &'static str) -> Binding {
    Binding { does, name, title, keys }
}

/// All of them, as the settings show them. "Ctrl" is the command key where there is one.
pub const BINDINGS: &[Binding] = &[
    binding(Does::Send, "send", "Send the message", "Enter"),
    binding(Does::NewLine, "new-line", "New line in the message", "Shift+Enter"),
    binding(Does::Stop, "stop", "Stop the answer", "Escape"),
    binding(Does::Talk, "talk", "Talk while held", "Space"),
    binding(Does::Mute, "mute", "Microphone off or on", "Ctrl+M"),
    binding(Does::Speak, "speak", "Speak answers or not", "Ctrl+Shift+P"),
    binding(Does::Camera, "camera", "Camera on or off", "Ctrl+Shift+O"),
    binding(Does::Attach, "attach", "Attach a file", "Ctrl+O"),
    binding(Does::Input, "input", "Go to the message field", "Ctrl+L"),
    binding(Does::Retry, "retry", "Answer again", "Ctrl+R"),
    binding(Does::Edit, "edit", "Edit the last message", "Ctrl+E"),
    binding(Does::Copy, "copy", "Copy the last answer", "Ctrl+Shift+C"),
    binding(Does::Look, "look", "Where the last answer looked", "Ctrl+Shift+L"),
    binding(Does::New, "new", "New conversation", "Ctrl+N"),
    binding(Does::Search, "search", "Search conversations", "Ctrl+K"),
    binding(Does::List, "list", "List of conversations", "Ctrl+B"),
    binding(Does::Previous, "previous", "Conversation above", "Ctrl+PageUp"),
    binding(Does::Next, "next", "Conversation below", "Ctrl+PageDown"),
    binding(Does::Rename, "rename", "Rename the conversation", "F2"),
    binding(Does::Delete, "delete", "Delete the conversation", "Ctrl+Shift+Delete"),
    binding(Does::Export, "export", "Export the conversation", "Ctrl+Shift+E"),
    binding(Does::Undo, "undo", "Undo what was told last", "Ctrl+Shift+Z"),
    binding(Does::Show(Page::Conversation), "page-conversation", "Show the conversation", "Ctrl+1"),
    binding(Does::Show(Page::Models), "page-models", "Show models", "Ctrl+2"),
    binding(Does::Show(Page::Engine), "page-engine", "Show the engine", "Ctrl+3"),
    binding(Does::Show(Page::Settings), "page-settings", "Show settings", "Ctrl+4"),
    binding(Does::Larger, "larger", "Larger", "Ctrl+Plus"),
    binding(Does::Smaller, "smaller", "Smaller", "Ctrl+Minus"),
];

/// The keys of a binding; `None` where they were taken away, or where settings hold nonsense.
pub fn shortcut(settings: &Settings, does: Does) -> Option<KeyboardShortcut> {
    let binding = BINDINGS.iter().find(|binding| binding.does == does)?;
    parse(settings.keys.get(binding.name).map_or(binding.keys, String::as_str))
}

/// The keys of a binding in words, for buttons and hints.
pub fn told(settings: &Settings, does: Does) -> String {
    shortcut(settings, does)
        .map_or("not set".into(), |keys| keys.format(&ModifierNames::NAMES, cfg!(target_os = "macos")))
}

/// "Ctrl+Shift+Delete".
pub fn parse(text: &str) -> Option<KeyboardShortcut> {
    let mut modifiers = Modifiers::NONE;
    let mut parts: Vec<&str> = text.split('+').map(str::trim).collect();
    let key = Key::from_name(parts.pop()?)?;
    for part in parts {
        modifiers |= match part {
            "Ctrl" => Modifiers::COMMAND,
            "Shift" => Modifiers::SHIFT,
            "Alt" => Modifiers::ALT,
            _ => return None,
        };
    }
    Some(KeyboardShortcut::new(modifiers, key))
}

/// As [`parse`] reads it.
pub fn written(keys: KeyboardShortcut) -> String {
    let KeyboardShortcut { modifiers, logical_key } = keys;
    let names = [(modifiers.command || modifiers.ctrl, "Ctrl+"), (modifiers.shift, "Shift+"), (modifiers.alt, "Alt+")];
    names.iter().filter(|(held, _)| *held).map(|(_, name)| *name).collect::<String>() + logical_key.name()
}

/// Other keys for a binding. Who had them loses them.
pub fn bind(settings: &mut Settings, name: &'static str, keys: KeyboardShortcut) {
    for other in BINDINGS.iter().filter(|other| other.name != name) {
        if shortcut(settings, other.does).is_some_and(|theirs| written(theirs) == written(keys)) {
            settings.keys.insert(other.name.into(), String::new());
        }
    }
    settings.keys.insert(name.into(), written(keys));
}

/// Takes the press of exactly these keys out of what happened, and says whether there was one.
pub fn pressed(input: &mut InputState, keys: KeyboardShortcut) -> bool {
    let before = input.events.len();
    input.events.retain(|event| match event {
        Event::Key { key, pressed: true, modifiers, .. } => {
            // On many keyboards the plus is the upper one of the equals sign.
            let same = *key == keys.logical_key || (*key == Key::Equals && keys.logical_key == Key::Plus);
            !(same && modifiers.matches_exact(keys.modifiers))
        }
        _ => true,
    });
    input.events.len() < before
}

/// Turns keys into actions, before anything is drawn, so that no field takes them.
pub fn handle(ctx: &Context, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    if let Some(name) = view.capturing {
        return capture(ctx, name, state, view, actions);
    }
    // In this order: a space behind a letter in one slow frame belongs to the message.
    type_anywhere(ctx, state, view);
    talk(ctx, state, view, actions);
    // Escape closes what lies on top by itself.
    let covered =
        view.enlarged.is_some() || view.path.is_some() || view.renaming.is_some() || egui::Popup::is_any_open(ctx);
    for binding in BINDINGS {
        // The message field and the held key look after themselves.
        if matches!(binding.does, Does::Send | Does::NewLine | Does::Talk) || (covered && binding.does == Does::Stop) {
            continue;
        }
        let Some(keys) = shortcut(&state.settings, binding.does) else { continue };
        let in_text = ctx.text_edit_focused() && keys.modifiers.is_none() && !in_no_text(keys.logical_key);
        if !in_text && ctx.input_mut(|input| pressed(input, keys)) {
            perform(binding.does, ctx, state, view, actions);
        }
    }
}

/// Keys that no text field wants.
fn in_no_text(key: Key) -> bool {
    key == Key::Escape || (key.name().starts_with('F') && key.name().len() > 1)
}

fn capture(ctx: &Context, name: &'static str, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let found = ctx.input_mut(|input| {
        let found = input.events.iter().find_map(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => Some(KeyboardShortcut::new(*modifiers, *key)),
            // These come as events of their own.
            Event::Copy => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::C)),
            Event::Cut => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::X)),
            Event::Paste(_) | Event::PasteImage(_) => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::V)),
            _ => None,
        });
        input.events.retain(|event| {
            !matches!(event, Event::Key { .. } | Event::Text(_) | Event::Copy | Event::Cut | Event::Paste(_))
        });
        found
    });
    let Some(keys) = found else { return };
    view.capturing = None;
    if keys.logical_key == Key::Escape && keys.modifiers.is_none() && name != "stop" {
        return;
    }
    let mut settings = state.settings.clone();
    bind(&mut settings, name, keys);
    actions.push(Action::Set(Box::new(settings)));
}

/// The key for talking counts while it is held, and only where it types nothing and presses nothing.
fn talk(ctx: &Context, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let Some(keys) = shortcut(&state.settings, Does::Talk) else { return };
    if view.talking {
        if ctx.input(|input| !input.key_down(keys.logical_key) || !input.focused) {
            view.talking = false;
            actions.push(Action::Talk(false));
        }
        return;
    }
    let free = ctx.memory(|memory| memory.focused().is_none()) && view.enlarged.is_none() && view.path.is_none();
    if free && state.page == Page::Conversation && ctx.input_mut(|input| pressed(input, keys)) {
        view.talking = true;
        actions.push(Action::Talk(true));
    }
}

/// Letters that are typed where nothing has the keyboard begin a message.
fn type_anywhere(ctx: &Context, state: &State, view: &View) {
    let covered = view.enlarged.is_some() || view.path.is_some() || view.talking;
    let free = ctx.memory(|memory| memory.focused().is_none()) && !covered && state.page == Page::Conversation;
    let typed = |event: &Event| matches!(event, Event::Text(text) if !text.trim().is_empty());
    if free && ctx.input(|input| input.events.iter().any(typed)) {
        ctx.memory_mut(|memory| memory.request_focus(composer::field()));
    }
}

fn perform(does: Does, ctx: &Context, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let messages = &state.conversation.messages;
    let last = |role: Role| messages.iter().rev().find(|message| message.role == role);
    let open = state.conversation.id;
    match does {
        Does::Send | Does::NewLine | Does::Talk => {}
        Does::New => {
            actions.push(Action::New);
            go_to(Field::Composer, composer::field(), ctx, view);
        }
        Does::Stop if view.unsent.is_some() => view.unsent = None,
        Does::Stop if state.answering() => actions.push(Action::Stop),
        Does::Stop if state.editing.is_some() => actions.push(Action::CancelEdit),
        // Nothing to stop: the keyboard goes back to the window, where the key for talking works.
        Does::Stop => ctx.memory_mut(|memory| memory.focused().into_iter().for_each(|id| memory.surrender_focus(id))),
        Does::Retry if last(Role::Model).is_some() && !state.answering() => actions.push(Action::Retry),
        Does::Edit if !state.answering() => actions.extend(last(Role::User).map(|message| Action::Edit(message.id))),
        Does::Copy => last(Role::Model).into_iter().for_each(|message| ctx.copy_text(message.text().into())),
        Does::Look => last(Role::Model).into_iter().for_each(|message| look(message.id, state, view, actions)),
        Does::Retry | Does::Edit => {}
        Does::Attach => attach(state, view, actions),
        Does::Input => go_to(Field::Composer, composer::field(), ctx, view),
        Does::Mute => actions.push(Action::Mute(!state.live.muted)),
        Does::Speak => actions.push(Action::Speak(!state.live.speak)),
        Does::Camera => actions.push(Action::Camera(!state.live.camera)),
        Does::Search => {
            view.list = Some(true);
            go_to(Field::Search, sidebar::search_field(), ctx, view);
        }
        Does::List => view.list = Some(!view.list.unwrap_or(ctx.content_rect().width() >= super::theme::WIDE)),
        Does::Previous | Does::Next => {
            let at = state.lines.iter().position(|line| Some(line.id) == open);
            // A search may find several places of one conversation.
            let other = |line: &&Line| Some(line.id) != open;
            let to = match (at, does) {
                (Some(at), Does::Previous) => state.lines[..at].last(),
                (Some(at), _) => state.lines[at..].iter().find(other),
                (None, _) => state.lines.first(),
            };
            if let Some(line) = to {
                view.found = line.message;
                actions.push(line.open());
            }
        }
        Does::Rename => {
            if let Some(id) = open {
                rename(id, state, view);
            }
        }
        Does::Delete => actions.extend(open.map(Action::Delete)),
        Does::Export => actions.extend(open.map(Action::Export)),
        Does::Undo => {
            if let Some(at) = state.notices.iter().rposition(|notice| notice.undo.is_some()) {
                actions.extend(state.notices[at].undo.clone());
                actions.push(Action::Dismiss(at));
            }
        }
        Does::Show(page) => actions.push(Action::Show(page)),
        Does::Larger | Does::Smaller => {
            let mut settings = state.settings.clone();
            let step = if does == Does::Larger { 0.1 } else { -0.1 };
            settings.zoom = ((settings.zoom + step) * 10.0).round().clamp(5.0, 30.0) / 10.0;
            actions.push(Action::Set(Box::new(settings)));
        }
    }
}

/// Opens the dialog that chooses files, or the field for a path where there is none.
pub fn attach(state: &State, view: &mut View, actions: &mut Vec<Action>) {
    if state.file_dialog {
        actions.push(Action::PickFiles);
    } else {
        (view.path, view.focus) = (Some(String::new()), Some(Field::Path));
    }
}

/// Gives a field the keyboard before it is drawn, so that what is typed behind the keys in one slow frame lands there, and once
/// more when it is drawn, for it may not be there yet.
fn go_to(field: Field, id: egui::Id, ctx: &Context, view: &mut View) {
    ctx.memory_mut(|memory| memory.request_focus(id));
    view.focus = Some(field);
}

/// Opens the field for another title.
pub fn rename(id: i64, state: &State, view: &mut View) {
    let line = state.lines.iter().find(|line| line.id == id).map(|line| line.title.clone());
    let title = line.unwrap_or_else(|| state.conversation.title.clone());
    (view.renaming, view.focus, view.list) = (Some((id, title)), Some(Field::Rename), Some(true));
}

/// Shows where an answer looked, or hides it again.
pub fn look(id: i64, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    if view.looking.is_some_and(|(shown, _)| shown == id) {
        view.looking = None;
        return;
    }
    view.looking = Some((id, None));
    let known = state.conversation.messages.iter().any(|message| message.id == id && !message.looks.is_empty());
    if !known {
        actions.push(Action::Look(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_binding_reads_back_as_it_is_written_and_none_is_there_twice() {
        let mut seen = std::collections::BTreeMap::new();
        for binding in BINDINGS {
            let keys = parse(binding.keys).unwrap_or_else(|| panic!("{}", binding.name));
            assert_eq!(written(keys), binding.keys, "{}", binding.name);
            assert_eq!(seen.insert(binding.keys, binding.name), None, "{}", binding.keys);
            assert_eq!(shortcut(&Settings::default(), binding.does), Some(keys));
        }
    }

    #[test]
    fn nonsense_in_the_settings_is_no_key() {
        for text in ["", "+", "Ctrl+", "Hyper+A", "Ctrl+Ctrl", "A+Ctrl"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let mut settings = Settings::default();
        settings.keys.insert("new".into(), "nonsense".into());
        assert_eq!(told(&settings, Does::New), "not set");
    }

    #[test]
    fn keys_that_another_one_had_are_taken_from_it() {
        let mut settings = Settings::default();
        bind(&mut settings, "mute", KeyboardShortcut::new(Modifiers::COMMAND, Key::N));
        assert_eq!(shortcut(&settings, Does::New), None);
        assert_eq!(told(&settings, Does::Mute), if cfg!(target_os = "macos") { "Cmd+N" } else { "Ctrl+N" });
        bind(&mut settings, "new", KeyboardShortcut::new(Modifiers::NONE, Key::F9));
        assert_eq!((told(&settings, Does::New), settings.keys.len()), ("F9".to_string(), 2));
    }
}
