//! The tokenizer that the metadata of a GGUF file describe: a list of tokens with scores or merges, built into what a
//! `tokenizer.json` would hold.
//!
//! Read as Transformers reads it (`AutoTokenizer.from_pretrained(…, gguf_file=…)`), so that a prompt has the same ids.
//! What such a file leaves out stays out: a byte-level vocabulary gets no Unicode normalisation.

use super::model::{AnyModel, AnyTokenizer};
use super::pieces::{Pieces, Ranks};
use crate::error::{Error, Result};
use crate::weights::GgufFile;
use serde_json::json;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use tokenizers::decoders::{byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence as Decoders, strip::Strip};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::Replace;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};
use tokenizers::{Model, SplitDelimiterBehavior};

/// Stands for a space in vocabularies in the manner of SentencePiece.
const SPACE: char = '▁';

/// `tokenizer.ggml.token_type` of tokens that are found in text before anything else, and of those that are special.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// How text is cut before byte-level merges, by `tokenizer.ggml.pre`; `None` is the way of GPT-2.
const SPLITS: &[(&str, Option<&str>)] = &[
    ("default", None),
    ("deepseek-r1-qwen", Some(QWEN2)),
    ("gpt-2", None),
    ("gpt-4o", Some(GPT_4O)),
    ("llama-bpe", Some(LLAMA_3)),
    ("llama-v3", Some(LLAMA_3)),
    ("llama3", Some(LLAMA_3)),
    ("llama4", Some(GPT_4O)),
    ("qwen2", Some(QWEN2)),
    ("qwen35", Some(QWEN3_5)),
    ("smaug-bpe", Some(LLAMA_3)),
    ("tekken", Some(TEKKEN)),
];
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN3_5: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const GPT_4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// What `tokenizer.ggml.*` says, not checked yet.
#[derive(Debug, Default)]
pub(super) struct Vocabulary<'f> {
    /// `general.architecture`.
    architecture: &'f str,
    /// `model`: "llama", "gemma4" or "gpt2".
    model: &'f str,
    /// `pre`: how text is cut before byte-level merges.
    pre: Option<&'f str>,
    /// `tokens`, by id.
    tokens: Vec<&'f str>,
    /// `scores`, by id.
    scores: Option<Vec<f32>>,
    /// `token_type`, by id.
    token_types: Option<Vec<i32>>,
    /// `merges`, the first one first: two tokens and a space between.
    merges: Option<Vec<&'f str>>,
    /// `bos_token_id` and so on, by role: `bos_token`, `eos_token`, `unk_token`, `pad_token`.
    roles: BTreeMap<&'static str, u32>,
    /// `add_bos_token`.
    add_bos: Option<bool>,
    /// `add_eos_token`.
    add_eos: Option<bool>,
    /// `add_space_prefix`.
    add_space_prefix: Option<bool>,
}

impl<'f> Vocabulary<'f> {
    /// What the metadata of a file say.
    pub(super) fn of(file: &'f GgufFile) -> Result<Vocabulary<'f>> {
        let metadata = file.metadata();
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let has = |name: &str| metadata.has(&key(name));
        let strings = |name: &str| metadata.strings(&key(name))?.collect::<Result<Vec<&str>>>();
        let mut roles = BTreeMap::new();
        for role in ["bos_token", "eos_token", "unk_token", "pad_token"] {
            if let Some(id) = metadata.optional_usize(&key(key_of_role(role)), ..=u32::MAX as usize)? {
                roles.insert(role, id as u32);
            }
        }
        Ok(Vocabulary {
            architecture: file.architecture()?,
            model: metadata.string(&key("model"))?,
            pre: metadata.optional_string(&key("pre"))?,
            tokens: strings("tokens")?,
            scores: has("scores").then(|| metadata.f32s(&key("scores"))).transpose()?,
            token_types: has("token_type").then(|| metadata.i32s(&key("token_type"))).transpose()?,
            merges: has("merges").then(|| strings("merges")).transpose()?,
            roles,
            add_bos: metadata.optional_bool(&key("add_bos_token"))?,
            add_eos: metadata.optional_bool(&key("add_eos_token"))?,
            add_space_prefix: metadata.optional_bool(&key("add_space_prefix"))?,
        })
    }
}

/// The key in a file of an id by role.
fn key_of_role(role: &str) -> &'static str {
    match role {
        "bos_token" => "bos_token_id",
        "eos_token" => "eos_token_id",
        "unk_token" => "unknown_token_id",
        _ => "padding_token_id",
    }
}

/// The three ways in which such a vocabulary is used.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// SentencePiece as Gemma has it: no space in front, merges in the order of the tokens.
    Gemma,
    /// SentencePiece as Llama 2 has it: a space in front, merges in the order of the scores.
    Llama,
    /// Merges of bytes that are written as printable characters.
    ByteLevel(Option<&'static str>),
}

/// A token with its bytes as the characters that stand for them.
fn in_bytes(token: &str) -> String {
    use tokenizers::{NormalizedString, Normalizer};
    let mut bytes = NormalizedString::from(token);
    match tokenizers::normalizers::byte_level::ByteLevel::new().normalize(&mut bytes) {
        Ok(()) => bytes.get().to_string(),
        Err(_) => token.to_string(),
    }
}

/// A vocabulary and where it comes from, for errors.
pub(super) struct Builder<'f> {
    pub(super) path: &'f Path,
    pub(super) vocabulary: Vocabulary<'f>,
}

impl Builder<'_> {
    /// The tokenizer, and its special tokens by role.
    pub(super) fn build(&self) -> Result<(AnyTokenizer, BTreeMap<String, String>)> {
        let kind = self.kind()?;
        self.check()?;
        let mut inner = AnyTokenizer::new(match &self.vocabulary.merges {
            Some(_) => AnyModel::Library(self.merging(kind)?.into()),
            None => AnyModel::Pieces(self.pieces(kind)?),
        });
        self.add_stages(&mut inner, kind).map_err(|e| self.refuse(e.to_string()))?;
        let model = inner.get_model();

        // Spelled as in the file: of tokens that were respelled, only the pieces are in the vocabulary.
        let types = self.vocabulary.token_types.as_deref().unwrap_or_default();
        let of_type = |wanted: i32| {
            let tokens = self.vocabulary.tokens.iter().zip(types).filter(move |(_, found)| **found == wanted);
            tokens.map(|(token, _)| *token).filter(|token| model.token_to_id(token).is_some())
        };
        let roles = self.vocabulary.roles.values().map(|id| self.vocabulary.tokens[*id as usize]);
        let special: HashSet<&str> =
            of_type(CONTROL).chain(roles.filter(|role| model.token_to_id(role).is_some())).collect();
        let user_defined = of_type(USER_DEFINED).filter(|token| !special.contains(token));
        let added = special.iter().map(|token| AddedToken::from(*token, true));
        let added: Vec<_> =
            added.chain(user_defined.map(|token| AddedToken::from(token, false).normalized(false))).collect();
        inner.add_tokens(added).map_err(|e| self.refuse(e.to_string()))?;
        let special_tokens = self.vocabulary.roles.iter();
        let special_tokens = special_tokens
            .map(|(role, id)| (role.to_string(), self.vocabulary.tokens[*id as usize].to_string()))
            .collect();
        Ok((inner, special_tokens))
    }

    fn kind(&self) -> Result<Kind> {
        match (self.vocabulary.model, self.vocabulary.architecture) {
            ("gemma4", _) | ("llama", "gemma" | "gemma2" | "gemma3") => Ok(Kind::Gemma),
            ("llama", _) => Ok(Kind::Llama),
            ("gpt2", _) => {
                let pre = self.vocabulary.pre.unwrap_or("default");
                match SPLITS.iter().find(|(name, _)| *name == pre) {
                    Some((_, split)) => Ok(Kind::ByteLevel(*split)),
                    None => {
                        let known: Vec<&str> = SPLITS.iter().map(|(name, _)| *name).collect();
                        let problem = format!("is \"{pre}\", which is not supported; supported: {}", known.join(", "));
                        Err(self.error("pre", problem))
                    }
                }
            }
            (other, _) => {
                Err(self
                    .error("model", format!("is \"{other}\", which is not supported; supported: llama, gemma4, gpt2")))
            }
        }
    }

    /// Whether the arrays fit together.
    fn check(&self) -> Result<()> {
        let found = &self.vocabulary;
        let count = found.tokens.len();
        if count == 0 {
            return Err(self.error("tokens", "is empty".into()));
        }
        let lengths =
            [("scores", found.scores.as_ref().map(Vec::len)), ("token_type", found.token_types.as_ref().map(Vec::len))];
        for (key, len) in lengths {
            if let Some(len) = len.filter(|len| *len != count) {
                let problem = format!("has {len} values, but tokenizer.ggml.tokens has {count}");
                return Err(self.error(key, problem));
            }
        }
        if let Some(at) = found.scores.iter().flatten().position(|score| score.is_nan()) {
            return Err(self.error("scores", format!("is not a number at index {at}")));
        }
        for (role, id) in &found.roles {
            if *id as usize >= count {
                let problem = format!("is {id}, but tokenizer.ggml.tokens has only {count}");
                return Err(self.error(key_of_role(role), problem));
            }
        }
        let needed = [("add_bos_token", found.add_bos, "bos_token"), ("add_eos_token", found.add_eos, "eos_token")];
        for (key, flag, role) in needed {
            if flag == Some(true) && !found.roles.contains_key(role) {
                let problem = format!("is true, but tokenizer.ggml.{} is missing", key_of_role(role));
                return Err(self.error(key, problem));
            }
        }
        Ok(())
    }

    /// The tokens as the model knows them.
    fn spelled(&self, kind: Kind) -> impl Iterator<Item = Cow<'_, str>> + Clone {
        let alphabet: HashSet<char> = match kind {
            Kind::ByteLevel(_) => ByteLevel::alphabet().into_iter().collect(),
            _ => HashSet::new(),
        };
        let types = self.vocabulary.token_types.iter().flatten().copied().chain(std::iter::repeat(0));
        self.vocabulary.tokens.iter().zip(types).map(move |(token, type_)| match kind {
            // Runs of spaces stand in Gemma's files as such.
            Kind::Gemma if token.contains(' ') && token.trim().is_empty() => {
                Cow::Owned(SPACE.to_string().repeat(token.chars().count()))
            }
            Kind::ByteLevel(_) if type_ != CONTROL && !token.chars().all(|c| alphabet.contains(&c)) => {
                Cow::Owned(in_bytes(token))
            }
            _ => Cow::Borrowed(*token),
        })
    }

    /// The model of a file that lists merges.
    fn merging(&self, kind: Kind) -> Result<BPE> {
        let mut vocab = Vocab::default();
        vocab.extend(self.spelled(kind).map(Cow::into_owned).zip(0..));
        let longest = vocab.keys().map(String::len).max().unwrap_or(0);
        let merges = self.vocabulary.merges.iter().flatten().map(|merge| {
            let (left, right) = merge.split_once(' ')?;
            // The crate would read past its buffer.
            let fits = left.len() + right.len() <= longest;
            fits.then(|| (left.to_string(), right.to_string()))
        });
        let Some(merges) = merges.collect::<Option<Merges>>() else {
            return Err(self.broken_merge(kind));
        };
        let mut builder = BPE::builder().vocab_and_merges(vocab, merges);
        if !matches!(kind, Kind::ByteLevel(_)) {
            builder = builder.fuse_unk(true).byte_fallback(true);
            if let Some(token) = self.unk_token() {
                builder = builder.unk_token(token);
            }
        }
        builder.build().map_err(|_| self.broken_merge(kind))
    }

    /// Which merge is at fault; looked for only once there is one, since half a million merges take long to look up.
    fn broken_merge(&self, kind: Kind) -> Error {
        let tokens: HashSet<Cow<str>> = self.spelled(kind).collect();
        for (index, merge) in self.vocabulary.merges.iter().flatten().enumerate() {
            let Some((left, right)) = merge.split_once(' ') else {
                let problem = format!("holds {merge:?} at index {index}, expected two tokens with a space between");
                return self.error("merges", problem);
            };
            let whole = format!("{left}{right}");
            if let Some(unknown) = [left, right, &whole].into_iter().find(|token| !tokens.contains(*token)) {
                let problem = format!("holds {merge:?} at index {index}, but {unknown:?} is none of the tokens");
                return self.error("merges", problem);
            }
        }
        self.error("merges", "cannot be used".into())
    }

    fn unk_token(&self) -> Option<String> {
        self.vocabulary.roles.get("unk_token").map(|id| self.vocabulary.tokens[*id as usize].to_string())
    }

    /// The model of a file that lists no merges. Better is the higher score; Gemma's scores do not follow the order in
    /// which it merges, its ids do.
    fn pieces(&self, kind: Kind) -> Result<Pieces> {
        // A special token never comes about by merging, or text that only spells it could not be told apart.
        let types = self.vocabulary.token_types.as_deref().unwrap_or_default();
        let special = |id: usize| types.get(id) == Some(&CONTROL);
        let ranks = match (kind, &self.vocabulary.scores) {
            (Kind::Gemma, _) => Ranks::by_id(self.vocabulary.tokens.len(), special),
            (Kind::Llama, Some(scores)) => Ranks::by_score(scores, special),
            (Kind::Llama, None) => {
                return Err(self.error("scores", "is missing, and so is tokenizer.ggml.merges".into()));
            }
            (Kind::ByteLevel(_), _) => return Err(self.error("merges", "is missing".into())),
        };
        Pieces::new(self.spelled(kind), ranks, self.unk_token())
            .ok_or_else(|| self.error("tokens", "holds 4 GiB of text or more".into()))
    }

    /// What stands before and behind the model.
    fn add_stages(&self, inner: &mut AnyTokenizer, kind: Kind) -> tokenizers::Result<()> {
        let to_space = || Replace::new(SPACE.to_string(), " ");
        match kind {
            Kind::Gemma => {
                inner.with_normalizer(Some(NormalizerWrapper::from(Replace::new(" ", SPACE.to_string())?)))?;
                let behavior = SplitDelimiterBehavior::MergedWithPrevious;
                inner.with_pre_tokenizer(Some(PreTokenizerWrapper::from(Split::new(" ", behavior, false)?)));
                let stages: Vec<DecoderWrapper> =
                    vec![to_space()?.into(), ByteFallback::new().into(), Fuse::new().into()];
                inner.with_decoder(Some(DecoderWrapper::from(Decoders::new(stages))));
            }
            Kind::Llama => {
                let prefix = self.vocabulary.add_space_prefix.unwrap_or(true);
                let scheme = if prefix { PrependScheme::First } else { PrependScheme::Never };
                inner.with_pre_tokenizer(Some(PreTokenizerWrapper::from(Metaspace::new(SPACE, scheme, false))));
                let mut stages: Vec<DecoderWrapper> =
                    vec![to_space()?.into(), ByteFallback::new().into(), Fuse::new().into()];
                if prefix {
                    stages.push(Strip::new(' ', 1, 0).into());
                }
                inner.with_decoder(Some(DecoderWrapper::from(Decoders::new(stages))));
            }
            Kind::ByteLevel(split) => {
                let mut stages: Vec<PreTokenizerWrapper> = Vec::new();
                if let Some(split) = split {
                    let pattern = SplitPattern::Regex(split.into());
                    stages.push(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?.into());
                }
                stages.push(ByteLevel::new(false, true, split.is_none()).into());
                inner.with_pre_tokenizer(Some(PreTokenizerWrapper::from(PreTokenizers::new(stages))));
                inner.with_decoder(Some(DecoderWrapper::from(ByteLevel::default())));
            }
        }
        inner.with_post_processor(Some(self.post_processor()?));
        Ok(())
    }

    /// What is put around a raw text.
    fn post_processor(&self) -> tokenizers::Result<PostProcessorWrapper> {
        // Older files in the manner of SentencePiece do not say it and mean it. Gemma 4's say it, but the model is used
        // with a template that writes <bos> itself, and its published tokenizer adds none.
        let add_bos = match self.vocabulary.model {
            "gemma4" => false,
            model => self.vocabulary.add_bos.unwrap_or(model == "llama"),
        };
        let mut around = Vec::new();
        let mut special = serde_json::Map::new();
        let flags = [(add_bos, "bos_token"), (self.vocabulary.add_eos.unwrap_or(false), "eos_token")];
        for (index, (flag, role)) in flags.into_iter().enumerate() {
            if index == 1 {
                around.push(json!({"Sequence": {"id": "A", "type_id": 0}}));
            }
            if let Some(id) = self.vocabulary.roles.get(role).filter(|_| flag) {
                let token = self.vocabulary.tokens[*id as usize];
                around.push(json!({"SpecialToken": {"id": token, "type_id": 0}}));
                special.insert(token.into(), json!({"id": token, "ids": [id], "tokens": [token]}));
            }
        }
        let pair = json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]);
        let template = json!({"type": "TemplateProcessing", "single": around, "pair": pair, "special_tokens": special});
        Ok(serde_json::from_value(template)?)
    }

    fn error(&self, key: &str, problem: String) -> Error {
        Error::Config { path: self.path.into(), field: format!("tokenizer.ggml.{key}"), problem }
    }

    fn refuse(&self, problem: String) -> Error {
        Error::Tokenizer { path: self.path.into(), problem: format!("its tokenizer cannot be used: {problem}") }
    }
}
