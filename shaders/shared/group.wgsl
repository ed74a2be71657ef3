// A group is 32 consecutive weights of a row in eight times four codes, in block formats of a byte each: weight 4 c + i is
// scale * values(codes[c])[i] + offset, with one scale and offset for its first 16 weights and one for its last. Rows are
// planes of words of 16 bytes as engine/weights/layout.rs lays them; `words(row, i)` of a kernel reads word i of the row
// that begins at `row`. Codes become floats only where they are multiplied:
// whole groups of floats would not fit the registers.

struct Group { codes: array<Code, 8>, scale: vec2f, offset: vec2f }
