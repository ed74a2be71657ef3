//! How the window looks: the only place with colours, sizes and fonts.

use crate::store::settings::{Settings, Theme};
use eframe::egui;
use egui::{Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle};
use std::sync::Arc;

/// Colours of one theme.
#[derive(Debug)]
pub struct Palette {
    /// Behind everything.
    pub window: Color32,
    /// Behind the list of conversations.
    pub sidebar: Color32,
    /// Cards and fields.
    pub surface: Color32,
    /// What lies on a card: buttons, chips, code.
    pub raised: Color32,
    /// The same under the pointer.
    pub hovered: Color32,
    /// Thin lines.
    pub border: Color32,
    /// The edge of what can be operated; 3:1 against what is behind.
    pub edge: Color32,
    /// Text.
    pub text: Color32,
    /// Text of answers, and what is strong in them: there is no bold face within a line, so colour tells it.
    pub prose: Color32,
    /// See `prose`.
    pub strong: Color32,
    /// Text beside the point.
    pub weak: Color32,
    /// The colour of the program: what is chosen, what goes on, what to press.
    pub accent: Color32,
    /// Text on it.
    pub on_accent: Color32,
    /// A breath of it: what the person said, what is selected.
    pub accent_soft: Color32,
    /// What went wrong.
    pub error: Color32,
    /// Behind it.
    pub error_soft: Color32,
    /// What needs attention.
    pub warn: Color32,
    /// The answer is awaited.
    pub thinking: Color32,
    /// The answer is spoken.
    pub speaking: Color32,
    /// Words, strings, numbers and remarks of code.
    pub code: [Color32; 4],
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Light on dark.
pub const DARK: Palette = Palette {
    window: rgb(0x11161b),
    sidebar: rgb(0x0c1014),
    surface: rgb(0x181f26),
    raised: rgb(0x212a32),
    hovered: rgb(0x2b363f),
    border: rgb(0x28323b),
    edge: rgb(0x64727e),
    text: rgb(0xe8edf1),
    prose: rgb(0xced7de),
    strong: rgb(0xffffff),
    weak: rgb(0x9fadb8),
    accent: rgb(0x4fd1bd),
    on_accent: rgb(0x05231f),
    accent_soft: rgb(0x15342f),
    error: rgb(0xff938a),
    error_soft: rgb(0x351b1c),
    warn: rgb(0xf0b95a),
    thinking: rgb(0xf0b95a),
    speaking: rgb(0x92b8ff),
    code: [rgb(0xc3a6ff), rgb(0x9ddb8f), rgb(0xf0b27a), rgb(0x93a1ac)],
};

/// Dark on light.
pub const LIGHT: Palette = Palette {
    window: rgb(0xfbfaf7),
    sidebar: rgb(0xf2f1ec),
    surface: rgb(0xffffff),
    raised: rgb(0xf1f0eb),
    hovered: rgb(0xe5e4dd),
    border: rgb(0xdfddd5),
    edge: rgb(0x85888a),
    text: rgb(0x1a2025),
    prose: rgb(0x353d44),
    strong: rgb(0x000000),
    weak: rgb(0x56616a),
    accent: rgb(0x0b7265),
    on_accent: rgb(0xffffff),
    accent_soft: rgb(0xdcefeb),
    error: rgb(0xb3261e),
    error_soft: rgb(0xfce9e7),
    warn: rgb(0x875600),
    thinking: rgb(0x875600),
    speaking: rgb(0x2c57b0),
    code: [rgb(0x6a38b3), rgb(0x2b6a1d), rgb(0x92460c), rgb(0x5d6870)],
};

/// Colours of the theme that is shown.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// Between parts that belong together.
pub const SMALL: f32 = 6.0;
/// Between parts.
pub const SPACE: f32 = 12.0;
/// Between groups.
pub const LARGE: f32 = 24.0;
/// Corners of cards.
pub const RADIUS: u8 = 12;
/// Corners of buttons and fields.
pub const ROUND: u8 = 8;
/// Height and width of what is pressed.
pub const TOUCH: f32 = 32.0;
/// Side of an icon.
pub const ICON: f32 = 18.0;
/// Text and its column: as many characters in a line as are read with ease.
pub const COLUMN: f32 = 760.0;
/// Width of the list of conversations, and of what is left where there is no room for it.
pub const SIDEBAR: f32 = 256.0;
/// See [`SIDEBAR`].
pub const RAIL: f32 = 56.0;
/// Below this width of the window the list is folded.
pub const WIDE: f32 = 860.0;

/// Titles of pages.
pub fn title() -> FontId {
    FontId::new(22.0, bold())
}

/// Headings within answers, by their level.
pub fn heading(level: usize) -> FontId {
    FontId::new([20.0, 17.5, 16.0][level.clamp(1, 3) - 1], bold())
}

/// Titles of groups, and what stands out in a line.
pub fn strong() -> FontId {
    FontId::new(14.5, bold())
}

/// Figures that are looked at.
pub fn figure() -> FontId {
    FontId::new(26.0, bold())
}

/// Text.
pub fn body() -> FontId {
    FontId::new(14.5, FontFamily::Proportional)
}

/// Small print.
pub fn small() -> FontId {
    FontId::new(12.5, FontFamily::Proportional)
}

/// Code.
pub fn mono() -> FontId {
    FontId::new(13.0, FontFamily::Monospace)
}

fn bold() -> FontFamily {
    FontFamily::Name("bold".into())
}

/// Fonts and both themes, once at the start.
pub fn install(ctx: &egui::Context) {
    let mut fonts = FontDefinitions::default();
    let faces: [(&str, &'static [u8]); 2] = [
        ("Inter", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
        ("Inter SemiBold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
    ];
    for (name, bytes) in faces {
        fonts.font_data.insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    let mut family = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    family.insert(0, "Inter".into());
    fonts.families.insert(FontFamily::Proportional, family.clone());
    family.insert(0, "Inter SemiBold".into());
    fonts.families.insert(bold(), family);
    ctx.set_fonts(fonts);
    // The size is one of the settings, with keys of its own.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
    ctx.style_mut_of(egui::Theme::Dark, |style| apply(style, &DARK, true));
    ctx.style_mut_of(egui::Theme::Light, |style| apply(style, &LIGHT, false));
}

/// What settings say of looks; each frame, for it costs nothing where nothing has changed.
pub fn set(ctx: &egui::Context, settings: &Settings) {
    let wanted = match settings.theme {
        Theme::System => egui::ThemePreference::System,
        Theme::Light => egui::ThemePreference::Light,
        Theme::Dark => egui::ThemePreference::Dark,
    };
    if ctx.options(|options| options.theme_preference) != wanted {
        ctx.set_theme(wanted);
    }
    ctx.set_zoom_factor(settings.zoom.clamp(0.5, 3.0));
}

fn apply(style: &mut egui::Style, colours: &Palette, dark: bool) {
    style.text_styles = [
        (TextStyle::Heading, FontId::new(19.0, bold())),
        (TextStyle::Body, body()),
        (TextStyle::Button, body()),
        (TextStyle::Small, small()),
        (TextStyle::Monospace, mono()),
    ]
    .into();
    style.spacing.item_spacing = egui::vec2(8.0, 8.0);
    style.spacing.button_padding = egui::vec2(12.0, 6.0);
    style.spacing.interact_size = egui::vec2(TOUCH, TOUCH);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.window_margin = Margin::same(20);
    style.spacing.slider_width = 150.0;
    style.spacing.slider_rail_height = 4.0;
    style.spacing.combo_width = 180.0;
    style.spacing.tooltip_width = 320.0;
    style.spacing.scroll = egui::style::ScrollStyle { floating: true, bar_width: 8.0, ..style.spacing.scroll };
    style.interaction.tooltip_delay = 0.4;
    style.interaction.selectable_labels = true;

    let visuals = &mut style.visuals;
    *visuals = if dark { egui::Visuals::dark() } else { egui::Visuals::light() };
    visuals.weak_text_color = Some(colours.weak);
    visuals.hyperlink_color = colours.accent;
    visuals.faint_bg_color = colours.surface;
    visuals.extreme_bg_color = colours.surface;
    visuals.code_bg_color = colours.raised;
    visuals.warn_fg_color = colours.warn;
    visuals.error_fg_color = colours.error;
    visuals.panel_fill = colours.window;
    visuals.window_fill = colours.surface;
    visuals.window_stroke = Stroke::new(1.0, colours.border);
    visuals.window_corner_radius = CornerRadius::same(RADIUS);
    visuals.menu_corner_radius = CornerRadius::same(ROUND);
    let shadow =
        Shadow { offset: [0, 6], blur: 20, spread: 0, color: Color32::from_black_alpha(if dark { 110 } else { 30 }) };
    (visuals.window_shadow, visuals.popup_shadow) = (shadow, shadow);
    visuals.selection.bg_fill = colours.accent_soft;
    visuals.selection.stroke = Stroke::new(1.5, colours.accent);
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = egui::style::HandleShape::Circle;
    visuals.disabled_alpha = 0.6;

    let widgets = &mut visuals.widgets;
    let quiet = Stroke::new(1.0, colours.border);
    widgets.noninteractive.bg_fill = colours.window;
    widgets.noninteractive.weak_bg_fill = colours.window;
    widgets.noninteractive.bg_stroke = quiet;
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, colours.text);
    for (state, fill, edge) in [
        (&mut widgets.inactive, colours.raised, quiet),
        (&mut widgets.hovered, colours.hovered, Stroke::new(1.0, colours.edge)),
        // Also what has the keyboard.
        (&mut widgets.active, colours.hovered, Stroke::new(2.0, colours.accent)),
        (&mut widgets.open, colours.hovered, Stroke::new(1.0, colours.edge)),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = edge;
        state.fg_stroke = Stroke::new(1.5, colours.text);
        state.expansion = 0.0;
    }
    // Rails of sliders are drawn in it.
    widgets.inactive.bg_fill = colours.edge;
    for state in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        state.corner_radius = CornerRadius::same(ROUND);
    }
}

/// How well one colour stands out from another: 1 to 21, of the web's accessibility guidelines (WCAG 2, 1.4.3).
#[cfg(test)]
pub fn contrast(one: Color32, other: Color32) -> f32 {
    let luminance = |colour: Color32| {
        let linear = |part: u8| {
            let part = f32::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// From cold to hot, for spectrograms and heat maps: dark blue, violet, orange, yellow.
pub fn heat(share: f32) -> Color32 {
    const STOPS: [[f32; 3]; 5] =
        [[8.0, 12.0, 34.0], [62.0, 28.0, 110.0], [184.0, 52.0, 92.0], [246.0, 140.0, 52.0], [252.0, 240.0, 160.0]];
    let place = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 } * (STOPS.len() - 1) as f32;
    let (low, part) = ((place as usize).min(STOPS.len() - 2), place.fract());
    let part = if place as usize >= STOPS.len() - 1 { 1.0 } else { part };
    let mix = |i: usize| (STOPS[low][i] + (STOPS[low + 1][i] - STOPS[low][i]) * part) as u8;
    Color32::from_rgb(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        assert!((contrast(Color32::WHITE, Color32::BLACK) - 21.0).abs() < 0.01);
        assert!((contrast(rgb(0x777777), Color32::WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn text_stands_out_in_both_themes() {
        for (theme, c) in [("dark", &DARK), ("light", &LIGHT)] {
            let mut text = vec![
                ("on_accent", c.on_accent, c.accent),
                ("on_accent", c.on_accent, c.speaking),
                ("on_accent", c.on_accent, c.thinking),
                ("error on error_soft", c.error, c.error_soft),
            ];
            for behind in [c.window, c.sidebar, c.surface, c.raised, c.accent_soft] {
                text.extend([("text", c.text, behind), ("prose", c.prose, behind), ("weak", c.weak, behind)]);
            }
            text.push(("text on hovered", c.text, c.hovered));
            for behind in [c.window, c.sidebar, c.surface, c.raised] {
                text.extend([("accent", c.accent, behind), ("error", c.error, behind), ("warn", c.warn, behind)]);
                text.extend([("thinking", c.thinking, behind), ("speaking", c.speaking, behind)]);
            }
            text.extend(c.code.map(|colour| ("code", colour, c.raised)));
            for (name, front, behind) in text {
                let found = contrast(front, behind);
                assert!(found >= 4.5, "{theme}: {name} {front:?} on {behind:?} has only {found:.2}");
            }
            for behind in [c.window, c.surface, c.sidebar] {
                assert!(contrast(c.edge, behind) >= 3.0, "{theme}: edge on {behind:?}");
            }
        }
    }

    #[test]
    fn heat_rises() {
        let brightness = |share| {
            let c = heat(share);
            u32::from(c.r()) + u32::from(c.g()) + u32::from(c.b())
        };
        assert!((0..10).all(|i| brightness(i as f32 / 10.0) < brightness((i + 1) as f32 / 10.0)));
        assert_eq!((heat(f32::NAN), heat(-1.0), heat(9.0)), (heat(0.0), heat(0.0), heat(1.0)));
    }
}
