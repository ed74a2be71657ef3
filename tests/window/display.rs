//! A display without a screen, and a person before it: eyes on the window, fingers on the keyboard.

use crate::Ended;
use image::RgbImage;
use std::io::{BufRead, BufReader, IoSlice};
use std::process::{Command, Stdio};
use x11rb::CURRENT_TIME;
use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt, ImageFormat, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode, Keysym,
    MapState, Window,
};
use x11rb::rust_connection::RustConnection;

pub const SHIFT: Keysym = 0xffe1;
pub const CONTROL: Keysym = 0xffe3;
pub const ENTER: Keysym = 0xff0d;
pub const PAGE_UP: Keysym = 0xff55;
pub const PAGE_DOWN: Keysym = 0xff56;

/// Letters of Latin-1 have the numbers of their keys.
pub fn letter(letter: char) -> Keysym {
    letter.into()
}

/// The server, and our connection to it.
pub struct Display {
    pub name: String,
    pub connection: RustConnection,
    pub root: Window,
    _server: Ended,
}

impl Display {
    /// `None` where there is no Xvfb.
    pub fn start() -> Option<Display> {
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1100x760x24", "-nolisten", "tcp"]);
        let mut server = match server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
            Ok(server) => server,
            Err(error) => {
                eprintln!("SKIPPED: there is no Xvfb for a virtual display ({error}); `./x test` installs it");
                return None;
            }
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let server = Ended(server);
        let name = format!(":{}", number.trim());
        let (connection, screen) = RustConnection::connect(Some(&name)).unwrap();
        let root = connection.setup().roots[screen].root;
        Some(Display { name, connection, root, _server: server })
    }

    pub fn atom(&self, name: &str) -> Atom {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    /// The window with this title, once it is shown.
    pub fn window(&self, title: &str) -> Option<Window> {
        let (name, utf8) = (self.atom("_NET_WM_NAME"), self.atom("UTF8_STRING"));
        let all = self.connection.query_tree(self.root).unwrap().reply().unwrap().children;
        // Each may go away while it is looked at.
        all.into_iter().find(|window| {
            let property = self.connection.get_property(false, *window, name, utf8, 0, 64).unwrap().reply();
            let attributes = self.connection.get_window_attributes(*window).unwrap().reply();
            property.is_ok_and(|property| property.value == title.as_bytes())
                && attributes.is_ok_and(|attributes| attributes.map_state == MapState::VIEWABLE)
        })
    }

    /// Gives it the keyboard, as a click on it would where there is somebody who manages windows.
    pub fn focus(&self, window: Window) {
        self.connection.set_input_focus(InputFocus::PARENT, window, CURRENT_TIME).unwrap().check().unwrap();
    }

    /// Presses a key while others are held.
    pub fn press(&self, held: &[Keysym], key: Keysym) {
        let (code, upper) = self.key(key);
        let mut all: Vec<Keycode> = held.iter().map(|key| self.key(*key).0).collect();
        if upper && !held.contains(&SHIFT) {
            all.push(self.key(SHIFT).0);
        }
        all.push(code);
        let presses = all.iter().map(|code| (KEY_PRESS_EVENT, *code));
        let releases = all.iter().rev().map(|code| (KEY_RELEASE_EVENT, *code));
        for (what, code) in presses.chain(releases) {
            self.fake(what, code);
        }
        self.connection.flush().unwrap();
    }

    /// XTEST's FakeInput, which the crate would bring with a feature.
    fn fake(&self, what: u8, code: Keycode) {
        let xtest = self.connection.extension_information("XTEST").unwrap().expect("the server has no XTEST");
        // The request's number and its length in words; zeros are now, any screen, and the keyboard that all share.
        let mut request = [0; 36];
        (request[0], request[1], request[2]) = (xtest.major_opcode, 2, 9);
        (request[4], request[5]) = (what, code);
        self.connection.send_request_without_reply(&[IoSlice::new(&request)], Vec::new()).unwrap();
    }

    /// Where a key is, and whether its sign is the one that shift gives.
    fn key(&self, sign: Keysym) -> (Keycode, bool) {
        let setup = self.connection.setup();
        let first = setup.min_keycode;
        let mapping = self.connection.get_keyboard_mapping(first, setup.max_keycode - first + 1).unwrap();
        let mapping = mapping.reply().unwrap();
        let width = usize::from(mapping.keysyms_per_keycode);
        let level = |level| mapping.keysyms.iter().skip(level).step_by(width).position(|there| *there == sign);
        let (place, upper) = match (level(0), level(1)) {
            (Some(place), _) => (place, false),
            (None, Some(place)) => (place, true),
            (None, None) => panic!("the keyboard has no key for {sign:#x}"),
        };
        (first + u8::try_from(place).unwrap(), upper)
    }

    /// What is seen.
    pub fn screen(&self) -> RgbImage {
        let size = self.connection.get_geometry(self.root).unwrap().reply().unwrap();
        let (width, height) = (size.width, size.height);
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, u32::MAX);
        let image = image.unwrap().reply().unwrap();
        let pixels = image.data.as_chunks::<4>().0.iter().flat_map(|[blue, green, red, _]| [*red, *green, *blue]);
        RgbImage::from_raw(width.into(), height.into(), pixels.collect()).unwrap()
    }

    /// Whether a few pixels of about this colour are seen.
    pub fn shows(&self, colour: [u8; 3]) -> bool {
        let close = |pixel: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 16);
        self.screen().pixels().filter(|pixel| close(&pixel.0)).count() > 4
    }
}

/// The name under which a property holds atoms.
pub fn atoms() -> Atom {
    AtomEnum::ATOM.into()
}
