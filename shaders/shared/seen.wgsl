// Which positions a row sees, and which one a slot of the cache holds after `end` positions were written.
struct Seen { first: u32, end: u32 }

fn seen_by(row: u32, window: u32, sees_ends: u32) -> Seen {
    let position = step[0] + row;
    var first = 0u;
    if window > 0u && position + 1u > window { first = position + 1u - window; }
    var last = position;
    if sees_ends == 1u {
        first = max(first, ends[row].x);
        last = max(last, ends[row].y);
    }
    return Seen(first, last + 1u);
}

// What is seen by some row from `first_row` to `last_row`.
fn seen_by_rows(first_row: u32, last_row: u32, window: u32, sees_ends: u32) -> Seen {
    var seen = seen_by(first_row, window, sees_ends);
    for (var row = first_row + 1u; row <= last_row; row++) {
        seen.end = max(seen.end, seen_by(row, window, sees_ends).end);
    }
    return seen;
}

// The latest position of a slot, greater than any other if the slot was never written.
fn position_in(slot: u32, slots: u32, end: u32) -> u32 {
    if end <= slots { return select(0xffffffffu, slot, slot < end); }
    let newest = (end - 1u) % slots;
    return end - 1u - select(newest + slots - slot, newest - slot, slot <= newest);
}
