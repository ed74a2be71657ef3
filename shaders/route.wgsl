// route: the top_k experts with the highest scores of a row, ids[r, j], highest first, of equals the first; and how much
// each counts, shares[r, j] = scale[id] * exp(score[id]) / (sum of exp(score) over the chosen ones).
//   scores  [rows, stride] f32, experts of them used   read
//   scale   [experts] f32                              read
//   ids     [rows, top_k] u32                          write
//   shares  [rows, top_k] f32                          write
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; top_k <= experts <= 1024

override WG: u32 = 64u;
struct Params { experts: u32, stride: u32, top_k: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> shares: array<f32>;

var<workgroup> own: array<f32, 1024>;
var<workgroup> chosen: array<u32, 1024>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let experts = params.experts;
    for (var e = lane; e < experts; e += WG) {
        own[e] = scores[group.x * params.stride + e];
        // So that there is an expert in every place whatever the scores are.
        chosen[e] = e;
    }
    workgroupBarrier();
    // An expert's place is the number of those before it.
    for (var e = lane; e < experts; e += WG) {
        let score = own[e];
        var place = 0u;
        for (var other = 0u; other < e; other++) { place += select(0u, 1u, own[other] >= score); }
        for (var other = e + 1u; other < experts; other++) { place += select(0u, 1u, own[other] > score); }
        if place < params.top_k { chosen[place] = e; }
    }
    workgroupBarrier();
    let highest = own[chosen[0]];
    var sum = 0.0;
    for (var j = 0u; j < params.top_k; j++) { sum += exp(own[chosen[j]] - highest); }
    for (var j = lane; j < params.top_k; j += WG) {
        let id = chosen[j];
        ids[group.x * params.top_k + j] = id;
        shares[group.x * params.top_k + j] = scale[id] * exp(own[id] - highest) / sum;
    }
}
