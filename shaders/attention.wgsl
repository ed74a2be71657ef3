// attention: out = softmax(q k^T) v by online softmax over tiles of 256 keys, for ITEMS queries that share a key head.
// An item is a (row, query head) pair: item = row * group + head of the group. Scores are not scaled here.
//   q        [rows, num_heads, width4] of vec4f                                                      read
//   k_cache  [slots, num_kv_heads, width4] of vec4f, slot = position % slots                         read
//   v_cache  as k_cache                                                                              read
//   step     [0] the position of row 0, [1] rows                                                     read
//   ends     [rows, 2] u32: the first position that a row sees, the last where later than its own    read
//   out      SPLITS = 1: [rows, out_stride] f32, heads of head_dim one after another                 write
//            else partial sums: [rows, num_heads, SPLITS, 4 + 4 * width4] f32: greatest score, sum of
//            exp(score - greatest), two unused, sum of exp(score - greatest) * v
// A row sees the positions from `position + 1 - window` (0 if there is no window) to its end; split s of SPLITS takes
// the s-th part of them.
// grid   (ceil(rows * group / 4), num_kv_heads, SPLITS)
// needs  nothing optional; head_dim <= 512; Q_TILE = 4 * width4; USED >= items of a workgroup that are not repeats
//include shared/seen.wgsl

override SPLITS: u32 = 1u;
override Q_TILE: u32 = 512u;
override USED: u32 = 4u;
const WG: u32 = 64u;
const ITEMS: u32 = 4u;
const TILE: u32 = 256u;
const MASKED: f32 = -3.0e38;

struct Params {
    num_heads: u32, num_kv_heads: u32, head_dim: u32, width4: u32,
    slots: u32, window: u32, sees_ends: u32, out_stride: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k_cache: array<vec4f>;
@group(0) @binding(3) var<storage, read> v_cache: array<vec4f>;
@group(0) @binding(4) var<storage, read> step: array<u32>;
@group(0) @binding(5) var<storage, read> ends: array<vec2u>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

var<workgroup> q_tile: array<vec4f, Q_TILE>;
var<workgroup> scores: array<f32, 1024>;
var<workgroup> greatest_parts: array<f32, 64>;
var<workgroup> sum_parts: array<f32, 64>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
    let rows = step[1];
    let group = params.num_heads / params.num_kv_heads;
    let kv_head = workgroup.y;
    let first_item = workgroup.x * ITEMS;
    let last_row = rows - 1u;

    // Items behind the last one repeat its row and are not written.
    var seen: array<Seen, 4>;
    var first = 0xffffffffu;
    var end = 0u;
    for (var i = 0u; i < ITEMS; i++) {
        seen[i] = seen_by(min((first_item + i) / group, last_row), params.window, params.sees_ends);
        first = min(first, seen[i].first);
        end = max(end, seen[i].end);
    }
    let share = ((end - first + SPLITS - 1u) / SPLITS + TILE - 1u) / TILE * TILE;
    first += workgroup.z * share;
    end = min(end, first + share);

    for (var i = lane; i < ITEMS * params.width4; i += WG) {
        let item = first_item + i / params.width4;
        let row = min(item / group, last_row);
        let head = kv_head * group + item % group;
        q_tile[i] = q[(row * params.num_heads + head) * params.width4 + i % params.width4];
    }

    var greatest = vec4f(MASKED);
    var sum = vec4f(0.0);
    // Value columns lane and lane + 64 of each item.
    var low: array<vec4f, 4>;
    var high: array<vec4f, 4>;
    let row_width = params.num_kv_heads * params.width4;
    let head_start = kv_head * params.width4;
    let mine = lane / 16u;
    let part = lane % 16u;
    for (var base = first; base < end; base += TILE) {
        workgroupBarrier();
        let count = min(TILE, end - base);
        // Two keys of a lane share what is loaded of the queries, for on the CPU that costs as much as the keys.
        for (var key = lane; key < count; key += 2u * WG) {
            let other = min(key + WG, count - 1u);
            let k_start = ((base + key) % params.slots) * row_width + head_start;
            let l_start = ((base + other) % params.slots) * row_width + head_start;
            var dots = vec4f(0.0);
            var others = vec4f(0.0);
            for (var d = 0u; d < params.width4; d++) {
                let k = k_cache[k_start + d];
                let l = k_cache[l_start + d];
                let q_0 = q_tile[d];
                dots.x += dot(q_0, k);
                others.x += dot(q_0, l);
                if USED > 1u {
                    let q_1 = q_tile[params.width4 + d];
                    dots.y += dot(q_1, k);
                    others.y += dot(q_1, l);
                }
                if USED > 2u {
                    let q_2 = q_tile[2u * params.width4 + d];
                    let q_3 = q_tile[3u * params.width4 + d];
                    dots.z += dot(q_2, k);
                    dots.w += dot(q_3, k);
                    others.z += dot(q_2, l);
                    others.w += dot(q_3, l);
                }
            }
            for (var i = 0u; i < ITEMS; i++) {
                let position = base + key;
                let visible = position >= seen[i].first && position < seen[i].end;
                scores[i * TILE + key] = select(MASKED, dots[i], visible);
                if key + WG < count {
                    let visible_other = position + WG >= seen[i].first && position + WG < seen[i].end;
                    scores[i * TILE + other] = select(MASKED, others[i], visible_other);
                }
            }
        }
        workgroupBarrier();
        var greatest_part = MASKED;
        for (var key = part; key < count; key += 16u) { greatest_part = max(greatest_part, scores[mine * TILE + key]); }
        greatest_parts[lane] = greatest_part;
        workgroupBarrier();
        let before = greatest;
        for (var i = 0u; i < 16u; i++) {
            greatest = max(greatest, vec4f(
                greatest_parts[i], greatest_parts[16u + i], greatest_parts[32u + i], greatest_parts[48u + i]));
        }
        let shrink = exp(before - greatest);
        var sum_part = 0.0;
        for (var key = part; key < count; key += 16u) {
            let score = scores[mine * TILE + key];
            let weight = select(exp(score - greatest[mine]), 0.0, score == MASKED);
            scores[mine * TILE + key] = weight;
            sum_part += weight;
        }
        sum_parts[lane] = sum_part;
        workgroupBarrier();
        sum *= shrink;
        for (var i = 0u; i < 16u; i++) {
            sum += vec4f(sum_parts[i], sum_parts[16u + i], sum_parts[32u + i], sum_parts[48u + i]);
        }
        for (var i = 0u; i < ITEMS; i++) {
            low[i] *= shrink[i];
            high[i] *= shrink[i];
        }
        if lane < params.width4 {
            let wide = lane + WG < params.width4;
            var slot = base % params.slots;
            for (var key = 0u; key < count; key++) {
                let v_start = slot * row_width + head_start + lane;
                var weights = vec4f(scores[key], 0.0, 0.0, 0.0);
                if USED > 1u { weights.y = scores[TILE + key]; }
                if USED > 2u {
                    weights.z = scores[2u * TILE + key];
                    weights.w = scores[3u * TILE + key];
                }
                let v = v_cache[v_start];
                for (var i = 0u; i < ITEMS; i++) { low[i] += weights[i] * v; }
                if wide {
                    let w = v_cache[v_start + WG];
                    for (var i = 0u; i < ITEMS; i++) { high[i] += weights[i] * w; }
                }
                slot += 1u;
                if slot == params.slots { slot = 0u; }
            }
        }
    }

    for (var i = 0u; i < ITEMS; i++) {
        let item = first_item + i;
        if item / group >= rows { continue; }
        let head = kv_head * group + item % group;
        let row = item / group;
        if SPLITS == 1u {
            let place = row * params.out_stride + head * params.head_dim;
            write_final(place, lane, low[i] / sum[i]);
            write_final(place, lane + WG, high[i] / sum[i]);
        } else {
            let place = ((row * params.num_heads + head) * SPLITS + workgroup.z) * (4u + 4u * params.width4);
            if lane == 0u {
                out[place] = greatest[i];
                out[place + 1u] = sum[i];
            }
            write_partial(place + 4u, lane, low[i]);
            write_partial(place + 4u, lane + WG, high[i]);
        }
    }
}

fn write_final(place: u32, column4: u32, value: vec4f) {
    for (var c = 0u; c < 4u; c++) {
        if column4 * 4u + c < params.head_dim { out[place + column4 * 4u + c] = value[c]; }
    }
}

fn write_partial(place: u32, column4: u32, value: vec4f) {
    if column4 < params.width4 {
        for (var c = 0u; c < 4u; c++) { out[place + column4 * 4u + c] = value[c]; }
    }
}
