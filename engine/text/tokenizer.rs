//! The tokenizer of a checkpoint: `tokenizer.json` run by the `tokenizers` crate, and the special tokens beside it.

use super::gguf::{Builder, Vocabulary};
use super::model::AnyTokenizer;
use super::special::special_tokens;
use super::stream::{Decoder, TextStream};
use crate::error::{Error, Result};
use crate::weights::{GgufFile, json_object, parse_json, read_limited};
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenizers::{AddedVocabulary, Model, OffsetType, PreTokenizer};

const FILE: &str = "tokenizer.json";

/// Bytes of the longest `tokenizer.json` read; published ones have up to 40 MB.
const LONGEST_FILE: u64 = 512 << 20;

/// Text to token ids and back. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    inner: AnyTokenizer,
    /// The added tokens of `inner` without the special ones, for text in which those are only letters.
    plain: AddedVocabulary,
    decoder: Decoder,
    special_ids: HashMap<u32, String>,
    special_tokens: BTreeMap<String, String>,
    vocab_size: usize,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, where they are, `tokenizer_config.json` and `special_tokens_map.json` of a folder.
    /// Truncation and padding that the file asks for are switched off: nothing is cut or filled silently.
    ///
    /// # Errors
    /// [`Error::MissingFile`] without `tokenizer.json`; [`Error::Tokenizer`] if it is broken or its decoder is of a kind
    /// that cannot be streamed; [`Error::Json`] and [`Error::Config`] for the other two.
    pub fn open(folder: &Path) -> Result<Tokenizer> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Err(Error::MissingFile { folder: folder.into(), file: FILE });
        }
        let refuse = |problem: String| Error::Tokenizer { path: path.clone(), problem };
        let bytes = read_limited(&path, LONGEST_FILE)?;
        // The crate's own messages name neither duplicate keys nor places in deep files.
        let json = parse_json(&path, &bytes).and_then(|value| json_object(&path, value)).map_err(|e| match e {
            Error::Json { problem, .. } => refuse(problem),
            other => other,
        })?;
        if !json.get("model").is_some_and(serde_json::Value::is_object) {
            return Err(refuse(
                "it has no \"model\" object, so it is no tokenizer.json of the tokenizers library".into(),
            ));
        }
        drop(json);
        let parsed = guard(|| AnyTokenizer::from_bytes(&bytes));
        let inner = parsed.map_err(|problem| refuse(format!("it cannot be used: {problem}")))?;
        drop(bytes);
        Tokenizer::new(path.clone(), inner, special_tokens(folder)?)
    }

    /// The tokenizer that the metadata of a GGUF file describe.
    ///
    /// # Errors
    /// [`Error::Config`] names the key that is missing, mistyped, of a kind that is not supported, or contradicts
    /// another one.
    pub fn from_gguf(file: &GgufFile) -> Result<Tokenizer> {
        let vocabulary = Vocabulary::of(file)?;
        let (inner, special_tokens) = Builder { path: file.path(), vocabulary }.build()?;
        Tokenizer::new(file.path().into(), inner, special_tokens)
    }

    fn new(path: PathBuf, mut inner: AnyTokenizer, special_tokens: BTreeMap<String, String>) -> Result<Tokenizer> {
        let refuse = |problem: String| Error::Tokenizer { path: path.clone(), problem };
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| refuse(e.to_string()))?;
        let decoder = Decoder::new(inner.get_decoder()).map_err(refuse)?;
        let added = inner.get_added_vocabulary();
        let special = added.get_added_tokens_decoder().iter().filter(|(_, token)| token.special);
        let special_ids = special.map(|(id, token)| (*id, token.content.clone())).collect();
        let mut plain = added.clone();
        plain.set_encode_special_tokens(true);
        let vocab_size = inner.get_vocab_size(true);
        let shared = Shared { path, inner, plain, decoder, special_ids, special_tokens, vocab_size };
        Ok(Tokenizer { shared: Arc::new(shared) })
    }

    /// Ids of a text in which special tokens count as such. No `<bos>` is put in front: templates write it.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_with(self.shared.inner.get_added_vocabulary(), text, false)
    }

    /// Ids of a text that no template wraps: as [`Tokenizer::encode`], and what the file puts around each text, which
    /// is [`Tokenizer::bos`] in front where [`Tokenizer::adds_bos`].
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the tokenizer fails.
    pub fn encode_raw(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_with(self.shared.inner.get_added_vocabulary(), text, true)
    }

    /// Ids of a text that somebody typed: the names of special tokens in it are only letters, so that nobody can end a
    /// turn or open another one by writing `<turn|>`. Decoded, the ids give the same letters again.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the tokenizer fails, or knows a special token in the text as a word besides.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        let ids = self.encode_with(&self.shared.plain, text, false)?;
        match ids.iter().find_map(|id| self.shared.special_ids.get(id)) {
            Some(token) => Err(self.refuse(format!(
                "the text holds {token}, which this tokenizer can only read as a special token; take it out"
            ))),
            None => Ok(ids),
        }
    }

    /// Ids of a text in which the tokens `added` are found first; with what the file puts `around` it.
    fn encode_with(&self, added: &AddedVocabulary, text: &str, around: bool) -> Result<Vec<u32>> {
        let inner = &self.shared.inner;
        let model = inner.get_model();
        let encode = || {
            let mut parts = added.extract_and_normalize(inner.get_normalizer(), text);
            if let Some(pre_tokenizer) = inner.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut parts)?;
            }
            parts.tokenize(|part| model.tokenize(part.get()))?;
            let encoding = parts.into_encoding(None, 0, OffsetType::None)?;
            inner.post_process(encoding, None, around).map(|encoding| encoding.get_ids().to_vec())
        };
        guard(encode)
            .map_err(|problem| self.refuse(format!("a text of {} bytes cannot be encoded: {problem}", text.len())))
    }

    /// The text of ids; those without a token count as nothing. `skip_special` leaves special tokens out.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let mut stream = self.stream(skip_special);
        let mut text = String::new();
        for id in ids {
            text.push_str(&stream.push(*id)?);
        }
        text.push_str(&stream.finish());
        Ok(text)
    }

    /// Text as ids arrive one by one.
    pub fn stream(&self, skip_special: bool) -> TextStream {
        TextStream::new(self.clone(), skip_special)
    }

    /// The id of the token with which texts begin.
    pub fn bos(&self) -> Option<u32> {
        self.token_id(self.special_token("bos_token")?)
    }

    /// Whether [`Tokenizer::encode_raw`] puts [`Tokenizer::bos`] in front.
    pub fn adds_bos(&self) -> bool {
        let bos = self.bos();
        bos.is_some() && self.encode_raw("").is_ok_and(|ids| ids.first().copied() == bos)
    }

    /// The id of a token, spelled as in the file.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.shared.inner.token_to_id(token)
    }

    /// The token of an id, spelled as in the file.
    pub fn token(&self, id: u32) -> Option<String> {
        self.shared.inner.id_to_token(id)
    }

    /// Whether the id is that of a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.shared.special_ids.contains_key(&id)
    }

    /// The greatest id of a token that is not special, so that text can hold it.
    pub fn greatest_plain_id(&self) -> u32 {
        let inner = &self.shared.inner;
        let plain = |id: u32| !self.is_special(id);
        let added = inner.get_added_vocabulary().get_vocab().values().copied().filter(|id| plain(*id)).max();
        added.max(inner.get_model().greatest_id(plain)).unwrap_or(0)
    }

    /// Every special token, as it is spelled.
    pub fn all_special_tokens(&self) -> Vec<String> {
        self.shared.special_ids.values().cloned().collect()
    }

    /// Tokens in all, added ones included; the vocabulary of the weights may be larger.
    pub fn vocab_size(&self) -> usize {
        self.shared.vocab_size
    }

    /// The text of a special token by its role: `bos_token`, `eos_token`, `image_token`, …
    pub fn special_token(&self, role: &str) -> Option<&str> {
        self.shared.special_tokens.get(role).map(String::as_str)
    }

    /// All special tokens by role.
    pub fn special_tokens(&self) -> &BTreeMap<String, String> {
        &self.shared.special_tokens
    }

    /// What an id contributes to decoding; differs from [`Tokenizer::token`] in added tokens that are normalised.
    pub(super) fn token_for_decoding(&self, id: u32, skip_special: bool) -> Option<String> {
        let added = self.shared.inner.get_added_vocabulary();
        let token = added.simple_id_to_token(id).or_else(|| self.shared.inner.get_model().id_to_token(id))?;
        if skip_special && added.is_special_token(&token) { None } else { Some(token) }
    }

    pub(super) fn decoder(&self) -> &Decoder {
        &self.shared.decoder
    }

    pub(super) fn refuse(&self, problem: String) -> Error {
        Error::Tokenizer { path: self.shared.path.clone(), problem }
    }
}

/// Runs a call into the tokenizers crate, which panics on some files that contradict themselves.
fn guard<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("it contradicts itself in a way that the tokenizers library does not handle".into()),
    }
}
