// Eight vectors of a row of x from column `at` on: each lane reads one and hands it to all. What a software adapter loads
// lane by lane, even from one place for all, is loaded an eighth as often. Lanes of a workgroup of eight must be the first of a subgroup, in order; the self-test
// would show otherwise.
alias Eight = vec4f;

fn eight(row: u32, at: u32, lane: u32) -> Eight { return x_at(row, at + lane); }
fn x0(e: Eight) -> vec4f { return subgroupBroadcast(e, 0u); }
fn x1(e: Eight) -> vec4f { return subgroupBroadcast(e, 1u); }
fn x2(e: Eight) -> vec4f { return subgroupBroadcast(e, 2u); }
fn x3(e: Eight) -> vec4f { return subgroupBroadcast(e, 3u); }
fn x4(e: Eight) -> vec4f { return subgroupBroadcast(e, 4u); }
fn x5(e: Eight) -> vec4f { return subgroupBroadcast(e, 5u); }
fn x6(e: Eight) -> vec4f { return subgroupBroadcast(e, 6u); }
fn x7(e: Eight) -> vec4f { return subgroupBroadcast(e, 7u); }

// Whether any lane needs it: lanes that hand vectors to one another stay together.
fn any_lane(own: bool) -> bool { return subgroupAny(own); }
