//! For stores that are spread over machines, or copied: how replicas are compared and brought together, and how a time range is cut into the
//! units that they are placed by.
//!
//! ```text
//!   identity    what an event is: its time, its id, its data; and a hash of them
//!   digest      a range cut into buckets of time, of each how many identities there are and the sum of their hashes
//!   union       two stores that are open here, read side by side: each is given what only the other has
//!   exchange    two stores of which one is elsewhere: messages that find out where they differ, and carry what lacks
//!   parcel      events as bytes to be carried: checksummed, whole or refused
//!   splits      a range cut at chunk borders
//! ```
//!
//! An event never changes, so replicas are sets that only grow, and bringing them together is their union, whatever the order, and however
//! often it is begun anew. Repeats of an identity within a store count once, and no repeats are made.
//!
//! A damaged replica is one that lacks what is in its damaged frames. So it gives what is whole, and is given what it lost, which is stored
//! in other frames; the damage stays where it is, and both sides are told of it, since what neither has looks equal. Only a
//! digest of a damaged range is an error: a number can't say that something is missing.

pub(crate) mod digest;
mod envelope;
pub(crate) mod exchange;
pub(crate) mod identity;
pub(crate) mod message;
pub(crate) mod parcel;
pub(crate) mod splits;
pub(crate) mod union;
