#![no_main]

use estore_fuzz::base::RECON;
use estore_fuzz::memory::keep_memory;
use estore_fuzz::single;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(init: keep_memory(), |input: &[u8]| single::run(RECON, input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    single::mutate(RECON, data, size, max_size, seed, &mut |data, size| {
        let most = data.len();
        fuzzer_mutate(data, size, most)
    })
});
