// sample: the next token: repetition penalty, temperature, top_k, top_p, min_p, then a draw in the order of the vocabulary.
//   logits    [vocab_size] f32                                               read
//   sampling  the numbers of the five steps and the seed                     read
//   seen      [ceil(vocab_size / 32)] u32, a bit for each token that occurred   read and write: the token's bit is set
//   step      [0] the position, counter of the random numbers                read and write: one is added
//   ids       [0] the token                                                  write
//   token     [0] the token, [1] 1 if no logit was finite (token 0), else 0  write
// Logits become keys, integers of the same order; 0 is the key of those that are not finite, which are never chosen. The
// mass of a token is exp((logit - greatest) / temperature) in units of 2^-31, rounded down; sums of it have 64 bits, so
// that no order of additions matters.
// grid   (1, 1, 1)
// needs  nothing optional
//include shared/random.wgsl
//include shared/wide.wgsl

const WG: u32 = 256u;
// Candidates that find room in workgroup memory; if they are more, each pass reads the logits again.
const LIST: u32 = 1024u;
const ONE: u32 = 0x80000000u;

struct Params { vocab_size: u32, pad0: u32, pad1: u32, pad2: u32 }
struct Sampling {
    temperature: f32, top_k: u32, top_p: f32, min_p: f32,
    repetition_penalty: f32, seed_lo: u32, seed_hi: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> sampling: Sampling;
@group(0) @binding(3) var<storage, read_write> seen: array<u32>;
@group(0) @binding(4) var<storage, read_write> step: array<u32>;
@group(0) @binding(5) var<storage, read_write> ids: array<u32>;
@group(0) @binding(6) var<storage, read_write> token: array<u32>;

var<workgroup> bins_high: array<atomic<u32>, WG>;
var<workgroup> bins_low: array<atomic<u32>, WG>;
var<workgroup> sums: array<vec2u, WG>;
var<workgroup> list: array<vec2u, LIST>;
var<workgroup> list_len: atomic<u32>;
var<workgroup> best_key: atomic<u32>;
var<workgroup> best_index: atomic<u32>;
var<workgroup> found: vec4u;

// The same in all lanes.
var<private> listed: bool;
var<private> num_items: u32;
var<private> best: u32;

fn key_of(index: u32) -> u32 {
    var value = logits[index];
    let penalty = sampling.repetition_penalty;
    if penalty != 1.0 && ((seen[index / 32u] >> (index % 32u)) & 1u) == 1u {
        value = select(value * penalty, value / penalty, value > 0.0);
    }
    // By bits: a compiler may take it that no float is NaN. -0 becomes 0.
    var bits = bitcast<u32>(value);
    bits = select(bits, 0u, bits == 0x80000000u);
    let key = select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
    return select(key, 0u, (bits & 0x7f800000u) == 0x7f800000u);
}

fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, key >> 31u == 1u)); }

fn mass(key: u32) -> u32 {
    if key == best { return ONE; }
    let exponent = (value_of(key) - value_of(best)) / sampling.temperature;
    return u32(exp(max(exponent, -100.0)) * f32(ONE));
}

// Key and index of a candidate.
fn item(i: u32) -> vec2u {
    if listed { return list[i]; }
    return vec2u(key_of(i), i);
}

// Lists the tokens with keys from `bound` on, if they find room.
fn collect(bound: u32, lane: u32) {
    for (var i = lane; i < params.vocab_size; i += WG) {
        let key = key_of(i);
        if key >= bound {
            let place = atomicAdd(&list_len, 1u);
            if place < LIST { list[place] = vec2u(key, i); }
        }
    }
    workgroupBarrier();
    let len = atomicLoad(&list_len);
    workgroupBarrier();
    if len <= LIST {
        listed = true;
        num_items = len;
    } else if lane == 0u {
        atomicStore(&list_len, 0u);
    }
    workgroupBarrier();
}

fn add(bin: u32, amount: u32) {
    if amount == 0u { return; }
    let before = atomicAdd(&bins_low[bin], amount);
    if before + amount < before { atomicAdd(&bins_high[bin], 1u); }
}

// What all lanes have added: sums[b] becomes the sum over the bins from b on; the bins are emptied. Returns the total.
fn sum_up(lane: u32) -> vec2u {
    workgroupBarrier();
    sums[lane] = vec2u(atomicLoad(&bins_high[lane]), atomicLoad(&bins_low[lane]));
    atomicStore(&bins_high[lane], 0u);
    atomicStore(&bins_low[lane], 0u);
    workgroupBarrier();
    for (var hop = 1u; hop < WG; hop *= 2u) {
        var more = vec2u(0u);
        if lane + hop < WG { more = sums[lane + hop]; }
        workgroupBarrier();
        sums[lane] = plus(sums[lane], more);
        workgroupBarrier();
    }
    return sums[0];
}

// The last bin from which on the sum is `goal` at the least, and the sum behind it. 1 <= goal <= total.
fn reach(goal: vec2u, lane: u32) -> vec4u {
    var behind = vec2u(0u);
    if lane + 1u < WG { behind = sums[lane + 1u]; }
    if !less(sums[lane], goal) && less(behind, goal) { found = vec4u(lane, behind, 0u); }
    return workgroupUniformLoad(&found);
}

// The greatest key such that those from it on are top_k in number or, by mass, the share top_p of all that are not
// below `least`; the least key if they are fewer. A radix select, eight bits at a time.
fn threshold(by_mass: bool, least: u32, lane: u32) -> u32 {
    var prefix = 0u;
    var mask = 0u;
    var goal = vec2u(0u, sampling.top_k);
    for (var digit = 4u; digit > 0u; digit -= 1u) {
        let shift = 8u * (digit - 1u);
        for (var i = lane; i < num_items; i += WG) {
            let key = item(i).x;
            if key >= least && (key & mask) == prefix {
                var amount = 1u;
                if by_mass { amount = mass(key); }
                add((key >> shift) & 255u, amount);
            }
        }
        let total = sum_up(lane);
        if digit == 4u {
            if by_mass { goal = scaled(total, u32(max(sampling.top_p, 0.0) * 4294967296.0)); }
            if less(goal, vec2u(0u, 1u)) { goal.y = 1u; }
            if less(total, goal) { goal = total; }
        }
        let bin = reach(goal, lane);
        goal = minus(goal, bin.yz);
        prefix |= bin.x << shift;
        mask |= 255u << shift;
        if digit == 3u && !listed { collect(max(prefix, least), lane); }
    }
    return prefix;
}

// A token with a key from `least` on and min_p of the greatest mass at the least, drawn by its mass: ranges of the
// vocabulary are weighed, then those of the range that is hit. Bins run backwards, so that sums from a bin on are those
// of the tokens up to its own.
fn draw(least: u32, lane: u32) -> u32 {
    let least_mass = u32(clamp(sampling.min_p, 0.0, 1.0) * f32(ONE));
    let chance = random(sampling.seed_lo, sampling.seed_hi, step[0]);
    var goal = vec2u(0u);
    var first = 0u;
    var count = params.vocab_size;
    for (var level = 0u; level == 0u || count > 1u; level += 1u) {
        let size = (count + WG - 1u) / WG;
        var begin = 0u;
        var end = num_items;
        if !listed {
            begin = first;
            end = min(first + count, num_items);
        }
        for (var i = begin + lane; i < end; i += WG) {
            let candidate = item(i);
            if candidate.x >= least && candidate.y >= first && candidate.y - first < count {
                let amount = mass(candidate.x);
                if amount >= least_mass { add(WG - 1u - (candidate.y - first) / size, amount); }
            }
        }
        let total = sum_up(lane);
        if level == 0u { goal = plus(scaled(total, chance), vec2u(0u, 1u)); }
        let bin = reach(goal, lane);
        goal = minus(goal, bin.yz);
        first += (WG - 1u - bin.x) * size;
        count = size;
    }
    return first;
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    atomicStore(&bins_high[lane], 0u);
    atomicStore(&bins_low[lane], 0u);
    if lane == 0u {
        atomicStore(&list_len, 0u);
        atomicStore(&best_key, 0u);
        atomicStore(&best_index, 0u);
    }
    listed = false;
    num_items = params.vocab_size;

    // Each lane's greatest key, and the greatest of all. Of equal ones the first: the index counts down.
    var own = 0u;
    var own_index = 0u;
    for (var i = lane; i < params.vocab_size; i += WG) {
        let key = key_of(i);
        if key > own {
            own = key;
            own_index = i;
        }
    }
    sums[lane] = vec2u(own, 0u);
    workgroupBarrier();
    atomicMax(&best_key, own);
    workgroupBarrier();
    if own != 0u && own == atomicLoad(&best_key) { atomicMax(&best_index, params.vocab_size - own_index); }
    workgroupBarrier();
    if lane == 0u { found = vec4u(atomicLoad(&best_key), atomicLoad(&best_index), 0u, 0u); }
    let most = workgroupUniformLoad(&found);
    best = most.x;
    var chosen = select(params.vocab_size - most.y, 0u, best == 0u);

    if sampling.temperature > 0.0 && best != 0u {
        var least = 1u;
        if sampling.top_k > 0u {
            if sampling.top_k <= WG && params.vocab_size > LIST {
                // The k greatest of all are not below the k-th greatest of the lanes' greatest.
                var rank = 0u;
                for (var other = 0u; other < WG; other += 1u) {
                    let key = sums[other].x;
                    if key > own || (key == own && other < lane) { rank += 1u; }
                }
                if rank == sampling.top_k - 1u { found = vec4u(own, 0u, 0u, 0u); }
                collect(max(workgroupUniformLoad(&found).x, 1u), lane);
            }
            least = threshold(false, least, lane);
        }
        if sampling.top_p < 1.0 { least = threshold(true, least, lane); }
        chosen = draw(least, lane);
    }

    if lane == 0u {
        ids[0] = chosen;
        token[0] = chosen;
        token[1] = select(0u, 1u, best == 0u);
        seen[chosen / 32u] |= 1u << (chosen % 32u);
        step[0] += 1u;
    }
}
