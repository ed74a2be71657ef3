//! What lies in the cache, token by token, so that it can be read again after a rollback and never has to be rendered
//! anew.

use crate::models::{MediaRun, Piece};
use std::sync::Arc;

/// Tokens in the order of their positions, and the runs among them.
#[derive(Debug, Default)]
pub struct Log {
    ids: Vec<u32>,
    runs: Vec<(usize, Arc<MediaRun>)>,
}

impl Log {
    /// Tokens in the cache.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Their ids; placeholders where a run lies.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Adds what was prefilled.
    pub fn push(&mut self, piece: &Piece) {
        match piece {
            Piece::Tokens(ids) => self.ids.extend_from_slice(ids),
            Piece::Run(run) => {
                self.runs.push((self.ids.len(), run.clone()));
                self.ids.resize(self.ids.len() + run.rows, run.token);
            }
        }
    }

    /// Forgets the tokens from `len` on; a run is forgotten as a whole, so less may be left: the new length is returned.
    pub fn truncate(&mut self, len: usize) -> usize {
        let mut len = len.min(self.ids.len());
        while let Some((start, run)) = self.runs.last() {
            if start + run.rows <= len {
                break;
            }
            len = len.min(*start);
            self.runs.pop();
        }
        self.ids.truncate(len);
        len
    }

    /// Everything as pieces, for reading it again.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut at = 0;
        for (start, run) in &self.runs {
            if at < *start {
                pieces.push(Piece::Tokens(self.ids[at..*start].to_vec()));
            }
            pieces.push(Piece::Run(run.clone()));
            at = start + run.rows;
        }
        if at < self.ids.len() {
            pieces.push(Piece::Tokens(self.ids[at..].to_vec()));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Heard, RunKind};

    fn log() -> Log {
        let run = MediaRun {
            kind: RunKind::Audio,
            token: 9,
            rows: 3,
            per_token: 1,
            width: 1,
            features: vec![0.0; 3],
            positions: vec![],
            heard: Heard::default(),
        };
        let mut log = Log::default();
        log.push(&Piece::Tokens(vec![1, 2]));
        log.push(&Piece::Run(Arc::new(run)));
        log.push(&Piece::Tokens(vec![4]));
        log
    }

    #[test]
    fn pieces_give_back_what_was_pushed() {
        let lens: Vec<usize> = log().pieces().iter().map(Piece::len).collect();
        assert_eq!((lens, log().ids()), (vec![2, 3, 1], &[1, 2, 9, 9, 9, 4][..]));
    }

    #[test]
    fn a_run_is_forgotten_as_a_whole() {
        for (asked, left) in [(9, 6), (6, 6), (5, 5), (4, 2), (2, 2), (1, 1), (0, 0)] {
            let mut log = log();
            assert_eq!((log.truncate(asked), log.len()), (left, left), "asked for {asked}");
            assert_eq!(log.pieces().iter().map(Piece::len).sum::<usize>(), left);
        }
    }
}
