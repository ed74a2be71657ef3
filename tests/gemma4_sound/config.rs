//! `audio_config` and the feature extractor: what is read, and the sentence that each bad value gives.

use crate::support::FOLDER;
use percept::models::gemma::sound::SoundConfig;
use percept::weights::Fields;
use serde_json::{Value, json};
use std::path::Path;

fn read(audio: Value, extractor: Value) -> Result<SoundConfig, String> {
    let fields = |file: &str, value: Value| {
        let Value::Object(object) = value else { panic!("no object") };
        Fields::new(Path::new(file), object)
    };
    let (audio, processor) = (
        fields("config.json", json!({"audio_config": audio})),
        fields("processor_config.json", json!({"feature_extractor": extractor})),
    );
    SoundConfig::read(&audio.object("audio_config").unwrap(), Some(&processor)).map_err(|error| error.to_string())
}

#[test]
fn what_is_left_out_is_as_published() {
    let config = read(json!({}), json!({})).unwrap();
    let settings = &config.spectrogram;
    assert_eq!(
        (config.hidden_size, config.num_hidden_layers, config.channels, config.window),
        (1024, 12, [128, 32], 12)
    );
    assert_eq!((settings.frame_length, settings.hop_length, settings.fft_length, settings.mels), (320, 160, 512, 128));
    assert_eq!((config.row_samples(), config.row_width()), (640, 640));
    // 30 seconds give 750 tokens; with the projection, 752 tensors without bounds or 1,232 with them.
    assert_eq!(config.rows(480_000, true), 750);
    let count =
        |clipped: bool| read(json!({"use_clipped_linears": clipped}), json!({})).unwrap().tensors(1536, FOLDER).len();
    assert_eq!((count(true), count(false)), (8 + 12 * 62, 8 + 12 * 22));
    let bare = Fields::new(Path::new("config.json"), Default::default());
    assert_eq!(SoundConfig::read(&bare, None).unwrap(), config);
}

#[test]
fn lengths_by_samples_or_by_milliseconds() {
    let settings = |extractor| read(json!({}), extractor).unwrap().spectrogram;
    let by_ms = settings(json!({"frame_length_ms": 32.0, "hop_length_ms": 8}));
    assert_eq!((by_ms.frame_length, by_ms.hop_length, by_ms.fft_length), (512, 128, 512));
    let both = settings(json!({"frame_length": 512, "frame_length_ms": 32, "hop_length": 128, "fft_length": 512}));
    assert_eq!(both, settings(json!({"frame_length": 512, "hop_length": 128})));
    // 16,050 Hz: 321 samples, and 160.5 becomes the even number.
    let odd = settings(json!({"sampling_rate": 16_050}));
    assert_eq!((odd.frame_length, odd.hop_length), (321, 160));
}

#[test]
fn bad_values_of_the_encoder() {
    for (field, value, problem) in [
        ("hidden_size", json!(-8), "is -8, expected a whole number"),
        ("hidden_size", json!(0), "is 0, expected 2 to 32767"),
        ("hidden_size", json!(1023), "is 1023, expected an even number"),
        ("hidden_size", json!("many"), "is \"many\", expected a whole number"),
        ("num_attention_heads", json!(0), "is 0, expected 1 to 1023"),
        ("num_attention_heads", json!(7), "is 7, which does not divide hidden_size 1024"),
        ("num_hidden_layers", json!(0), "is 0, expected 1 to 999"),
        ("num_hidden_layers", json!(2.5), "is 2.5, expected a whole number"),
        ("hidden_act", json!("swiglu"), "is \"swiglu\", only \"silu\" is supported"),
        ("model_type", json!("whisper"), "is \"whisper\", only \"gemma4_audio\" is supported"),
        ("subsampling_conv_channels", json!([128]), "holds 1 numbers, expected two"),
        ("subsampling_conv_channels", json!([128, 0]), "at index 1 is 0, expected 1 to 4096"),
        (
            "subsampling_conv_channels",
            json!([64, 32]),
            "begins with 64, whose quarter must be the 32 columns that are left of feature_size 128",
        ),
        ("conv_kernel_size", json!(0), "is 0, expected 1 to 1024"),
        ("attention_chunk_size", json!(0), "is 0, expected 1 to 65535"),
        ("attention_context_left", json!(1), "is 1, expected 2 to 1025"),
        ("attention_context_left", json!(-13), "is -13, expected a whole number"),
        ("attention_context_right", json!(2), "is 2, only 0 is supported: nothing after a token is heard before it"),
        ("attention_logit_cap", json!(0), "is 0, expected above 0"),
        (
            "attention_invalid_logits_value",
            json!(-100.0),
            "is -100, expected at most -154: what is masked counts nothing",
        ),
        ("use_clipped_linears", json!("yes"), "is \"yes\", expected true or false"),
        ("rms_norm_eps", json!(-1e-6), "is -0.000001, expected above 0"),
        ("gradient_clipping", json!(0.0), "is 0, expected above 0"),
        ("gradient_clipping", json!(1e300), "is 1e+300, expected a number within f32"),
        ("residual_weight", json!([0.5]), "is an array of 1, expected a number"),
        ("output_proj_dims", json!(0), "is 0, expected 1 to 131071"),
    ] {
        let error = read(json!({field: value}), json!({})).unwrap_err();
        assert_eq!(error, format!("config.json: audio_config.{field} {problem}"));
    }
    let error = read(json!({"hidden_size": 4096, "num_attention_heads": 2}), json!({})).unwrap_err();
    assert!(error.ends_with("num_attention_heads is 2: heads of more than 1024 values are not supported"), "{error}");
}

#[test]
fn bad_values_of_the_feature_extractor() {
    for (field, value, problem) in [
        ("feature_extractor_type", json!("WhisperFeatureExtractor"), "is \"WhisperFeatureExtractor\", only"),
        ("feature_size", json!(0), "is 0, expected 1 to 1024"),
        ("sampling_rate", json!(0), "is 0, expected 1000 to 399999"),
        ("frame_length", json!(1), "is 1, expected 2 to 1024"),
        ("frame_length", json!(-320), "is -320, expected a whole number"),
        ("frame_length_ms", json!(0.0), "gives 0 samples, expected 2 to 1024"),
        ("frame_length_ms", json!(-20.0), "gives -320 samples, expected 2 to 1024"),
        ("hop_length", json!(0), "is 0, expected 1 to 65536"),
        ("hop_length_ms", json!(1e-9), "gives 0 samples, expected 1 to 65536"),
        ("fft_length", json!(400), "is 400, frames of 320 samples give 512"),
        ("min_frequency", json!(-1), "is -1, expected at least 0"),
        ("max_frequency", json!(0), "is 0, expected above min_frequency 0"),
        ("mel_floor", json!(0), "is 0, expected above 0"),
        ("dither", json!(1e-4), "is 0.0001, only 0 is supported: answers would differ from run to run"),
        ("preemphasis", json!(-0.5), "is -0.5, expected at least 0"),
        ("padding_side", json!("left"), "is \"left\", only \"right\" is supported"),
        ("per_bin_mean", json!([1.0, 2.0]), "holds 2 numbers, feature_size is 128"),
        ("per_bin_stddev", json!(vec![0.0; 128]), "holds a 0"),
        ("fft_overdrive", json!(1), "is 1, expected true or false"),
    ] {
        let error = read(json!({}), json!({field: value})).unwrap_err();
        let expected = format!("processor_config.json: feature_extractor.{field} {problem}");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
    let refused = |extractor| read(json!({}), extractor).unwrap_err();
    assert_eq!(
        refused(json!({"frame_length": 321, "frame_length_ms": 20})),
        "processor_config.json: feature_extractor.frame_length is 321, frame_length_ms says 320 samples"
    );
    assert_eq!(
        refused(json!({"frame_length": 600, "fft_overdrive": true})),
        "processor_config.json: feature_extractor.frame_length is 600, which asks for a transform of 2048, at most 1024"
    );
    assert_eq!(
        refused(json!({"sampling_rate": 96_000})),
        "processor_config.json: feature_extractor.sampling_rate gives 1920 samples, expected 2 to 1024"
    );
}
