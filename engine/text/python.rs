//! What chat templates take from Python: `tojson` as `json.dumps`, methods of strings, `raise_exception`, `strftime_now`.

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// The message of a template that called `raise_exception`.
#[derive(Debug)]
pub(super) struct Raised(pub String);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// Gives an environment everything that published templates call besides Jinja itself.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(method);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Number if !value.is_integer() => {
            let text = number(value);
            out.write_str(&text.to_lowercase().replace("infinity", "inf")).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("tojson", to_json);
    environment.add_filter("truncate", minijinja_contrib::filters::truncate);
    environment.add_filter("wordcount", |text: &str| text.split_whitespace().count());
    // Strings and dicts have a length and an index, so they count; nothing comes out of None.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map | ValueKind::Undefined)
    });
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
    });
    environment.add_function("strftime_now", |format: String| {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        strftime(&format, seconds)
    });
    environment.add_function("cycler", minijinja_contrib::globals::cycler);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
}

/// A JSON value for a template.
pub(super) fn to_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(to_value).collect(),
        serde_json::Value::Object(object) => {
            Value::from_pairs(object.iter().map(|(key, value)| (key.as_str(), to_value(value))))
        }
    }
}

/// `{% generation %}` marks what a model is trained on and changes nothing in the text: it becomes `{% with %}`, which
/// leaves the spaces around it as they are and, like it, keeps what is set inside.
pub(super) fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        let signs = tag.len() - tag.trim_start_matches(['-', '+']).len();
        let name = tag[signs..].trim_start();
        let replaced = [("generation", "with"), ("endgeneration", "endwith")].into_iter().find_map(|(from, to)| {
            let after = name.strip_prefix(from)?;
            let ends = after.trim_start().trim_start_matches(['-', '+']).starts_with("%}");
            ends.then_some((after, to))
        });
        rest = match replaced {
            Some((after, to)) => {
                out.push_str(&tag[..tag.len() - name.len()]);
                out.push_str(to);
                after
            }
            None => tag,
        };
    }
    out.push_str(rest);
    out
}

/// Methods of Python's strings and lists that `minijinja_contrib::pycompat` leaves out.
fn method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let known = match value.as_str() {
        Some(text) => string_method(state, text, method, args)?,
        None if method == "index" && value.kind() == ValueKind::Seq => {
            let (wanted,): (&Value,) = from_args(args)?;
            Some(found(value.try_iter()?.position(|item| item == *wanted))?)
        }
        None => None,
    };
    match known {
        Some(value) => Ok(value),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn string_method(state: &State, text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let three = |(before, sign, after): (&str, &str, &str)| Value::from((before, sign, after));
    Ok(Some(match method {
        "title" => {
            // A capital after everything that is no letter.
            let mut inside = false;
            let mut titled = String::with_capacity(text.len());
            for c in text.chars() {
                match inside {
                    true => titled.extend(c.to_lowercase()),
                    false => titled.extend(c.to_uppercase()),
                }
                inside = c.is_alphabetic();
            }
            Value::from(titled)
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "rsplit" => {
            let (by, most): (&str, Option<usize>) = from_args(args)?;
            let mut parts: Vec<&str> = match most {
                Some(most) => text.rsplitn(most.saturating_add(1), by).collect(),
                None => text.rsplit(by).collect(),
            };
            parts.reverse();
            parts.into_iter().collect()
        }
        "partition" => {
            let (by,): (&str,) = from_args(args)?;
            three(text.split_once(by).map_or((text, "", ""), |(before, after)| (before, by, after)))
        }
        "rpartition" => {
            let (by,): (&str,) = from_args(args)?;
            three(text.rsplit_once(by).map_or(("", "", text), |(before, after)| (before, by, after)))
        }
        "index" => {
            let (wanted,): (&str,) = from_args(args)?;
            found(text.find(wanted).map(|at| text[..at].chars().count()))?
        }
        "ljust" | "rjust" | "zfill" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            let missing = width.saturating_sub(text.chars().count());
            state.consume_fuel(missing as u64 / 64)?;
            let fill = fill.unwrap_or(if method == "zfill" { '0' } else { ' ' });
            let fill = fill.to_string().repeat(missing);
            match method {
                "ljust" => Value::from(format!("{text}{fill}")),
                "rjust" => Value::from(format!("{fill}{text}")),
                _ => {
                    let digits = text.trim_start_matches(['+', '-']);
                    Value::from(format!("{}{fill}{digits}", &text[..text.len() - digits.len()]))
                }
            }
        }
        _ => return Ok(None),
    }))
}

/// The place that `index` found; Python's "not found" is an error.
fn found(at: Option<usize>) -> Result<Value, Error> {
    at.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "index: no such value"))
}

/// How `tojson` writes.
struct Style {
    ensure_ascii: bool,
    indent: Option<String>,
    between: String,
    after_key: String,
    sort_keys: bool,
}

/// `json.dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
fn to_json(state: &State, value: &Value, args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let argument = |index: usize, name: &str| -> Result<Option<Value>, Error> {
        let value = match args.get(index) {
            Some(value) => Some(value.clone()),
            None => named.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
    };
    let truth = |index, name: &str| Ok::<_, Error>(argument(index, name)?.is_some_and(|value| value.is_true()));
    let indent = match argument(1, "indent")? {
        None => None,
        Some(text) if text.as_str().is_some() => Some(text.to_string()),
        Some(count) => Some(" ".repeat(usize::try_from(count)?.min(256))),
    };
    let (between, after_key) = match argument(2, "separators")? {
        Some(pair) => {
            let pair: Vec<String> = pair.try_iter()?.map(|one| one.to_string()).collect();
            let [between, after_key] = <[String; 2]>::try_from(pair)
                .map_err(|_| Error::new(ErrorKind::InvalidOperation, "separators are not two strings"))?;
            (between, after_key)
        }
        None => (if indent.is_some() { "," } else { ", " }.into(), ": ".into()),
    };
    let style = Style {
        ensure_ascii: truth(0, "ensure_ascii")?,
        indent,
        between,
        after_key,
        sort_keys: truth(3, "sort_keys")?,
    };
    named.assert_all_used()?;
    let mut out = String::new();
    write_json(state, &style, value, 0, &mut out)?;
    Ok(Value::from(out))
}

fn write_json(state: &State, style: &Style, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > 100 {
        return Err(Error::new(ErrorKind::BadSerialization, "the value given to tojson is too deep"));
    }
    state.consume_fuel(1)?;
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            state.consume_fuel(text.len() as u64 / 64)?;
            write_string(style, text, out);
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            write_list(style, depth, items.len(), ['[', ']'], out, |index, out| {
                write_json(state, style, &items[index], depth + 1, out)
            })?;
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if style.sort_keys {
                keys.sort();
            }
            write_list(style, depth, keys.len(), ['{', '}'], out, |index, out| {
                let key = &keys[index];
                match key.kind() {
                    ValueKind::String => write_string(style, key.as_str().unwrap_or_default(), out),
                    ValueKind::None => out.push_str("\"null\""),
                    ValueKind::Bool => out.push_str(if key.is_true() { "\"true\"" } else { "\"false\"" }),
                    ValueKind::Number => out.push_str(&format!("\"{}\"", number(key))),
                    other => {
                        let problem = format!("{other} cannot be a key in JSON");
                        return Err(Error::new(ErrorKind::BadSerialization, problem));
                    }
                }
                out.push_str(&style.after_key);
                write_json(state, style, &value.get_item(key)?, depth + 1, out)
            })?;
        }
        other => {
            return Err(Error::new(ErrorKind::BadSerialization, format!("{other} cannot be written as JSON")));
        }
    }
    Ok(())
}

fn write_list(
    style: &Style,
    depth: usize,
    count: usize,
    [open, close]: [char; 2],
    out: &mut String,
    mut item: impl FnMut(usize, &mut String) -> Result<(), Error>,
) -> Result<(), Error> {
    out.push(open);
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = &style.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    for index in 0..count {
        if index > 0 {
            out.push_str(&style.between);
        }
        line(depth + 1, out);
        item(index, out)?;
    }
    if count > 0 {
        line(depth, out);
    }
    out.push(close);
    Ok(())
}

fn write_string(style: &Style, text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (style.ensure_ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number as Python writes it: whole ones plainly, floats with the fewest digits, exponents from 1e16 and below 1e-4.
fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let float = f64::try_from(value.clone()).unwrap_or(f64::NAN);
    if float.is_nan() {
        return "NaN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{float:?}")
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The date and time of UTC, `seconds` after 1970, in the manner of C's `strftime`; unknown directives stay as they are.
fn strftime(format: &str, seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (mut year, mut day_of_year) = (1970, days);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day_of_year >= 365 + u64::from(leap(year)) {
        day_of_year -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut month, mut day) = (0, day_of_year);
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (day, weekday) = (day + 1, (days + 4) % 7);
    let day_name = DAYS[weekday as usize];
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        let unpadded = directive == Some('-');
        if unpadded {
            directive = chars.next();
        }
        let two = |number: u64| {
            if unpadded { number.to_string() } else { format!("{number:02}") }
        };
        match directive {
            Some('Y') => out.push_str(&year.to_string()),
            Some('y') => out.push_str(&two(year % 100)),
            Some('m') => out.push_str(&two(month as u64 + 1)),
            Some('B') => out.push_str(MONTHS[month]),
            Some('b' | 'h') => out.push_str(&MONTHS[month][..3]),
            Some('d') => out.push_str(&two(day)),
            Some('e') => out.push_str(&format!("{day:2}")),
            Some('j') if unpadded => out.push_str(&(day_of_year + 1).to_string()),
            Some('j') => out.push_str(&format!("{:03}", day_of_year + 1)),
            Some('A') => out.push_str(day_name),
            Some('a') => out.push_str(&day_name[..3]),
            Some('w') => out.push_str(&weekday.to_string()),
            Some('u') => out.push_str(&(if weekday == 0 { 7 } else { weekday }).to_string()),
            Some('H') => out.push_str(&two(hour)),
            Some('I') => out.push_str(&two(hour12)),
            Some('M') => out.push_str(&two(minute)),
            Some('S') => out.push_str(&two(second)),
            Some('f') => out.push_str("000000"),
            Some('p') => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            Some('Z') => out.push_str("UTC"),
            Some('z') => out.push_str("+0000"),
            Some('F') => out.push_str(&format!("{year}-{:02}-{day:02}", month + 1)),
            Some('T') => out.push_str(&format!("{hour:02}:{minute:02}:{second:02}")),
            Some('%') => out.push('%'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}
