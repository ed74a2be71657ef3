use crate::support::*;
use percept::kernels::gather::Aliases;
use percept::kernels::{Format, Variant, gather, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let y = gather::reference(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &[2, 0, 2], 0.5, Aliases::NONE);
    let aliases = Aliases { ids: [2, 7, 8], read_as: 0 };
    assert_eq!(gather::reference(&[1.0, 2.0, 3.0], 1, &[2, 1], 1.0, aliases), [1.0, 2.0]);
    assert_eq!(y, [2.5, 3.0, 0.5, 1.0, 2.5, 3.0]);
}

#[test]
fn shader_equals_reference_in_every_format_and_variant() {
    let shapes =
        (1usize..100, prop_oneof![Just(1), Just(255), Just(256), Just(257), 1usize..600], 1usize..100, 1usize..20);
    for_shapes(8, (shapes, any::<u64>()), |gpu, &((words, width, block_rows, row_count), seed)| {
        let values = noise(seed, words * width);
        // The first and the last word of a block are among them.
        let mut ids: Vec<u32> =
            noise(seed ^ 1, row_count).iter().map(|v| ((v + 1.0) / 2.0 * words as f32) as u32).collect();
        ids[0] = words as u32 - 1;
        ids.push((block_rows - 1).min(words - 1) as u32);
        ids.push(block_rows.min(words - 1) as u32);
        let ids_array = gpu.array_of("ids", &ids).unwrap();
        for format in Format::PLAIN {
            let (table, rounded) = matrix(gpu, format, &values, width, block_rows);
            let aliases = Aliases { ids: [ids[0], words as u32 / 2, u32::MAX], read_as: words as u32 / 3 };
            let expected = gather::reference(&rounded, width, &ids, 61.97, aliases);
            for variant in Variant::all(gpu) {
                let y = Output::new(gpu, "y", ids.len() * stride(width));
                run(gpu, ids.len(), |plan| {
                    gather::record(plan, variant, &table, 61.97, aliases, ids.len(), &ids_array, &y.array)
                });
                let y = y.read_rows(gpu, width, stride(width));
                assert_close(&format!("{format:?} {variant:?}"), &y, &expected, 1e-7);
            }
        }
    });
}

#[test]
fn rows_behind_those_of_the_replay_are_left_alone() {
    for gpu in gpus() {
        let (table, rounded) = matrix(gpu, Format::F32, &noise(1, 12), 4, 2);
        let ids = gpu.array_of("ids", &[2u32, 1, 0]).unwrap();
        let y = Output::new(gpu, "y", 8);
        run(gpu, 2, |plan| gather::record(plan, Variant::default(), &table, 1.0, Aliases::NONE, 3, &ids, &y.array));
        assert_eq!(y.read(gpu), gather::reference(&rounded, 4, &[2, 1], 1.0, Aliases::NONE));
    }
}
