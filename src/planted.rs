//! Bugs on purpose, each where a programmer could have made it: whoever plants one sees whether the tests find it.
//!
//! Without the feature `planted`, which nothing implies and only this crate's own tests turn on, [`has`] is a constant `false` and the code
//! is what it would be without any of this. With it there is still no bug unless a test plants one, for the thread that it runs on.

/// Which bug. Each says what the code then does.
#[cfg_attr(not(feature = "planted"), expect(unreachable_pub))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A sync leaves the logs out.
    SkipLogSync,
    /// A sync leaves the folder out, so new logs have no name that lasts.
    SkipFolderSync,
    /// A sync leaves the journal out.
    SkipJournalSync,
    /// More seqs are reserved in the journal, and given out before that is durable.
    SkipSessionSync,
    /// A log is closed and called idle without having been synced.
    RetireWithoutSync,
    /// A new journal takes the old one's name before it is synced.
    RenameBeforeSync,
    /// Opening goes on with the seq behind the last that it finds, though more may have been given out.
    ReuseSeqs,
    /// Events are called durable, and then synced.
    DurableBeforeSync,
    /// Recovery takes a batch for whole that has all its parts in one log, whether or not the others have theirs.
    IgnoreEnd,
    /// Recovery cuts a log at the first bad frame, though events behind it are durable.
    CutBelowDurable,
    /// What recovery cuts off is not kept aside.
    ForgetCutBytes,
    /// Frames that an earlier recovery cut off, and that loss of power brought back, are taken for new ones.
    BringBackCutFrames,
    /// The checksum of a frame's body is not compared.
    SkipBodyChecksum,
    /// The checksum of a frame's header is not compared.
    SkipHeaderChecksum,
    /// A frame is believed wherever it stands.
    SkipInstance,
    /// The checksum of a journal's record is not compared.
    SkipRecordChecksum,
    /// An index or recon file is believed though the log was cut since and went on differently.
    TrustStaleFiles,
    /// A sync that fails is tried again, and the second answer counts.
    RetrySync,
    /// A failed write does not stop the writer.
    GoOnAfterFailedWrite,
    /// A failed sync does not stop the writer.
    GoOnAfterFailedSync,
    /// No room is set aside before a batch is written.
    SkipReserve,
    /// Files of deleted chunks go at once, whoever reads them.
    RemoveUnderReaders,
    /// Files of deleted chunks go before the horizon is durable.
    RemoveBeforeHorizon,
    /// A journal that is written anew lacks the horizon.
    ForgetHorizon,
    /// A reader leaves out a piece that begins with the last time of its range.
    LoseEventAtBorder,
    /// Where a batch has late events and others, the first of the others is left out.
    LoseEventAtFrame,
    /// A recon run ends one event too early.
    ShortRun,
    /// A recon run lacks a frame that it should have from a run that it replaces.
    LoseCarriedFrame,
    /// A reader shows events that came after it was opened.
    LeakIntoSnapshot,
    /// Compaction leaves out one event, and counts it all the same.
    CompactOneLess,
    /// A compacted log takes the place of others before it is synced.
    SwitchBeforeSync,
    /// A compacted log takes the place of others before its name is durable.
    SkipNameSync,
    /// Opening takes logs that a compacted one has replaced for logs that the journal has lost.
    TakeReplacedLogs,
    /// A window of a tail that ends in the midst of a batch is taken for one with all of it.
    TailSkipsBorder,
    /// Of a compacted log, a tail leaves out frames that have events up to its cursor too.
    TailForgetsCompacted,
    /// A tail that begins far into a log goes back before its cursor.
    TailStepsBack,
    /// A journal that is written anew lacks up to which seq there were deleted events.
    ForgetRemoved,
    /// Retention counts ages from the clock, however far behind it the events are.
    AgeByClockAlone,
    /// Retention by size removes what is live, too.
    RetainNoLiveChunk,
    /// A snapshot leaves out what is in the buffer.
    SnapshotWithoutBuffer,
    /// A snapshot leaves its copies of logs unsynced.
    SnapshotWithoutSync,
    /// A snapshot's journal takes the old one's place before the names of new logs are durable.
    SnapshotWithoutNames,
    /// A snapshot takes a log that it has for the whole of it, though it has grown.
    SnapshotWithoutGrowth,
    /// What a frame is decompressed to is taken to be as long as its header says.
    TrustPlainLength,
    /// The sums of digests are no sums: two hashes are exclusive-ored.
    XorHashes,
    /// A digest counts the repeats of an event.
    CountRepeats,
    /// Who answers about a range forgets what the other has deleted of it.
    TellDeleted,
    /// A part of a range ends before the last time that its sum is of.
    PartWithoutBorder,
    /// Some of the identities of a range are taken for all of them.
    TakePageForAll,
    /// Events of one time are taken for the same if only their ids differ.
    ForgetIds,
    /// A repair ends without what it has not yet copied.
    CopyLessThanBatch,
    /// A repair counts what the other has deleted as copied.
    CopyExpired,
    /// The checksum of a parcel is not compared.
    SkipParcelChecksum,
    /// Of a parcel that ends too early, the events before that are taken.
    TakePartOfParcel,
    /// Who answers does not tell what is damaged.
    HideDamage,
    /// In a damaged chunk nothing is there already.
    DoubleInDamaged,
}

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    impl Bug {
        /// All of them.
        pub const ALL: [Bug; 56] = [
            Bug::SkipLogSync,
            Bug::SkipFolderSync,
            Bug::SkipJournalSync,
            Bug::SkipSessionSync,
            Bug::RetireWithoutSync,
            Bug::RenameBeforeSync,
            Bug::ReuseSeqs,
            Bug::DurableBeforeSync,
            Bug::IgnoreEnd,
            Bug::CutBelowDurable,
            Bug::ForgetCutBytes,
            Bug::BringBackCutFrames,
            Bug::SkipBodyChecksum,
            Bug::SkipHeaderChecksum,
            Bug::SkipInstance,
            Bug::SkipRecordChecksum,
            Bug::TrustStaleFiles,
            Bug::RetrySync,
            Bug::GoOnAfterFailedWrite,
            Bug::GoOnAfterFailedSync,
            Bug::SkipReserve,
            Bug::RemoveUnderReaders,
            Bug::RemoveBeforeHorizon,
            Bug::ForgetHorizon,
            Bug::LoseEventAtBorder,
            Bug::LoseEventAtFrame,
            Bug::ShortRun,
            Bug::LoseCarriedFrame,
            Bug::LeakIntoSnapshot,
            Bug::CompactOneLess,
            Bug::SwitchBeforeSync,
            Bug::SkipNameSync,
            Bug::TakeReplacedLogs,
            Bug::TailSkipsBorder,
            Bug::TailForgetsCompacted,
            Bug::TailStepsBack,
            Bug::ForgetRemoved,
            Bug::AgeByClockAlone,
            Bug::RetainNoLiveChunk,
            Bug::SnapshotWithoutBuffer,
            Bug::SnapshotWithoutSync,
            Bug::SnapshotWithoutNames,
            Bug::SnapshotWithoutGrowth,
            Bug::TrustPlainLength,
            Bug::XorHashes,
            Bug::CountRepeats,
            Bug::TellDeleted,
            Bug::PartWithoutBorder,
            Bug::TakePageForAll,
            Bug::ForgetIds,
            Bug::CopyLessThanBatch,
            Bug::CopyExpired,
            Bug::SkipParcelChecksum,
            Bug::TakePartOfParcel,
            Bug::HideDamage,
            Bug::DoubleInDamaged,
        ];
    }

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// From now on stores that are used on this thread have this bug, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn has(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "planted")]
pub use switch::plant;

#[cfg(feature = "planted")]
pub(crate) use switch::has;

/// Whether this bug is planted.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub(crate) const fn has(_: Bug) -> bool {
    false
}
