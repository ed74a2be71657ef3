//! The model inside of a tokenizer: the library's, or ours where that one takes too much room.

use super::pieces::Pieces;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tokenizers::models::{ModelWrapper, TrainerWrapper};
use tokenizers::{
    DecoderWrapper, Model, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Token, TokenizerImpl,
};

/// The library's tokenizer around [`AnyModel`].
pub(super) type AnyTokenizer =
    TokenizerImpl<AnyModel, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

pub(super) enum AnyModel {
    Library(ModelWrapper),
    Pieces(Pieces),
}

impl AnyModel {
    /// The greatest id that `wanted` holds for.
    pub(super) fn greatest_id(&self, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        match self {
            AnyModel::Pieces(pieces) => pieces.ids_descending().find(|id| wanted(*id)),
            AnyModel::Library(model) => {
                // So many tokens on the ids below their number leave no other id; the library gives the ids only
                // with a copy of the vocabulary.
                let len = model.get_vocab_size() as u32;
                match (0..len).all(|id| model.id_to_token(id).is_some()) {
                    true => (0..len).rev().find(|id| wanted(*id)),
                    false => model.get_vocab().into_values().filter(|id| wanted(*id)).max(),
                }
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for AnyModel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ModelWrapper::deserialize(deserializer).map(AnyModel::Library)
    }
}

impl Model for AnyModel {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            AnyModel::Library(model) => model.tokenize(sequence),
            AnyModel::Pieces(pieces) => pieces.tokenize(sequence),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            AnyModel::Library(model) => model.token_to_id(token),
            AnyModel::Pieces(pieces) => pieces.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            AnyModel::Library(model) => model.id_to_token(id),
            AnyModel::Pieces(pieces) => pieces.id_to_token(id),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            AnyModel::Library(model) => model.get_vocab(),
            AnyModel::Pieces(pieces) => pieces.get_vocab(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            AnyModel::Library(model) => model.get_vocab_size(),
            AnyModel::Pieces(pieces) => pieces.get_vocab_size(),
        }
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        match self {
            AnyModel::Library(model) => model.save(folder, prefix),
            AnyModel::Pieces(pieces) => pieces.save(folder, prefix),
        }
    }

    fn get_trainer(&self) -> TrainerWrapper {
        match self {
            AnyModel::Library(model) => model.get_trainer(),
            AnyModel::Pieces(pieces) => pieces.get_trainer(),
        }
    }
}
