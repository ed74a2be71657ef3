//! A file manager as far as a drag needs one: the source's half of XDND 5 (freedesktop.org/wiki/Specifications/XDND).

use crate::display::{Display, atoms};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, ClientMessageEvent, ConnectionExt, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
    SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{COPY_FROM_PARENT, CURRENT_TIME, NONE};

const VERSION: u32 = 5;
/// For each of the other side's answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who drags.
struct Source<'a> {
    display: &'a Display,
    window: Window,
    target: Window,
    /// What is dragged, as `text/uri-list`.
    list: Vec<u8>,
    asked: bool,
}

/// Drags a file to a place of the screen and lets it go there. Ends when the program says that it has it.
pub fn drop_file(display: &Display, file: &Path, (x, y): (i16, i16)) {
    let connection = &display.connection;
    let window = connection.generate_id().unwrap();
    let (class, look) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
    connection.create_window(0, window, display.root, -1, -1, 1, 1, 0, class, COPY_FROM_PARENT, &look).unwrap();
    connection.set_selection_owner(window, display.atom("XdndSelection"), CURRENT_TIME).unwrap();
    let target = target(display, x, y).expect("nothing there takes a drop");
    let mut source = Source { display, window, target, list: list(file), asked: false };
    let place = u32::from(x.unsigned_abs()) << 16 | u32::from(y.unsigned_abs());
    let copy = display.atom("XdndActionCopy");
    source.tell("XdndEnter", [VERSION << 24, display.atom("text/uri-list"), NONE, NONE]);
    // A mouse moves more than once, and nobody lets go before it is clear that the drop is welcome.
    while !source.asked {
        source.tell("XdndPosition", [0, place, CURRENT_TIME, copy]);
        let status = source.answer("XdndStatus");
        assert_eq!(status[1] & 1, 1, "a file is refused");
        source.attend(Instant::now() + Duration::from_millis(100), |source| source.asked);
    }
    source.tell("XdndDrop", [0, CURRENT_TIME, 0, 0]);
    let finished = source.answer("XdndFinished");
    assert_eq!(finished[1] & 1, 1, "the drop is refused");
    connection.destroy_window(window).unwrap();
    connection.flush().unwrap();
}

/// The window below this place that takes drops.
fn target(display: &Display, x: i16, y: i16) -> Option<Window> {
    let aware = display.atom("XdndAware");
    let mut at = display.root;
    loop {
        let version = display.connection.get_property(false, at, aware, atoms(), 0, 1).unwrap().reply().unwrap();
        if version.value32().and_then(|mut version| version.next()).is_some_and(|version| version >= 3) {
            return Some(at);
        }
        let below = display.connection.translate_coordinates(display.root, at, x, y).unwrap().reply().unwrap();
        at = (below.child != NONE).then_some(below.child)?;
    }
}

/// One file as file managers write it: what is no plain letter as its bytes.
fn list(file: &Path) -> Vec<u8> {
    let mut uri = String::from("file://");
    for byte in file.to_str().unwrap().bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => write!(uri, "%{byte:02X}").unwrap(),
        }
    }
    format!("{uri}\r\n").into()
}

impl Source<'_> {
    fn tell(&self, what: &str, [a, b, c, d]: [u32; 4]) {
        let data = [self.window, a, b, c, d];
        let message = ClientMessageEvent::new(32, self.target, self.display.atom(what), data);
        self.display.connection.send_event(false, self.target, EventMask::NO_EVENT, message).unwrap();
        self.display.connection.flush().unwrap();
    }

    /// Waits for what the other side tells, and hands the file out meanwhile.
    fn answer(&mut self, what: &str) -> [u32; 5] {
        let wanted = self.display.atom(what);
        let mut found = None;
        let until = Instant::now() + PATIENCE;
        while found.is_none() {
            assert!(Instant::now() < until, "the program never told {what}");
            found = self.next().filter(|(kind, _)| *kind == wanted);
        }
        found.unwrap().1
    }

    /// Hands the file out until something is so.
    fn attend(&mut self, until: Instant, is_so: impl Fn(&Source<'_>) -> bool) {
        while !is_so(self) && Instant::now() < until {
            self.next();
        }
    }

    /// A message of the other side, if there is one.
    fn next(&mut self) -> Option<(Atom, [u32; 5])> {
        match self.display.connection.poll_for_event().unwrap() {
            Some(Event::SelectionRequest(request)) => self.hand_out(request),
            Some(Event::ClientMessage(message)) => return Some((message.type_, message.data.as_data32())),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(5)),
        }
        None
    }

    fn hand_out(&mut self, request: SelectionRequestEvent) {
        let known = request.target == self.display.atom("text/uri-list");
        let connection = &self.display.connection;
        if known {
            let SelectionRequestEvent { requestor, property, target, .. } = request;
            connection.change_property8(PropMode::REPLACE, requestor, property, target, &self.list).unwrap();
        }
        let told = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: if known { request.property } else { NONE },
        };
        connection.send_event(false, request.requestor, EventMask::NO_EVENT, told).unwrap();
        connection.flush().unwrap();
        self.asked |= known;
    }
}
