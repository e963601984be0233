//! The files of a store, byte by byte: format version 1.
//!
//! Numbers are little endian. A checksum is CRC-32 as of IEEE 802.3 (the one of zlib). *Key* means a time (u64) and a seq (u64), 16 bytes.
//! Reserved bytes are 0. Every file names the version that wrote it; a reader refuses a newer version, unknown frame flags, unknown codecs and
//! unknown journal records with an error that says so, and never guesses.
//!
//! # The folder
//!
//! | name | what |
//! | --- | --- |
//! | `estore` | the settings, written once |
//! | `lock` | locked by the writer; holds two lines of text: its process number, and `journal` with the journal's instance in hexadecimal, a hint |
//! | `journal` | facts about the store as a whole |
//! | `N-G.estore` | the log of chunk `N`, generation `G`: the truth |
//! | `N-G.idx` | the index of that log; derived |
//! | `N-G.recon` | its late events, sorted; derived |
//! | `N-G.cut` | bytes that recovery cut off it, kept for a person to look at |
//! | `snapshot.new` | empty: a snapshot is being made here, which is no store yet |
//! | `estore.new`, `journal.new`, `N-G.recon.new`, `N-G.new` (a log) | being written, to be renamed |
//!
//! A log that is *compacted* takes the place of those of earlier generations, whose files are then removed but for their `.cut`. It is
//! whole and durable before it gets its name, sorted as a whole, its frames are of one batch, and it is never appended to. Of late events
//! its frames tell the right number together, each for itself not.
//!
//! `N` and `G` are decimal without leading zeros. An efile has the single chunk 0. Other files are not looked at.
//!
//! # Settings
//!
//! 128 bytes.
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `estore\r\n` |
//! | 8 | 4 | format version |
//! | 12 | 4 | kind: 0 estore, 1 efile |
//! | 16 | 4 | flags that an older version may ignore |
//! | 20 | 4 | flags that a version must know to open the store |
//! | 24 | 16 | store id, random |
//! | 40 | 8 | `file_size`; 0 for an efile |
//! | 48 | 8 | `grace` |
//! | 56 | 8 | wall clock at creation, nanoseconds since 1970 |
//! | 64 | 60 | reserved |
//! | 124 | 4 | checksum of bytes 0 to 123 |
//!
//! # Logs
//!
//! A log header of 64 bytes, then frames without gaps. Behind them there may be zeros: room set aside.
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `estorlog` |
//! | 8 | 4 | format version |
//! | 12 | 4 | flags that a version must know |
//! | 16 | 16 | store id |
//! | 32 | 8 | chunk `N` |
//! | 40 | 8 | instance: random, new with each log |
//! | 48 | 4 | generation `G` |
//! | 52 | 4 | first generation that this log takes the place of; `G` if it takes the place of none |
//! | 56 | 1 | codec that its frames were to be compressed with, if it is compacted; each tells its own |
//! | 57 | 3 | reserved |
//! | 60 | 4 | checksum of bytes 0 to 59 |
//!
//! ## Frames
//!
//! A header of 128 bytes, or of 64 where it has the flag *single*:
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | `eFrm` |
//! | 4 | 4 | checksum of bytes 16 to 127 |
//! | 8 | 8 | instance of the file, which must be the right one |
//! | 16 | 8 | offset of this header in the file |
//! | 24 | 2 | flags: 1 late, 2 last of its batch in this log, 4 end of its batch, 8 alone, 16 in a recon file, 32 single |
//! | 26 | 1 | codec of the body: 0 plain, 1 LZ4 (a block as of the LZ4 block format, without a length before it) |
//! | 27 | 4 | bytes per event in the columns of times, seqs, ids, lengths |
//! | 31 | 1 | reserved |
//! | 32 | 4 | events, 1 to 8192 |
//! | 36 | 4 | how many of them were late by the definition |
//! | 40 | 4 | length of the body as stored |
//! | 44 | 4 | length of the body as decoded; if it is compressed, at most 4 MiB, and of LZ4 at most 255 times its length as stored |
//! | 48 | 4 | checksum of the body as stored |
//! | 52 | 4 | smallest id |
//! | 56 | 4 | smallest length |
//! | 60 | 4 | reserved |
//! | 64 | 16 | key of the first event |
//! | 80 | 16 | key of the last event |
//! | 96 | 8 | smallest seq |
//! | 104 | 8 | largest seq |
//! | 112 | 8 | largest seq of the batch |
//! | 120 | 8 | everything up to this seq was known to be durable |
//!
//! A frame that is one event, the last of its batch, is *single*. Its header goes on differently after byte 26:
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 4 | 4 | checksum of bytes 16 to 63 |
//! | 27 | 1 | 1 if the event was late by the definition, else 0 |
//! | 28 | 4 | id |
//! | 32 | 4 | length of the body: the event's data and nothing else |
//! | 36 | 4 | checksum of the body |
//! | 40 | 16 | key; its seq is that of the batch too |
//! | 56 | 8 | everything up to this seq was known to be durable |
//!
//! Only frames of compacted logs are compressed, each for itself, and only if it is not *single*. What follows is told of bodies as decoded.
//!
//! The body of all other frames: four columns, then the data of all events one after the other. Events are sorted by key. A column holds
//! for each event the distance from a base in the stated number of bytes (0 to 8; at most 4 for ids and lengths): times from the first
//! key's time, seqs from the smallest seq, ids from the smallest id, lengths from the smallest length. A column of width 0 has no bytes and
//! all distances 0, except that a column of seqs of width 0 means that seqs rise by one.
//!
//! Frames of one batch lie in its logs next to each other. The last one in each log carries *last*; the last one in the last log that the
//! batch touches also carries *end*. A batch counts once its *end* is there.
//!
//! # Journal
//!
//! A header of 64 bytes, then records of 128. Behind them there may be zeros.
//!
//! | at | bytes | header |
//! | --- | --- | --- |
//! | 0 | 8 | `estorjnl` |
//! | 8 | 4 | format version |
//! | 12 | 4 | reserved |
//! | 16 | 16 | store id |
//! | 32 | 8 | instance: random, new with each journal file |
//! | 40 | 8 | how many records it had when it was made: no fewer may be there |
//! | 48 | 12 | reserved |
//! | 60 | 4 | checksum of bytes 0 to 59 |
//!
//! | at | bytes | record |
//! | --- | --- | --- |
//! | 0 | 4 | checksum of bytes 4 to 127, then the instance, then the record's offset (8 bytes each) |
//! | 4 | 2 | kind: 1 session, 2 active, 3 idle, 4 horizon, 5 drop, 6 close, 7 switch |
//! | 6 | 1 | flags: 1 there is a watermark; *session*: 1 events are held back in memory after they have got their seqs |
//! | 7 | 1 | *switch*: as in the log's header, the codec that its frames were to be compressed with |
//! | 8 | 4 | generation |
//! | 12 | 4 | reserved; for *switch* the first generation that the new log replaces |
//! | 16 | 8 | session: the first seq that must not be given out; horizon: its time; close: the next seq; others: frames in the log, or 0, a hint |
//! | 24 | 8 | batches up to this seq are whole |
//! | 32 | 8 | everything up to this seq is durable |
//! | 40 | 8 | chunk; session: its first seq |
//! | 48 | 8 | instance of the log |
//! | 56 | 8 | length of the log |
//! | 64 | 8 | events in it |
//! | 72 | 8 | late events |
//! | 80 | 8 | events in late frames |
//! | 88 | 8 | smallest time, all ones if there is none |
//! | 96 | 8 | largest time |
//! | 104 | 8 | largest seq; *horizon*: the largest seq of the chunks that were deleted as a whole, by then and by this record |
//! | 112 | 8 | watermark of the chunk |
//! | 120 | 8 | up to this offset the journal was known to be durable; 0 in records that it was made with |
//!
//! Bytes from 48 on belong to *active*, *idle* and *switch*, but for 48 to 55 of *session* and *close*: the branch, a random number that a
//! store has from its first *session* on. A snapshot has the branch of its store and no *session* until it is opened for writing; its logs
//! may be longer than its journal says, which is what comes of a later snapshot into the same folder that was cut short. *Switch* says that
//! the log of this generation takes the place of those from the stated first generation up to the one before it: compaction has made it of
//! them.
//!
//! # Index
//!
//! Parts, one after the other; each describes the frames of a stretch of the log and begins where the one before it ends (the first one at 64).
//!
//! | at | bytes | part |
//! | --- | --- | --- |
//! | 0 | 4 | `eIdx` |
//! | 4 | 4 | checksum of bytes 8 to 55 |
//! | 8 | 8 | instance of the log |
//! | 16 | 8 | start of the stretch |
//! | 24 | 8 | its end |
//! | 32 | 8 | offset of its last frame |
//! | 40 | 4 | header checksum of that frame |
//! | 44 | 4 | entries |
//! | 48 | 4 | checksum of the entries |
//! | 52 | 4 | reserved |
//! | 56 | 64 each | entries |
//!
//! | at | bytes | entry |
//! | --- | --- | --- |
//! | 0 | 8 | offset of the first frame |
//! | 8 | 4 | bytes from there to the end of the last frame |
//! | 12 | 4 | events |
//! | 16 | 16 | smallest key |
//! | 32 | 16 | largest key |
//! | 48 | 8 | largest seq |
//! | 56 | 4 | bytes of its own frames, those of the other class between them not counted |
//! | 60 | 4 | class: 0 main frames, 1 late frames |
//!
//! A compressed frame has an entry of its own.
//!
//! # Recon
//!
//! A header of 64 bytes, then runs.
//!
//! | at | bytes | header |
//! | --- | --- | --- |
//! | 0 | 8 | `estrecon` |
//! | 8 | 4 | format version |
//! | 12 | 4 | reserved |
//! | 16 | 8 | instance of the log |
//! | 24 | 8 | instance of this file |
//! | 32 | 28 | reserved |
//! | 60 | 4 | checksum of bytes 0 to 59 |
//!
//! A run: this header, frames (with the instance and offsets of this file), then index entries: for these frames, and for those that the
//! run has in common with runs before it that it replaces. Entries are sorted by key and don't overlap.
//!
//! | at | bytes | run |
//! | --- | --- | --- |
//! | 0 | 4 | `eRun` |
//! | 4 | 4 | checksum of bytes 8 to 63, then the instance of this file, then the run's offset (8 bytes each) |
//! | 8 | 8 | start of the stretch of the log whose late events it holds |
//! | 16 | 8 | end of the stretch |
//! | 24 | 8 | offset of the last frame of the log before that end |
//! | 32 | 4 | header checksum of that frame |
//! | 36 | 4 | entries |
//! | 40 | 8 | bytes of its own frames |
//! | 48 | 4 | checksum of the entries |
//! | 52 | 12 | reserved |
//!
//! A run replaces the runs before it that start at or behind its own start. Together the runs that are left cover the log from 64 on
//! without gaps.
//!
//! # Cut bytes
//!
//! Each time that recovery cuts something off a log it appends: `eCut`, a checksum of the 24 bytes that follow, the offset in the log (8),
//! the length (8), 8 reserved bytes, and the bytes themselves.
//!
//! # Identities and digests
//!
//! What replicas compare. The identity of an event is told by its time and a hash: XXH3 with 128 bits over the time (8), the id (4) and the
//! data. A digest has of each stretch of time the count of identities, each once, and the sum of their hashes modulo 2^128.
//!
//! # Parcels
//!
//! Events to be carried ([`Store::export`](crate::Store::export)).
//!
//! | at | bytes | |
//! | --- | --- | --- |
//! | 0 | 8 | `estparcl` |
//! | 8 | 4 | version: 1 |
//! | 12 | 4 | how many events |
//! | 16 | 8 | length of the whole parcel |
//! | 24 | | the events, one after the other: time (8), id (4), length of the data (4), data |
//! | at the end | 4 | checksum (CRC-32) of all before it |
//!
//! # Messages between replicas
//!
//! See [`Exchange`](crate::Exchange).
//!
//! | at | bytes | |
//! | --- | --- | --- |
//! | 0 | 8 | `estmessg` |
//! | 8 | 4 | version: 1 |
//! | 12 | 4 | kind: see below |
//! | 16 | 8 | length of the whole message |
//! | 24 | | what the kind says |
//! | at the end | 4 | checksum (CRC-32) of all before it |
//!
//! | kind | from | what is in it |
//! | --- | --- | --- |
//! | 1 ask | who repairs | horizon (8), ranges: first time (8), last time (8), 1 if identities are wanted (8), the identity they are to come after: time (8), hash (16); count (8), sum (16) |
//! | 2 tell | the other | horizon (8), how many of the ranges are answered (8), how many gaps (8), the gaps: see below; and for each range that differs: its place among those asked (4), 1 if identities are left out (4), parts (4), identities (4); the parts: first time, last time, count, sum; the identities: time, hash |
//! | 3 want | who repairs | identities: time (8), hash (16) |
//! | 4 have | the other | how many of the identities were looked for (8), a parcel of the events that were found, if any |
//! | 5 give | who repairs | a parcel |
//! | 6 taken | the other | events stored (8), there already (8), expired (8) |
//!
//! A place is that of a range among those asked about, from 0 on. Ranges have both their ends. Parts follow on each other within their range.
//! Identities are in order of time and hash. What is asked for and not answered is asked for again.
//!
//! A gap is something damaged of the answered ranges, whose events are in no sum: offset in the file (8), length (8), first time (8) and
//! last time (8) that may be missing, length of the file's name (4), length of a text that says what is wrong (4), the name, the text. Both
//! are UTF-8 without control characters. One without a name stands for more than are told.
