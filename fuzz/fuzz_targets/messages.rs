#![no_main]

use estore_fuzz::memory::keep_memory;
use estore_fuzz::messages;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(init: keep_memory(), |input: &[u8]| messages::run(input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    messages::mutate(data, size, max_size, seed, &mut |data, size| {
        let most = data.len();
        fuzzer_mutate(data, size, most)
    })
});
