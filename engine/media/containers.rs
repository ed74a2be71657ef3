//! What a sound file promises, read before it is decoded.
//!
//! Decoders look for the next thing they understand and say nothing of what they skipped. So the container is walked first: its
//! format by the first bytes, how much sound it must give, and whether it is all there.

use std::ops::ControlFlow;

pub(super) const SUPPORTED: &str = "WAV, FLAC, MP3, OGG Vorbis, M4A (AAC, ALAC) and AIFF";
pub(super) const CONVERT: &str = "convert it, for example by `ffmpeg -i FILE sound.wav`";

/// What decoding must give, as far as the container says.
#[derive(Default)]
pub(super) struct Promise {
    /// For messages.
    pub format: &'static str,
    /// The usual file extension, a hint for the decoder.
    pub extension: &'static str,
    /// Samples a channel; decoding fewer means that the file is damaged.
    pub frames: Option<u64>,
    /// Bytes that the packets must add up to.
    pub packet_bytes: Option<u64>,
    /// Tracks of an MPEG-4 file.
    pub tracks: Vec<Track>,
}

/// A sound track of an MPEG-4 file and the part of it that is to be played (ISO/IEC 14496-12, 8.6.6).
#[derive(Default)]
pub(super) struct Track {
    /// As in its header.
    pub id: u32,
    /// Ticks a second of the times below.
    pub timescale: u64,
    /// Ticks of all samples; 0 when a fragmented file does not say.
    pub duration: u64,
    /// Seconds of silence before the sound.
    pub silence_s: f64,
    /// First tick that is played: an encoder's run-in lies before it.
    pub start: u64,
    /// First tick that is not played.
    pub end: Option<u64>,
}

/// Finds the format and walks its container, or gives the sentence that says why not.
pub(super) fn examine(bytes: &[u8]) -> Result<Promise, String> {
    if bytes.is_empty() {
        return Err("the file is empty; save or copy it again".into());
    }
    let sound = after_id3(bytes);
    let form = bytes.get(8..12).unwrap_or_default();
    let other = match sound {
        [b'R', b'I', b'F', b'F', ..] if form == b"WAVE" => return wav(bytes),
        [b'F', b'O', b'R', b'M', ..] if matches!(form, b"AIFF" | b"AIFC") => return aiff(bytes),
        [b'f', b'L', b'a', b'C', ..] => return flac(sound),
        [b'O', b'g', b'g', b'S', ..] => return ogg(bytes),
        _ if bytes.get(4..8) == Some(b"ftyp") => return mpeg4(bytes),
        [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => "64-bit WAV",
        [b'R', b'I', b'F', b'F', ..] if form == b"AVI " => "AVI",
        [b'R', b'I', b'F', b'F', ..] | [b'F', b'O', b'R', b'M', ..] if bytes.len() < 12 => {
            return Err("the file is cut off within its header; save or copy it again".into());
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "Matroska or WebM",
        [0x30, 0x26, 0xb2, 0x75, ..] => "Windows Media (WMA)",
        [b'F', b'L', b'V', ..] => "Flash video",
        [b'w', b'v', b'p', b'k', ..] => "WavPack",
        [b'M', b'A', b'C', b' ', ..] => "Monkey's Audio",
        [b'#', b'!', b'A', b'M', b'R', ..] => "AMR",
        [b'c', b'a', b'f', b'f', ..] => "Core Audio (CAF)",
        [b'M', b'T', b'h', b'd', ..] => "MIDI",
        // Twelve bits of ones, then the layer: 0 is AAC, otherwise 4 minus the number.
        &[0xff, second, ..] if second >= 0xe0 => match second >> 1 & 3 {
            1 => return mp3(sound),
            0 if second >= 0xf0 => "AAC without a container (ADTS)",
            2 => "MPEG audio layer II",
            _ => "",
        },
        _ => "",
    };
    Err(match other {
        "" => format!("it does not begin like sound of a supported format ({SUPPORTED}); {CONVERT}"),
        "AVI" | "Matroska or WebM" | "Flash video" => {
            format!("{other} is not supported as sound, only {SUPPORTED}; pass it as a video, or {CONVERT}")
        }
        _ => format!("{other} is not supported, only {SUPPORTED}; {CONVERT}"),
    })
}

/// The sentence about a damaged file.
pub(super) fn damaged(format: &str, detail: &str) -> String {
    format!("this {format} is damaged or cut off ({detail}); save or copy it again")
}

/// What follows ID3v2 tags and zeros before the first frame of an MP3 or FLAC file.
fn after_id3(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = *rest {
        let size = [a, b, c, d].iter().fold(0, |size, &byte| size << 7 | usize::from(byte & 0x7f));
        let footer = if flags & 0x10 != 0 { 10 } else { 0 };
        rest = rest.get(10 + size + footer..).unwrap_or_default();
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        rest = &rest[zeros..];
    }
    rest
}

/// Whether the end of a file is a tag or padding rather than sound.
fn is_tag(rest: &[u8]) -> bool {
    rest.is_empty()
        || rest.iter().all(|&byte| byte == 0)
        || rest.starts_with(b"APETAGEX")
        || rest.starts_with(b"LYRICSBEGIN")
        || rest.starts_with(b"ID3")
        || rest.starts_with(b"TAG") && rest.len() == 128
}

fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Calls `each` with id, promised length and the bytes there of every IFF chunk; says how many bytes at the end are none.
fn chunks<'a>(
    bytes: &'a [u8],
    number: fn(&[u8]) -> u64,
    mut each: impl FnMut(&[u8], u64, &'a [u8]) -> ControlFlow<()>,
) -> usize {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(8) {
        let (id, len) = (&head[..4], number(&head[4..]));
        if !id.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            break;
        }
        let there = body.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        if each(id, len, &body[..there]).is_break() {
            return 0;
        }
        rest = body.get(there + (len & 1) as usize..).unwrap_or_default();
    }
    if rest.iter().all(|&byte| byte == 0) { 0 } else { rest.len() }
}

/// RIFF WAVE, as in Microsoft's "Multimedia Programming Interface and Data Specifications".
fn wav(bytes: &[u8]) -> Result<Promise, String> {
    let (mut layout, mut sound, mut short) = (None, None, None);
    let stray = chunks(bytes, le, |id, len, body| {
        // A length of all ones: a program that wrote to a pipe and could not come back to fill it in.
        let endless = id == b"data" && len == u64::from(u32::MAX);
        match id {
            b"fmt " => layout = layout.or(body.get(..16)),
            b"data" if sound.is_none() => sound = Some(body.len() as u64),
            _ => {}
        }
        if (body.len() as u64) < len && !endless {
            short = Some((String::from_utf8_lossy(id).into_owned(), len, body.len()));
        }
        if endless { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Some((id, len, there)) = short {
        return Err(damaged("WAV", &format!("its {} chunk promises {len} bytes, {there} are there", id.trim_end())));
    }
    let layout = layout.ok_or_else(|| damaged("WAV", "it has no fmt chunk"))?;
    let sound = sound.ok_or_else(|| damaged("WAV", "it has no data chunk"))?;
    if stray > 0 {
        let detail =
            format!("its header promises {sound} bytes of sound, but {stray} bytes more follow that are no chunk");
        return Err(damaged("WAV", &detail));
    }
    let [tag, channels, align, bits] = [0..2, 2..4, 12..14, 14..16].map(|at| le(&layout[at]));
    let codec = match tag {
        1 | 3 | 6 | 7 | 0xfffe => "",
        2 => "Microsoft ADPCM",
        0x11 => "IMA ADPCM",
        0x31 => "GSM 6.10",
        0x55 => "MP3",
        0x160..=0x163 => "Windows Media",
        _ => "an unknown codec",
    };
    if !codec.is_empty() {
        return Err(format!("{codec} in WAV (format {tag:#06x}) is not supported, only PCM and float; {CONVERT}"));
    }
    let frame = channels * (bits / 8);
    if frame == 0 || align != frame {
        let detail = format!("a frame of {channels} channels of {bits} bits cannot take {align} bytes");
        return Err(damaged("WAV", &detail));
    }
    if !sound.is_multiple_of(frame) {
        let detail = format!("its {sound} bytes of sound are no whole number of {frame}-byte frames");
        return Err(damaged("WAV", &detail));
    }
    Ok(Promise { format: "WAV", extension: "wav", frames: Some(sound / frame), ..Default::default() })
}

/// AIFF and AIFF-C, as in Apple's "Audio Interchange File Format" 1.3.
fn aiff(bytes: &[u8]) -> Result<Promise, String> {
    let (mut frames, mut has_sound, mut short) = (None, false, None);
    let stray = chunks(bytes, be, |id, len, body| {
        match id {
            b"COMM" => frames = frames.or(body.get(2..6).map(be)),
            b"SSND" => has_sound = true,
            _ => {}
        }
        if (body.len() as u64) < len {
            short = Some((String::from_utf8_lossy(id).into_owned(), len, body.len()));
        }
        ControlFlow::Continue(())
    });
    if let Some((id, len, there)) = short {
        return Err(damaged("AIFF", &format!("its {} chunk promises {len} bytes, {there} are there", id.trim_end())));
    }
    if stray > 0 {
        return Err(damaged("AIFF", &format!("its last {stray} bytes are no chunk")));
    }
    let frames = frames.ok_or_else(|| damaged("AIFF", "it has no COMM chunk"))?;
    if !has_sound && frames > 0 {
        return Err(damaged("AIFF", "it has no SSND chunk"));
    }
    Ok(Promise { format: "AIFF", extension: "aiff", frames: Some(frames), ..Default::default() })
}

/// FLAC (RFC 9639): the number of samples, and where the frames begin.
fn flac(bytes: &[u8]) -> Result<Promise, String> {
    let (mut at, mut frames) = (4, None);
    loop {
        let head = bytes.get(at..at + 4).ok_or_else(|| damaged("FLAC", "it ends within its header"))?;
        let len = be(&head[1..]) as usize;
        let body = bytes.get(at + 4..at + 4 + len).ok_or_else(|| damaged("FLAC", "it ends within its header"))?;
        if let (0, Some(field)) = (head[0] & 0x7f, body.get(13..18)) {
            frames = Some(be(field) & 0xf_ffff_ffff).filter(|&frames| frames > 0);
        }
        at += 4 + len;
        if head[0] & 0x80 != 0 {
            break;
        }
    }
    let tag = bytes.len().checked_sub(128).filter(|&tag| tag >= at && bytes[tag..].starts_with(b"TAG"));
    let end = tag.unwrap_or(bytes.len());
    let packet_bytes = Some((end - at) as u64);
    Ok(Promise { format: "FLAC", extension: "flac", frames, packet_bytes, tracks: Vec::new() })
}

/// MPEG audio layer III (ISO/IEC 11172-3 and 13818-3): frame by frame, each header saying where the next one is.
fn mp3(bytes: &[u8]) -> Result<Promise, String> {
    let (mut rest, mut count) = (bytes, 0);
    let promised = info_frames(bytes);
    while !is_tag(rest) {
        let Some(size) = mp3_frame_size(rest) else {
            let at = bytes.len() - rest.len();
            return Err(damaged(
                "MP3",
                &format!("no frame begins where frame {} must, at byte {at} of the sound", count + 1),
            ));
        };
        let size = size?;
        if size > rest.len() {
            let detail = format!("frame {} has {} of its {size} bytes", count + 1, rest.len());
            return Err(damaged("MP3", &detail));
        }
        rest = &rest[size..];
        count += 1;
    }
    if let Some(promised) = promised.filter(|&promised| promised > count) {
        return Err(damaged("MP3", &format!("its header promises {promised} frames, {count} are there")));
    }
    Ok(Promise { format: "MP3", extension: "mp3", ..Default::default() })
}

/// Bytes of the frame that begins here, if one does; an error when that cannot be told.
fn mp3_frame_size(bytes: &[u8]) -> Option<Result<usize, String>> {
    const KBITS: [[usize; 15]; 2] = [
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    ];
    let &[0xff, second, third, _, ..] = bytes else {
        return (bytes.len() < 4).then_some(Ok(4));
    };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (kbit_at, rate_at) = (usize::from(third >> 4), usize::from(third >> 2 & 3));
    if second < 0xe0 || version == 1 || layer != 1 || kbit_at == 15 || rate_at == 3 {
        return None;
    }
    if kbit_at == 0 {
        return Some(Err(format!("MP3 of a free bit rate is not supported; {CONVERT}")));
    }
    let is_first = version == 3;
    let halvings = [2, 0, 1, 0][usize::from(version)];
    let rate = [44_100, 48_000, 32_000][rate_at] >> halvings;
    let padding = usize::from(third >> 1 & 1);
    Some(Ok((if is_first { 144_000 } else { 72_000 }) * KBITS[usize::from(is_first)][kbit_at] / rate + padding))
}

/// Number of frames in the tag that encoders put into a first, silent frame.
fn info_frames(bytes: &[u8]) -> Option<u64> {
    let &[_, second, _, fourth, ..] = bytes else {
        return None;
    };
    let side = match (second >> 3 & 3 == 3, fourth >> 6 == 3) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let tag = bytes.get(4 + side..4 + side + 12)?;
    let has_frames = (tag.starts_with(b"Xing") || tag.starts_with(b"Info")) && tag[7] & 1 != 0;
    has_frames.then(|| be(&tag[8..12]))
}

/// Ogg (RFC 3533): every page's checksum and number, the codec in the first, the mark of the end in the last.
fn ogg(bytes: &[u8]) -> Result<Promise, String> {
    let broken = |detail: String| damaged("OGG", &detail);
    let table = crc_table();
    // (serial, next page, has ended)
    let mut streams: Vec<(u64, u64, bool)> = Vec::new();
    let (mut rest, mut format, mut page) = (bytes, "", 0);
    while !is_tag(rest) {
        page += 1;
        let cut = || broken(format!("page {page} is not all there"));
        if !rest.starts_with(&b"OggS"[..rest.len().min(4)]) {
            return Err(broken(format!("page {page} does not begin where it must")));
        }
        let segments = usize::from(*rest.get(26).ok_or_else(cut)?);
        let body: usize = rest.get(27..27 + segments).ok_or_else(cut)?.iter().map(|&len| usize::from(len)).sum();
        let (whole, next) = rest.split_at_checked(27 + segments + body).ok_or_else(cut)?;
        let crc = whole.iter().enumerate().fold(0u32, |crc, (at, &byte)| {
            let byte = if (22..26).contains(&at) { 0 } else { byte };
            crc << 8 ^ table[usize::from((crc >> 24) as u8 ^ byte)]
        });
        if u64::from(crc) != le(&whole[22..26]) {
            return Err(broken(format!("the checksum of page {page} is wrong")));
        }
        let (flags, serial, number) = (whole[5], le(&whole[14..18]), le(&whole[18..22]));
        if flags & 2 != 0 {
            if streams.iter().any(|&(_, next, _)| next > 1) {
                return Err(format!("this OGG is several recordings in a row; {CONVERT}"));
            }
            match &whole[27 + segments..] {
                [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => format = "OGG Vorbis",
                [0x7f, b'F', b'L', b'A', b'C', ..] => format = "OGG FLAC",
                [b'f', b'i', b's', b'h', b'e', b'a', b'd', ..] => {}
                [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => return Err(unsupported_codec("Opus", "OGG")),
                [b'S', b'p', b'e', b'e', b'x', ..] => return Err(unsupported_codec("Speex", "OGG")),
                [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => {
                    return Err(format!("it is a video (Theora in OGG); pass it as a video, or {CONVERT}"));
                }
                _ => return Err(unsupported_codec("an unknown codec", "OGG")),
            }
            streams.push((serial, 0, false));
        }
        let stream = streams.iter_mut().find(|stream| stream.0 == serial);
        let stream = stream.ok_or_else(|| broken(format!("page {page} belongs to no stream")))?;
        if number != stream.1 {
            return Err(broken(format!("page {} of its stream is missing", stream.1)));
        }
        *stream = (serial, number + 1, flags & 4 != 0);
        rest = next;
    }
    if format.is_empty() {
        return Err("it holds no sound; use another file".into());
    }
    if streams.iter().any(|stream| !stream.2) {
        return Err(broken("its last page is missing".into()));
    }
    Ok(Promise { format, extension: "ogg", ..Default::default() })
}

fn unsupported_codec(codec: &str, container: &str) -> String {
    format!("{codec} in {container} is not supported, only {SUPPORTED}; {CONVERT}")
}

/// Of the polynomial 0x04c11db7, highest bit first.
fn crc_table() -> [u32; 256] {
    std::array::from_fn(|byte| {
        (0..8).fold((byte as u32) << 24, |crc, _| crc << 1 ^ if crc >> 31 != 0 { 0x04c1_1db7 } else { 0 })
    })
}

/// MPEG-4 (ISO/IEC 14496-12): whole boxes, and of each sound track its codec, times and edits.
fn mpeg4(bytes: &[u8]) -> Result<Promise, String> {
    let top = boxes(bytes)?;
    let moov = find(&top, b"moov").ok_or_else(|| damaged("MPEG-4 file", "its index, the moov box, is missing"))?;
    let moov = boxes(moov)?;
    let movie_scale = find(&moov, b"mvhd").and_then(|body| versioned(body, 12, 20, 4)).unwrap_or(0).max(1);
    let mut promise = Promise { format: "M4A", extension: "m4a", ..Default::default() };
    let mut refused = None;
    for (_, trak) in moov.iter().filter(|(kind, _)| kind == b"trak") {
        let trak = boxes(trak)?;
        let mdia = boxes(find(&trak, b"mdia").unwrap_or_default())?;
        if find(&mdia, b"hdlr").and_then(|body| body.get(8..12)) != Some(b"soun") {
            continue;
        }
        let minf = boxes(find(&mdia, b"minf").unwrap_or_default())?;
        let stbl = boxes(find(&minf, b"stbl").unwrap_or_default())?;
        match find(&stbl, b"stsd").and_then(|body| body.get(12..16)).unwrap_or_default() {
            b"mp4a" | b"alac" | b"fLaC" | b".mp3" => {}
            b"Opus" => refused = Some("Opus".to_string()),
            b"ac-3" | b"ec-3" => refused = Some("Dolby Digital (AC-3)".into()),
            b"samr" | b"sawb" => refused = Some("AMR".into()),
            b"enca" => refused = Some("encrypted sound".into()),
            other => refused = Some(format!("the codec \"{}\"", String::from_utf8_lossy(other))),
        }
        let timescale = find(&mdia, b"mdhd").and_then(|body| versioned(body, 12, 20, 4)).unwrap_or(0).max(1);
        let times = find(&stbl, b"stts").and_then(|body| body.get(8..)).unwrap_or_default();
        let duration = times.chunks_exact(8).map(|pair| be(&pair[..4]) * be(&pair[4..])).fold(0, u64::saturating_add);
        let id = find(&trak, b"tkhd").and_then(|body| versioned(body, 12, 20, 4)).unwrap_or(0) as u32;
        let mut track = Track { id, timescale, duration, ..Default::default() };
        let edits = boxes(find(&trak, b"edts").unwrap_or_default())?;
        apply_edits(&mut track, find(&edits, b"elst").unwrap_or_default(), movie_scale)?;
        promise.tracks.push(track);
    }
    match (refused, promise.tracks.is_empty()) {
        (Some(codec), _) if promise.tracks.len() == 1 => Err(unsupported_codec(&codec, "MPEG-4")),
        (_, true) => Err("it holds no sound; use another file".into()),
        _ => Ok(promise),
    }
}

/// A kind of box and its body.
type Boxed<'a> = ([u8; 4], &'a [u8]);

/// Kind and body of each box; a file that ends within one is cut off.
fn boxes(mut bytes: &[u8]) -> Result<Vec<Boxed<'_>>, String> {
    let mut found = Vec::new();
    while bytes.len() >= 8 {
        let kind = [bytes[4], bytes[5], bytes[6], bytes[7]];
        let (head, len) = match be(&bytes[..4]) {
            0 => (8, bytes.len() as u64),
            1 => (16, bytes.get(8..16).map_or(u64::MAX, be)),
            len => (8, len),
        };
        let body = usize::try_from(len).ok().and_then(|len| Some((bytes.get(head..len)?, len)));
        let Some((body, len)) = body else {
            let name = String::from_utf8_lossy(&kind).into_owned();
            return Err(damaged(
                "MPEG-4 file",
                &format!("its {name} box promises {len} bytes, {} are there", bytes.len()),
            ));
        };
        found.push((kind, body));
        bytes = &bytes[len..];
    }
    Ok(found)
}

fn find<'a>(boxes: &[Boxed<'a>], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes.iter().find(|found| found.0 == *kind).map(|found| found.1)
}

/// A number whose place depends on the version of its box.
fn versioned(body: &[u8], old: usize, new: usize, len: usize) -> Option<u64> {
    let at = if *body.first()? == 0 { old } else { new };
    body.get(at..at + len).map(be)
}

/// The edit list: silence first, then one stretch of the track.
fn apply_edits(track: &mut Track, list: &[u8], movie_scale: u64) -> Result<(), String> {
    let Some(version) = list.first() else { return Ok(()) };
    let width = if *version == 0 { 4 } else { 8 };
    let mut stretches = 0;
    for entry in list.get(8..).unwrap_or_default().chunks_exact(2 * width + 4) {
        let (duration, start) = (be(&entry[..width]), be(&entry[width..2 * width]));
        if start == u64::MAX >> (64 - 8 * width) {
            if stretches == 0 {
                track.silence_s += duration as f64 / movie_scale as f64;
            }
            continue;
        }
        stretches += 1;
        track.start = start;
        // Its length is in the coarser ticks of the movie: only what differs by more than one of them is a cut.
        let ticks =
            |duration: u64| (u128::from(duration) * u128::from(track.timescale) / u128::from(movie_scale)) as u64;
        let end = start.saturating_add(ticks(duration));
        let cuts = duration > 0 && end.saturating_add(ticks(1)) < track.duration;
        track.end = cuts.then_some(end);
    }
    if stretches > 1 {
        return Err(format!("it is cut together from {stretches} parts by an edit list; {CONVERT}"));
    }
    Ok(())
}
