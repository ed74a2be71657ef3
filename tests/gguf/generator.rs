//! Bytes of GGUF files, in which every field can be made to lie.

/// A value of the metadata; `Raw` has whatever type and bytes it is given.
#[derive(Clone, Debug)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    U64(u64),
    I64(i64),
    F64(f64),
    Strings(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
    Raw(u32, Vec<u8>),
}

impl Value {
    fn number_of_type(&self) -> u32 {
        match self {
            Value::U8(_) => 0,
            Value::I8(_) => 1,
            Value::U16(_) => 2,
            Value::I16(_) => 3,
            Value::U32(_) => 4,
            Value::I32(_) => 5,
            Value::F32(_) => 6,
            Value::Bool(_) => 7,
            Value::Text(_) => 8,
            Value::Strings(_) | Value::F32s(_) | Value::I32s(_) => 9,
            Value::U64(_) => 10,
            Value::I64(_) => 11,
            Value::F64(_) => 12,
            Value::Raw(number, _) => *number,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Value::U8(value) => vec![*value],
            Value::I8(value) => value.to_le_bytes().into(),
            Value::U16(value) => value.to_le_bytes().into(),
            Value::I16(value) => value.to_le_bytes().into(),
            Value::U32(value) => value.to_le_bytes().into(),
            Value::I32(value) => value.to_le_bytes().into(),
            Value::F32(value) => value.to_le_bytes().into(),
            Value::Bool(value) => vec![u8::from(*value)],
            Value::Text(value) => text(value),
            Value::U64(value) => value.to_le_bytes().into(),
            Value::I64(value) => value.to_le_bytes().into(),
            Value::F64(value) => value.to_le_bytes().into(),
            Value::Strings(values) => array(8, values.len() as u64, values.iter().flat_map(text)),
            Value::F32s(values) => array(6, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes())),
            Value::I32s(values) => array(5, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes())),
            Value::Raw(_, bytes) => bytes.clone(),
        }
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.into())
    }
}

/// A string with its length.
pub fn text(value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&(value.len() as u64).to_le_bytes(), value].concat()
}

/// The bytes of an array that says it holds `len` values of that type.
pub fn array(kind: u32, len: u64, values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let head = kind.to_le_bytes().into_iter().chain(len.to_le_bytes());
    head.chain(values).collect()
}

/// A name with the length that the file says it has.
#[derive(Clone, Debug)]
pub struct Name {
    pub bytes: Vec<u8>,
    pub len: u64,
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Name {
        Name { bytes: bytes.into(), len: bytes.len() as u64 }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        text.as_bytes().into()
    }
}

impl Name {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.len.to_le_bytes());
        to.extend(&self.bytes);
    }
}

/// A tensor; what is `None` is filled in truthfully.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: Name,
    pub axes: Option<u32>,
    /// Fastest axis first, as in the file.
    pub dimensions: Vec<u64>,
    pub kind: u32,
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

/// A file; what is `None` is filled in truthfully.
#[derive(Clone, Debug)]
pub struct Gguf {
    pub magic: [u8; 4],
    pub version: [u8; 4],
    pub tensor_count: Option<u64>,
    pub pair_count: Option<u64>,
    pub pairs: Vec<(Name, Value)>,
    pub tensors: Vec<Tensor>,
    pub alignment: usize,
    /// Bytes that are left of the file.
    pub cut: Option<usize>,
}

impl Gguf {
    pub fn new() -> Gguf {
        Gguf {
            magic: *b"GGUF",
            version: 3u32.to_le_bytes(),
            tensor_count: None,
            pair_count: None,
            pairs: Vec::new(),
            tensors: Vec::new(),
            alignment: 32,
            cut: None,
        }
    }

    /// Sets a key, in its place if it is there.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        match self.pairs.iter_mut().find(|(name, _)| name.bytes == key.as_bytes()) {
            Some((_, old)) => *old = value.into(),
            None => self.pairs.push((key.into(), value.into())),
        }
    }

    pub fn remove(&mut self, key: &str) {
        let before = self.pairs.len();
        self.pairs.retain(|(name, _)| name.bytes != key.as_bytes());
        assert!(self.pairs.len() < before, "no key {key}");
    }

    /// Adds a tensor; `shape` has the slowest axis first.
    pub fn add(&mut self, name: &str, kind: u32, shape: &[usize], data: Vec<u8>) {
        let dimensions = shape.iter().rev().map(|length| *length as u64).collect();
        self.tensors.push(Tensor { name: name.into(), axes: None, dimensions, kind, offset: None, data });
    }

    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name.bytes == name.as_bytes()).unwrap()
    }

    /// Everything before the data of the tensors.
    pub fn header(&self) -> Vec<u8> {
        let mut all = [self.magic, self.version].concat();
        all.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        all.extend(self.pair_count.unwrap_or(self.pairs.len() as u64).to_le_bytes());
        for (name, value) in &self.pairs {
            name.write(&mut all);
            all.extend(value.number_of_type().to_le_bytes());
            all.extend(value.bytes());
        }
        let mut place = 0;
        for tensor in &self.tensors {
            tensor.name.write(&mut all);
            all.extend(tensor.axes.unwrap_or(tensor.dimensions.len() as u32).to_le_bytes());
            all.extend(tensor.dimensions.iter().flat_map(|length| length.to_le_bytes()));
            all.extend(tensor.kind.to_le_bytes());
            all.extend(tensor.offset.unwrap_or(place).to_le_bytes());
            place += tensor.data.len().next_multiple_of(self.alignment) as u64;
        }
        all
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut all = self.header();
        for tensor in &self.tensors {
            all.resize(all.len().next_multiple_of(self.alignment), 0);
            all.extend(&tensor.data);
        }
        all.truncate(self.cut.unwrap_or(all.len()));
        all
    }
}

/// A whole model of one layer: 14 words, 32 wide, two heads of 16.
pub fn tiny() -> Gguf {
    let mut file = Gguf::new();
    let words = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"];
    let letters = ["\n", "a", "b", "c", "▁", "ab", "abc", "▁a"];
    let tokens: Vec<String> = words.iter().chain(&letters).map(|token| token.to_string()).collect();
    let types = tokens.iter().map(|token| if token.starts_with('<') { 3 } else { 1 }).collect();
    let scores = (0..tokens.len()).map(|id| -(id as f32)).collect();
    file.set("general.architecture", "gemma3");
    file.set("general.name", "tiny");
    file.set("gemma3.embedding_length", Value::U32(32));
    file.set("gemma3.block_count", Value::U32(1));
    file.set("gemma3.feed_forward_length", Value::U32(64));
    file.set("gemma3.context_length", Value::U32(128));
    file.set("gemma3.attention.head_count", Value::U32(2));
    file.set("gemma3.attention.head_count_kv", Value::U32(1));
    file.set("gemma3.attention.key_length", Value::U32(16));
    file.set("gemma3.attention.value_length", Value::U32(16));
    file.set("gemma3.attention.layer_norm_rms_epsilon", Value::F32(1e-6));
    file.set("gemma3.attention.sliding_window", Value::U32(16));
    file.set("gemma3.rope.freq_base", Value::F32(1e6));
    file.set("tokenizer.ggml.model", "llama");
    file.set("tokenizer.ggml.tokens", Value::Strings(tokens));
    file.set("tokenizer.ggml.scores", Value::F32s(scores));
    file.set("tokenizer.ggml.token_type", Value::I32s(types));
    file.set("tokenizer.ggml.bos_token_id", Value::U32(2));
    file.set("tokenizer.ggml.eos_token_id", Value::U32(1));
    file.set("tokenizer.ggml.unknown_token_id", Value::U32(3));
    file.set("tokenizer.ggml.padding_token_id", Value::U32(0));
    file.set("tokenizer.ggml.add_bos_token", Value::Bool(true));
    file.set("tokenizer.chat_template", "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}");
    let mut state = 1u32;
    let mut noise = |len: usize| -> Vec<u8> {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..len).map(next).flat_map(f32::to_le_bytes).collect()
    };
    for (name, shape) in [
        ("token_embd", &[14, 32][..]),
        ("output_norm", &[32]),
        ("blk.0.attn_norm", &[32]),
        ("blk.0.attn_q", &[32, 32]),
        ("blk.0.attn_k", &[16, 32]),
        ("blk.0.attn_v", &[16, 32]),
        ("blk.0.attn_q_norm", &[16]),
        ("blk.0.attn_k_norm", &[16]),
        ("blk.0.attn_output", &[32, 32]),
        ("blk.0.post_attention_norm", &[32]),
        ("blk.0.ffn_norm", &[32]),
        ("blk.0.ffn_gate", &[64, 32]),
        ("blk.0.ffn_up", &[64, 32]),
        ("blk.0.ffn_down", &[32, 64]),
        ("blk.0.post_ffw_norm", &[32]),
    ] {
        file.add(&format!("{name}.weight"), 0, shape, noise(shape.iter().product()));
    }
    file
}
