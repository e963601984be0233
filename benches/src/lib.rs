//! What the driver and the small pieces share: the library under test as a C program sees it, and the events that it is given.

pub mod abi;
pub mod data;
