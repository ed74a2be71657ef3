//! The special tokens by role (`bos_token`, `eos_token`, `image_token`, …) as the files beside a tokenizer name them.

use crate::error::Result;
use crate::weights::Fields;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Role to the token's text, from `tokenizer_config.json` and, for roles that it leaves out, `special_tokens_map.json`.
/// Either file may be absent. A token is a string or an object with `content`.
pub(super) fn special_tokens(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut tokens = BTreeMap::new();
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        let path = folder.join(file);
        if !path.exists() {
            continue;
        }
        let fields = Fields::open(&path)?;
        let nested = fields.optional_object("model_specific_special_tokens")?;
        for object in [Some(&fields), nested.as_ref()].into_iter().flatten() {
            for name in object.names().filter(|name| name.ends_with("_token")) {
                let token = match object.value(name) {
                    Some(Value::String(text)) => text,
                    Some(Value::Object(token)) => match token.get("content") {
                        Some(Value::String(text)) => text,
                        _ => return Err(object.error(name, "is an object without a string \"content\"")),
                    },
                    // Switches like add_bos_token, and roles that the model does not use.
                    Some(Value::Bool(_)) | None => continue,
                    Some(_) => return Err(object.error(name, "is neither a string nor an object with \"content\"")),
                };
                tokens.entry(name.to_string()).or_insert_with(|| token.clone());
            }
        }
    }
    Ok(tokens)
}
