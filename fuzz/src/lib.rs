//! What the fuzz targets share. Each target puts bytes in the place of files of a store that was made once, on the simulated disk, and
//! looks whether all that must hold of any bytes holds:
//!
//! ```text
//!   fuzz_targets/*.rs     input ──> files ──> Case ──> check::exercise
//!                           │         └ genuine or forged: layout
//!                           └ mutate ─── repairs checksums: layout
//!   base     the stores that inputs are put into         memory    bounds what the engine may allocate
//!   folder   several files as one input                  abi       the C ABI, for the target `calls`
//!   messages what another replica may send
//! ```

pub mod abi;
pub mod base;
pub mod calls;
pub mod check;
pub mod folder;
pub mod layout;
pub mod memory;
pub mod messages;
pub mod mutate;
pub mod single;

#[path = "../../tests/common/handle.rs"]
#[allow(dead_code)] // used in part
mod handle;
#[path = "../../tests/common/rng.rs"]
#[allow(dead_code)] // used in part
mod rng;
