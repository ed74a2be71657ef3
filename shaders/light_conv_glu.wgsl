// light_conv_glu: g[(span[0] + r) % ring] = clamp(a[r]) * sigmoid(clamp(b[r])), a and b the halves of a row of x.
//   x     [rows, x_stride] f32, hidden_size of a, then as many of b   read
//   span  [0] the place of row 0 since the beginning                  read
//   g     [ring, stride] f32, hidden_size of each row set             write
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; rows <= ring

override WG: u32 = 64u;
struct Glu { hidden_size: u32, x_stride: u32, stride: u32, ring: u32, low: f32, high: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Glu;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> span: array<u32>;
@group(0) @binding(3) var<storage, read_write> g: array<f32>;

fn clipped(place: u32) -> f32 { return min(max(x[place], params.low), params.high); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let source = group.x * params.x_stride;
    let goal = (span[0] + group.x) % params.ring * params.stride;
    for (var i = lane; i < params.hidden_size; i += WG) {
        let b = clipped(source + params.hidden_size + i);
        // The exponent is cut where the quotient has long been 0, so that no infinity is met.
        g[goal + i] = clipped(source + i) / (1.0 + exp(min(-b, 80.0)));
    }
}
