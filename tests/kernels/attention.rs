use crate::support::*;
use percept::gpu::{Gpu, PlanBuilder};
use percept::kernels::attention::{Arrays, MOST_HEAD_DIM, Reach, partial_len, record, record_split, reference};
use percept::kernels::norm_rope::{Heads, Values};
use percept::kernels::stride;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // Scores 0 and ln 3: weights ¼ and ¾.
    let heads = Heads { num_heads: 1, num_kv_heads: 1, head_dim: 2, values: Values::Normed };
    let out = reference(&heads, &[1.0, 0.0], &[0.0, 9.0, 3f32.ln(), 9.0], &[4.0, 0.0, 8.0, 1.0]);
    assert_close("out", &out, &[7.0, 0.75], 1e-6);
}

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub kv: usize,
    pub group: usize,
    pub dim: usize,
    pub rows: usize,
    pub position: usize,
    pub window: Option<usize>,
    /// Rows from the first on that see each other both ways.
    pub block: usize,
    /// Rows of a picture, if they see nothing else.
    pub picture: Option<usize>,
    pub spare_slots: usize,
    pub seed: u64,
}

fn check(gpu: &Gpu, shape: &Shape) {
    check_with(gpu, shape, record);
}

/// The same with another way to record a shape's rows.
pub fn check_with(
    gpu: &Gpu,
    shape: &Shape,
    record: impl Fn(&mut PlanBuilder<'_>, &Heads, Reach, usize, usize, &Arrays<'_>) -> percept::Result<()>,
) {
    let Shape { kv, group, dim, rows: row_count, position, window, block, picture, spare_slots, seed } = *shape;
    let heads = Heads { num_heads: kv * group, num_kv_heads: kv, head_dim: dim, values: Values::Normed };
    let (padded, end) = (stride(dim), position + row_count);
    let reach = Reach { window, sees_ends: block > 0 || picture.is_some() };
    // As few places as the window allows, so that the ring is crossed.
    let slots = window.map_or(end, |w| (w + row_count).min(end)) + spare_slots;
    let q = noise(seed, row_count * kv * group * dim);
    let [k, v] = [noise(seed ^ 1, end * kv * dim), noise(seed ^ 2, end * kv * dim)];
    // Scores of the same size whatever the head.
    let k: Vec<f32> = k.iter().map(|x| x * 6.0 / (dim as f32).sqrt()).collect();
    let ring = |all: &[f32]| {
        let mut places = vec![f32::NAN; slots * kv * padded];
        for (position, row) in all.chunks(kv * dim).enumerate() {
            let slot = position % slots;
            places[slot * kv * padded..][..kv * padded].copy_from_slice(&spread(row, dim, padded));
        }
        gpu.array_of("cache", &places).unwrap()
    };
    let both = |row: usize| match picture {
        Some(rows) => [position + row / rows * rows, position + (row / rows * rows + rows).min(row_count) - 1],
        None if row < block => [0, position + block - 1],
        None => [0, 0],
    };
    let ends: Vec<[u32; 2]> = (0..row_count).map(|row| both(row).map(|end| end as u32)).collect();
    let out_stride = stride(heads.num_heads * dim);
    let expected: Vec<f32> = (0..row_count)
        .flat_map(|row| {
            let own = position + row;
            let first = window.map_or(0, |w| (own + 1).saturating_sub(w)).max(both(row)[0]);
            let last = own.max(both(row)[1]);
            let seen = first * kv * dim..(last + 1) * kv * dim;
            reference(&heads, &q[row * heads.num_heads * dim..][..heads.num_heads * dim], &k[seen.clone()], &v[seen])
        })
        .collect();
    let partial = Output::new(gpu, "partial", partial_len(&heads));
    let out = Output::new(gpu, "out", row_count * out_stride);
    let arrays = Arrays {
        q: &rows(gpu, "q", &q, dim, padded),
        k_cache: &ring(&k),
        v_cache: &ring(&v),
        step: &gpu.array_of("step", &[position as u32, row_count as u32]).unwrap(),
        ends: &gpu.array_of("ends", &ends).unwrap(),
        partial: &partial.array,
        out: &out.array,
    };
    run(gpu, row_count, |plan| record(plan, &heads, reach, slots, row_count, &arrays));
    assert_close("whole", &out.read_rows(gpu, heads.num_heads * dim, out_stride), &expected, 5e-6);
    if row_count == 1 {
        let out = Output::new(gpu, "out", out_stride);
        let arrays = Arrays { out: &out.array, ..arrays };
        run(gpu, 1, |plan| record_split(plan, &heads, reach, slots, &arrays));
        partial.read(gpu);
        assert_close("split", &out.read_rows(gpu, heads.num_heads * dim, out_stride), &expected, 5e-6);
    }
}

#[test]
fn shader_equals_reference() {
    let window = prop_oneof![Just(None), (1usize..80).prop_map(Some)];
    let shapes =
        (1usize..4, 1usize..6, 1usize..40, 1usize..20, 0usize..90, window, 0usize..20, 0usize..5, any::<u64>());
    let shapes = shapes.prop_map(|(kv, group, half, rows, position, window, block, spare_slots, seed)| Shape {
        kv,
        group,
        dim: 2 * half,
        rows,
        position,
        window,
        block: block.min(rows),
        picture: None,
        spare_slots,
        seed,
    });
    for_shapes(24, shapes, check);
}

#[test]
fn one_row_over_a_long_cache() {
    let shapes = (1usize..3, 1usize..5, 300usize..2500, prop_oneof![Just(None), (200usize..900).prop_map(Some)]);
    for_shapes(6, (shapes, any::<u64>()), |gpu, &((kv, group, position, window), seed)| {
        check(
            gpu,
            &Shape { kv, group, dim: 6, rows: 1, position, window, block: 0, picture: None, spare_slots: 3, seed },
        );
    });
}

#[test]
fn the_greatest_head() {
    for gpu in gpus() {
        let shape = Shape {
            kv: 1,
            group: 3,
            dim: MOST_HEAD_DIM,
            rows: 5,
            position: 300,
            window: None,
            block: 0,
            picture: None,
            spare_slots: 0,
            seed: 1,
        };
        check(gpu, &shape);
        check(gpu, &Shape { dim: 258, rows: 1, group: 5, ..shape });
    }
}

#[test]
fn pictures_do_not_see_each_other() {
    for_shapes(6, pictures(), check);
}

/// Several pictures in one array, of odd sizes, some of them longer than a tile of keys.
pub fn pictures() -> impl Strategy<Value = Shape> {
    let sizes = prop_oneof![1usize..9, 9usize..80, 250usize..400];
    (sizes, 1usize..5, 0usize..8, any::<u64>()).prop_map(|(picture, count, less, seed)| Shape {
        kv: 2,
        group: 2,
        dim: 12,
        rows: (picture * count).saturating_sub(less).max(1),
        position: 0,
        window: None,
        block: 0,
        picture: Some(picture),
        spare_slots: 0,
        seed,
    })
}
