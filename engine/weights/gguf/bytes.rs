//! Little-endian numbers and strings from a slice, with problems instead of panics.

use std::ops::Range;

/// What is left of a slice.
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    place: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(all: &'a [u8]) -> Bytes<'a> {
        Bytes { all, place: 0 }
    }

    /// Bytes read so far.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Bytes left.
    pub(super) fn left(&self) -> usize {
        self.all.len() - self.place
    }

    pub(super) fn skip(&mut self, bytes: u64) -> Result<Range<usize>, String> {
        let left = self.left();
        match usize::try_from(bytes).ok().filter(|bytes| *bytes <= left) {
            Some(bytes) => {
                let start = self.place;
                self.place += bytes;
                Ok(start..self.place)
            }
            None => Err(format!("asks for {bytes} bytes where {left} are left")),
        }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let range = self.skip(N as u64)?;
        self.all[range].try_into().map_err(|_| "is cut off".into())
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        self.take().map(u64::from_le_bytes)
    }

    /// Where a string lies, without its length.
    pub(super) fn string_range(&mut self) -> Result<Range<usize>, String> {
        let length = self.u64()?;
        self.skip(length)
    }

    pub(super) fn raw_string(&mut self) -> Result<&'a [u8], String> {
        let range = self.string_range()?;
        Ok(&self.all[range])
    }

    /// A name: text that is not empty.
    pub(super) fn string(&mut self) -> Result<&'a str, String> {
        match std::str::from_utf8(self.raw_string()?) {
            Ok("") => Err("is empty".into()),
            Ok(text) => Ok(text),
            Err(_) => Err("is no UTF-8 text".into()),
        }
    }
}
