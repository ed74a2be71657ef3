//! Merges that a list of pieces implies: two neighbours merge if together they are a piece, the best piece first.
//!
//! Files in the manner of SentencePiece list no merges. Written out, those of 262,144 tokens are half a million pairs,
//! which take longer to look up than a small model takes to load; here each candidate is looked up when it stands in a
//! text (Kudo & Richardson 2018).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tokenizers::Token;

/// How good each piece is.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// By id: pieces of a lower rank come about first, those of [`NEVER`] not at all.
    ranks: Vec<u32>,
}

const NEVER: u32 = u32::MAX;

/// Neighbours that could merge; the greatest is the next one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: Reverse<u32>,
    /// Of pieces of one rank, those with the longer left part come first, then those with the longer right part.
    left_chars: usize,
    right_chars: usize,
    id: Reverse<u32>,
    left: Reverse<usize>,
    right: usize,
}

/// A piece of the text so far, between its neighbours.
struct Symbol {
    id: u32,
    start: usize,
    end: usize,
    /// Characters, 0 if it has become a part of the one before.
    chars: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Pieces {
    /// Pieces that are better the earlier they stand; `special(id)` never come about.
    pub(super) fn by_id(len: usize, special: impl Fn(usize) -> bool) -> Pieces {
        let rank = |id: usize| if special(id) { NEVER } else { id as u32 };
        Pieces { ranks: (0..len).map(rank).collect() }
    }

    /// Pieces that are better the higher their score, none of which is NaN.
    pub(super) fn by_score(scores: &[f32], special: impl Fn(usize) -> bool) -> Pieces {
        let mut order: Vec<usize> = (0..scores.len()).filter(|id| !special(*id)).collect();
        order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap_or(std::cmp::Ordering::Equal));
        let mut ranks = vec![NEVER; scores.len()];
        let (mut rank, mut last) = (0, f32::INFINITY);
        for id in order {
            if scores[id] != last {
                (rank, last) = (rank + 1, scores[id]);
            }
            ranks[id] = rank;
        }
        Pieces { ranks }
    }

    /// Merges the characters of a text, which a model without merges made; `id_of` looks a piece up.
    pub(super) fn merge(&self, characters: &[Token], id_of: impl Fn(&str) -> Option<u32>) -> Vec<Token> {
        let text: String = characters.iter().map(|token| token.value.as_str()).collect();
        let mut symbols: Vec<Symbol> = Vec::with_capacity(characters.len());
        let mut start = 0;
        for (index, token) in characters.iter().enumerate() {
            let end = start + token.value.len();
            let next = Some(index + 1).filter(|next| *next < characters.len());
            let chars = token.value.chars().count();
            symbols.push(Symbol { id: token.id, start, end, chars, previous: index.checked_sub(1), next });
            start = end;
        }
        let candidate = |symbols: &[Symbol], left: usize, right: usize| {
            let (first, second) = (&symbols[left], &symbols[right]);
            let id = id_of(&text[first.start..second.end])?;
            let rank = *self.ranks.get(id as usize).filter(|rank| **rank != NEVER)?;
            let (rank, left_chars, right_chars) = (Reverse(rank), first.chars, second.chars);
            Some(Candidate { rank, left_chars, right_chars, id: Reverse(id), left: Reverse(left), right })
        };
        let mut queue: BinaryHeap<Candidate> =
            (1..symbols.len()).filter_map(|right| candidate(&symbols, right - 1, right)).collect();
        while let Some(best) = queue.pop() {
            let (left, right) = (best.left.0, best.right);
            // Neighbours only grow: as long as then, they are the same.
            if symbols[left].chars != best.left_chars || symbols[right].chars != best.right_chars {
                continue;
            }
            symbols[left].id = best.id.0;
            symbols[left].end = symbols[right].end;
            symbols[left].chars += symbols[right].chars;
            symbols[left].next = symbols[right].next;
            symbols[right].chars = 0;
            if let Some(next) = symbols[left].next {
                symbols[next].previous = Some(left);
                queue.extend(candidate(&symbols, left, next));
            }
            if let Some(previous) = symbols[left].previous {
                queue.extend(candidate(&symbols, previous, left));
            }
        }
        let whole = symbols.iter().filter(|symbol| symbol.chars > 0);
        whole.map(|s| Token::new(s.id, text[s.start..s.end].into(), (s.start, s.end))).collect()
    }
}
