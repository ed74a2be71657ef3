//! What lies in the cache, token by token, so that it can be read again after a rollback and never has to be rendered
//! anew.

use crate::models::{MediaRun, Piece};
use std::ops::Range;
use std::sync::Arc;

/// Tokens in the order of their positions, and the runs among them.
#[derive(Clone, Debug, Default)]
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

    /// Runs and the positions of their first tokens.
    pub fn runs(&self) -> &[(usize, Arc<MediaRun>)] {
        &self.runs
    }

    /// Whether a token of a run lies in `range`.
    pub fn has_run_in(&self, range: Range<usize>) -> bool {
        self.runs.iter().any(|(start, run)| *start < range.end && start + run.rows > range.start)
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

    /// What lies in `range`, whose ends cut no run, as pieces, for reading it again.
    pub fn pieces(&self, range: Range<usize>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut at = range.start;
        for (start, run) in self.runs.iter().filter(|(start, _)| range.contains(start)) {
            if at < *start {
                pieces.push(Piece::Tokens(self.ids[at..*start].to_vec()));
            }
            pieces.push(Piece::Run(run.clone()));
            at = start + run.rows;
        }
        if at < range.end {
            pieces.push(Piece::Tokens(self.ids[at..range.end].to_vec()));
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
        let lens = |range| log().pieces(range).iter().map(Piece::len).collect::<Vec<_>>();
        assert_eq!((lens(0..6), log().ids()), (vec![2, 3, 1], &[1, 2, 9, 9, 9, 4][..]));
        assert_eq!((lens(1..6), lens(2..5), lens(1..2), lens(5..6)), (vec![1, 3, 1], vec![3], vec![1], vec![1]));
        assert_eq!((log().pieces(1..2), log().pieces(6..6)), (vec![Piece::Tokens(vec![2])], vec![]));
    }

    #[test]
    fn a_run_is_forgotten_as_a_whole() {
        for (asked, left) in [(9, 6), (6, 6), (5, 5), (4, 2), (2, 2), (1, 1), (0, 0)] {
            let mut log = log();
            assert_eq!((log.truncate(asked), log.len()), (left, left), "asked for {asked}");
            assert_eq!(log.pieces(0..left).iter().map(Piece::len).sum::<usize>(), left);
        }
    }
}
