//! What the model test does to a store: operations that are described without knowing the store, so that any list of them can be run
//! and any shorter list too (which is how a failing case shrinks), and the strategies that draw them.

use estore::Compression;
use proptest::collection::vec;
use proptest::prelude::*;

/// One store's settings, and how the test goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// `None`: an efile.
    pub(crate) file_size: Option<u64>,
    pub(crate) grace: u64,
    /// No batch makes more chunks than this.
    pub(crate) chunks_per_batch: usize,
    /// Where the writer's time starts.
    pub(crate) start: u64,
    /// Batches are large and mostly late, so that sorted runs are made and merged.
    pub(crate) bulk: bool,
    pub(crate) opening: Opening,
}

/// How a store is opened, this time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) level: LevelChoice,
    pub(crate) max_open_logs: usize,
    pub(crate) no_index: bool,
    pub(crate) compression: Option<Compression>,
    /// About so many bytes a tail gets at a time.
    pub(crate) window: usize,
}

/// The four durabilities, with numbers that matter on the scale of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LevelChoice {
    Buffered { bytes: usize, nanoseconds: u64 },
    Process,
    Interval(u64),
    Power,
}

/// A length of time that suits the store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scale {
    Zero,
    One,
    /// So many thousandths of the grace.
    Grace(u64),
    /// So many thousandths of a chunk.
    Chunk(u64),
}

/// How the times of a batch lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Each some time after the one before.
    InOrder(Scale),
    /// All at the writer's time.
    Equal,
    /// In order, except that each may be late by up to the second length.
    Disordered(Scale, Scale),
    /// All behind the writer's time, by up to this.
    Late(Scale),
    /// Each behind the one before.
    Backwards(Scale),
    /// One event far ahead, which doesn't move the writer's time.
    LoneAhead(Scale),
    /// The writer's time leaps ahead, for good.
    Leap(u32),
    /// 0, 1, `u64::MAX`, the borders of chunks.
    Edges,
    /// Any time at all.
    Anywhere,
    /// One event in each of many chunks, in no order.
    ManyChunks,
    /// Times, ids and data of events that were appended before.
    Again,
}

/// What the events of a batch carry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    Empty,
    OneByte,
    Short,
    Medium,
    /// Few different ids and bytes, so that events of one identity come by themselves.
    Twins,
    /// One event of a mebibyte, the others short.
    Large,
}

/// A batch to be drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchSpec {
    pub(crate) shape: Shape,
    pub(crate) len: usize,
    pub(crate) payload: Payload,
    pub(crate) seed: u64,
}

/// A time to be looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    Zero,
    Max,
    /// At or beside the time of an event.
    Event(usize, i8),
    /// At or beside the border of an event's chunk.
    Border(usize, i8),
    /// At or beside the writer's time.
    Writer(i8),
    Anywhere(u64),
}

/// A range to be looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RangeSpec {
    Whole,
    Between(Point, Point),
    One(Point),
    From(Point),
    To(Point),
}

/// How many events to ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TakeSpec {
    All,
    First(u64),
    Last(u64),
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadSpec {
    pub(crate) range: RangeSpec,
    pub(crate) reverse: bool,
    pub(crate) take: TakeSpec,
    /// 0: one by one; else by batches of up to a random number below.
    pub(crate) batches: usize,
    pub(crate) seed: u64,
}

/// Behind which seq a tail begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TailFrom {
    /// The first event there ever was.
    Start,
    /// What comes next.
    Present,
    /// Where a consumer that is kept has come to.
    Consumer(usize),
    /// An event whose seq is known, be it lost or deleted.
    Event(usize),
}

/// What happens to the files that are only derived from others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    Delete,
    /// Cut to so many thousandths.
    Truncate(u64),
    /// One bit turns, so many thousandths in.
    Flip(u64, u8),
    /// Changes places with another file of its kind.
    Swap(usize),
    /// Bytes that were never there follow.
    Extend(u8),
}

/// One harm to one derived file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HarmSpec {
    pub(crate) recon: bool,
    pub(crate) which: usize,
    pub(crate) harm: Harm,
}

/// How a store goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    Drop,
    /// The process dies, the machine doesn't.
    Death,
    /// The machine loses power: all that isn't synced is lost.
    PowerLossAll,
    /// The machine loses power: of what isn't synced, anything may be lost.
    PowerLossRandom,
}

/// The limits of one retention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetainSpec {
    /// So many thousandths of a chunk.
    pub(crate) age: Option<u64>,
    /// So many thousandths of what all chunks take.
    pub(crate) size: Option<u64>,
    pub(crate) dry: bool,
    /// The clock on the wall shows this time meanwhile.
    pub(crate) wall: Option<Point>,
}

/// What a store was doing when the power went.
#[derive(Clone, Debug)]
pub(crate) enum Doing {
    Retain(RetainSpec),
    Append(BatchSpec),
    Sync,
    DeleteBefore(Point),
    Compact,
    Snapshot,
    Close,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Append(BatchSpec),
    AppendAbsent(BatchSpec),
    Read(ReadSpec),
    /// By a second handle, opened for reading only.
    ReadBeside(ReadSpec),
    Count(RangeSpec),
    Splits(RangeSpec),
    /// Opens a reader that is kept for later.
    OpenReader {
        spec: ReadSpec,
        beside: bool,
        pull: usize,
    },
    /// Reads on from one that was kept.
    PullReader {
        which: usize,
        pull: usize,
    },
    /// A consumer begins to follow the store. It is kept for later; where its tail ends, it goes on with another.
    OpenTail {
        from: TailFrom,
        beside: bool,
        /// It takes batches of up to a random number below.
        batches: usize,
        pull: usize,
        seed: u64,
    },
    /// A consumer that was kept takes more.
    PullTail {
        which: usize,
        pull: usize,
    },
    DeleteBefore(Point),
    Retain(RetainSpec),
    Compact(RangeSpec),
    /// By the writer or a handle beside it; then what is in it is read.
    Snapshot {
        spec: ReadSpec,
        beside: bool,
    },
    Sync,
    Tick(u64),
    Stats,
    Reopen {
        ending: Ending,
        harms: Vec<HarmSpec>,
        opening: Opening,
    },
    /// The power goes at so manieth call of the disk, or after the call of the store.
    Die {
        doing: Doing,
        at: u64,
        ending: Ending,
        opening: Opening,
    },
}

impl Op {
    /// The names of what this operation is about, to see that all are drawn.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let word = |text: String| text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
        let batch = |name: &str, spec: &BatchSpec| {
            let len = match spec.len {
                0 => "of none",
                1 => "of one",
                2..100 => "of some",
                _ => "of many",
            };
            vec![
                name.to_owned(),
                format!("shape {}", word(format!("{:?}", spec.shape))),
                format!("payload {:?}", spec.payload),
                format!("batch {len}"),
            ]
        };
        let range = |range: &RangeSpec| format!("range {}", word(format!("{range:?}")));
        let read = |name: &str, spec: &ReadSpec| {
            let take = word(format!("{:?}", spec.take));
            vec![name.to_owned(), range(&spec.range), format!("take {take} {}", if spec.reverse { "backward" } else { "forward" })]
        };
        match self {
            Op::Append(spec) => batch("append", spec),
            Op::AppendAbsent(spec) => batch("append absent", spec),
            Op::Read(spec) => read("read", spec),
            Op::ReadBeside(spec) => read("read beside", spec),
            Op::Count(spec) => vec!["count".to_owned(), range(spec)],
            Op::Splits(spec) => vec!["splits".to_owned(), range(spec)],
            Op::OpenReader { spec, beside, .. } => read(if *beside { "open reader beside" } else { "open reader" }, spec),
            Op::PullReader { .. } => vec!["pull reader".to_owned()],
            Op::OpenTail { from, beside, .. } => {
                let name = if *beside { "open tail beside" } else { "open tail" };
                vec![name.to_owned(), format!("tail from {}", word(format!("{from:?}")))]
            }
            Op::PullTail { .. } => vec!["pull tail".to_owned()],
            Op::DeleteBefore(_) => vec!["delete before".to_owned()],
            Op::Retain(spec) => {
                let by = |limit: Option<u64>, name: &str| limit.map(|_| format!("retain by {name}"));
                let wall = spec.wall.map(|_| "retain while the clock is wrong".to_owned());
                [by(spec.age, "age"), by(spec.size, "size"), wall].into_iter().flatten().chain(["retain".to_owned()]).collect()
            }
            Op::Compact(_) => vec!["compact".to_owned()],
            Op::Snapshot { beside, .. } => vec![if *beside { "snapshot beside" } else { "snapshot" }.to_owned()],
            Op::Sync => vec!["sync".to_owned()],
            Op::Tick(_) => vec!["tick".to_owned()],
            Op::Stats => vec!["stats".to_owned()],
            Op::Reopen { ending, harms, opening } => {
                let mut kinds = vec![format!("ending {ending:?}"), format!("level {}", word(format!("{:?}", opening.level)))];
                kinds.extend(
                    harms.iter().map(|spec| format!("{} {}", word(format!("{:?}", spec.harm)), if spec.recon { "recon" } else { "index" })),
                );
                kinds
            }
            Op::Die { doing, .. } => vec![format!("die in {}", word(format!("{doing:?}")))],
        }
    }
}

fn scale() -> impl Strategy<Value = Scale> {
    prop_oneof![
        1 => Just(Scale::Zero),
        2 => Just(Scale::One),
        3 => (1_u64..3000).prop_map(Scale::Grace),
        3 => (1_u64..50).prop_map(Scale::Chunk),
        2 => (1_u64..3000).prop_map(Scale::Chunk),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        5 => scale().prop_map(Shape::InOrder),
        2 => Just(Shape::Equal),
        4 => (scale(), scale()).prop_map(|(step, back)| Shape::Disordered(step, back)),
        4 => scale().prop_map(Shape::Late),
        1 => scale().prop_map(Shape::Backwards),
        1 => scale().prop_map(Shape::LoneAhead),
        1 => any::<u32>().prop_map(Shape::Leap),
        1 => Just(Shape::Edges),
        1 => Just(Shape::Anywhere),
        1 => Just(Shape::ManyChunks),
        2 => Just(Shape::Again),
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        10 => Just(Payload::Empty),
        10 => Just(Payload::OneByte),
        40 => Just(Payload::Short),
        20 => Just(Payload::Medium),
        20 => Just(Payload::Twins),
        1 => Just(Payload::Large),
    ]
}

fn batch() -> impl Strategy<Value = BatchSpec> {
    let some = prop_oneof![2 => 2_usize..12, 1 => 12_usize..100];
    let many = prop_oneof![2 => 100_usize..700, 1 => 700_usize..4000];
    let len = prop_oneof![1 => Just(0_usize), 3 => Just(1_usize), 18 => some, 3 => many];
    (shape(), len, payload(), any::<u64>()).prop_map(|(shape, len, payload, seed)| BatchSpec { shape, len, payload, seed })
}

fn point() -> impl Strategy<Value = Point> {
    prop_oneof![
        1 => Just(Point::Zero),
        1 => Just(Point::Max),
        6 => (any::<usize>(), -1_i8..=1).prop_map(|(which, by)| Point::Event(which, by)),
        3 => (any::<usize>(), -1_i8..=1).prop_map(|(which, by)| Point::Border(which, by)),
        1 => (-1_i8..=1).prop_map(Point::Writer),
        1 => any::<u64>().prop_map(Point::Anywhere),
    ]
}

fn range() -> impl Strategy<Value = RangeSpec> {
    prop_oneof![
        3 => Just(RangeSpec::Whole),
        6 => (point(), point()).prop_map(|(a, b)| RangeSpec::Between(a, b)),
        2 => point().prop_map(RangeSpec::One),
        1 => point().prop_map(RangeSpec::From),
        1 => point().prop_map(RangeSpec::To),
    ]
}

fn retain() -> impl Strategy<Value = RetainSpec> {
    let age = prop_oneof![3 => Just(None), 4 => (0_u64..6).prop_map(|chunks| Some(chunks * 1000)), 2 => (1_u64..6000).prop_map(Some)];
    let size = prop_oneof![1 => Just(None), 1 => (0_u64..1100).prop_map(Some)];
    let wall = prop_oneof![3 => Just(None), 1 => point().prop_map(Some)];
    (age, size, prop::bool::weighted(0.2), wall).prop_map(|(age, size, dry, wall)| RetainSpec { age, size, dry, wall })
}

fn read() -> impl Strategy<Value = ReadSpec> {
    let few = || prop_oneof![1 => Just(0_u64), 2 => Just(1_u64), 5 => 2_u64..40, 2 => 40_u64..2000, 1 => Just(u64::MAX)];
    let take = prop_oneof![4 => Just(TakeSpec::All), 2 => few().prop_map(TakeSpec::First), 2 => few().prop_map(TakeSpec::Last)];
    let batches = prop_oneof![1 => Just(0_usize), 1 => 2_usize..10, 1 => 10_usize..3000];
    (range(), any::<bool>(), take, batches, any::<u64>()).prop_map(|(range, reverse, take, batches, seed)| ReadSpec {
        range,
        reverse,
        take,
        batches,
        seed,
    })
}

fn harm() -> impl Strategy<Value = HarmSpec> {
    let harm = prop_oneof![
        2 => Just(Harm::Delete),
        2 => (0_u64..1000).prop_map(Harm::Truncate),
        4 => (0_u64..1000, 0_u8..8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        2 => any::<usize>().prop_map(Harm::Swap),
        1 => any::<u8>().prop_map(Harm::Extend),
    ];
    (any::<bool>(), any::<usize>(), harm).prop_map(|(recon, which, harm)| HarmSpec { recon, which, harm })
}

fn opening() -> impl Strategy<Value = Opening> {
    let level = prop_oneof![
        (1_usize..200_000, 1_u64..2_000_000_000).prop_map(|(bytes, nanoseconds)| LevelChoice::Buffered { bytes, nanoseconds }),
        Just(LevelChoice::Process),
        (1_u64..2_000_000_000).prop_map(LevelChoice::Interval),
        Just(LevelChoice::Power),
    ];
    let logs = prop_oneof![Just(1_usize), Just(2_usize), Just(5_usize), Just(64_usize)];
    let window = prop_oneof![1 => Just(1_usize), 2 => 1_usize..3000, 2 => Just(1 << 20)];
    (level, logs, prop::bool::weighted(0.2), window).prop_map(|(level, max_open_logs, no_index, window)| Opening {
        level,
        max_open_logs,
        no_index,
        window,
        // The two have nothing to do with each other, so one draw is enough.
        compression: match max_open_logs {
            1 => None,
            2 => Some(Compression::None),
            _ => Some(Compression::Lz4),
        },
    })
}

fn tail_from() -> impl Strategy<Value = TailFrom> {
    prop_oneof![
        2 => Just(TailFrom::Start),
        1 => Just(TailFrom::Present),
        1 => any::<usize>().prop_map(TailFrom::Consumer),
        2 => any::<usize>().prop_map(TailFrom::Event),
    ]
}

/// How a store is set up.
pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let file_size = prop_oneof![
        2 => Just(None),
        1 => Just(Some(1_u64)),
        1 => Just(Some(10_u64)),
        4 => Just(Some(1000_u64)),
        3 => Just(Some(100_000_u64)),
        1 => Just(Some(86_400_000_000_000_u64)),
        1 => Just(Some(u64::MAX)),
    ];
    let grace = prop_oneof![
        1 => Just(0_u64),
        1 => Just(1_u64),
        3 => Just(50_u64),
        2 => Just(3000_u64),
        1 => Just(60_000_000_000_u64),
        1 => Just(u64::MAX),
    ];
    let start =
        prop_oneof![1 => Just(0_u64), 6 => Just(1_000_000_u64), 2 => Just(1_700_000_000_000_000_000_u64), 1 => Just(u64::MAX - 500_000)];
    let chunks = prop_oneof![3 => Just(4_usize), 1 => Just(25_usize)];
    (file_size, grace, start, chunks, prop::bool::weighted(0.15), opening()).prop_map(
        |(file_size, grace, start, chunks_per_batch, bulk, opening)| Setup { file_size, grace, chunks_per_batch, start, bulk, opening },
    )
}

/// One operation; `crashes`: among them are endings that only a simulated disk can bring about.
pub(crate) fn op(crashes: bool) -> impl Strategy<Value = Op> {
    let crash = || prop_oneof![1 => Just(Ending::Death), 1 => Just(Ending::PowerLossAll), 2 => Just(Ending::PowerLossRandom)];
    let cut_short = if crashes { crash().boxed() } else { Just(Ending::Drop).boxed() };
    let ending = prop_oneof![3 => Just(Ending::Close), 2 => Just(Ending::Drop), 4 => cut_short];
    let doing = prop_oneof![
        4 => batch().prop_map(Doing::Append),
        1 => Just(Doing::Sync),
        1 => point().prop_map(Doing::DeleteBefore),
        1 => retain().prop_map(Doing::Retain),
        2 => Just(Doing::Compact),
        2 => Just(Doing::Snapshot),
        2 => Just(Doing::Close),
    ];
    let die = (doing, 0_u64..40, crash(), opening()).prop_map(|(doing, at, ending, opening)| Op::Die { doing, at, ending, opening });
    let die = if crashes { die.boxed() } else { Just(Op::Stats).boxed() };
    let beside = || prop::bool::weighted(0.25);
    prop_oneof![
        14 => batch().prop_map(Op::Append),
        3 => batch().prop_map(Op::AppendAbsent),
        6 => read().prop_map(Op::Read),
        2 => read().prop_map(Op::ReadBeside),
        3 => range().prop_map(Op::Count),
        1 => range().prop_map(Op::Splits),
        3 => (read(), beside(), 0_usize..50).prop_map(|(spec, beside, pull)| Op::OpenReader { spec, beside, pull }),
        3 => (any::<usize>(), 0_usize..300).prop_map(|(which, pull)| Op::PullReader { which, pull }),
        3 => (tail_from(), prop::bool::weighted(0.4), prop_oneof![1_usize..10, 10_usize..3000], 0_usize..50, any::<u64>())
            .prop_map(|(from, beside, batches, pull, seed)| Op::OpenTail { from, beside, batches, pull, seed }),
        4 => (any::<usize>(), prop_oneof![2 => 0_usize..60, 1 => Just(usize::MAX)]).prop_map(|(which, pull)| Op::PullTail { which, pull }),
        2 => point().prop_map(Op::DeleteBefore),
        1 => retain().prop_map(Op::Retain),
        4 => range().prop_map(Op::Compact),
        2 => (read(), beside()).prop_map(|(spec, beside)| Op::Snapshot { spec, beside }),
        1 => Just(Op::Sync),
        1 => (1_u64..3_000_000_000).prop_map(Op::Tick),
        2 => Just(Op::Stats),
        4 => (ending, vec(harm(), 0..4), opening()).prop_map(|(ending, harms, opening)| Op::Reopen { ending, harms, opening }),
        2 => die,
    ]
}

/// A whole story.
pub(crate) fn ops(crashes: bool) -> impl Strategy<Value = Vec<Op>> {
    vec(op(crashes), 1..30)
}
