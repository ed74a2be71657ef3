//! A vocabulary in the manner of SentencePiece, without a list of merges: two neighbours merge if together they are a
//! piece, the best piece first.
//!
//! Written out, the merges of 262,144 tokens are half a million pairs, which take longer to look up than a small model
//! takes to load; here each candidate is looked up when it stands in a text (Kudo & Richardson 2018). All spellings lie
//! in one text, since a `String` and an entry of a map for each take ten times the room.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BpeTrainer, Error as BpeError};
use tokenizers::{Model, Token};

/// The pieces by id and by spelling, and how good each is.
#[derive(Debug)]
pub(super) struct Pieces {
    /// The spellings, one behind the other.
    text: String,
    /// Where the spelling of each id begins, and the end.
    starts: Vec<u32>,
    /// Ids by the hash of their spelling, [`EMPTY`] between; a power of two, at least a quarter empty.
    slots: Vec<u32>,
    hasher: RandomState,
    /// Spellings that differ.
    distinct: usize,
    ranks: Ranks,
    unk_token: Option<String>,
}

/// How good pieces are: those of a lower rank come about first.
#[derive(Debug)]
pub(super) enum Ranks {
    /// As early as they stand; `never`, in ascending order, do not come about.
    ById { never: Vec<u32> },
    /// By id; those of [`NEVER`] do not come about.
    Listed(Vec<u32>),
}

const NEVER: u32 = u32::MAX;
const EMPTY: u32 = u32::MAX;

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

impl Ranks {
    /// Pieces that are better the earlier they stand; `special(id)` never come about.
    pub(super) fn by_id(len: usize, special: impl Fn(usize) -> bool) -> Ranks {
        Ranks::ById { never: (0..len).filter(|id| special(*id)).map(|id| id as u32).collect() }
    }

    /// Pieces that are better the higher their score, none of which is NaN.
    pub(super) fn by_score(scores: &[f32], special: impl Fn(usize) -> bool) -> Ranks {
        let mut order: Vec<u32> = (0..scores.len()).filter(|id| !special(*id)).map(|id| id as u32).collect();
        let score = |id: u32| scores[id as usize];
        order.sort_by(|a, b| score(*b).partial_cmp(&score(*a)).unwrap_or(std::cmp::Ordering::Equal));
        let mut ranks = vec![NEVER; scores.len()];
        let (mut rank, mut last) = (0, f32::INFINITY);
        for id in order {
            if score(id) != last {
                (rank, last) = (rank + 1, score(id));
            }
            ranks[id as usize] = rank;
        }
        Ranks::Listed(ranks)
    }

    fn of(&self, id: u32) -> Option<u32> {
        match self {
            Ranks::ById { never } => never.binary_search(&id).is_err().then_some(id),
            Ranks::Listed(ranks) => ranks.get(id as usize).copied().filter(|rank| *rank != NEVER),
        }
    }
}

impl Pieces {
    /// Pieces spelled as `spelled` gives them by id, twice the same; of equal ones the last counts. Characters that are
    /// none count as their bytes `<0xXX>`, or else as `unk_token`. `None` if they have 4 GiB together.
    pub(super) fn new<'t>(
        spelled: impl Iterator<Item = Cow<'t, str>> + Clone,
        ranks: Ranks,
        unk_token: Option<String>,
    ) -> Option<Pieces> {
        let (len, bytes) = spelled.clone().fold((0usize, 0usize), |(len, bytes), piece| (len + 1, bytes + piece.len()));
        if u32::try_from(bytes).is_err() || u32::try_from(len).is_err() {
            return None;
        }
        let slots = vec![EMPTY; (len + len / 3 + 1).next_power_of_two()];
        let (text, starts) = (String::with_capacity(bytes), Vec::with_capacity(len + 1));
        let mut pieces = Pieces { text, starts, slots, hasher: RandomState::new(), distinct: 0, ranks, unk_token };
        pieces.starts.push(0);
        for (id, piece) in spelled.enumerate() {
            pieces.text.push_str(&piece);
            pieces.starts.push(pieces.text.len() as u32);
            let slot = pieces.slot(&piece);
            pieces.distinct += usize::from(pieces.slots[slot] == EMPTY);
            pieces.slots[slot] = id as u32;
        }
        Some(pieces)
    }

    /// The slot of a spelling, or the empty one where it belongs.
    fn slot(&self, piece: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(piece) as usize & mask;
        while self.slots[slot] != EMPTY && self.spelling(self.slots[slot]) != piece {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The spelling of an id below the number of pieces.
    fn spelling(&self, id: u32) -> &str {
        &self.text[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize]
    }

    fn id(&self, piece: &str) -> Option<u32> {
        Some(self.slots[self.slot(piece)]).filter(|id| *id != EMPTY)
    }

    /// The spelling of an id, unless a later one is spelled the same.
    fn piece(&self, id: u32) -> Option<&str> {
        let known = (id as usize) < self.starts.len() - 1;
        known.then(|| self.spelling(id)).filter(|piece| self.id(piece) == Some(id))
    }

    /// The ids of the pieces, the greatest first.
    pub(super) fn ids_descending(&self) -> impl Iterator<Item = u32> {
        (0..self.starts.len() as u32 - 1).rev().filter(|id| self.piece(*id).is_some())
    }

    /// The ids of a text's characters: their own, those of their bytes, or that of `unk_token` for all in a row. As the
    /// library does it: bytes do not end such a row, and stand before it.
    fn characters(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len());
        let mut unknown = None;
        let mut buffer = [0; 4];
        for character in text.chars() {
            let character: &str = character.encode_utf8(&mut buffer);
            if let Some(id) = self.id(character) {
                ids.extend(unknown.take());
                ids.push(id);
                continue;
            }
            let before = ids.len();
            ids.extend(character.bytes().map_while(|byte| self.id(&format!("<0x{byte:02X}>"))));
            if ids.len() - before == character.len() {
                continue;
            }
            ids.truncate(before);
            if let Some(token) = &self.unk_token {
                let id = self.id(token).ok_or_else(|| BpeError::UnkTokenOutOfVocabulary(token.clone()))?;
                unknown = Some(id);
            }
        }
        ids.extend(unknown);
        Ok(ids)
    }

    /// Merges neighbours while together they are a piece.
    fn merge(&self, characters: &[u32]) -> Vec<Token> {
        let text: String = characters.iter().map(|id| self.spelling(*id)).collect();
        let mut symbols: Vec<Symbol> = Vec::with_capacity(characters.len());
        let mut start = 0;
        for (index, id) in characters.iter().enumerate() {
            let spelling = self.spelling(*id);
            let end = start + spelling.len();
            let next = Some(index + 1).filter(|next| *next < characters.len());
            let chars = spelling.chars().count();
            symbols.push(Symbol { id: *id, start, end, chars, previous: index.checked_sub(1), next });
            start = end;
        }
        let candidate = |symbols: &[Symbol], left: usize, right: usize| {
            let (first, second) = (&symbols[left], &symbols[right]);
            let id = self.id(&text[first.start..second.end])?;
            let rank = self.ranks.of(id)?;
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

impl Model for Pieces {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        Ok(self.merge(&self.characters(sequence)?))
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.id(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.piece(id).map(str::to_owned)
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        self.ids_descending().map(|id| (self.spelling(id).to_owned(), id)).collect()
    }

    fn get_vocab_size(&self) -> usize {
        self.distinct
    }

    fn save(&self, _: &Path, _: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("a vocabulary read from a GGUF file is not written as another one".into())
    }

    fn get_trainer(&self) -> TrainerWrapper {
        BpeTrainer::default().into()
    }
}
