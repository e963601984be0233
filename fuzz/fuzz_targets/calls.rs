#![no_main]

use estore_fuzz::calls::{self, Program};
use estore_fuzz::memory::keep_memory;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: keep_memory(), |program: Program| calls::run(&program));
