use crate::support::*;
use percept::kernels::norm_rope::{Arrays, Heads, Values, angles, frequencies, record, reference};
use percept::kernels::stride;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // One q head and one k head of two values, a quarter turn: (a, b) → (-b, a); v is the plain normalised key.
    let heads = Heads { num_heads: 1, num_kv_heads: 1, head_dim: 2, values: Values::FromKeys };
    let (q, k, v) = reference(&heads, &[1.0, -1.0, 2.0, 2.0], &[1.0, 1.0, 3.0, 1.0], &[[0.0, 1.0]], 0.0);
    assert_close("q", &q, &[1.0, 1.0], 1e-7);
    assert_close("k", &k, &[-1.0, 3.0], 1e-7);
    assert_close("v", &v, &[1.0, 1.0], 1e-7);
}

#[test]
fn frequencies_by_hand() {
    assert_close("default", &frequencies(10_000.0, 4, 2), &[1.0, 0.01], 1e-7);
    let [cos, sin] = angles(3, &[0.5]).next().unwrap();
    assert_close("angle", &[cos, sin], &[1.5f32.cos(), 1.5f32.sin()], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..4, 1usize..4, 1usize..70, 0usize..4, 1usize..6, 1usize..40, 0usize..50);
    for_shapes(16, (shapes, any::<u64>()), |gpu, &((kv, group, half, values, row_count, extra, position), seed)| {
        let values = [Values::Normed, Values::FromKeys, Values::Plain, Values::Shared][values];
        let heads = Heads { num_heads: kv * group, num_kv_heads: kv, head_dim: 2 * half, values };
        let (dim, padded, slots) = (2 * half, stride(2 * half), row_count + extra);
        let pairs = 1 + seed as usize % half;
        let frequencies = frequencies(100.0, dim, pairs);
        let turns: Vec<[f32; 2]> = (0..position + row_count).flat_map(|p| angles(p, &frequencies)).collect();
        let qkv = noise(seed, row_count * heads.qkv_width());
        let norms = noise(seed ^ 1, 2 * dim);
        let q = Output::new(gpu, "q", row_count * heads.num_heads * padded);
        let cache = [(); 2].map(|()| Output::new(gpu, "cache", slots * kv * padded));
        let arrays = Arrays {
            qkv: &rows(gpu, "qkv", &qkv, heads.qkv_width(), stride(heads.qkv_width())),
            norms: &gpu.array_of("norms", &norms).unwrap(),
            angles: &gpu.array_of("angles", &turns).unwrap(),
            step: &gpu.array_of("step", &[position as u32]).unwrap(),
            q: &q.array,
            k_cache: &cache[0].array,
            v_cache: &cache[1].array,
        };
        run(gpu, row_count, |plan| record(plan, &heads, slots, pairs, 1e-6, row_count, &arrays));
        let (q, k, v) = (q.read_rows(gpu, dim, padded), cache[0].read(gpu), cache[1].read(gpu));
        let mut written = vec![false; slots];
        for row in 0..row_count {
            let turns = &turns[(position + row) * pairs..][..pairs];
            let expected = reference(&heads, &qkv[row * heads.qkv_width()..][..heads.qkv_width()], &norms, turns, 1e-6);
            let slot = (position + row) % slots;
            written[slot] = values != Values::Shared;
            let of = |all: &[f32]| -> Vec<f32> {
                let heads = all[slot * kv * padded..][..kv * padded].chunks(padded);
                heads.flat_map(|head| head[..dim].to_vec()).collect()
            };
            assert_close("q", &q[row * heads.num_heads * dim..][..heads.num_heads * dim], &expected.0, 3e-6);
            if written[slot] {
                assert_close("k", &of(&k), &expected.1, 3e-6);
                assert_close("v", &of(&v), &expected.2, 3e-6);
            }
        }
        for slot in (0..slots).filter(|s| !written[*s]) {
            assert!(k[slot * kv * padded..][..kv * padded].iter().all(|x| x.is_nan()), "slot {slot} was overwritten");
        }
    });
}
