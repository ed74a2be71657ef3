//! A GGUF file of any bytes: its header, every key by every way to read it, every tensor, its tokenizer and its template.
#![no_main]

use libfuzzer_sys::fuzz_target;
use percept::text::{Content, Message, Template, Tokenizer};
use percept::weights::GgufFile;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = GgufFile::parse(Path::new("a.gguf"), bytes) else { return };
    let metadata = file.metadata();
    for key in metadata.keys() {
        assert!(metadata.has(key));
        let _ = metadata.shown(key);
        let _ = metadata.string(key);
        let _ = metadata.usize(key, 1..1 << 20);
        let _ = metadata.f32(key);
        let _ = metadata.bool(key);
        let _ = metadata.f32s(key);
        let _ = metadata.i32s(key);
        let _ = metadata.usizes(key, ..=255);
        if let Ok(strings) = metadata.strings(key) {
            assert_eq!(strings.count(), metadata.array_len(key).unwrap());
        }
    }
    for (tensor, entry) in file.tensors().zip(file.entries()) {
        assert_eq!(tensor.name, entry.name);
        let _ = tensor.check_finite();
        let _ = tensor.to_f32();
    }
    let Ok(tokenizer) = Tokenizer::from_gguf(&file) else { return };
    if let Ok(ids) = tokenizer.encode("ab c\n<bos>é") {
        let _ = tokenizer.decode(&ids, false);
    }
    if let Ok(Some(template)) = Template::from_gguf(&file, &tokenizer) {
        let message = Message { role: "user".into(), content: Content::Text("ab".into()) };
        let _ = template.render(&[message], true, &Default::default());
    }
});
