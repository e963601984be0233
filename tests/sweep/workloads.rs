//! The workloads: for each operation a short one that makes every kind of call that the operation can make.

use estore::disk::{Call, Crash};
use estore::{Durability, Event, Sizes};

use crate::common::event;

use super::life::{Opening, Step, sizes};

/// A short life of a store.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The length of a chunk; all of time for an efile.
    pub(crate) chunk: u64,
    pub(crate) grace: u64,
    /// Done before anything goes wrong.
    pub(crate) before: Vec<Step>,
    /// Disturbed at each of their calls.
    pub(crate) steps: Vec<Step>,
}

impl Workload {
    pub(crate) fn efile(&self) -> bool {
        self.chunk == u64::MAX
    }

    /// A time far ahead of all that the workload appends.
    pub(crate) fn beyond(&self) -> u64 {
        5_000
    }

    /// How far the middle of a chunk is from its start.
    pub(crate) fn half(&self) -> u64 {
        (self.chunk / 2).min(50)
    }
}

/// Sizes so small that everything that is done once in a while is done all the time.
const SMALL: Sizes = Sizes {
    pending_bytes: 300,
    run_frame_bytes: 100,
    index_entries: 1,
    journal_slack: 4,
    seq_reserve: 6,
    compact_bytes: 0,
    compact_newest_bytes: 0,
    window_bytes: 1,
    retain_bytes: 0,
    leaf_events: 4,
};

/// Makes events, each with an identity of its own.
struct Maker(u32);

impl Maker {
    /// Events at these times, with so many bytes each.
    fn events(&mut self, times: &[u64], len: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for &time in times {
            self.0 += 1;
            let mut data = format!("{time}, {} ", self.0).into_bytes();
            data.resize(len.max(data.len()), self.0 as u8);
            events.push(event(time, self.0, data));
        }
        events
    }

    fn append(&mut self, times: &[u64]) -> Step {
        Step::Append(self.events(times, 0))
    }

    fn append_large(&mut self, times: &[u64], len: usize) -> Step {
        Step::Append(self.events(times, len))
    }
}

fn opening(level: Durability) -> Opening {
    Opening::new(level)
}

const PROCESS: Durability = Durability::Process;

/// All workloads. Chunks are 100 long and events late beyond 10, unless a workload says otherwise.
pub(crate) fn all() -> Vec<Workload> {
    use Step::{
        Append, AppendAbsent, Beside, Close, Compact, Count, DeleteBefore, Destroy, Die, DieIn, Drain, Drop, Follow, Hold, Open, Read,
        Retain, RetainDue, Snapshot, Stats, Sync, Take, Tick,
    };
    let mut all = Vec::new();
    let mut add = |name: &'static str, make: fn(&mut Maker) -> (Vec<Step>, Vec<Step>)| {
        let (before, steps) = make(&mut Maker(0));
        all.push(Workload { name, chunk: 100, grace: 10, before, steps });
    };

    add("create", |m| (vec![], vec![Open(opening(PROCESS)), m.append(&[5, 120]), Close]));
    add("open-clean", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 50, 7, 120]), m.append(&[250, 121]), Close];
        (before, vec![Open(opening(PROCESS)), Stats, Read, Count, m.append(&[51]), Drop])
    });
    add("recover", |m| {
        let before =
            vec![Open(opening(PROCESS)), m.append(&[5, 120, 250]), Sync, m.append(&[6, 121]), m.append(&[7, 350]), Die(Crash::KeepAll)];
        (before, vec![Open(opening(PROCESS)), m.append(&[8, 122, 450]), Read, Close])
    });
    add("recover-torn", |m| {
        // The batch reaches its first log and part of the second.
        let torn = DieIn(Box::new(m.append(&[8, 122, 250, 350])), Call::Write, "1-0.estore", 0, Crash::KeepAll);
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 120]), Sync, m.append(&[6, 121]), torn];
        (before, vec![Open(opening(PROCESS)), m.append(&[9, 123]), Read, Close, Open(opening(PROCESS)), Read, Close])
    });
    add("recover-power", |m| {
        let before = vec![
            Open(opening(Durability::Power).logs(1)),
            m.append(&[5, 120]),
            m.append(&[250]),
            DeleteBefore(20),
            m.append(&[121, 6, 122]),
            Die(Crash::LoseAll),
        ];
        (before, vec![Open(opening(PROCESS)), m.append(&[123, 350]), Sync, Close])
    });
    add("read-beside", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 120, 6]), Sync, m.append(&[121, 250])];
        (before, vec![Beside, m.append(&[7, 122]), Beside, Count])
    });
    add("append-one", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[50]), m.append(&[51])];
        // In order, a straggler, a late one, one far ahead, a new chunk.
        (before, vec![m.append(&[52]), m.append(&[47]), m.append(&[5]), m.append(&[99]), m.append(&[53]), m.append(&[120]), Sync, Read])
    });
    add("append-power", |m| {
        let before = vec![Open(opening(Durability::Power)), m.append(&[50, 51])];
        (before, vec![m.append(&[52]), m.append(&[5, 120, 53]), m.append(&[121]), Read, Close])
    });
    add("append-batch", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[50, 51, 52])];
        (before, vec![m.append(&[53, 54, 40, 5]), m.append(&[55, 54, 53, 6, 7]), Read, Sync, m.append(&[56, 57]), Count])
    });
    add("append-large", |m| {
        // Frames are cut at 64 KiB; here a batch has three, late events and others.
        let before = vec![Open(opening(PROCESS)), m.append(&[50, 51])];
        (before, vec![m.append_large(&[52, 53, 54, 5, 6, 7], 30_000), Read, Sync])
    });
    add("late", |m| {
        // Runs in the recon file: two there already, then more, while the index is written too.
        let open = Open(opening(PROCESS).sizes(Sizes { journal_slack: 512, seq_reserve: 1 << 24, ..SMALL }));
        let mut before = vec![open.clone(), m.append(&[80, 81])];
        before.extend((0..2).map(|i| m.append_large(&[20 + i, 40 - i], 150)));
        let mut steps: Vec<Step> = (0..2).map(|i| m.append_large(&[10 + i, 30 - i, 82 + i], 150)).collect();
        steps.extend([Read, Sync, m.append_large(&[12, 25], 150), m.append(&[13]), Drop, open, m.append_large(&[14, 60], 150), Close]);
        (before, steps)
    });
    add("late-merge", |m| {
        // The ninth run merges those before it.
        let open = Open(opening(PROCESS).sizes(Sizes { pending_bytes: 300, run_frame_bytes: 100, ..Sizes::default() }));
        let mut before = vec![open, m.append(&[80, 81])];
        before.extend((0..8).map(|i| m.append_large(&[20 + i, 40 - i], 150)));
        (before, vec![m.append_large(&[15, 33], 150), Read, Count, m.append(&[16]), Close])
    });
    add("late-carry", |m| {
        // Late, but in order: most frames of the runs before it stay as they are when the ninth run takes them in.
        let open = Open(opening(PROCESS).sizes(Sizes { pending_bytes: 300, run_frame_bytes: 100, ..Sizes::default() }));
        let mut before = vec![open.clone(), m.append(&[80, 81])];
        before.extend((0..8).map(|i| m.append_large(&[20 + 2 * i, 21 + 2 * i], 150)));
        (before, vec![m.append_large(&[15, 22], 150), Read, Drop, open, m.append_large(&[38, 39], 150), Count, Close])
    });
    add("chunks", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 120])];
        (before, vec![m.append(&[6, 121, 250, 351, 350]), Read, m.append(&[450, 7, 251]), Sync, m.append(&[8, 122, 252])])
    });
    add("retire", |m| {
        let before = vec![Open(opening(PROCESS).logs(1)), m.append(&[5]), m.append(&[120])];
        (before, vec![m.append(&[6]), m.append(&[7, 121, 250]), Sync, m.append(&[122]), Read, Close])
    });
    add("retire-power", |m| {
        let before = vec![Open(opening(Durability::Power).logs(2)), m.append(&[5, 120])];
        (before, vec![m.append(&[250]), m.append(&[6, 121, 350]), m.append(&[7])])
    });
    add("absent", |m| {
        let there = m.events(&[5, 50, 120, 20], 0);
        let mut again = [&there[..3], &m.events(&[6, 121, 250], 0)].concat();
        again.extend(m.events(&[30], 0));
        let before = vec![Open(opening(PROCESS)), Append(there), m.append(&[51])];
        (before, vec![AppendAbsent(again.clone()), AppendAbsent(again), Read, Sync, m.append(&[52])])
    });
    add("buffered", |m| {
        let before = vec![Open(opening(Durability::Buffered).buffer(600)), m.append(&[5, 120])];
        let steps = vec![
            m.append(&[6, 121]),
            Tick(1_000),
            m.append(&[7]),
            m.append(&[250, 122]),
            Read,
            m.append_large(&[8, 123], 300),
            m.append(&[124]),
            Beside,
            Sync,
            m.append(&[125, 9]),
            DeleteBefore(10),
            m.append(&[126]),
            Close,
        ];
        (before, steps)
    });
    add("interval", |m| {
        let before = vec![Open(opening(Durability::Interval(1_000))), m.append(&[5, 120])];
        (before, vec![m.append(&[6]), Tick(500), m.append(&[121, 250]), Tick(500), m.append(&[7, 350]), Sync, m.append(&[8]), Tick(1_000)])
    });
    add("delete", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 120, 170, 250, 350, 450]), Sync, m.append(&[171, 251])];
        let steps =
            vec![Hold, DeleteBefore(150), Read, m.append(&[6, 172]), Drain, DeleteBefore(260), Beside, m.append(&[351]), Stats, Close];
        (before, steps)
    });
    add("delete-all", |m| {
        let before = vec![Open(opening(Durability::Power).logs(1)), m.append(&[5, 120]), m.append(&[250])];
        (before, vec![Hold, DeleteBefore(5_000), Read, Drain, m.append(&[5_001]), Close, Open(opening(PROCESS)), Read, Close])
    });
    add("compact", |m| {
        // A past chunk with late events and a live one, of which a reader is at the start.
        let before = vec![
            Open(opening(PROCESS)),
            m.append(&[50, 51, 150]),
            m.append(&[5]),
            m.append_large(&[6, 52, 151, 105], 150),
            Sync,
            m.append(&[53]),
        ];
        (before, vec![Hold, Compact, Read, m.append(&[7, 152]), Drain, Sync, Beside, Stats, Close, Open(opening(PROCESS)), Read, Close])
    });
    add("compact-again", |m| {
        // A chunk that was compacted, and has got more; the log is the only one that may be open.
        let before = vec![
            Open(opening(Durability::Power).logs(1)),
            m.append(&[50, 5, 51]),
            Compact,
            m.append(&[6, 52]),
            m.append(&[150]),
            m.append(&[7]),
        ];
        (before, vec![Compact, m.append(&[8]), DeleteBefore(100), Compact, m.append(&[151, 105]), Close])
    });
    add("compact-recover", |m| {
        // The writer died before the journal knew of the compacted log, and before the files of the old ones were gone.
        let cut_short = |call, name| DieIn(Box::new(Compact), call, name, 0, Crash::KeepAll);
        let before = vec![
            Open(opening(PROCESS)),
            m.append(&[50, 5, 150]),
            m.append(&[51, 6]),
            cut_short(Call::Write, "journal"),
            Open(opening(PROCESS)),
            m.append(&[52, 7]),
            cut_short(Call::RemoveFile, ".estore"),
        ];
        (before, vec![Open(opening(PROCESS)), m.append(&[8, 151]), Read, Compact, Close, Open(opening(PROCESS)), Read, Close])
    });
    add("retain-age", |m| {
        // The first chunk is deleted in part, and one event comes from a broken clock.
        let before = vec![
            Open(opening(PROCESS)),
            m.append(&[5, 60, 120, 121, 250, 251, 350, 351]),
            m.append(&[450, 451, 550, 551, 4_950]),
            DeleteBefore(50),
            Sync,
            m.append(&[122, 552]),
        ];
        let steps = vec![
            Hold,
            Retain(300, 0, 200),
            Read,
            m.append(&[6, 252]),
            Drain,
            Retain(100, 0, 400),
            Beside,
            m.append(&[553]),
            Retain(100, 1_000_000, 400),
            Stats,
            Close,
        ];
        (before, steps)
    });
    add("retain-size", |m| {
        // Only the live chunk is allowed; the journal is written anew for each fact.
        let sizes = Sizes { journal_slack: 0, ..Sizes::default() };
        let before = vec![Open(opening(Durability::Power).logs(1).sizes(sizes)), m.append(&[5, 60, 120, 121]), m.append(&[250, 251])];
        let steps = vec![Hold, Retain(0, 1, 200), Read, Drain, m.append(&[350, 351]), Compact, Retain(0, 1, 300), m.append(&[352]), Close];
        (before, steps)
    });
    add("retain-due", |m| {
        let open = Open(opening(PROCESS).limits(200, 0));
        let before = vec![open.clone(), m.append(&[5, 60, 120, 121]), m.append(&[250, 251]), RetainDue(0)];
        let steps = vec![
            m.append(&[350, 351]),
            RetainDue(100),
            m.append(&[450]),
            m.append(&[451]),
            RetainDue(200),
            Close,
            open,
            m.append(&[650, 651]),
            RetainDue(400),
            Read,
            Close,
        ];
        (before, steps)
    });
    add("compress", |m| {
        // One chunk in order, one that was compacted before it was to be compressed.
        let before = vec![
            Open(opening(PROCESS)),
            m.append_large(&[50, 51, 52], 400),
            m.append_large(&[150, 105, 151], 400),
            Compact,
            Close,
            Open(opening(PROCESS).compressing()),
            m.append(&[53]),
        ];
        let steps = vec![Hold, Compact, Read, m.append_large(&[7, 152], 300), Compact, Drain, Beside, Close, Open(opening(PROCESS)), Read];
        (before, steps)
    });
    add("snapshot", |m| {
        // A new one, of logs that go on and one that was compacted.
        let before = vec![Open(opening(PROCESS)), m.append(&[50, 5, 51]), Compact, m.append(&[150, 105]), m.append(&[52])];
        (before, vec![Snapshot, m.append(&[53, 151]), Close])
    });
    add("snapshot-again", |m| {
        // Onto an earlier one: logs that have grown, were compacted, are new, and are gone.
        let before = vec![
            Open(opening(PROCESS)),
            m.append(&[50, 5, 150, 250]),
            m.append(&[105, 51]),
            Snapshot,
            m.append_large(&[152, 153], 3000),
            DeleteBefore(60),
            m.append(&[251, 350]),
        ];
        (before, vec![Snapshot, Compact, m.append(&[252]), Snapshot, Close])
    });
    add("snapshot-buffered", |m| {
        let before = vec![Open(opening(Durability::Buffered)), m.append(&[50, 5]), Sync, m.append(&[51, 150])];
        (before, vec![Snapshot, m.append(&[52]), Snapshot])
    });
    add("tail", |m| {
        // Over late events, a batch that fills several windows, compaction, more behind the compacted log, closing and opening.
        let before = vec![Open(opening(PROCESS)), m.append(&[50, 51, 150]), Follow, Take(1), m.append_large(&[5, 6, 52, 151], 60), Take(2)];
        let steps = vec![
            m.append(&[53, 7]),
            Take(2),
            Compact,
            Take(3),
            m.append(&[54, 8, 250, 152]),
            Take(2),
            Drop,
            Open(opening(PROCESS)),
            m.append(&[9, 251]),
            Take(usize::MAX),
            m.append(&[252]),
            Take(usize::MAX),
            Close,
        ];
        (before, steps)
    });
    add("tail-delete", |m| {
        // What was deleted is told, by a journal that was written anew, too.
        let open = Open(opening(PROCESS).logs(1).sizes(Sizes { journal_slack: 0, ..sizes() }));
        let before = vec![open.clone(), m.append(&[50, 150, 250, 60]), Follow, Take(1), m.append(&[51, 151, 350])];
        let steps = vec![
            DeleteBefore(155),
            m.append(&[160, 251]),
            Take(2),
            DeleteBefore(255),
            Take(usize::MAX),
            m.append(&[351, 450]),
            DeleteBefore(400),
            m.append(&[550]),
            Close,
            open,
            Take(usize::MAX),
            Close,
        ];
        (before, steps)
    });
    add("journal", |m| {
        // Every log that is made or retired is a record or two; every few of them the journal is written anew.
        let sizes = Sizes { journal_slack: 0, ..Sizes::default() };
        let before =
            vec![Open(opening(PROCESS).logs(1).sizes(sizes)), m.append(&[5, 120]), DeleteBefore(3), m.append(&[6]), m.append(&[121])];
        let mut steps: Vec<Step> = (0..4).map(|i| m.append(&[7 + i % 2 * 100 + i])).collect();
        steps.extend([DeleteBefore(4), Sync, m.append(&[220]), Read]);
        (before, steps)
    });
    add("seqs", |m| {
        // The seqs that were reserved run out.
        let sizes = Sizes { seq_reserve: 3, ..Sizes::default() };
        let before = vec![Open(opening(PROCESS).sizes(sizes)), m.append(&[5, 120])];
        (before, vec![m.append(&[6, 121]), m.append(&[7]), m.append(&[8, 122, 123, 124]), m.append(&[9]), Sync, m.append(&[125, 10])])
    });
    add("small", |m| {
        // Everything at once, at the smallest sizes.
        let open = Open(opening(PROCESS).logs(2).sizes(SMALL));
        let before = vec![open.clone(), m.append(&[50, 51, 150]), m.append_large(&[5, 6], 150), Sync];
        let steps = vec![
            m.append_large(&[7, 105, 250], 200),
            m.append_large(&[8, 106], 200),
            Sync,
            m.append_large(&[9, 107, 350], 200),
            Read,
            Drop,
            open,
            m.append_large(&[10, 108], 200),
            Close,
        ];
        (before, steps)
    });
    add("close", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 120, 250]), m.append(&[6, 121]), Sync, m.append(&[7])];
        (before, vec![Close, Open(opening(PROCESS)), Read, Close])
    });
    add("destroy", |m| {
        let before = vec![Open(opening(PROCESS)), m.append(&[5, 50, 120, 20]), Close];
        (before, vec![Destroy, Open(opening(PROCESS)), m.append(&[6]), Close])
    });

    let mut m = Maker(0);
    let before = vec![Open(opening(PROCESS).sizes(SMALL)), m.append(&[1_000, 1_001]), m.append(&[5, 900])];
    let steps = vec![m.append_large(&[6, 1_002], 200), m.append(&[1_003]), Read, Sync, m.append_large(&[7, 8], 200), Close];
    all.push(Workload { name: "efile", chunk: u64::MAX, grace: 10, before, steps });
    all
}

/// The workload of this name.
pub(crate) fn named(name: &str) -> Workload {
    all().into_iter().find(|workload| workload.name == name).unwrap_or_else(|| panic!("no workload \"{name}\""))
}
