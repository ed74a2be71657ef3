//! Icons, drawn: strokes on a grid of 24 by 24, so that they are sharp at every size and take the colour of their text.

use eframe::egui;
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, pos2, vec2};
use std::f32::consts::{PI, TAU};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// A bubble.
    Chat,
    /// A cube.
    Model,
    /// Bars.
    Engine,
    /// Sliders.
    Settings,
    /// A plus.
    Plus,
    /// A magnifier.
    Search,
    /// Three lines.
    List,
    /// A pencil.
    Pencil,
    /// A bin.
    Bin,
    /// An arrow out of a tray.
    Export,
    /// Two sheets.
    Copy,
    /// A tick.
    Done,
    /// A circle arrow.
    Retry,
    /// A clip.
    Clip,
    /// An arrow upwards.
    Send,
    /// A square.
    Stop,
    /// A triangle.
    Play,
    /// A cross.
    Close,
    /// A microphone.
    Microphone,
    /// The same, crossed out.
    MicrophoneOff,
    /// A speaker with waves.
    Speaker,
    /// The same, crossed out.
    SpeakerOff,
    /// A camera.
    Camera,
    /// The same, crossed out.
    CameraOff,
    /// An eye.
    Eye,
    /// A triangle with a mark.
    Warning,
    /// An arrow into a tray.
    Pull,
    /// Three dots.
    More,
    /// An arrow to the right, or down.
    Fold { open: bool },
    /// An angle that points to the left.
    Earlier,
    /// An angle that points to the right.
    Later,
    /// A sheet with a corner.
    Picture,
}

impl Icon {
    /// Draws it into the middle of a rectangle.
    pub fn paint(self, painter: &Painter, rect: Rect, colour: Color32) {
        let side = rect.width().min(rect.height());
        let pen = Pen { painter, origin: rect.center() - vec2(side, side) / 2.0, scale: side / 24.0, colour };
        pen.draw(self);
    }
}

struct Pen<'a> {
    painter: &'a Painter,
    origin: Pos2,
    scale: f32,
    colour: Color32,
}

impl Pen<'_> {
    fn at(&self, (x, y): (f32, f32)) -> Pos2 {
        self.origin + vec2(x, y) * self.scale
    }

    fn stroke(&self) -> Stroke {
        Stroke::new((1.9 * self.scale).max(1.2), self.colour)
    }

    fn line(&self, points: &[(f32, f32)]) {
        self.painter.add(Shape::line(points.iter().map(|p| self.at(*p)).collect(), self.stroke()));
        // Round ends.
        for end in [points.first(), points.last()].into_iter().flatten() {
            self.painter.circle_filled(self.at(*end), self.stroke().width / 2.0, self.colour);
        }
    }

    fn closed(&self, points: &[(f32, f32)]) {
        self.painter.add(Shape::closed_line(points.iter().map(|p| self.at(*p)).collect(), self.stroke()));
    }

    fn filled(&self, points: &[(f32, f32)]) {
        let points = points.iter().map(|p| self.at(*p)).collect();
        self.painter.add(Shape::convex_polygon(points, self.colour, Stroke::NONE));
    }

    fn circle(&self, centre: (f32, f32), radius: f32) {
        self.painter.circle_stroke(self.at(centre), radius * self.scale, self.stroke());
    }

    fn dot(&self, centre: (f32, f32), radius: f32) {
        self.painter.circle_filled(self.at(centre), radius * self.scale, self.colour);
    }

    fn rect(&self, (x0, y0): (f32, f32), (x1, y1): (f32, f32), radius: f32) {
        let rect = Rect::from_min_max(self.at((x0, y0)), self.at((x1, y1)));
        self.painter.rect_stroke(rect, radius * self.scale, self.stroke(), StrokeKind::Middle);
    }

    /// Part of a circle, angles clockwise from the right.
    fn arc(&self, (x, y): (f32, f32), radius: f32, from: f32, to: f32) {
        let points: Vec<_> = (0..=16)
            .map(|i| {
                let angle = from + (to - from) * i as f32 / 16.0;
                (x + radius * angle.cos(), y + radius * angle.sin())
            })
            .collect();
        self.line(&points);
    }

    fn crossed(&self) {
        self.line(&[(4.0, 4.0), (20.0, 20.0)]);
    }

    fn draw(&self, icon: Icon) {
        match icon {
            Icon::Chat => {
                self.rect((3.5, 4.5), (20.5, 16.5), 4.0);
                self.line(&[(8.0, 16.5), (8.0, 20.5), (12.5, 16.5)]);
            }
            Icon::Model => {
                self.closed(&[(12.0, 3.0), (20.0, 7.5), (20.0, 16.5), (12.0, 21.0), (4.0, 16.5), (4.0, 7.5)]);
                self.line(&[(4.2, 7.6), (12.0, 12.0), (19.8, 7.6)]);
                self.line(&[(12.0, 12.0), (12.0, 20.8)]);
            }
            Icon::Engine => {
                for (x, top) in [(5.0, 14.0), (12.0, 5.0), (19.0, 10.0)] {
                    self.line(&[(x, 20.0), (x, top)]);
                }
            }
            Icon::Settings => {
                for (y, x) in [(7.0, 15.5), (17.0, 8.5)] {
                    self.line(&[(3.5, y), (x - 2.6, y)]);
                    self.line(&[(x + 2.6, y), (20.5, y)]);
                    self.circle((x, y), 2.6);
                }
            }
            Icon::Plus => {
                self.line(&[(12.0, 5.0), (12.0, 19.0)]);
                self.line(&[(5.0, 12.0), (19.0, 12.0)]);
            }
            Icon::Search => {
                self.circle((10.5, 10.5), 6.0);
                self.line(&[(15.0, 15.0), (20.0, 20.0)]);
            }
            Icon::List => {
                for y in [6.0, 12.0, 18.0] {
                    self.line(&[(4.0, y), (20.0, y)]);
                }
            }
            Icon::Pencil => {
                self.closed(&[(4.0, 20.0), (5.0, 15.5), (16.0, 4.5), (19.5, 8.0), (8.5, 19.0)]);
                self.line(&[(13.5, 7.0), (17.0, 10.5)]);
            }
            Icon::Bin => {
                self.line(&[(4.0, 6.5), (20.0, 6.5)]);
                self.line(&[(9.0, 6.0), (9.5, 3.5), (14.5, 3.5), (15.0, 6.0)]);
                self.line(&[(6.0, 6.5), (7.0, 20.5), (17.0, 20.5), (18.0, 6.5)]);
                self.line(&[(10.2, 10.5), (10.5, 16.5)]);
                self.line(&[(13.8, 10.5), (13.5, 16.5)]);
            }
            Icon::Export | Icon::Pull => {
                let (tip, wings, tail) = if icon == Icon::Export { (3.5, 8.0, 15.0) } else { (15.0, 10.5, 3.5) };
                self.line(&[(12.0, tail), (12.0, tip)]);
                self.line(&[(7.5, wings), (12.0, tip), (16.5, wings)]);
                self.line(&[(4.0, 15.5), (4.0, 20.0), (20.0, 20.0), (20.0, 15.5)]);
            }
            Icon::Copy => {
                self.rect((9.0, 9.0), (20.0, 20.0), 2.5);
                self.line(&[(5.5, 15.0), (4.0, 15.0), (4.0, 4.0), (15.0, 4.0), (15.0, 5.5)]);
            }
            Icon::Done => self.line(&[(4.5, 12.5), (10.0, 18.0), (19.5, 6.5)]),
            Icon::Retry => {
                self.arc((12.0, 12.0), 7.5, -0.2 * PI, 1.45 * PI);
                self.line(&[(18.4, 3.4), (18.4, 8.0), (13.8, 8.0)]);
            }
            Icon::Clip => {
                self.line(&[
                    (19.5, 11.0),
                    (11.2, 19.3),
                    (8.8, 20.4),
                    (6.2, 19.4),
                    (4.6, 17.6),
                    (4.0, 15.2),
                    (5.2, 12.8),
                ]);
                self.line(&[(5.2, 12.8), (13.4, 4.6), (15.6, 3.8), (17.6, 4.6), (18.6, 6.6), (17.8, 8.8), (9.8, 16.8)]);
                self.line(&[(9.8, 16.8), (8.2, 16.6), (7.6, 15.0), (15.0, 7.6)]);
            }
            Icon::Send => {
                self.line(&[(12.0, 19.5), (12.0, 4.5)]);
                self.line(&[(5.5, 11.0), (12.0, 4.5), (18.5, 11.0)]);
            }
            Icon::Stop => {
                let rect = Rect::from_min_max(self.at((6.0, 6.0)), self.at((18.0, 18.0)));
                self.painter.rect_filled(rect, 2.5 * self.scale, self.colour);
            }
            Icon::Play => self.filled(&[(7.5, 4.5), (19.5, 12.0), (7.5, 19.5)]),
            Icon::Close => {
                self.line(&[(6.0, 6.0), (18.0, 18.0)]);
                self.line(&[(18.0, 6.0), (6.0, 18.0)]);
            }
            Icon::Microphone | Icon::MicrophoneOff => {
                self.rect((9.0, 3.0), (15.0, 14.0), 3.0);
                self.arc((12.0, 11.0), 6.5, 0.0, PI);
                self.line(&[(12.0, 17.6), (12.0, 21.0)]);
                if icon == Icon::MicrophoneOff {
                    self.crossed();
                }
            }
            Icon::Speaker | Icon::SpeakerOff => {
                self.closed(&[(3.5, 9.5), (7.0, 9.5), (12.0, 5.0), (12.0, 19.0), (7.0, 14.5), (3.5, 14.5)]);
                if icon == Icon::SpeakerOff {
                    self.line(&[(16.0, 9.5), (21.0, 14.5)]);
                    self.line(&[(21.0, 9.5), (16.0, 14.5)]);
                } else {
                    self.arc((12.0, 12.0), 4.5, -0.3 * PI, 0.3 * PI);
                    self.arc((12.0, 12.0), 8.5, -0.3 * PI, 0.3 * PI);
                }
            }
            Icon::Camera | Icon::CameraOff => {
                self.rect((3.0, 6.5), (15.5, 17.5), 2.5);
                self.closed(&[(15.5, 10.5), (21.0, 7.5), (21.0, 16.5), (15.5, 13.5)]);
                if icon == Icon::CameraOff {
                    self.crossed();
                }
            }
            Icon::Eye => {
                let lid = |sign: f32| -> Vec<_> {
                    (0..=12)
                        .map(|i| i as f32 / 12.0)
                        .map(|t| (2.5 + 19.0 * t, 12.0 + sign * 6.5 * (PI * t).sin()))
                        .collect()
                };
                self.line(&lid(-1.0));
                self.line(&lid(1.0));
                self.circle((12.0, 12.0), 3.0);
            }
            Icon::Warning => {
                self.closed(&[(12.0, 3.5), (21.5, 20.0), (2.5, 20.0)]);
                self.line(&[(12.0, 9.5), (12.0, 14.0)]);
                self.dot((12.0, 17.0), 1.2);
            }
            Icon::More => [5.5, 12.0, 18.5].into_iter().for_each(|x| self.dot((x, 12.0), 1.7)),
            Icon::Fold { open: false } | Icon::Later => self.line(&[(9.0, 5.5), (15.5, 12.0), (9.0, 18.5)]),
            Icon::Earlier => self.line(&[(15.0, 5.5), (8.5, 12.0), (15.0, 18.5)]),
            Icon::Fold { open: true } => self.line(&[(5.5, 9.0), (12.0, 15.5), (18.5, 9.0)]),
            Icon::Picture => {
                self.rect((3.5, 4.5), (20.5, 19.5), 3.0);
                self.circle((8.7, 9.5), 1.6);
                self.line(&[(4.5, 18.0), (10.5, 12.5), (13.5, 15.5), (16.0, 13.0), (20.0, 17.0)]);
            }
        }
    }
}

/// The mark of the program: an open eye of arcs around a bright pupil.
pub fn logo(painter: &Painter, rect: Rect, colour: Color32, behind: Color32) {
    let (centre, radius) = (rect.center(), rect.width().min(rect.height()) / 2.0);
    painter.circle_filled(centre, radius, colour);
    let ring = |share: f32, width: f32, from: f32, to: f32| {
        let points = (0..=32)
            .map(|i| centre + radius * share * egui::Vec2::angled((from + (to - from) * i as f32 / 32.0) * TAU))
            .collect();
        painter.add(Shape::line(points, Stroke::new(radius * width, behind)));
    };
    ring(0.62, 0.13, 0.56, 0.94);
    ring(0.62, 0.13, 0.06, 0.44);
    painter.circle_filled(centre, radius * 0.28, behind);
    painter.circle_filled(pos2(centre.x + radius * 0.1, centre.y - radius * 0.1), radius * 0.09, colour);
}
