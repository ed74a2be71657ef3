//! Small GGUF files, made while tests run.
#![allow(dead_code)] // Each test takes a part of it.

/// A value of the metadata.
#[derive(Clone)]
pub enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Strings(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
    Bools(Vec<bool>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

fn array(kind: u32, len: usize, values: impl Iterator<Item = u8>) -> Vec<u8> {
    kind.to_le_bytes().into_iter().chain((len as u64).to_le_bytes()).chain(values).collect()
}

impl Value {
    /// The number of its type, and its bytes.
    fn written(&self) -> (u32, Vec<u8>) {
        match self {
            Value::U32(value) => (4, value.to_le_bytes().into()),
            Value::F32(value) => (6, value.to_le_bytes().into()),
            Value::Bool(value) => (7, vec![u8::from(*value)]),
            Value::Text(value) => (8, text(value)),
            Value::Strings(values) => (9, array(8, values.len(), values.iter().flat_map(|value| text(value)))),
            Value::F32s(values) => (9, array(6, values.len(), values.iter().flat_map(|value| value.to_le_bytes()))),
            Value::I32s(values) => (9, array(5, values.len(), values.iter().flat_map(|value| value.to_le_bytes()))),
            Value::Bools(values) => (9, array(7, values.len(), values.iter().map(|value| u8::from(*value)))),
        }
    }
}

/// A file: metadata, and tensors of f32 with the slowest axis first.
#[derive(Clone, Default)]
pub struct Gguf {
    pairs: Vec<(String, Value)>,
    tensors: Vec<(String, Vec<usize>)>,
}

impl Gguf {
    /// Sets a key, in its place if it is there.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Gguf {
        match self.pairs.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value.into(),
            None => self.pairs.push((key.into(), value.into())),
        }
        self
    }

    pub fn remove(&mut self, key: &str) -> &mut Gguf {
        self.pairs.retain(|(name, _)| name != key);
        self
    }

    /// Adds a tensor of arbitrary values.
    pub fn add(&mut self, name: &str, shape: &[usize]) -> &mut Gguf {
        self.tensors.push((name.into(), shape.into()));
        self
    }

    /// Without the weights.
    pub fn header_alone(&self) -> Gguf {
        Gguf { tensors: Vec::new(), ..self.clone() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut all = b"GGUF\x03\0\0\0".to_vec();
        all.extend((self.tensors.len() as u64).to_le_bytes());
        all.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, value) in &self.pairs {
            let (kind, bytes) = value.written();
            all.extend([text(key), kind.to_le_bytes().into(), bytes].concat());
        }
        let mut data: Vec<u8> = Vec::new();
        let mut state = 1u32;
        for (name, shape) in &self.tensors {
            all.extend(text(name));
            all.extend((shape.len() as u32).to_le_bytes());
            all.extend(shape.iter().rev().flat_map(|length| (*length as u64).to_le_bytes()));
            all.extend(0u32.to_le_bytes());
            all.extend((data.len() as u64).to_le_bytes());
            for _ in 0..shape.iter().product() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                data.extend(((state >> 8) as f32 / 8_388_608.0 - 1.0).to_le_bytes());
            }
            data.resize(data.len().next_multiple_of(32), 0);
        }
        all.resize(all.len().next_multiple_of(32), 0);
        all.extend(data);
        all
    }
}

/// A whole Gemma 3 of one layer, 32 wide, with all bytes and a few words; without a chat template, as base models are.
pub fn tiny() -> Gguf {
    let special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"].map(String::from);
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let words = ["▁", "a", "b", "ab", "▁a"].map(String::from);
    let tokens: Vec<String> = special.into_iter().chain(bytes).chain(words).collect();
    let kind = |id| match id {
        0..6 => 3,
        6..262 => 6,
        _ => 1,
    };
    let mut file = Gguf::default();
    file.set("general.architecture", "gemma3")
        .set("gemma3.embedding_length", Value::U32(32))
        .set("gemma3.block_count", Value::U32(1))
        .set("gemma3.feed_forward_length", Value::U32(64))
        .set("gemma3.context_length", Value::U32(600))
        .set("gemma3.attention.head_count", Value::U32(2))
        .set("gemma3.attention.head_count_kv", Value::U32(1))
        .set("gemma3.attention.key_length", Value::U32(16))
        .set("gemma3.attention.value_length", Value::U32(16))
        .set("gemma3.attention.layer_norm_rms_epsilon", Value::F32(1e-6))
        .set("gemma3.attention.sliding_window", Value::U32(16))
        .set("gemma3.rope.freq_base", Value::F32(1e6))
        .set("tokenizer.ggml.model", "llama")
        .set("tokenizer.ggml.token_type", Value::I32s((0..tokens.len()).map(kind).collect()))
        .set("tokenizer.ggml.scores", Value::F32s((0..tokens.len()).map(|id| -(id as f32)).collect()))
        .set("tokenizer.ggml.bos_token_id", Value::U32(2))
        .set("tokenizer.ggml.eos_token_id", Value::U32(1))
        .set("tokenizer.ggml.unknown_token_id", Value::U32(3))
        .set("tokenizer.ggml.padding_token_id", Value::U32(0))
        .set("tokenizer.ggml.add_bos_token", Value::Bool(true))
        .add("token_embd.weight", &[tokens.len(), 32])
        .add("output_norm.weight", &[32])
        .add("blk.0.attn_norm.weight", &[32])
        .add("blk.0.attn_q.weight", &[32, 32])
        .add("blk.0.attn_k.weight", &[16, 32])
        .add("blk.0.attn_v.weight", &[16, 32])
        .add("blk.0.attn_q_norm.weight", &[16])
        .add("blk.0.attn_k_norm.weight", &[16])
        .add("blk.0.attn_output.weight", &[32, 32])
        .add("blk.0.post_attention_norm.weight", &[32])
        .add("blk.0.ffn_norm.weight", &[32])
        .add("blk.0.ffn_gate.weight", &[64, 32])
        .add("blk.0.ffn_up.weight", &[64, 32])
        .add("blk.0.ffn_down.weight", &[32, 64])
        .add("blk.0.post_ffw_norm.weight", &[32])
        .set("tokenizer.ggml.tokens", Value::Strings(tokens));
    file
}
